//! `rampart bench`: how right a policy is about labelled actions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, bail};
use rampart_call::{Action, Call, Judgement, Origin, Outcome, Phase, strict};
use rampart_policy::{Context, History, Ruleset};
use rampart_scan::visible;
use serde::Serialize;
use serde_json::Value;

use crate::{
    args::Bench,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    rules,
};

/// An action and what it should come to.
struct Case {
    id: String,
    category: String,
    call: Call,
    expect: Expect,
}

/// The labels of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Deny,
    Ask,
    Stop,
    Allow,
    Pass,
}

impl Expect {
    const WORDS: [(&'static str, Self); 5] =
        [("deny", Self::Deny), ("ask", Self::Ask), ("stop", Self::Stop), ("allow", Self::Allow), ("pass", Self::Pass)];

    fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, expect)| *expect == self).map_or("", |(word, _)| word)
    }

    /// The action must be stopped, whichever way.
    fn stops(self) -> bool {
        matches!(self, Self::Deny | Self::Ask | Self::Stop)
    }

    /// To ask where a denial is expected is a weaker answer, but not a wrong one.
    fn is_met(self, outcome: Outcome) -> bool {
        match self {
            Self::Deny | Self::Stop => !outcome.passes(),
            Self::Ask => matches!(outcome, Outcome::Ask | Outcome::Webhook),
            Self::Allow => outcome == Outcome::Allow,
            Self::Pass => outcome.passes(),
        }
    }
}

/// What was counted, of one category or of all.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Counts {
    actions: usize,
    /// Judged as the label says.
    right: usize,
    must_stop: usize,
    stopped: usize,
    must_pass: usize,
    disturbed: usize,
}

impl Counts {
    fn add(&mut self, expect: Expect, outcome: Outcome) {
        let stopped = usize::from(!outcome.passes());
        self.actions += 1;
        self.right += usize::from(expect.is_met(outcome));
        if expect.stops() {
            self.must_stop += 1;
            self.stopped += stopped;
        } else {
            self.must_pass += 1;
            self.disturbed += stopped;
        }
    }

    fn accuracy(self) -> f64 {
        percent(self.right, self.actions, 100.0)
    }

    /// Share of what must be stopped that is.
    fn recall(self) -> f64 {
        percent(self.stopped, self.must_stop, 100.0)
    }

    /// Share of what must pass that does not.
    fn disturbance(self) -> f64 {
        percent(self.disturbed, self.must_pass, 0.0)
    }
}

fn percent(part: usize, whole: usize, of_nothing: f64) -> f64 {
    if whole == 0 { of_nothing } else { 100.0 * part as f64 / whole as f64 }
}

/// An action that was not judged as its label says.
#[derive(Debug, Serialize)]
struct Miss {
    id: String,
    category: String,
    tool: String,
    subject: String,
    expect: &'static str,
    decision: Outcome,
    decided_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

/// The JSON that is printed.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    counts: Counts,
    accuracy: f64,
    recall: f64,
    disturbance: f64,
    passed: bool,
    categories: BTreeMap<String, Counts>,
    misses: Vec<Miss>,
}

pub(crate) fn run(args: &Bench, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    for share in [args.min, args.max_disturbed].into_iter().flatten() {
        if !(0.0..=100.0).contains(&share) {
            bail!("{share} is no percentage; write a number from 0 to 100");
        }
    }
    let ruleset = rules::compile(&rules::files(environment, &args.policy)?, printer)?;
    let mut cases = Vec::new();
    for path in &args.corpora {
        read(path, args, &mut cases)?;
    }
    if cases.is_empty() {
        bail!("there is no action in the corpus");
    }
    let (mut all, mut categories, mut misses) = (Counts::default(), BTreeMap::<String, Counts>::new(), Vec::new());
    for case in cases {
        let judgement = judge(&ruleset, &case.call);
        all.add(case.expect, judgement.outcome);
        categories.entry(case.category.clone()).or_default().add(case.expect, judgement.outcome);
        if !case.expect.is_met(judgement.outcome) {
            misses.push(miss(case, &judgement));
        }
    }
    let (recall, disturbance) = (all.recall(), all.disturbance());
    let passed = args.min.is_none_or(|min| recall >= min) && args.max_disturbed.is_none_or(|max| disturbance <= max);
    let report = Report { counts: all, accuracy: all.accuracy(), recall, disturbance, passed, categories, misses };
    if args.json {
        printer.json(&report)?;
    } else {
        show(&report, args, printer);
    }
    Ok(if passed { Exit::Yes } else { Exit::No })
}

/// Judges as for an agent of which nothing is known.
fn judge(ruleset: &Ruleset, call: &Call) -> Judgement {
    let (labels, history) = (BTreeSet::new(), History::default());
    let now_ms = jiff::Timestamp::now().as_millisecond();
    ruleset.judge(
        call,
        &Context {
            now_ms,
            headless: false,
            labels: &labels,
            confined: false,
            called: &[],
            history: &history,
            counted: false,
            rampart_home: None,
        },
    )
}

fn read(path: &Path, args: &Bench, cases: &mut Vec<Case>) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    for (number, line) in (1..).zip(text.lines()) {
        if !line.trim().is_empty() {
            cases.push(case(line, args).with_context(|| format!("{}:{number}", path.display()))?);
        }
    }
    Ok(())
}

fn case(line: &str, args: &Bench) -> anyhow::Result<Case> {
    let row = strict::parse(line.as_bytes()).context("the line is no JSON object that means one thing")?;
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    let tool = text("tool").context("the action has no `tool`")?;
    let word = text("expect").context("the action has no `expect`")?;
    let expect = Expect::WORDS.iter().find(|(known, _)| *known == word).map(|(_, expect)| *expect);
    let expect = expect.with_context(|| format!("`expect` is `{word}`; write deny, ask, stop, allow or pass"))?;
    let mut action = Action::from_tool(tool, row.get("params").unwrap_or(&Value::Null))?;
    if let Action::Exec { cwd: place @ None, .. } = &mut action {
        *place = Some(args.workspace.clone());
    }
    let origin = Origin { workspace: Some(args.workspace.clone()), home: Some(args.home.clone()), ..Origin::default() };
    Ok(Case {
        id: text("id").unwrap_or_default().to_owned(),
        category: text("category").or_else(|| text("source")).unwrap_or(tool).to_owned(),
        call: Call { origin, phase: Phase::Before, action, response: None },
        expect,
    })
}

fn miss(case: Case, judgement: &Judgement) -> Miss {
    Miss {
        id: case.id,
        category: case.category,
        tool: case.call.action.tool().to_owned(),
        subject: case.call.action.subject(),
        expect: case.expect.as_str(),
        decision: judgement.outcome,
        decided_by: judgement.decided_by().to_owned(),
        file: judgement.rule.as_ref().map(|r| r.file.clone()),
        line: judgement.rule.as_ref().map(|r| r.line),
    }
}

fn show(report: &Report, args: &Bench, printer: Printer) {
    let width = report.categories.keys().map(|c| c.chars().count()).max().unwrap_or(0).max("category".len());
    let titles = format!("{:<width$}  actions    right   stopped  disturbed", "category");
    printer.out(styled(DIM, titles));
    for (name, counts) in &report.categories {
        printer.out(row(&visible(name), *counts, width));
    }
    printer.out(styled(BOLD, row("all", report.counts, width)));
    if !report.misses.is_empty() {
        printer.out(format!("\n{} judged otherwise than labelled:", report.misses.len()));
    }
    for miss in &report.misses {
        let place = match (&miss.file, miss.line) {
            (Some(file), Some(line)) => format!("{} ({file}:{line})", miss.decided_by),
            _ => miss.decided_by.clone(),
        };
        let wanted = format!("{} for {}", styled(outcome_style(miss.decision), miss.decision), miss.expect);
        printer.out(format!("  {}  {wanted}  {}", visible(&miss.id), styled(DIM, place)));
        printer.out(format!("      {} {}", miss.tool, visible(&miss.subject)));
    }
    let over =
        |share: f64, what: &str, limit: f64| printer.note(format!("{share:.1} % {what}; the limit is {limit} %"));
    if let Some(min) = args.min.filter(|min| report.recall < *min) {
        over(report.recall, "of what must be stopped is stopped", min);
    }
    if let Some(max) = args.max_disturbed.filter(|max| report.disturbance > *max) {
        over(report.disturbance, "of what must pass is disturbed", max);
    }
}

fn row(name: &str, counts: Counts, width: usize) -> String {
    let share = |part: f64, whole: usize| if whole == 0 { "-".to_owned() } else { format!("{part:.1} %") };
    format!(
        "{name:<width$}  {:>7}  {:>7}  {:>8}  {:>9}",
        counts.actions,
        share(counts.accuracy(), counts.actions),
        share(counts.recall(), counts.must_stop),
        share(counts.disturbance(), counts.must_pass),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_is_met_by_the_answers_its_definition_names() {
        use Outcome::{Allow, Ask, Deny, Watch};
        for (expect, met) in [
            (Expect::Deny, &[Deny, Ask][..]),
            (Expect::Ask, &[Ask]),
            (Expect::Stop, &[Deny, Ask]),
            (Expect::Allow, &[Allow]),
            (Expect::Pass, &[Allow, Watch]),
        ] {
            for outcome in [Allow, Watch, Ask, Deny] {
                assert_eq!(expect.is_met(outcome), met.contains(&outcome), "{expect:?} {outcome}");
            }
        }
    }

    #[test]
    fn shares_of_nothing_fail_no_limit() {
        let counts = Counts::default();
        assert!(counts.recall() >= 100.0 && counts.disturbance() <= 0.0);
    }
}
