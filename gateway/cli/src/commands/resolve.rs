//! `rampart approve` and `rampart deny`: one answer to one question, and a rule for later ones where that was said.

use anyhow::bail;
use rampart_client::wire::{self, Pending};
use rampart_gateway::shown;
use rampart_policy::Override;

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
    if question.approvals > 1 && scope != "once" {
        bail!(
            "{} needs {} people each time, and a rule for later would need none; nothing was answered. Leave out --for and \
             --always",
            question.id,
            question.approvals
        );
    }
    // Whether there can be such a rule is known before anything is released.
    let rule = if scope == "once" { None } else { Some(rule(&question, args.lasting.as_deref())?) };
    answer(&question, true, args.reason.as_deref(), scope, environment, printer)?;
    let Some(rule) = rule else { return Ok(Exit::Yes) };
    allow::add_to_home(&rule, environment, printer)
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
) -> anyhow::Result<()> {
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
    Ok(())
}

/// So many more people.
fn people(missing: u8) -> String {
    if missing == 1 { "one more person".to_owned() } else { format!("{missing} more people") }
}

/// The rule that allows exactly what was asked.
fn rule(question: &Pending, lasting: Option<&str>) -> anyhow::Result<Override> {
    let Some(exact) = Override::exact(&question.call.action) else {
        bail!(
            "no rule can say exactly this, so nothing was answered; `rampart approve {}` lets this one call through",
            question.id
        );
    };
    let expires_at = lasting.map(allow::end_of).transpose()?;
    let agent = shown::one_line(&question.call.origin.agent, 60);
    let description = format!("approved for {agent:?} on {}, question {}", allow::today(), question.id);
    let rule = Override { description: Some(description), expires_at, ..exact };
    rule.check().map_err(|why| anyhow::anyhow!("no rule can say exactly this ({why}), so nothing was answered"))?;
    Ok(rule)
}
