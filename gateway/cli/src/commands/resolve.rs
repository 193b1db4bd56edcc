//! `rampart approve` and `rampart deny`: one answer to one question, and a rule for later ones where that was said.

use anyhow::bail;
use rampart_client::wire::{self, Pending};
use rampart_gateway::shown;

use crate::{
    args::{Approve, Deny},
    authority,
    commands::allow,
    environment::Environment,
    exit::Exit,
    printer::Printer,
    reach,
};

/// Characters of what was answered.
const SUBJECT: usize = 400;

pub(crate) fn approve(args: &Approve, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    authority::person(environment, true)?;
    let scope = match &args.lasting {
        Some(time) => time.as_str(),
        None if args.always => "always",
        None => "once",
    };
    let question = reach::client(environment).question(&args.id)?;
    let resolved = answer(&question, true, args.reason.as_deref(), scope, environment, printer)?;
    if let Some(added) = &resolved.rule {
        allow::show(added, true, printer);
    }
    if let Some(why) = resolved.unwritten {
        bail!("the call was let through, and no rule for later was written: {why}");
    }
    Ok(Exit::Yes)
}

pub(crate) fn deny(args: &Deny, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    authority::person(environment, true)?;
    let question = reach::client(environment).question(&args.id)?;
    answer(&question, false, args.reason.as_deref(), "once", environment, printer)?;
    Ok(Exit::Yes)
}

/// Answers the question as it was looked at a moment ago, and no other.
fn answer(
    question: &Pending,
    approve: bool,
    reason: Option<&str>,
    scope: &str,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<wire::Resolved> {
    let resolve = wire::Resolve {
        approve,
        reason: reason.unwrap_or_default().to_owned(),
        payload: Some(question.payload.clone()),
        scope: Some(scope.to_owned()),
    };
    let resolved = reach::client(environment).resolve(&question.id, &resolve)?;
    let subject = shown::one_line(&resolved.subject, SUBJECT);
    printer.out(match (approve, resolved.missing) {
        (true, 0) => format!("approved: {subject}"),
        (true, missing) => format!("you agreed, and {} must too: {subject}", people(missing)),
        (false, _) => format!("denied: {subject}"),
    });
    Ok(resolved)
}

/// So many more people.
fn people(missing: u8) -> String {
    if missing == 1 { "one more person".to_owned() } else { format!("{missing} more people") }
}
