//! `rampart audit stats`: the trail in numbers.

use std::path::Path;

use rampart_call::Outcome;
use rampart_gateway::audit::{
    read::forward,
    stats::{Counted, Counter, Micros, Stats},
};
use rampart_scan::visible;

use crate::{
    args,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    record::{local_time, shortened},
};

pub(super) fn run(dir: &Path, args: args::Stats, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let sieve = args.wanted.filter(&environment.user_home).sieve();
    let mut counter = Counter::default();
    for record in forward(dir, 0) {
        let record = record?;
        if sieve.admits(&record) {
            counter.add(&record);
        }
    }
    let stats = counter.finish(args.top);
    if args.json {
        printer.json(&stats)?;
    } else {
        show(&stats, printer);
    }
    Ok(Exit::Yes)
}

fn show(stats: &Stats, printer: Printer) {
    let decisions = stats.types.get("decision").copied().unwrap_or_default();
    printer.out(styled(BOLD, format!("{decisions} decisions in {} records", stats.records)));
    if let (Some(from), Some(to)) = (&stats.from, &stats.to) {
        printer.out(styled(DIM, format!("{} to {}", local_time(from), local_time(to))));
    }
    for outcome in [Outcome::Allow, Outcome::Watch, Outcome::Ask, Outcome::Webhook, Outcome::Deny] {
        if let Some(count) = stats.outcomes.get(outcome.as_str()) {
            let share = *count as f64 * 100.0 / decisions.max(1) as f64;
            printer.out(format!(
                "  {} {count:>9} {share:>5.1} %",
                styled(outcome_style(outcome), format!("{outcome:<8}"))
            ));
        }
    }
    for (title, list) in
        [("tool", &stats.tools), ("agent", &stats.agents), ("session", &stats.sessions), ("rule", &stats.rules)]
    {
        if list.is_empty() {
            continue;
        }
        printer.out(format!("\n{}", styled(BOLD, format!("{title:<40} {:>9} {:>9}", "calls", "denied"))));
        for Counted { name, calls, denied } in list {
            let name = if name.is_empty() { "(none)".to_owned() } else { shortened(&visible(name)) };
            printer.out(format!("{name:<40} {calls:>9} {denied:>9}"));
        }
    }
    if !stats.approvals.is_empty() {
        let steps: Vec<String> = stats.approvals.iter().map(|(event, count)| format!("{count} {event}")).collect();
        printer.out(format!("\nquestions: {}", visible(&steps.join(", "))));
    }
    if let Some(Micros { median, p99, most }) = stats.micros {
        printer.out(format!("\ntime of a decision: median {median} µs, 99 % within {p99} µs, at most {most} µs"));
    }
    let (refused, passed) = (stats.refused_unrecorded, stats.passed_unrecorded);
    if refused + passed > 0 {
        printer.out(format!("while nothing could be recorded: {refused} calls refused, {passed} let pass"));
    }
}
