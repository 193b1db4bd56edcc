//! `rampart replay`: the calls that the audit trail recorded, judged again by changed policies. Nothing is called.

use rampart_call::Outcome;
use rampart_gateway::{
    Home,
    recorded::Flaw,
    replay::{self, Change, Difference, LeftOut, Replayed},
};
use rampart_scan::visible;

use crate::{
    args::Replay,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    record::{local_time, shortened},
    rules,
};

pub(crate) fn run(args: Replay, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let files = rules::files(environment, &args.policy)?;
    let ruleset = rules::compile(&files, printer)?;
    let home = Home::at(&environment.home);
    home.prepare()?;
    let filter = args.wanted.filter(&environment.user_home);
    let user_home = &environment.user_home;
    let replay = replay::Replay { ruleset: &ruleset, before: None, filter, user_home, most: args.lines };
    let replayed = replay.run(&home)?;
    if args.json {
        printer.json(&replayed)?;
    } else {
        show(&replayed, printer);
    }
    Ok(if replayed.differ == 0 { Exit::Yes } else { Exit::No })
}

fn show(replayed: &Replayed, printer: Printer) {
    let word = |outcome: Outcome| styled(outcome_style(outcome), format!("{outcome:<7}"));
    let calls = |n: u64| if n == 1 { "1 call".to_owned() } else { format!("{n} calls") };
    let Replayed { calls: all, differ, .. } = replayed;
    printer.out(styled(BOLD, format!("{} judged again, {differ} would be decided differently", calls(*all))));
    for Change { from, to, calls: n } in &replayed.changes {
        printer.out(format!("  {} → {} {n:>6}", word(*from), word(*to)));
    }
    for difference in &replayed.differences {
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
    if replayed.distinct > replayed.differences.len() {
        printer.note(format!("{} more; -n COUNT shows them", replayed.distinct - replayed.differences.len()));
    }
    for flaw in Flaw::ALL {
        if let Some(LeftOut { calls: n, seqs }) = replayed.left_out.get(&flaw) {
            let more = if *n > seqs.len() as u64 { ", ..." } else { "" };
            let seqs = seqs.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            printer.note(format!("{} left out, because {}: records {seqs}{more}", calls(*n), flaw.why()));
        }
    }
    if replayed.responses > 0 {
        printer.note(format!(
            "{} responses left out: they are judged by their text, which is never in the trail",
            replayed.responses
        ));
    }
}
