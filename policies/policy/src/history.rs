//! What went before: counters of calls, bytes and time, hosts that were reached, rules that hold once. Pure: the time
//! comes with every call.

mod contacts;
mod counter;

use std::collections::{BTreeSet, HashMap};

use rampart_call::{Action as CallAction, Call, Effect, Judgement, Outcome, Phase, Target, Usage, listener_of};

use self::{contacts::Contacts, counter::Counter};
use crate::{
    Ruleset,
    pattern::{fold_host, host_of_url},
    source::Action,
};

pub(crate) use contacts::Circle;

/// The longest window that is counted: eight days, in milliseconds.
pub const LONGEST_WINDOW_MS: i64 = 8 * 24 * 60 * 60 * 1_000;

/// The most agents, sessions, tools and hosts, of each, that are remembered; beyond that the longest silent one of its
/// kind is forgotten.
const MAX_SUBJECTS: usize = 4_096;
/// The most tools that are told apart for one subject; others are counted together.
const MAX_TOOLS: usize = 64;

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// Those of one agent.
    Agent,
    /// Those of one session.
    Session,
    /// Those of one tool, whoever calls it.
    Tool,
    /// Those to one host, whoever calls it. Commands and tools of servers name hosts, but what they send there is counted
    /// on its way.
    Host,
}

/// What was called before, in bounded memory.
#[derive(Debug, Clone, Default)]
pub struct History {
    subjects: HashMap<Per, HashMap<String, Subject>>,
    contacts: Contacts,
    spent: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Subject {
    last: i64,
    tools: HashMap<String, Counter>,
    sent: Counter,
    received: Counter,
    millis: Counter,
}

impl History {
    /// Counts a call, once: its answer is no other one.
    pub fn record(&mut self, call: &Call, now_ms: i64) {
        if call.phase == Phase::After {
            return;
        }
        let tool = call.action.tool();
        self.each_subject(call, now_ms, |subject| {
            if let Some(counter) = subject.tools.get_mut(tool) {
                return counter.add(1, now_ms);
            }
            let name = if subject.tools.len() < MAX_TOOLS { tool } else { "" };
            subject.tools.entry(name.to_owned()).or_default().add(1, now_ms);
        });
    }

    /// Counts what a call has used: bytes that passed, and time.
    pub fn record_usage(&mut self, call: &Call, usage: Usage, now_ms: i64) {
        let Usage { sent, received, millis } = usage;
        self.each_subject(call, now_ms, |subject| {
            let counters = [&mut subject.sent, &mut subject.received, &mut subject.millis];
            for (counter, amount) in counters.into_iter().zip([sent, received, millis]).filter(|(_, n)| *n > 0) {
                counter.add(amount, now_ms);
            }
        });
    }

    fn each_subject(&mut self, call: &Call, now_ms: i64, mut count: impl FnMut(&mut Subject)) {
        for (per, name) in PERS.into_iter().filter_map(|per| Some((per, subject(per, call)?))) {
            let alike = self.subjects.entry(per).or_default();
            if alike.len() >= MAX_SUBJECTS && !alike.contains_key(&name) {
                // Clients of listeners come as they like, so theirs make room for each other's.
                let is_clients = |name: &str| per == Per::Session && listener_of(name).is_some();
                let may_go = alike.iter().filter(|(other, _)| is_clients(other) || !is_clients(&name));
                let oldest = may_go.min_by_key(|(_, s)| s.last).map(|(k, _)| k.clone());
                oldest.and_then(|key| alike.remove(&key));
            }
            let subject = alike.entry(name).or_default();
            subject.last = now_ms;
            count(subject);
        }
    }

    /// Forgets what was counted in a session that has ended.
    pub fn end_session(&mut self, session: &str) {
        if let Some(sessions) = self.subjects.get_mut(&Per::Session) {
            sessions.remove(session);
        }
        self.contacts.forget(&Circle::Session(session.to_owned()));
    }

    fn subject(&self, per: Per, call: &Call) -> Option<&Subject> {
        self.subjects.get(&per)?.get(&subject(per, call)?)
    }

    /// How many calls were recorded within `window_ms` before `now_ms` whose tool passes `tool`.
    pub(crate) fn count(&self, per: Per, call: &Call, window_ms: i64, now_ms: i64, tool: impl Fn(&str) -> bool) -> u64 {
        let Some(subject) = self.subject(per, call) else { return 0 };
        let counted = subject.tools.iter().filter(|(name, _)| name.is_empty() || tool(name));
        counted.map(|(_, counter)| counter.since(now_ms - window_ms)).sum()
    }

    /// What the calls within `window_ms` before `now_ms` have used.
    pub(crate) fn usage(&self, per: Per, call: &Call, window_ms: i64, now_ms: i64) -> Usage {
        let Some(Subject { sent, received, millis, .. }) = self.subject(per, call) else { return Usage::default() };
        let [sent, received, millis] = [sent, received, millis].map(|counter| counter.since(now_ms - window_ms));
        Usage { sent, received, millis }
    }

    /// Remembers the hosts that an allowed call names. Where a human answered for it, whatever else goes there is nothing
    /// new either. Returns the hosts that nobody reached before, for keeping them over a restart.
    pub fn reached(&mut self, call: &Call, effects: &[Effect], by_human: bool) -> Vec<(String, String)> {
        let mut fresh = Vec::new();
        let tool = if by_human { contacts::ANY } else { call.action.tool() };
        for host in effects.iter().filter_map(host_of) {
            self.contacts.add(Circle::Session(call.origin.session.clone()), &host, tool);
            self.contacts.add(Circle::Agent(call.origin.agent.clone()), &host, tool);
            if self.contacts.add(Circle::Everybody, &host, tool) {
                fresh.push((host, tool.to_owned()));
            }
        }
        fresh
    }

    /// Remembers a host that was reached before a restart.
    pub fn restore_reached(&mut self, host: &str, tool: &str) {
        self.contacts.add(Circle::Everybody, host, tool);
    }

    pub(crate) fn has_reached(&self, circle: &Circle, host: &str, tool: &str) -> bool {
        self.contacts.knows(circle, host, tool)
    }

    /// Uses up what holds once and had its part in a judgement: the rule that decided and, where the call was not
    /// denied, every allowance that matched, since several may have allowed it together.
    pub fn spend(&mut self, ruleset: &Ruleset, judgement: &Judgement) {
        let denied = judgement.outcome == Outcome::Deny;
        for rule in ruleset.once.iter().filter_map(|number| ruleset.rules.get(*number)) {
            let decided = judgement.rule.as_ref() == Some(&rule.place);
            let allowed = rule.action == Action::Allow && !denied && judgement.matched.contains(&rule.place);
            if decided || allowed {
                self.spent.insert(rule.id.clone());
            }
        }
    }

    pub(crate) fn is_spent(&self, id: &str) -> bool {
        self.spent.contains(id)
    }

    /// The ids of the rules that were used up, for keeping them over a restart.
    pub fn spent(&self) -> impl Iterator<Item = &str> {
        self.spent.iter().map(String::as_str)
    }

    /// Remembers rules that are over: used up before a restart, or temporary and ended. Rules of no such kind are left
    /// alone.
    pub fn restore_spent(&mut self, ids: impl IntoIterator<Item = String>) {
        self.spent.extend(ids);
    }
}

const PERS: [Per; 4] = [Per::Agent, Per::Session, Per::Tool, Per::Host];

fn subject(per: Per, call: &Call) -> Option<String> {
    match per {
        Per::Agent => Some(call.origin.agent.clone()),
        Per::Session => Some(call.origin.session.clone()),
        Per::Tool => Some(call.action.tool().to_owned()),
        Per::Host => match &call.action {
            CallAction::Fetch { url, .. } => host_of_url(url),
            CallAction::Connect { host, .. } => fold_host(host).or_else(|| Some(host.clone())),
            _ => None,
        },
    }
}

fn host_of(effect: &Effect) -> Option<String> {
    match &effect.target {
        Some(Target::Host { host, .. }) if !host.is_empty() => fold_host(host).or_else(|| Some(host.clone())),
        _ => None,
    }
}
