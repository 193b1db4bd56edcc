//! The requests of the audit trail in the HTTP Archive format 1.2. Bodies are not in the trail, and secrets are not in it
//! either, so neither is here.

use std::{collections::HashMap, path::Path};

use rampart_gateway::audit::{
    Kind,
    read::{Record, forward},
};
use serde_json::{Value, json};

/// The text of the archive, and how many requests are in it.
pub(super) fn of(dir: &Path, session: Option<&str>) -> anyhow::Result<(String, usize)> {
    let mut entries: Vec<Value> = Vec::new();
    // Requests without an answer yet, by what an answer repeats of them.
    let mut waiting: HashMap<String, Vec<usize>> = HashMap::new();
    for record in forward(dir, 0) {
        let record: Record = record?;
        if !matches!(record.kind, Kind::Decision | Kind::Result) {
            continue;
        }
        let line: Value = serde_json::from_str(&record.line)?;
        let actor = &line["actor"];
        let wanted = actor["surface"] == "egress" && line["action"]["type"] == "fetch";
        if !wanted || session.is_some_and(|session| actor["session"] != session) {
            continue;
        }
        let key = format!("{}\n{}\n{}", actor["session"], line["action"]["method"], line["action"]["url"]);
        if record.kind == Kind::Decision {
            if line["verdict"] == "allow" {
                waiting.entry(key).or_default().push(entries.len());
            }
            entries.push(entry(&line, record.seq));
        } else if let Some(place) = waiting.get_mut(&key).filter(|w| !w.is_empty()).map(|w| w.remove(0))
            && let Some(entry) = entries.get_mut(place)
        {
            answered(entry, &line);
        }
    }
    let count = entries.len();
    let creator = json!({ "name": "rampart", "version": env!("CARGO_PKG_VERSION") });
    let archive = json!({ "log": { "version": "1.2", "creator": creator, "entries": entries } });
    Ok((format!("{archive:#}"), count))
}

fn entry(line: &Value, seq: u64) -> Value {
    let action = &line["action"];
    let url = action["url"].as_str().unwrap_or_default();
    let query = url::Url::parse(url)
        .map(|url| url.query_pairs().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>());
    let refused = line["verdict"] != "allow";
    let mut entry = json!({
        "startedDateTime": line["at"],
        "time": 0,
        "request": {
            "method": action["method"],
            "url": url,
            "httpVersion": "",
            "cookies": [],
            "headers": headers(&action["headers"]),
            "queryString": query.unwrap_or_default(),
            "headersSize": -1,
            "bodySize": action["body_size"].as_i64().unwrap_or(-1),
        },
        "response": response(if refused { 403 } else { 0 }, &Value::Null),
        "cache": {},
        "timings": { "send": 0, "wait": 0, "receive": 0 },
        "_rampart": {
            "seq": seq,
            "session": line["actor"]["session"],
            "agent": line["actor"]["agent"],
            "verdict": line["verdict"],
            "reason": line["reason"],
            "policy": line["rule"]["policy"],
        },
    });
    // Of another proxy's destinations the address is not known.
    if let Some(address) = action["addresses"][0].as_str() {
        entry["serverIPAddress"] = address.into();
    }
    entry
}

/// Takes in what is recorded of the answer.
fn answered(entry: &mut Value, line: &Value) {
    let refused = line["verdict"] != "allow";
    let status = line["response"]["status"].as_u64().unwrap_or(0);
    entry["response"] = if refused { response(403, &Value::Null) } else { response(status, &line["response"]) };
    let moment = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    if let (Some(from), Some(to)) = (moment(&entry["startedDateTime"]), moment(&line["at"])) {
        let millis = to.duration_since(from).as_secs_f64().max(0.0) * 1000.0;
        let millis = (millis * 1000.0).round() / 1000.0;
        entry["time"] = millis.into();
        entry["timings"]["wait"] = millis.into();
    }
    if refused {
        entry["_rampart"]["verdict"] = line["verdict"].clone();
        entry["_rampart"]["reason"] = line["reason"].clone();
        entry["_rampart"]["policy"] = line["rule"]["policy"].clone();
    }
}

/// A response of which this is recorded. How long it was on the wire is what it announced, or what passed unseen; what it
/// held is that where it was not packed, and otherwise all of its text, where all of it was looked at.
fn response(status: u64, known: &Value) -> Value {
    let headers = headers(&known["headers"]);
    let value = |name: &str| headers.iter().find(|h| h["name"] == name).and_then(|h| h["value"].as_str());
    let announced = value("content-length").and_then(|text| text.parse().ok());
    let passed = announced.or_else(|| known["uninspected"].as_i64());
    let text = known["bytes"].as_i64().filter(|_| known["truncated"] != true);
    let held = passed.filter(|_| value("content-encoding").is_none()).or(text);
    let (kind, redirect) = (value("content-type").unwrap_or_default(), value("location").unwrap_or_default());
    json!({
        "status": status,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "content": { "size": held.unwrap_or(0), "mimeType": kind },
        "redirectURL": redirect,
        "headersSize": -1,
        "bodySize": passed.or(text).unwrap_or(-1),
        "headers": headers,
    })
}

/// Pairs of the trail as HAR has them.
fn headers(pairs: &Value) -> Vec<Value> {
    let pairs = pairs.as_array().into_iter().flatten();
    pairs.map(|pair| json!({ "name": pair[0], "value": pair[1] })).collect()
}
