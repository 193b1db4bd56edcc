//! What was seen in numbers: rates, sessions, and what is stopped most.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::row::Row;

/// Seconds that rates look back.
pub(crate) const SECONDS: usize = 60;
/// Sessions and rules that are remembered; beyond that, those seen longest ago are forgotten.
const MOST: usize = 500;

/// Decisions counted.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) stopped: u64,
    sessions: HashMap<(String, String), Session>,
    rules: HashMap<String, Rule>,
    /// Unix second and what was decided in it; the place is the second modulo [`SECONDS`].
    seconds: [Second; SECONDS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    at: i64,
    passed: u64,
    stopped: u64,
}

/// One run of one agent, as far as it was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    pub(crate) calls: u64,
    pub(crate) stopped: u64,
    pub(crate) surfaces: Vec<String>,
    pub(crate) last: Option<Timestamp>,
    seq: u64,
}

/// A rule that stopped something.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    pub(crate) times: u64,
    /// What it stopped last, ready to be shown.
    pub(crate) subject: String,
    seq: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let seconds = [Second::default(); SECONDS];
        Self { passed: 0, stopped: 0, sessions: HashMap::new(), rules: HashMap::new(), seconds }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, row: &Row) {
        let (Some(_), "decision") = (row.outcome, row.kind.as_str()) else { return };
        let stopped = u64::from(row.stands_out());
        self.stopped += stopped;
        self.passed += 1 - stopped;
        if let Some(at) = row.at.map(Timestamp::as_second)
            && let Some(second) = self.seconds.get_mut(place(at))
        {
            if second.at != at {
                *second = Second { at, ..Second::default() };
            }
            second.stopped += stopped;
            second.passed += 1 - stopped;
        }
        let session = self.sessions.entry((row.agent.clone(), row.session.clone())).or_default();
        session.calls += 1;
        session.stopped += stopped;
        session.last = row.at;
        session.seq = row.seq;
        if !session.surfaces.contains(&row.surface) {
            session.surfaces.push(row.surface.clone());
        }
        if stopped > 0 {
            let rule = self.rules.entry(row.rule.clone()).or_default();
            rule.times += 1;
            row.subject.clone_into(&mut rule.subject);
            rule.seq = row.seq;
        }
        forget(&mut self.sessions, |session| session.seq);
        forget(&mut self.rules, |rule| rule.seq);
    }

    /// Decisions a second over the last ten, and how many of those were stopped.
    pub(crate) fn rate(&self, now: Timestamp) -> (f64, f64) {
        const OVER: usize = 10;
        let lately = self.seconds_until(now).into_iter().rev().skip(1).take(OVER);
        let (all, stopped) = lately.fold((0, 0), |(all, no), (passed, stopped)| (all + passed + stopped, no + stopped));
        (all as f64 / OVER as f64, stopped as f64 / OVER as f64)
    }

    /// What passed and what was stopped in each of the last seconds, the current one last.
    pub(crate) fn seconds_until(&self, now: Timestamp) -> Vec<(u64, u64)> {
        let now = now.as_second();
        let span = i64::try_from(SECONDS).unwrap_or(i64::MAX);
        let of = |at: i64| self.seconds.get(place(at)).filter(|second| second.at == at);
        (now - span + 1..=now).map(|at| of(at).map_or((0, 0), |second| (second.passed, second.stopped))).collect()
    }

    /// Sessions, the one that was seen last first.
    pub(crate) fn sessions(&self) -> Vec<(&(String, String), &Session)> {
        let mut all: Vec<_> = self.sessions.iter().collect();
        all.sort_by_key(|(_, session)| std::cmp::Reverse(session.seq));
        all
    }

    /// Rules that stopped something, the busiest first.
    pub(crate) fn rules(&self) -> Vec<(&String, &Rule)> {
        let mut all: Vec<_> = self.rules.iter().collect();
        all.sort_by(|a, b| b.1.times.cmp(&a.1.times).then_with(|| a.0.cmp(b.0)));
        all
    }
}

fn place(second: i64) -> usize {
    usize::try_from(second.rem_euclid(i64::try_from(SECONDS).unwrap_or(1))).unwrap_or_default()
}

/// Forgets the older half once there are too many.
fn forget<K: Clone + std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, seq: impl Fn(&V) -> u64) {
    if map.len() <= MOST {
        return;
    }
    let mut all: Vec<u64> = map.values().map(&seq).collect();
    all.sort_unstable();
    let middle = all.get(all.len() / 2).copied().unwrap_or_default();
    map.retain(|_, value| seq(value) >= middle);
}
