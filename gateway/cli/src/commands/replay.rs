//! `rampart replay`: the calls that the audit trail recorded, judged again by changed policies. Nothing is called.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rampart_call::{Judgement, Outcome};
use rampart_gateway::{
    Home,
    audit::{
        Kind,
        read::{Filter, Record, forward},
    },
    labels,
};
use rampart_policy::{Context, History, Ruleset};
use rampart_scan::visible;
use serde::Serialize;

use crate::{
    args::Replay,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    record::{local_time, shortened},
    recorded::{Flaw, Recorded},
    rules,
};

/// What came of it. Stable as JSON.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Calls that were judged again.
    calls: u64,
    /// Calls of them that would be decided differently.
    differ: u64,
    /// How, and how many.
    changes: Vec<Change>,
    /// The differences, calls that are alike once.
    differences: Vec<Difference>,
    /// Calls that could not be judged again, by why.
    left_out: BTreeMap<Flaw, LeftOut>,
    /// Responses, which are judged by their text, and that is never in the trail.
    responses: u64,
}

#[derive(Debug, Serialize)]
struct Change {
    from: Outcome,
    to: Outcome,
    calls: u64,
}

#[derive(Debug, Serialize)]
struct Difference {
    /// The first record of such a call.
    seq: u64,
    at: String,
    agent: String,
    tool: String,
    subject: String,
    from: Outcome,
    to: Outcome,
    /// The policy that would decide, or the reason.
    rule: String,
    message: String,
    /// How many calls are alike.
    calls: u64,
}

#[derive(Debug, Default, Serialize)]
struct LeftOut {
    calls: u64,
    /// The first of their records.
    seqs: Vec<u64>,
}

/// Records that are named of those that were left out.
const NAMED: usize = 20;

pub(crate) fn run(args: Replay, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let files = rules::files(environment, &args.policy)?;
    let ruleset = rules::compile(&files, printer)?;
    let home = Home::at(&environment.home);
    home.prepare()?;
    let filter = args.wanted.filter(&environment.user_home);
    let time = Filter { since_ms: filter.since_ms, until_ms: filter.until_ms, ..Filter::default() }.sieve();
    let sieve = filter.sieve();
    let mut again = Again { ruleset: &ruleset, environment, history: History::default(), labels: HashMap::new() };
    let mut report = Report::default();
    let mut alike = HashMap::new();
    for record in forward(&home.audit(), 0) {
        let record = record?;
        // What is not wanted still counts: rules may depend on what was called before.
        if matches!(record.kind, Kind::Decision | Kind::Result) && time.admits(&record) {
            let judged = again.judge(&record);
            if sieve.admits(&record) {
                report.add(record.seq, judged, &mut alike);
            }
        }
    }
    report.changes.sort_by_key(|change| std::cmp::Reverse(change.calls));
    report.differences.truncate(args.lines);
    if args.json {
        printer.json(&report)?;
    } else {
        report.show(alike.len(), printer);
    }
    Ok(if report.differ == 0 { Exit::Yes } else { Exit::No })
}

/// What is remembered from call to call, as a gateway does.
struct Again<'a> {
    ruleset: &'a Ruleset,
    environment: &'a Environment,
    history: History,
    labels: HashMap<(String, String), BTreeSet<String>>,
}

/// A call of the trail, and what would be said of it. None of a response.
type Judged = Result<(Recorded, Option<Judgement>), Flaw>;

impl Again<'_> {
    fn judge(&mut self, record: &Record) -> Judged {
        let recorded = Recorded::read(record, self.environment)?;
        let call = &recorded.call;
        let known = self.labels.entry((call.origin.agent.clone(), call.origin.session.clone())).or_default();
        if record.kind == Kind::Result {
            if recorded.verdict != Outcome::Deny {
                known.extend(labels(call, &[]).map(str::to_owned));
            }
            return Ok((recorded, None));
        }
        let now_ms = recorded.at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
        let context = Context {
            now_ms,
            headless: false,
            labels: known,
            history: &self.history,
            counted: false,
            rampart_home: self.environment.home.to_str(),
        };
        let judgement = self.ruleset.judge(call, &context);
        self.history.record(call, now_ms);
        self.history.spend(self.ruleset, &judgement);
        if recorded.verdict != Outcome::Deny {
            known.extend(labels(call, &judgement.effects).map(str::to_owned));
        }
        match recorded.flaw {
            Some(flaw) => Err(flaw),
            None => Ok((recorded, Some(judgement))),
        }
    }
}

impl Report {
    fn add(&mut self, seq: u64, judged: Judged, alike: &mut HashMap<(String, String, Outcome, Outcome), usize>) {
        let (recorded, judgement) = match judged {
            Ok((recorded, Some(judgement))) => (recorded, judgement),
            Ok((_, None)) => return self.responses += 1,
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
        let (from, to) = (recorded.outcome, judgement.outcome);
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

    fn show(&self, distinct: usize, printer: Printer) {
        let word = |outcome: Outcome| styled(outcome_style(outcome), format!("{outcome:<7}"));
        let calls = |n: u64| if n == 1 { "1 call".to_owned() } else { format!("{n} calls") };
        let Self { calls: all, differ, .. } = self;
        printer.out(styled(BOLD, format!("{} judged again, {differ} would be decided differently", calls(*all))));
        for Change { from, to, calls: n } in &self.changes {
            printer.out(format!("  {} → {} {n:>6}", word(*from), word(*to)));
        }
        for difference in &self.differences {
            let Difference { seq, at, agent, subject, from, to, rule, message, calls, .. } = difference;
            let times = if *calls > 1 { format!("  ×{calls}") } else { String::new() };
            printer.out(format!(
                "{}  {} {} {}{times}  {}",
                styled(DIM, format!("{seq:>8}  {}", local_time(at))),
                word(*from),
                word(*to),
                shortened(&visible(subject)),
                styled(DIM, format!("[{}] {}", visible(rule), visible(agent)).trim()),
            ));
            if !to.passes() && !message.is_empty() {
                printer.out(format!("          {} {}", styled(DIM, "→"), visible(message)));
            }
        }
        if distinct > self.differences.len() {
            printer.note(format!("{} more; -n COUNT shows them", distinct - self.differences.len()));
        }
        for flaw in Flaw::ALL {
            if let Some(LeftOut { calls: n, seqs }) = self.left_out.get(&flaw) {
                let more = if *n > seqs.len() as u64 { ", ..." } else { "" };
                let seqs = seqs.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
                printer.note(format!("{} left out, because {}: records {seqs}{more}", calls(*n), flaw.why()));
            }
        }
        if self.responses > 0 {
            printer.note(format!(
                "{} responses left out: they are judged by their text, which is never in the trail",
                self.responses
            ));
        }
    }
}
