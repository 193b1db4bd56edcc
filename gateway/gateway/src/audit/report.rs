//! A trail as a report: what agents did, what was stopped and why, who answered what, where things went. Records are
//! taken as they come, once each; what is kept of them does not grow with their number.

mod coverage;
mod signs;

use std::collections::{BTreeMap, HashMap, HashSet};

use rampart_call::{Action, EffectKind, Outcome};
use serde::Serialize;

pub use self::coverage::{Coverage, Covers, Evidence};
use self::signs::{Seen, Signs};
use super::{read::Record, record::Kind};

/// The shape of [`Findings`] as JSON; members may be added to it, and none changes its meaning.
pub const SCHEMA: &str = "rampart.report.v1";

/// Most entries of each list; `left_out` tells how many more there were.
const MOST: usize = 200;
/// Questions whose decision is remembered until they are answered.
const OPEN: usize = 20_000;
/// Bytes of a subject; of a longer one the beginning and the end.
const SUBJECT: usize = 500;

/// What a trail tells.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Findings {
    /// Records that were looked at.
    pub records: u64,
    /// When the first and the last of them were written (RFC 3339).
    pub from: Option<String>,
    /// See `from`.
    pub to: Option<String>,
    /// Calls before they happened, by what policy said of them.
    pub decisions: BTreeMap<String, u64>,
    /// Answers to the model, by what policy said of them.
    pub responses: BTreeMap<String, u64>,
    /// Calls that policy would have stopped and that went on: in mode `monitor`, or by the word of a person.
    pub passed_although: u64,
    /// Calls by road.
    pub surfaces: Vec<Tally>,
    /// Calls by what they would do. One call may count in several.
    pub effects: Vec<Tally>,
    /// Agents, the busiest first.
    pub agents: Vec<Agent>,
    /// What was stopped or asked, by the rule or reason that did, the most frequent first.
    pub stopped: Vec<Stopped>,
    /// How questions to people went on: `asked`, `granted`, `denied`, `expired`, ...
    pub questions: BTreeMap<String, u64>,
    /// Who answered.
    pub people: Vec<Person>,
    /// The newest answers.
    pub answers: Vec<Answer>,
    /// Hosts that were reached or would have been, the busiest first.
    pub destinations: Vec<Tally>,
    /// MCP servers, the busiest first.
    pub servers: Vec<Tally>,
    /// The newest changes of policy, configuration and tokens.
    pub changes: Vec<Change>,
    /// Where the trail or what it is about was not whole: the newest.
    pub troubles: Vec<Trouble>,
    /// Calls that `gap` records tell of: refused because they could not be recorded.
    pub refused_unrecorded: u64,
    /// The same: let pass although they could not be recorded, or without an answer.
    pub passed_unrecorded: u64,
    /// The OWASP Top 10 for Agentic Applications (2026), with what was seen of each.
    pub owasp_agentic: Vec<Coverage>,
    /// The OWASP MCP Top 10 (2025).
    pub owasp_mcp: Vec<Coverage>,
    /// Entries that found no place, by list.
    pub left_out: BTreeMap<&'static str, usize>,
}

/// Something, and the calls that it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// What.
    pub name: String,
    /// How many calls.
    pub calls: u64,
    /// How many of them policy stopped or asked about.
    pub stopped: u64,
}

/// One agent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Agent {
    /// Its name; empty where a caller gave none.
    pub name: String,
    /// How many calls.
    pub calls: u64,
    /// How many of them policy stopped or asked about.
    pub stopped: u64,
    /// How many sessions.
    pub sessions: usize,
    /// The roads that it came by.
    pub surfaces: Vec<String>,
    /// When it was first and last seen (RFC 3339).
    pub first: String,
    /// See `first`.
    pub last: String,
}

/// What one rule stopped, or what was stopped for one reason.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stopped {
    /// The rule's policy, or the reason where no rule decided.
    pub rule: String,
    /// What it says: `ask`, `webhook` or `deny`; the last one, where its rules differ.
    pub outcome: String,
    /// How often.
    pub times: u64,
    /// What it tells agents and people.
    pub message: String,
    /// What it stopped last, without secrets.
    pub example: String,
    /// The number of that record.
    pub seq: u64,
    /// Whom.
    pub agents: Vec<String>,
}

/// Somebody who answered questions.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Person {
    /// Who, as the record names them.
    pub name: String,
    /// How many questions they granted, and how many they denied.
    pub granted: u64,
    /// See `granted`.
    pub denied: u64,
}

/// An answer to a question, or its end without one.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Answer {
    /// When (RFC 3339).
    pub at: String,
    /// `granted`, `denied`, `expired` or `cancelled`.
    pub event: String,
    /// By whom.
    pub by: String,
    /// By which way: `cli`, `api`, `dashboard`, `link`, `host`.
    pub from: String,
    /// How far it reaches: `once`, `always`, or a time.
    pub scope: String,
    /// Why, in their words.
    pub reason: String,
    /// Who asked.
    pub agent: String,
    /// What about, without secrets; empty where the question was put before the period.
    pub subject: String,
}

/// A change of what the gateway goes by.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Change {
    /// When (RFC 3339).
    pub at: String,
    /// `policy`, `config` or `auth`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened.
    pub event: String,
    /// To what.
    pub subject: String,
    /// Who did it; empty when it was the gateway itself.
    pub by: String,
}

/// Something that makes the trail less than whole.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Trouble {
    /// When (RFC 3339).
    pub at: String,
    /// `recover`, `lost` or `gap`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Why, as a stable word.
    pub reason: String,
    /// The same for people.
    pub cause: String,
}

/// Takes in records.
#[derive(Debug, Default)]
pub struct Gatherer {
    found: Findings,
    surfaces: HashMap<String, Tally>,
    effects: [(u64, u64); EffectKind::ALL.len()],
    agents: HashMap<String, (Agent, HashSet<String>)>,
    stopped: HashMap<String, Stopped>,
    people: HashMap<String, Person>,
    destinations: HashMap<String, Tally>,
    servers: HashMap<String, Tally>,
    /// Who asked and what about, by the number of the decision.
    open: HashMap<u64, (String, String)>,
    signs: Signs,
}

impl Gatherer {
    /// Takes in one record. What cannot be read counts as a record and tells nothing.
    pub fn add(&mut self, record: &Record) {
        self.found.records += 1;
        let Ok(seen) = serde_json::from_str::<Seen<'_>>(&record.line) else { return };
        // The order of records is not that of a clock that was set back.
        if self.found.from.as_deref().is_none_or(|from| seen.at < from) {
            self.found.from = Some(seen.at.to_owned());
        }
        if self.found.to.as_deref().is_none_or(|to| seen.at > to) {
            self.found.to = Some(seen.at.to_owned());
        }
        self.signs.add(record.kind, &seen);
        match record.kind {
            Kind::Decision => self.call(record.seq, &seen),
            Kind::Result => {
                count(&mut self.found.responses, seen.outcome.map_or("", Outcome::as_str));
                if seen.stops() {
                    self.stop(record.seq, &seen);
                }
            }
            Kind::Approval => self.approval(&seen),
            Kind::Policy | Kind::Config | Kind::Auth => {
                let Seen { at, event, subject, by, .. } = &seen;
                let (at, kind) = ((*at).to_owned(), record.kind.as_str().to_owned());
                let (event, subject, by) = (event.to_string(), subject.to_string(), by.to_string());
                push(&mut self.found, "changes", |found| &mut found.changes, Change { at, kind, event, subject, by });
            }
            Kind::Recover | Kind::Lost | Kind::Gap => {
                self.found.refused_unrecorded += seen.refused;
                self.found.passed_unrecorded += seen.passed;
                let (at, kind) = (seen.at.to_owned(), record.kind.as_str().to_owned());
                let (reason, cause) = (seen.reason.to_string(), seen.cause.to_string());
                push(&mut self.found, "troubles", |found| &mut found.troubles, Trouble { at, kind, reason, cause });
            }
            Kind::Open | Kind::Checkpoint | Kind::Close | Kind::Retire => {}
        }
    }

    fn call(&mut self, seq: u64, seen: &Seen<'_>) {
        let stops = seen.stops();
        count(&mut self.found.decisions, seen.outcome.map_or("", Outcome::as_str));
        self.found.passed_although += u64::from(stops && seen.verdict.is_some_and(Outcome::passes));
        tally(&mut self.surfaces, &seen.actor.surface, stops);
        for (nth, kind) in EffectKind::ALL.into_iter().enumerate() {
            if seen.has(kind)
                && let Some((calls, stopped)) = self.effects.get_mut(nth)
            {
                (*calls, *stopped) = (*calls + 1, *stopped + u64::from(stops));
            }
        }
        for host in seen.destinations() {
            tally(&mut self.destinations, &host, stops);
        }
        if let Some(server) = seen.server() {
            tally(&mut self.servers, &server, stops);
        }
        let actor = &seen.actor;
        if !self.agents.contains_key(&*actor.agent) {
            let agent = Agent { name: actor.agent.to_string(), first: seen.at.to_owned(), ..Agent::default() };
            self.agents.insert(actor.agent.to_string(), (agent, HashSet::new()));
        }
        if let Some((agent, sessions)) = self.agents.get_mut(&*actor.agent) {
            agent.calls += 1;
            agent.stopped += u64::from(stops);
            seen.at.clone_into(&mut agent.last);
            if !sessions.contains(&*actor.session) {
                sessions.insert(actor.session.to_string());
            }
            if !agent.surfaces.iter().any(|surface| *surface == actor.surface) {
                agent.surfaces.push(actor.surface.to_string());
            }
        }
        if stops {
            self.stop(seq, seen);
        }
    }

    fn stop(&mut self, seq: u64, seen: &Seen<'_>) {
        let (rule, subject) = (seen.rule(), subject(seen));
        if !self.stopped.contains_key(rule) {
            self.stopped.insert(rule.to_owned(), Stopped { rule: rule.to_owned(), ..Stopped::default() });
        }
        if let Some(stopped) = self.stopped.get_mut(rule) {
            stopped.times += 1;
            seen.outcome.map_or("", Outcome::as_str).clone_into(&mut stopped.outcome);
            stopped.message.clear();
            stopped.message.push_str(&seen.message);
            stopped.example.clone_from(&subject);
            stopped.seq = seq;
            if stopped.agents.len() < MOST && !stopped.agents.iter().any(|agent| *agent == seen.actor.agent) {
                stopped.agents.push(seen.actor.agent.to_string());
            }
        }
        if seen.outcome == Some(Outcome::Ask) && self.open.len() < OPEN {
            self.open.insert(seq, (seen.actor.agent.to_string(), subject));
        }
    }

    fn approval(&mut self, seen: &Seen<'_>) {
        count(&mut self.found.questions, &seen.event);
        if matches!(&*seen.event, "asked" | "agreed" | "used") {
            return;
        }
        let (agent, subject) = self.open.remove(&seen.decision).unwrap_or_default();
        if !seen.by.is_empty() {
            let person = self.people.entry(seen.by.to_string()).or_default();
            person.granted += u64::from(seen.event == "granted");
            person.denied += u64::from(seen.event == "denied");
        }
        let answer = Answer {
            at: seen.at.to_owned(),
            event: seen.event.to_string(),
            by: seen.by.to_string(),
            from: seen.from.to_string(),
            scope: seen.scope.to_string(),
            reason: seen.message.to_string(),
            agent,
            subject,
        };
        push(&mut self.found, "answers", |found| &mut found.answers, answer);
    }

    /// What was found.
    pub fn finish(self) -> Findings {
        let mut found = self.found;
        let mut most = |name, map: HashMap<String, Tally>| {
            let mut list: Vec<Tally> = map.into_values().collect();
            list.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
            cut(&mut found.left_out, name, list)
        };
        found.surfaces = most("surfaces", self.surfaces);
        found.destinations = most("destinations", self.destinations);
        found.servers = most("servers", self.servers);
        let effects = EffectKind::ALL.into_iter().zip(self.effects).filter(|(_, (calls, _))| *calls > 0);
        let named = |(kind, (calls, stopped)): (EffectKind, (u64, u64))| Tally {
            name: kind.as_str().to_owned(),
            calls,
            stopped,
        };
        found.effects = effects.map(named).collect();
        found.effects.sort_by_key(|effect| std::cmp::Reverse(effect.calls));
        let with_sessions = |(agent, sessions): (Agent, HashSet<String>)| Agent { sessions: sessions.len(), ..agent };
        let mut agents: Vec<Agent> = self.agents.into_values().map(with_sessions).collect();
        agents.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
        found.agents = cut(&mut found.left_out, "agents", agents);
        let mut stopped: Vec<Stopped> = self.stopped.into_values().collect();
        stopped.sort_by(|a, b| b.times.cmp(&a.times).then_with(|| a.rule.cmp(&b.rule)));
        found.stopped = cut(&mut found.left_out, "stopped", stopped);
        let named = |(name, person): (String, Person)| Person { name, ..person };
        let mut people: Vec<Person> = self.people.into_iter().map(named).collect();
        people.sort_by(|a, b| (b.granted + b.denied).cmp(&(a.granted + a.denied)).then_with(|| a.name.cmp(&b.name)));
        found.people = cut(&mut found.left_out, "people", people);
        found.owasp_agentic = coverage::of(coverage::AGENTIC, &self.signs);
        found.owasp_mcp = coverage::of(coverage::MCP, &self.signs);
        found
    }
}

/// What a call was about, of bounded length.
fn subject(seen: &Seen<'_>) -> String {
    let action = seen.action.and_then(|raw| serde_json::from_str::<Action>(raw.get()).ok());
    let subject = action.map(|action| action.subject()).unwrap_or_default();
    if subject.len() > SUBJECT { rampart_scan::shown::cut(&subject, SUBJECT) } else { subject }
}

fn count(map: &mut BTreeMap<String, u64>, word: &str) {
    if let Some(n) = map.get_mut(word) {
        *n += 1;
    } else if !word.is_empty() {
        map.insert(word.to_owned(), 1);
    }
}

fn tally(map: &mut HashMap<String, Tally>, name: &str, stops: bool) {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), Tally { name: name.to_owned(), ..Tally::default() });
    }
    if let Some(tally) = map.get_mut(name) {
        tally.calls += 1;
        tally.stopped += u64::from(stops);
    }
}

/// Adds to a list of the newest.
fn push<T>(found: &mut Findings, name: &'static str, list: fn(&mut Findings) -> &mut Vec<T>, entry: T) {
    let entries = list(found);
    entries.push(entry);
    if entries.len() > MOST {
        entries.remove(0);
        *found.left_out.entry(name).or_default() += 1;
    }
}

fn cut<T>(left_out: &mut BTreeMap<&'static str, usize>, name: &'static str, mut list: Vec<T>) -> Vec<T> {
    if list.len() > MOST {
        left_out.insert(name, list.len() - MOST);
        list.truncate(MOST);
    }
    list
}
