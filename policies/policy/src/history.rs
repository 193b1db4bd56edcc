//! Counters of past calls, for `call_count` and for rules that hold once. Pure: the time comes with every call.

use std::collections::{BTreeSet, HashMap, VecDeque};

use rampart_call::{Call, Judgement, Outcome};

use crate::{Ruleset, source::Action};

/// The longest window that is counted: eight days, in milliseconds.
pub const LONGEST_WINDOW_MS: i64 = 8 * DAY;
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The most agents, sessions and tools that are remembered; beyond that the longest silent one is forgotten.
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
}

/// What was called before, in bounded memory.
#[derive(Debug, Clone, Default)]
pub struct History {
    subjects: HashMap<(Per, String), Subject>,
    spent: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Subject {
    last: i64,
    tools: HashMap<String, Counter>,
}

/// Calls by time: single seconds of the last two minutes, minutes of the last two hours, then hours.
#[derive(Debug, Clone, Default)]
struct Counter {
    buckets: VecDeque<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    start: i64,
    width: i64,
    count: u64,
}

impl History {
    /// Counts a call.
    pub fn record(&mut self, call: &Call, now_ms: i64) {
        let tool = call.action.tool();
        for (per, name) in subjects(call) {
            if self.subjects.len() >= MAX_SUBJECTS && !self.subjects.contains_key(&(per, name.to_owned())) {
                let oldest = self.subjects.iter().min_by_key(|(_, s)| s.last).map(|(k, _)| k.clone());
                oldest.and_then(|key| self.subjects.remove(&key));
            }
            let subject = self.subjects.entry((per, name.to_owned())).or_default();
            subject.last = now_ms;
            let known = subject.tools.contains_key(tool) || subject.tools.len() < MAX_TOOLS;
            let counter = subject.tools.entry(if known { tool } else { "" }.to_owned()).or_default();
            counter.add(now_ms);
        }
    }

    /// How many calls were recorded within `window_ms` before `now_ms` whose tool passes `tool`.
    pub(crate) fn count(&self, per: Per, call: &Call, window_ms: i64, now_ms: i64, tool: impl Fn(&str) -> bool) -> u64 {
        let Some((_, name)) = subjects(call).into_iter().find(|(p, _)| *p == per) else { return 0 };
        let Some(subject) = self.subjects.get(&(per, name.to_owned())) else { return 0 };
        let counted = subject.tools.iter().filter(|(name, _)| name.is_empty() || tool(name));
        counted.map(|(_, counter)| counter.since(now_ms - window_ms)).sum()
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

fn subjects(call: &Call) -> [(Per, &str); 3] {
    [(Per::Agent, &call.origin.agent), (Per::Session, &call.origin.session), (Per::Tool, call.action.tool())]
}

impl Counter {
    fn add(&mut self, now: i64) {
        let start = now - now.rem_euclid(SECOND);
        match self.buckets.back_mut() {
            Some(last) if last.start + last.width > start => last.count += 1,
            _ => self.buckets.push_back(Bucket { start, width: SECOND, count: 1 }),
        }
        self.coarsen(now);
    }

    /// Joins old buckets into wider ones and drops what no window reaches.
    fn coarsen(&mut self, now: i64) {
        if self.buckets.len() < 512 {
            return;
        }
        let mut joined: VecDeque<Bucket> = VecDeque::new();
        for bucket in self.buckets.drain(..).filter(|b| now - b.start <= LONGEST_WINDOW_MS + HOUR) {
            let width = match now - bucket.start {
                age if age > 2 * HOUR => HOUR,
                age if age > 2 * MINUTE => MINUTE,
                _ => SECOND,
            }
            .max(bucket.width);
            let start = bucket.start - bucket.start.rem_euclid(width);
            match joined.back_mut() {
                Some(last) if last.start == start => last.count += bucket.count,
                _ => joined.push_back(Bucket { start, width, count: bucket.count }),
            }
        }
        self.buckets = joined;
    }

    /// Calls after `from`; a bucket that reaches into the window counts whole, so that a limit is never missed.
    fn since(&self, from: i64) -> u64 {
        self.buckets.iter().rev().take_while(|b| b.start + b.width > from).map(|b| b.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_counts_its_window_and_stays_small() {
        let mut counter = Counter::default();
        for i in 0..100_000 {
            counter.add(i * 10 * SECOND);
        }
        let now = 99_999 * 10 * SECOND;
        assert!(counter.buckets.len() < 800, "{}", counter.buckets.len());
        let minute = counter.since(now - MINUTE);
        assert!((6..=7).contains(&minute), "{minute}");
        let hour = counter.since(now - HOUR);
        assert!((360..=366).contains(&hour), "{hour}");
        let day = counter.since(now - DAY);
        assert!((8_640..=9_000).contains(&day), "{day}");
        assert_eq!(counter.since(now + HOUR), 0);
    }
}
