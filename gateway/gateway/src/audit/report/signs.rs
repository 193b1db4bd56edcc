//! What single records are signs of, counted by rule and by road.

use std::{borrow::Cow, collections::HashMap};

use rampart_call::{EffectKind, Outcome, Scope};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Evidence;
use crate::audit::record::Kind;

/// Most rules and roads that are named for one sign.
const MOST: usize = 5;

/// What a report looks at in a record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen<'a> {
    pub(super) at: &'a str,
    #[serde(borrow)]
    pub(super) actor: Actor<'a>,
    #[serde(borrow)]
    pub(super) tool: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) action: Option<&'a RawValue>,
    #[serde(borrow)]
    effects: Vec<SeenEffect<'a>>,
    pub(super) outcome: Option<Outcome>,
    pub(super) verdict: Option<Outcome>,
    #[serde(borrow)]
    pub(super) reason: Cow<'a, str>,
    #[serde(borrow)]
    rule: Option<Rule<'a>>,
    #[serde(borrow)]
    pub(super) message: Cow<'a, str>,
    edits: u64,
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) subject: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) by: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) from: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) scope: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) cause: Cow<'a, str>,
    pub(super) decision: u64,
    pub(super) refused: u64,
    pub(super) passed: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Actor<'a> {
    #[serde(borrow)]
    pub(super) agent: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) session: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) surface: Cow<'a, str>,
    depth: u32,
    claimed: bool,
}

#[derive(Deserialize)]
struct SeenEffect<'a> {
    kind: EffectKind,
    #[serde(borrow)]
    target: Option<SeenTarget<'a>>,
}

#[derive(Deserialize)]
struct SeenTarget<'a> {
    scope: Option<Scope>,
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Rule<'a> {
    #[serde(borrow)]
    policy: Cow<'a, str>,
}

/// Where an action goes.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Goes<'a> {
    #[serde(borrow)]
    host: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    server: Cow<'a, str>,
}

impl Seen<'_> {
    /// Whether policy stops it or asks.
    pub(super) fn stops(&self) -> bool {
        self.outcome.is_some_and(|outcome| !outcome.passes())
    }

    /// The policy whose rule decided, or the reason.
    pub(super) fn rule(&self) -> &str {
        self.rule.as_ref().map_or(&self.reason, |rule| &rule.policy)
    }

    pub(super) fn has(&self, kind: EffectKind) -> bool {
        self.effects.iter().any(|effect| effect.kind == kind)
    }

    fn touches(&self, scope: Scope) -> bool {
        let within = |effect: &SeenEffect<'_>| effect.target.as_ref().is_some_and(|it| it.scope == Some(scope));
        self.effects.iter().any(|effect| within(effect) && !matches!(effect.kind, EffectKind::Read | EffectKind::Exec))
    }

    fn is_mcp(&self) -> bool {
        self.actor.surface.starts_with("mcp")
    }

    fn goes(&self) -> Goes<'_> {
        self.action.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    /// The hosts that it would reach, each once, in lower case.
    pub(super) fn destinations(&self) -> Vec<String> {
        let mut hosts: Vec<String> = Vec::new();
        let mut add = |host: &str| {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            if !host.is_empty() && !hosts.contains(&host) {
                hosts.push(host);
            }
        };
        for effect in &self.effects {
            if let Some(host) = effect.target.as_ref().and_then(|target| target.host.as_deref()) {
                add(host);
            }
        }
        if matches!(&*self.tool, "fetch" | "connect") {
            let Goes { host, url, .. } = self.goes();
            add(&host);
            add(url.parse::<http::Uri>().ok().as_ref().and_then(http::Uri::host).unwrap_or_default());
        }
        hosts
    }

    /// The MCP server that it speaks to.
    pub(super) fn server(&self) -> Option<String> {
        let server = if self.tool == "mcp" { self.goes().server.into_owned() } else { String::new() };
        Some(server).filter(|server| !server.is_empty())
    }
}

/// Something that a record can be a sign of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Judged,
    Stopped,
    AnswerStopped,
    McpAnswerStopped,
    Privilege,
    Secret,
    SecretLeaves,
    Claimed,
    AccessRefused,
    Package,
    NotPinned,
    Code,
    Unseen,
    Persistence,
    AgentSettings,
    SubAgent,
    Limit,
    Asked,
    Answered,
    SelfTamper,
    Unrecorded,
    McpCall,
    McpStopped,
    McpCommand,
    McpMalformed,
    Recorded,
    Trouble,
}

type Test = fn(Kind, &Seen<'_>) -> bool;

/// Every sign, and the records that are one.
pub(super) const ALL: [(Sign, &str, Test); 27] = {
    use EffectKind as E;
    use Kind::{Approval, Auth, Decision, Gap, Lost, Recover, Result};
    const fn is_call(kind: Kind) -> bool {
        matches!(kind, Decision)
    }
    [
        (Sign::Judged, "calls judged before they happened", |k, _| is_call(k)),
        (Sign::Stopped, "calls stopped or asked about", |k, s| is_call(k) && s.stops()),
        (Sign::AnswerStopped, "answers to the model stopped, asked about, or cut", |k, s| {
            matches!(k, Result) && (s.stops() || s.edits > 0)
        }),
        (Sign::McpAnswerStopped, "answers of MCP servers stopped, asked about, or cut", |k, s| {
            matches!(k, Result) && s.is_mcp() && (s.stops() || s.edits > 0)
        }),
        (Sign::Privilege, "calls that would take more rights, stopped or asked about", |k, s| {
            is_call(k) && s.stops() && s.has(E::Privilege)
        }),
        (Sign::Secret, "calls that would show or use secrets, stopped or asked about", |k, s| {
            is_call(k) && s.stops() && s.has(E::Secret)
        }),
        (Sign::SecretLeaves, "known secrets kept from leaving", |_, s| s.reason == "secret_leaves"),
        (Sign::Claimed, "calls whose agent nobody vouches for", |k, s| is_call(k) && s.actor.claimed),
        (Sign::AccessRefused, "attempts to use the gateway without the right to", |k, s| {
            matches!(k, Auth) && s.event == "refused"
        }),
        (Sign::Package, "packages that would be installed", |k, s| is_call(k) && s.has(E::PackageInstall)),
        (Sign::NotPinned, "MCP tools that were new or had changed, refused", |_, s| s.reason == "not_pinned"),
        (Sign::Code, "calls that would load code from elsewhere, stopped or asked about", |k, s| {
            is_call(k) && s.stops() && s.has(E::CodeLoad)
        }),
        (Sign::Unseen, "calls whose doing could not be seen, stopped or asked about", |k, s| {
            is_call(k) && s.stops() && (s.has(E::Opaque) || s.reason == "budget")
        }),
        (Sign::Persistence, "calls that would arrange for something to run later, stopped or asked about", |k, s| {
            is_call(k) && s.stops() && s.has(E::Persist)
        }),
        (Sign::AgentSettings, "changes of agents' settings, hooks and memories, stopped or asked about", |k, s| {
            is_call(k) && s.stops() && s.touches(Scope::AgentConfig)
        }),
        (Sign::SubAgent, "calls of agents that other agents started", |k, s| is_call(k) && s.actor.depth > 0),
        (Sign::Limit, "calls refused for their size, rate or number", |_, s| {
            matches!(&*s.reason, "limit_exceeded" | "too_many_pending" | "budget")
        }),
        (Sign::Asked, "questions put to people", |k, s| matches!(k, Approval) && s.event == "asked"),
        (Sign::Answered, "questions that people answered", |k, s| {
            matches!(k, Approval) && matches!(&*s.event, "granted" | "denied")
        }),
        (Sign::SelfTamper, "attempts to change, stop or unlock Rampart", |k, s| {
            is_call(k) && s.stops() && s.has(E::SelfTamper)
        }),
        (Sign::Unrecorded, "records that calls passed without an answer or a record", |k, s| {
            matches!(k, Gap) && s.passed > 0
        }),
        (Sign::McpCall, "MCP messages judged", |k, s| is_call(k) && s.is_mcp()),
        (Sign::McpStopped, "MCP messages stopped or asked about", |k, s| is_call(k) && s.is_mcp() && s.stops()),
        (Sign::McpCommand, "commands in MCP arguments, stopped or asked about", |k, s| {
            is_call(k) && s.is_mcp() && s.stops() && (s.has(E::Exec) || s.has(E::Opaque))
        }),
        (Sign::McpMalformed, "MCP messages that did not mean one thing, refused", |_, s| {
            s.is_mcp() && s.reason == "malformed"
        }),
        (Sign::Recorded, "decisions and answers on record", |k, _| matches!(k, Decision | Result)),
        (Sign::Trouble, "places where the trail is not whole", |k, _| matches!(k, Gap | Lost | Recover)),
    ]
};

/// How often each sign was seen, in all, by rule and by road.
#[derive(Debug, Default)]
pub(super) struct Signs {
    times: [u64; ALL.len()],
    rules: HashMap<String, [u64; ALL.len()]>,
    surfaces: HashMap<String, [u64; ALL.len()]>,
}

impl Signs {
    pub(super) fn add(&mut self, kind: Kind, seen: &Seen<'_>) {
        let mut matched = [0; ALL.len()];
        for ((_, _, test), matched) in ALL.iter().zip(&mut matched) {
            *matched = u64::from(test(kind, seen));
        }
        add(&mut self.times, &matched);
        // What passes by default says nothing of a rule.
        if seen.outcome.is_some() && seen.rule() != "default" {
            add_to(&mut self.rules, seen.rule(), &matched);
        }
        if !seen.actor.surface.is_empty() {
            add_to(&mut self.surfaces, &seen.actor.surface, &matched);
        }
    }

    /// How often a sign was seen; the rules that decided there and the roads, the busiest of each.
    pub(super) fn of(&self, sign: Sign) -> Evidence {
        let place = ALL.iter().position(|(other, ..)| *other == sign).unwrap_or_default();
        let at = |counts: &[u64; ALL.len()]| counts.get(place).copied().unwrap_or_default();
        let busiest = |map: &HashMap<String, [u64; ALL.len()]>| {
            let counted = map.iter().map(|(name, counts)| (name.clone(), at(counts)));
            let mut list: Vec<(String, u64)> = counted.filter(|(_, times)| *times > 0).collect();
            list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            list.truncate(MOST);
            list
        };
        Evidence {
            what: ALL.get(place).map_or("", |(_, what, _)| what),
            times: at(&self.times),
            rules: busiest(&self.rules),
            surfaces: busiest(&self.surfaces),
        }
    }
}

fn add_to(map: &mut HashMap<String, [u64; ALL.len()]>, name: &str, more: &[u64; ALL.len()]) {
    if let Some(counts) = map.get_mut(name) {
        add(counts, more);
    } else {
        map.insert(name.to_owned(), *more);
    }
}

fn add(counts: &mut [u64; ALL.len()], more: &[u64; ALL.len()]) {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}
