//! `rampart pending`, `approve`, `deny`: questions that wait for a human.

use std::io::IsTerminal as _;

use rampart_client::wire;

use crate::{
    args::{Json, Resolve},
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, styled},
    reach,
};

pub(crate) fn list(args: &Json, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let pending = reach::client(environment).pending()?;
    if args.json {
        for question in &pending {
            printer.json(question)?;
        }
        return Ok(Exit::Yes);
    }
    if pending.is_empty() {
        printer.note("Nothing waits.");
    }
    for question in &pending {
        let origin = &question.call.origin;
        printer.out(format!(
            "{}  {}  {}",
            styled(BOLD, short(&question.id)),
            rampart_scan::visible(&question.subject),
            styled(DIM, format!("{} for {}s", origin.agent, question.expires_in_ms / 1000)),
        ));
        printer.out(format!("      {}", rampart_scan::visible(&question.judgement.message)));
    }
    if let Some(first) = pending.first()
        && std::io::stdout().is_terminal()
    {
        printer.note(format!(
            "Let it through with `rampart approve {}`, or refuse with `rampart deny`.",
            short(&first.id)
        ));
    }
    Ok(Exit::Yes)
}

/// Enough of an id to be told apart by eye; the gateway takes any unique beginning.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

pub(crate) fn resolve(
    args: &Resolve,
    approve: bool,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let answer = wire::Resolve { approve, reason: args.reason.clone().unwrap_or_default(), payload: None };
    let resolved = reach::client(environment).resolve(&args.id, &answer)?;
    let done = if resolved.approved { "approved" } else { "denied" };
    printer.out(format!("{done}: {}", rampart_scan::visible(&resolved.subject)));
    Ok(Exit::Yes)
}
