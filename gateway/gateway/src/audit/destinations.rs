//! Where calls would go, in numbers: each host once, with who reached for it and how much went there and came back.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use serde_json::Value;

use super::{
    read::{Record, hosts},
    record::Kind,
};

/// Agents that are named of those that reached for a host.
const NAMED: usize = 8;

/// A host that calls would reach, and what is on record of it. Stable as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Destination {
    /// Host name or address, in lower case.
    pub host: String,
    /// Calls, by any road.
    pub calls: u64,
    /// How many of them policy denied.
    pub denied: u64,
    /// How many of them it asked a person about.
    pub asked: u64,
    /// Bytes of the bodies that requests through the proxy had, as far as they were announced or seen. What was refused
    /// went nowhere and does not count.
    pub bytes_out: u64,
    /// Bytes of the bodies that came back.
    pub bytes_in: u64,
    /// The first and the last of the records (RFC 3339).
    pub first: String,
    /// See `first`.
    pub last: String,
    /// Agents that reached for it.
    pub agents: Vec<String>,
    /// The roads they took.
    pub surfaces: Vec<String>,
}

/// Counts records as they come.
#[derive(Debug, Default)]
pub struct Destinations {
    hosts: HashMap<String, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    told: Destination,
    agents: BTreeSet<String>,
    surfaces: BTreeSet<String>,
}

impl Destinations {
    /// Counts one.
    pub fn add(&mut self, record: &Record) {
        // Whatever names a host says so with one of these.
        let names = |word: &str| record.line.contains(word);
        if !matches!(record.kind, Kind::Decision | Kind::Result) || !(names(r#""host":"#) || names(r#""url":"#)) {
            return;
        }
        let Ok(members) = serde_json::from_str::<Value>(&record.line) else { return };
        let text = |pointer: &str| members.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let number = |pointer: &str| members.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        let (at, outcome) = (text("/at"), text("/outcome"));
        for host in BTreeSet::from_iter(hosts(&members)) {
            let Seen { told, agents, surfaces } = self.hosts.entry(host).or_default();
            if record.kind == Kind::Decision {
                told.calls += 1;
                told.denied += u64::from(outcome == "deny");
                told.asked += u64::from(outcome == "ask");
                if text("/verdict") != "deny" {
                    told.bytes_out = told.bytes_out.saturating_add(number("/action/body_size"));
                }
            } else {
                told.bytes_in = told.bytes_in.saturating_add(number("/response/bytes"));
            }
            // The order of records is not that of a clock that was set back.
            if told.first.is_empty() || at < told.first.as_str() {
                at.clone_into(&mut told.first);
            }
            if at > told.last.as_str() {
                at.clone_into(&mut told.last);
            }
            for (set, pointer) in [(agents, "/actor/agent"), (surfaces, "/actor/surface")] {
                let name = text(pointer);
                if !name.is_empty() && set.len() < NAMED && !set.contains(name) {
                    set.insert(name.to_owned());
                }
            }
        }
    }

    /// The hosts, those most called first, and at most so many.
    pub fn finish(self, top: usize) -> Vec<Destination> {
        let told = |(host, Seen { told, agents, surfaces }): (String, Seen)| Destination {
            host,
            agents: agents.into_iter().collect(),
            surfaces: surfaces.into_iter().collect(),
            ..told
        };
        let mut all: Vec<Destination> = self.hosts.into_iter().map(told).collect();
        all.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.host.cmp(&b.host)));
        all.truncate(top);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_is_counted_once_with_what_went_there_and_came_back() {
        let mut counter = Destinations::default();
        let mut add = |kind, at: u32, members: &str| {
            let line = format!(r#"{{"at":"2026-01-31T09:30:{at:02}.000Z",{members}}}"#);
            counter.add(&Record { seq: 1, kind, line });
        };
        let sent = r#""actor":{"agent":"a","surface":"egress"},"action":{"type":"fetch","url":"https://X.io./u","body_size":100},"outcome":"allow","verdict":"allow""#;
        add(Kind::Decision, 3, sent);
        add(Kind::Result, 4, &format!(r#"{sent},"response":{{"bytes":2000}}"#));
        let denied = r#""actor":{"agent":"b","surface":"egress"},"action":{"type":"fetch","url":"https://x.io/","body_size":7},"outcome":"deny","verdict":"deny""#;
        add(Kind::Decision, 2, denied);
        let command = r#""actor":{"agent":"a","surface":"hook"},"action":{"type":"exec","command":"curl y.io x.io"},"effects":[{"target":{"is":"host","host":"y.io"}},{"target":{"is":"host","host":"y.io"}}],"outcome":"ask","verdict":"ask""#;
        add(Kind::Decision, 5, command);
        add(Kind::Approval, 6, r#""url":"https://z.io/""#);
        let all = counter.finish(10);
        let [x, y] = &all[..] else { panic!("{all:?}") };
        assert_eq!((x.host.as_str(), x.calls, x.denied, x.bytes_out, x.bytes_in), ("x.io", 2, 1, 100, 2000));
        assert_eq!((x.first.as_str(), x.last.as_str()), ("2026-01-31T09:30:02.000Z", "2026-01-31T09:30:04.000Z"));
        assert_eq!((&x.agents[..], &x.surfaces[..]), (&["a".into(), "b".into()][..], &["egress".into()][..]));
        assert_eq!((y.host.as_str(), y.calls, y.asked, &y.surfaces[..]), ("y.io", 1, 1, &["hook".into()][..]));
    }
}
