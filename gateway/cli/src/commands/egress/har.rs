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
    let headers = action["headers"].as_array().into_iter().flatten();
    let headers = headers.map(|pair| json!({ "name": pair[0], "value": pair[1] })).collect::<Vec<_>>();
    let refused = line["verdict"] != "allow";
    json!({
        "startedDateTime": line["at"],
        "time": 0,
        "request": {
            "method": action["method"],
            "url": url,
            "httpVersion": "",
            "cookies": [],
            "headers": headers,
            "queryString": query.unwrap_or_default(),
            "headersSize": -1,
            "bodySize": action["body_size"].as_i64().unwrap_or(-1),
        },
        "response": response(if refused { 403 } else { 0 }, None),
        "cache": {},
        "timings": { "send": 0, "wait": 0, "receive": 0 },
        "serverIPAddress": action["addresses"][0].as_str().unwrap_or_default(),
        "_rampart": {
            "seq": seq,
            "session": line["actor"]["session"],
            "agent": line["actor"]["agent"],
            "verdict": line["verdict"],
            "reason": line["reason"],
            "policy": line["rule"]["policy"],
        },
    })
}

/// Takes in what is recorded of the answer.
fn answered(entry: &mut Value, line: &Value) {
    let known = &line["response"];
    let refused = line["verdict"] != "allow";
    let status = if refused { 403 } else { known["status"].as_u64().unwrap_or(0) };
    let size = known["uninspected"].as_u64().or(known["bytes"].as_u64());
    entry["response"] = response(status, size.filter(|_| !refused));
    let moment = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    if let (Some(from), Some(to)) = (moment(&entry["startedDateTime"]), moment(&line["at"])) {
        let millis = u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0);
        entry["time"] = millis.into();
        entry["timings"]["wait"] = millis.into();
    }
    if refused {
        entry["_rampart"]["verdict"] = line["verdict"].clone();
        entry["_rampart"]["reason"] = line["reason"].clone();
        entry["_rampart"]["policy"] = line["rule"]["policy"].clone();
    }
}

fn response(status: u64, size: Option<u64>) -> Value {
    let body = size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1);
    json!({
        "status": status,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": { "size": body.max(0), "mimeType": "" },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": body,
    })
}
