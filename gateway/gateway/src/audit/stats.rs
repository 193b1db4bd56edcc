//! A trail in numbers.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{read::Record, record::Kind};

/// What stands in some records, counted. Stable as JSON.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AuditStats"))]
pub struct Stats {
    /// Records of all types.
    pub records: u64,
    /// When the first and the last of them were written (RFC 3339).
    pub from: Option<String>,
    /// See `from`.
    pub to: Option<String>,
    /// Records by type.
    pub types: BTreeMap<&'static str, u64>,
    /// What policy said of calls before they happened.
    pub outcomes: BTreeMap<String, u64>,
    /// What the surface was told of them; differs from `outcomes` in monitor mode.
    pub verdicts: BTreeMap<String, u64>,
    /// Calls before they happened by why they were decided so.
    pub reasons: BTreeMap<String, u64>,
    /// The same by road.
    pub surfaces: BTreeMap<String, u64>,
    /// The same by tool, the most frequent first.
    pub tools: Vec<Counted>,
    /// The same by agent.
    pub agents: Vec<Counted>,
    /// The same by session.
    pub sessions: Vec<Counted>,
    /// The same by the policy whose rule decided.
    pub rules: Vec<Counted>,
    /// How questions to humans went on.
    pub approvals: BTreeMap<String, u64>,
    /// Calls that `gap` records tell of: refused because they could not be recorded.
    pub refused_unrecorded: u64,
    /// The same: let pass although they could not be recorded.
    pub passed_unrecorded: u64,
    /// Time that decisions took, in microseconds, without waiting for people.
    pub micros: Option<Micros>,
}

/// Something and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counted {
    /// What.
    pub name: String,
    /// How many calls.
    pub calls: u64,
    /// How many of them policy denied.
    pub denied: u64,
}

/// How long decisions took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Micros {
    /// Half of them took no longer.
    pub median: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// The slowest.
    pub most: u64,
}

/// Counts records as they come.
#[derive(Debug, Default)]
pub struct Counter {
    stats: Stats,
    tools: HashMap<String, (u64, u64)>,
    agents: HashMap<String, (u64, u64)>,
    sessions: HashMap<String, (u64, u64)>,
    rules: HashMap<String, (u64, u64)>,
    micros: Vec<u64>,
}

/// The members that are counted.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members<'a> {
    at: &'a str,
    actor: Actor,
    tool: String,
    outcome: &'a str,
    verdict: &'a str,
    reason: &'a str,
    rule: Option<Rule>,
    micros: u64,
    event: &'a str,
    refused: u64,
    passed: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Actor {
    agent: String,
    session: String,
    surface: String,
}

#[derive(Deserialize)]
struct Rule {
    policy: String,
}

impl Counter {
    /// Counts one.
    pub fn add(&mut self, record: &Record) {
        let stats = &mut self.stats;
        stats.records += 1;
        *stats.types.entry(record.kind.as_str()).or_default() += 1;
        let Ok(said) = serde_json::from_str::<Members<'_>>(&record.line) else { return };
        // the order of records is not that of a clock that was set back
        if stats.from.as_deref().is_none_or(|from| said.at < from) {
            stats.from = Some(said.at.to_owned());
        }
        if stats.to.as_deref().is_none_or(|to| said.at > to) {
            stats.to = Some(said.at.to_owned());
        }
        let count = |map: &mut BTreeMap<String, u64>, word: &str| {
            if let Some(n) = map.get_mut(word) {
                *n += 1;
            } else if !word.is_empty() {
                map.insert(word.to_owned(), 1);
            }
        };
        match record.kind {
            Kind::Approval => count(&mut stats.approvals, said.event),
            Kind::Gap => {
                stats.refused_unrecorded += said.refused;
                stats.passed_unrecorded += said.passed;
            }
            Kind::Decision => {
                count(&mut stats.outcomes, said.outcome);
                count(&mut stats.verdicts, said.verdict);
                count(&mut stats.reasons, said.reason);
                count(&mut stats.surfaces, &said.actor.surface);
                let denied = u64::from(said.outcome == "deny");
                let tally = |map: &mut HashMap<String, (u64, u64)>, name: String| {
                    let (calls, denials) = map.entry(name).or_default();
                    (*calls, *denials) = (*calls + 1, *denials + denied);
                };
                tally(&mut self.tools, said.tool);
                tally(&mut self.agents, said.actor.agent);
                tally(&mut self.sessions, said.actor.session);
                if let Some(rule) = said.rule {
                    tally(&mut self.rules, rule.policy);
                }
                self.micros.push(said.micros);
            }
            _ => {}
        }
    }

    /// The numbers, with the `top` most frequent tools, agents, sessions and rules.
    pub fn finish(mut self, top: usize) -> Stats {
        let most = |map: HashMap<String, (u64, u64)>| {
            let counted = |(name, (calls, denied))| Counted { name, calls, denied };
            let mut list: Vec<Counted> = map.into_iter().map(counted).collect();
            list.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
            list.truncate(top);
            list
        };
        self.micros.sort_unstable();
        let at = |share: usize| self.micros.get(self.micros.len().saturating_sub(1) * share / 100).copied();
        let micros = at(50).zip(at(99)).zip(at(100));
        Stats {
            tools: most(self.tools),
            agents: most(self.agents),
            sessions: most(self.sessions),
            rules: most(self.rules),
            micros: micros.map(|((median, p99), most)| Micros { median, p99, most }),
            ..self.stats
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_what_became_of_them() {
        let mut counter = Counter::default();
        let mut add = |kind: Kind, at: u32, members: &str| {
            let line = format!(r#"{{"at":"2026-01-31T09:30:{at:02}.000Z",{members}}}"#);
            counter.add(&Record { seq: 1, kind, line });
        };
        for at in 1..=98 {
            let call = r#""actor":{"agent":"a","session":"s","surface":"hook"},"tool":"exec","outcome":"allow","verdict":"allow","reason":"default","micros":5"#;
            add(Kind::Decision, at % 60, call);
        }
        let denied = r#""actor":{"agent":"b","session":"s","surface":"egress"},"tool":"fetch","outcome":"deny","verdict":"allow","reason":"rule","rule":{"policy":"p","index":0},"micros":900"#;
        add(Kind::Decision, 3, denied);
        add(Kind::Decision, 4, denied);
        add(Kind::Result, 5, denied);
        add(Kind::Approval, 6, r#""event":"granted""#);
        add(Kind::Gap, 7, r#""reason":"disk_full","refused":3,"passed":2"#);
        let stats = counter.finish(1);
        assert_eq!((stats.records, stats.types["decision"], stats.outcomes["deny"]), (103, 100, 2));
        assert_eq!((stats.verdicts["allow"], stats.reasons["rule"], stats.surfaces["egress"]), (100, 2, 2));
        assert_eq!(stats.tools, [Counted { name: "exec".into(), calls: 98, denied: 0 }], "only the first");
        assert_eq!(stats.sessions, [Counted { name: "s".into(), calls: 100, denied: 2 }]);
        assert_eq!(stats.rules, [Counted { name: "p".into(), calls: 2, denied: 2 }]);
        assert_eq!((stats.approvals["granted"], stats.refused_unrecorded, stats.passed_unrecorded), (1, 3, 2));
        assert_eq!(stats.micros, Some(Micros { median: 5, p99: 900, most: 900 }));
        assert_eq!(stats.from.as_deref(), Some("2026-01-31T09:30:00.000Z"));
    }
}
