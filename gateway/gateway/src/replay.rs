//! The calls that the audit trail recorded, judged again: by other rules, or by two rulesets of which one is planned. Nothing
//! is called.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::Path,
};

use rampart_call::{Judgement, Outcome};
use rampart_policy::{Context, History, Ruleset};
use serde::Serialize;

use crate::{
    Home,
    audit::{
        Kind,
        read::{Filter, Record, forward},
    },
    labels,
    recorded::{Flaw, Recorded},
};

/// What came of it. Stable as JSON.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replayed {
    /// Calls that were judged again.
    pub calls: u64,
    /// Calls of them that would be decided differently.
    pub differ: u64,
    /// How, and how many.
    pub changes: Vec<Change>,
    /// The differences, calls that are alike once.
    pub differences: Vec<Difference>,
    /// How many of them there are, listed or not.
    pub distinct: usize,
    /// Calls that could not be judged again, by why.
    pub left_out: BTreeMap<Flaw, LeftOut>,
    /// Responses, which are judged by their text, and that is never in the trail.
    pub responses: u64,
}

/// Calls that would be decided differently in the same way.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// What was decided.
    pub from: Outcome,
    /// What would be.
    pub to: Outcome,
    /// How many.
    pub calls: u64,
}

/// Calls of one agent about the same thing that would be decided differently.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// The first record of such a call.
    pub seq: u64,
    /// When that was (RFC 3339).
    pub at: String,
    /// Whose call.
    pub agent: String,
    /// The action's word.
    pub tool: String,
    /// What it was about, on one line.
    pub subject: String,
    /// What was decided.
    pub from: Outcome,
    /// What would be.
    pub to: Outcome,
    /// The policy that would decide, or the reason.
    pub rule: String,
    /// What it would tell.
    pub message: String,
    /// How many calls are alike.
    pub calls: u64,
}

/// Calls that could not be judged again.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// How many.
    pub calls: u64,
    /// The first of their records.
    pub seqs: Vec<u64>,
}

/// Records that are named of those that were left out.
const NAMED: usize = 20;

/// What is judged again, and by what.
#[derive(Debug)]
pub struct Replay<'a> {
    /// The rules that calls are judged by.
    pub ruleset: &'a Ruleset,
    /// The rules that these are compared with; with what is on record where there are none.
    pub before: Option<&'a Ruleset>,
    /// Which calls. Others of the same time count too: rules may depend on what was called before.
    pub filter: Filter,
    /// What `~` means.
    pub user_home: &'a Path,
    /// Most differences that are listed.
    pub most: usize,
}

impl Replay<'_> {
    /// Reads the trail of a home from its beginning. Takes as long as that is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn run(self, home: &Home) -> io::Result<Replayed> {
        let Self { ruleset, before, filter, user_home, most } = self;
        let time = Filter { since_ms: filter.since_ms, until_ms: filter.until_ms, ..Filter::default() }.sieve();
        let sieve = filter.sieve();
        let user_home = user_home.display().to_string();
        let rampart_home = home.root().to_str();
        let mut again = Again { ruleset, rampart_home, history: History::default(), labels: HashMap::new() };
        let mut as_now =
            before.map(|ruleset| Again { ruleset, history: History::default(), labels: HashMap::new(), ..again });
        let mut replayed = Replayed::default();
        let mut alike = HashMap::new();
        for record in forward(&home.audit(), 0) {
            let record = record?;
            if !matches!(record.kind, Kind::Decision | Kind::Result) || !time.admits(&record) {
                continue;
            }
            let judged = Recorded::read(&record, &user_home).and_then(|recorded| {
                let now = as_now.as_mut().map(|again| again.judge(&record, &recorded));
                let then = again.judge(&record, &recorded);
                match recorded.flaw {
                    Some(flaw) if then.is_some() => Err(flaw),
                    _ => Ok((now.flatten().map_or(recorded.outcome, |now| now.outcome), recorded, then)),
                }
            });
            if sieve.admits(&record) {
                replayed.add(record.seq, judged, &mut alike);
            }
        }
        replayed.changes.sort_by_key(|change| std::cmp::Reverse(change.calls));
        replayed.distinct = alike.len();
        replayed.differences.truncate(most);
        Ok(replayed)
    }
}

/// What is remembered from call to call, as a gateway does.
struct Again<'a> {
    ruleset: &'a Ruleset,
    rampart_home: Option<&'a str>,
    history: History,
    labels: HashMap<(String, String), BTreeSet<String>>,
}

/// What was said of a call of the trail, the call, and what would be. None of a response.
type Judged = Result<(Outcome, Recorded, Option<Judgement>), Flaw>;

impl Again<'_> {
    fn judge(&mut self, record: &Record, recorded: &Recorded) -> Option<Judgement> {
        let call = &recorded.call;
        let known = self.labels.entry((call.origin.agent.clone(), call.origin.session.clone())).or_default();
        if record.kind == Kind::Result {
            if recorded.verdict != Outcome::Deny {
                known.extend(labels(call, &[]).map(str::to_owned));
            }
            return None;
        }
        let now_ms = recorded.at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
        let context = Context {
            now_ms,
            headless: false,
            labels: known,
            confined: false,
            called: &[],
            history: &self.history,
            counted: false,
            rampart_home: self.rampart_home,
        };
        let judgement = self.ruleset.judge(call, &context);
        self.history.record(call, now_ms);
        self.history.spend(self.ruleset, &judgement);
        if recorded.verdict != Outcome::Deny {
            known.extend(labels(call, &judgement.effects).map(str::to_owned));
        }
        Some(judgement)
    }
}

impl Replayed {
    fn add(&mut self, seq: u64, judged: Judged, alike: &mut HashMap<(String, String, Outcome, Outcome), usize>) {
        let (from, recorded, judgement) = match judged {
            Ok((from, recorded, Some(judgement))) => (from, recorded, judgement),
            Ok((_, _, None)) => return self.responses += 1,
            Err(flaw) => {
                let left_out = self.left_out.entry(flaw).or_default();
                left_out.calls += 1;
                if left_out.seqs.len() < NAMED {
                    left_out.seqs.push(seq);
                }
                return;
            }
        };
        self.calls += 1;
        let to = judgement.outcome;
        if from == to {
            return;
        }
        self.differ += 1;
        match self.changes.iter_mut().find(|change| (change.from, change.to) == (from, to)) {
            Some(change) => change.calls += 1,
            None => self.changes.push(Change { from, to, calls: 1 }),
        }
        let (agent, subject) = (recorded.call.origin.agent, recorded.call.action.subject());
        let at = *alike.entry((agent.clone(), subject.clone(), from, to)).or_insert(self.differences.len());
        match self.differences.get_mut(at) {
            Some(difference) => difference.calls += 1,
            None => self.differences.push(Difference {
                seq,
                at: recorded.at,
                agent,
                tool: recorded.call.action.tool().to_owned(),
                subject,
                from,
                to,
                rule: judgement.decided_by().to_owned(),
                message: judgement.message,
                calls: 1,
            }),
        }
    }
}
