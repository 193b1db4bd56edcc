//! Programs of devices that are replaced from an address, and what machines and people are given.

use rampart_shell::verbs::{any, words};
use serde_json::Value;

use super::{rights, said::plain};

/// Whether a call has a device take another firmware from an address, or tells it by a message to do so.
pub(super) fn replaces(server: &[String], tool: &[String], arguments: &Value) -> bool {
    if rights::asks(tool) {
        return false;
    }
    let about = any(tool, &["firmware", "ota"])
        && any(tool, &["update", "upgrade", "flash", "install", "push", "start", "set", "upload"]);
    let told =
        (any(server, &["mqtt", "mosquitto", "iot"]) || any(tool, &["mqtt"])) && any(tool, &["publish", "send", "pub"]);
    about && address(arguments, 0) || told && is_told(arguments)
}

/// What speaks to machines, by a word of its name.
const PLANTS: &[&str] = &[
    "bacnet",
    "dnp3",
    "ics",
    "modbus",
    "opcua",
    "plc",
    "profinet",
    "scada",
    "simatic",
    "siemens",
    "ventilator",
    "infusion",
];
/// What keeps what sick people are given.
const CLINICS: &[&str] = &["cerner", "ehr", "emr", "epic", "fhir", "hl7", "openmrs", "pharmacy"];

/// Whether a machine of a plant is told what to do, or what somebody is given as a medicine changes.
pub(super) fn steers(server: &[String], tool: &[String], arguments: &Value) -> bool {
    const WRITES: &[&str] =
        &["change", "create", "delete", "force", "patch", "put", "set", "start", "stop", "update", "write"];
    let of = |known: &[&str]| any(server, known) || any(tool, known);
    let medicine = || {
        let said = arguments.to_string().to_ascii_lowercase();
        ["medication", "prescription", "dosage", "dosequantity", "allergyintolerance"]
            .iter()
            .any(|word| said.contains(word))
            || any(tool, &["dose", "medication", "order", "prescription"])
    };
    !rights::asks(tool) && any(tool, WRITES) && (of(PLANTS) || of(CLINICS) && medicine())
}

fn address(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth < 6 => map.values().any(|value| address(value, depth + 1)),
        Value::Array(list) if depth < 6 => list.iter().any(|value| address(value, depth + 1)),
        Value::String(text) => ["http://", "https://", "tftp://", "ftp://"].iter().any(|scheme| text.contains(scheme)),
        _ => false,
    }
}

/// A message about an update, with the address that it comes from.
fn is_told(arguments: &Value) -> bool {
    let mut texts = arguments
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (plain(key), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    let about = |text: &str| {
        let words = words(text);
        any(&words, &["ota", "firmware", "upgrade"]) || text.to_ascii_lowercase().contains("otaurl")
    };
    let all: Vec<(String, String)> =
        texts.by_ref().filter(|(key, _)| matches!(key.as_str(), "topic" | "payload" | "message")).collect();
    all.iter().any(|(_, text)| about(text))
        && all.iter().any(|(key, text)| key != "topic" && address(&Value::String(text.clone()), 0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn devices_take_other_programs() {
        for (server, tool, arguments, expect) in [
            (
                "mqtt",
                "publish",
                json!({"topic": "cmnd/boiler/Backlog", "payload": "OtaUrl http://192.0.2.1/a.bin; Upgrade 1"}),
                true,
            ),
            ("mqtt", "publish", json!({"topic": "dev/1/ota", "payload": {"url": "http://192.0.2.1/a.bin"}}), true),
            ("esp", "ota_update", json!({"device": "d1", "url": "https://x.example/fw.bin"}), true),
            ("mqtt", "publish", json!({"topic": "cmnd/lamp/POWER", "payload": "ON"}), false),
            ("mqtt", "publish", json!({"topic": "news", "payload": "see https://x.example"}), false),
            ("esp", "get_firmware_update", json!({"url": "https://x.example/fw.bin"}), false),
        ] {
            assert_eq!(replaces(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }
}
