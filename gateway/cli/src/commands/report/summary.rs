//! A report for a terminal.

use rampart_call::Outcome;
use rampart_gateway::{
    audit::report::{Coverage, Findings, Tally},
    shown,
};

use super::Report;
use crate::{
    printer::{BOLD, DIM, outcome_style, styled},
    record::local_time,
};

/// Entries of each list.
const MOST: usize = 8;
/// Characters of a name, and of a subject.
const NAME: usize = 40;
const SUBJECT: usize = 70;

pub(super) fn of(report: &Report) -> String {
    let found = &report.found;
    let mut lines = vec![styled(BOLD, format!("{} calls since {}", report.calls(), local_time(&report.since)))];
    for outcome in [Outcome::Allow, Outcome::Watch, Outcome::Ask, Outcome::Webhook, Outcome::Deny] {
        let count = report.decided(outcome.as_str());
        if count > 0 {
            lines.push(format!("  {} {count:>9}", styled(outcome_style(outcome), format!("{outcome:<8}"))));
        }
    }
    if found.passed_although > 0 {
        let text = format!("  {} would have been stopped and went on (mode monitor)", found.passed_although);
        lines.push(styled(outcome_style(Outcome::Ask), text));
    }
    let mut heading = |lines: &mut Vec<String>, title: &str, columns: &str| {
        lines.push(String::new());
        lines.push(format!("{} {}", styled(BOLD, format!("{title:<NAME$}")), styled(DIM, columns)));
    };
    heading(&mut lines, "Agents", "    calls   stopped  sessions  roads");
    for agent in found.agents.iter().take(MOST) {
        let roads = agent.surfaces.join(" ");
        lines.push(format!(
            "{:<NAME$} {:>9} {:>9} {:>9}  {}",
            name(&agent.name),
            agent.calls,
            agent.stopped,
            agent.sessions,
            shown::one_line(&roads, NAME)
        ));
    }
    more(&mut lines, found.agents.len());
    heading(&mut lines, "Refused or asked about", "    times  said     the last");
    for stopped in found.stopped.iter().take(MOST) {
        let example = shown::one_line(&stopped.example, SUBJECT);
        lines.push(format!("{:<NAME$} {:>9}  {:<7}  {example}", name(&stopped.rule), stopped.times, stopped.outcome));
    }
    more(&mut lines, found.stopped.len());
    tallies(&mut lines, &mut heading, "Destinations", &found.destinations);
    tallies(&mut lines, &mut heading, "MCP servers", &found.servers);
    questions(&mut lines, found);
    lines.push(String::new());
    lines.push(chain(report));
    for (title, risks) in [
        ("OWASP Top 10 for Agentic Applications (2026)", &found.owasp_agentic),
        ("OWASP MCP Top 10 (2025)", &found.owasp_mcp),
    ] {
        lines.push(String::new());
        lines.push(styled(BOLD, title));
        lines.extend(risks.iter().map(risk));
    }
    lines.push(String::new());
    lines.push(styled(DIM, "`--html -o report.html` has all of it with evidence and gaps; `--json` for programs"));
    lines.join("\n") + "\n"
}

fn tallies(
    lines: &mut Vec<String>,
    heading: &mut impl FnMut(&mut Vec<String>, &str, &str),
    title: &str,
    list: &[Tally],
) {
    if list.is_empty() {
        return;
    }
    heading(lines, title, "    calls   stopped");
    for tally in list.iter().take(MOST) {
        lines.push(format!("{:<NAME$} {:>9} {:>9}", name(&tally.name), tally.calls, tally.stopped));
    }
    more(lines, list.len());
}

fn questions(lines: &mut Vec<String>, found: &Findings) {
    if found.questions.is_empty() {
        return;
    }
    let steps: Vec<String> = found.questions.iter().map(|(event, count)| format!("{count} {event}")).collect();
    lines.push(String::new());
    lines.push(format!("{}  {}", styled(BOLD, "Questions"), shown::one_line(&steps.join(", "), 200)));
    for person in found.people.iter().take(MOST) {
        let who = shown::one_line(&person.name, NAME);
        lines.push(format!("  {who}: {} granted, {} denied", person.granted, person.denied));
    }
}

fn chain(report: &Report) -> String {
    let chain = &report.chain;
    let (word, outcome) = if chain.ok { ("verified", Outcome::Allow) } else { ("not what was written", Outcome::Deny) };
    let problems =
        if chain.ok { String::new() } else { format!(", {} problems: `rampart audit verify`", chain.problems.len()) };
    let files = if chain.segments == 1 { "file" } else { "files" };
    let counts = format!("{} records in {} {files}{problems}", chain.records, chain.segments);
    format!("{}  {}, {counts}", styled(BOLD, "Trail"), styled(outcome_style(outcome), word))
}

fn risk(risk: &Coverage) -> String {
    let times: u64 = risk.evidence.iter().map(|evidence| evidence.times).sum();
    let title = shown::one_line(risk.title, 54);
    let seen = if times == 0 { "nothing seen".to_owned() } else { format!("{times} signs") };
    format!("  {} {title:<54} {:<7} {}", styled(DIM, risk.id), risk.covers.as_str(), styled(DIM, seen))
}

fn name(text: &str) -> String {
    let shown = shown::one_line(text, NAME);
    if shown.is_empty() {
        return "(none)".to_owned();
    }
    if shown.chars().count() > NAME { shown.chars().take(NAME - 1).chain(['…']).collect() } else { shown }
}

fn more(lines: &mut Vec<String>, all: usize) {
    match all {
        0 => lines.push(styled(DIM, "none")),
        all if all > MOST => lines.push(styled(DIM, format!("and {} more", all - MOST))),
        _ => {}
    }
}
