//! `rampart rules`: what `rampart allow` and `rampart block` added, and taking it back.

use rampart_call::{CommandLine, Outcome};
use rampart_client::{blocking::Client, wire};
use rampart_gateway::{
    Home,
    overrides::{Entry, NAME, Overrides, plan_removal, plan_reset},
};
use rampart_policy::{Override, OverrideAction};
use rampart_scan::visible;
use serde_json::json;

use crate::{
    args::{Rules, RulesVerb},
    authority,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    user_overrides::{Changed, change, state},
};

pub(crate) fn run(args: Rules, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    match args.verb {
        None => list(args.list.json, environment, printer),
        Some(RulesVerb::List(list_args)) => list(list_args.json, environment, printer),
        Some(RulesVerb::Remove { number, yes }) => remove(number, yes, environment, printer),
        Some(RulesVerb::Reset { yes }) => reset(yes, environment, printer),
    }
}

fn list(json: bool, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    let entries = Overrides::open(&home)?.entries()?;
    let now = jiff::Timestamp::now();
    for (number, entry) in (1..).zip(&entries) {
        let expired = expires(entry).is_some_and(|at| at <= now);
        if json {
            let rule = entry.as_override();
            printer.json(&json!({
                "number": number, "name": entry.name(), "origin": entry.origin(), "expired": expired,
                "expires_at": expires(entry).map(|at| at.to_string()),
                "action": rule.as_ref().map(|r| outcome(r.action).as_str()),
                "tool": rule.as_ref().map(|r| r.tool.as_deref().unwrap_or("exec")),
                "pattern": rule.as_ref().map(|r| r.pattern.as_str()), "message": rule.as_ref().and_then(|r| r.message.as_deref()),
                "once": rule.as_ref().is_some_and(|r| r.once), "policy": entry.policy,
            }))?;
        } else {
            printer.hung(23, format!("{number:>3}  {}", line(entry, expired, now)));
        }
    }
    if entries.is_empty() && !json {
        printer.note("No rules of your own yet; `rampart allow` and `rampart block` add them.");
    }
    Ok(Exit::Yes)
}

/// One entry for a person: what it does, to what, until when, and where it comes from.
fn line(entry: &Entry, expired: bool, now: jiff::Timestamp) -> String {
    let mut line = match entry.as_override() {
        Some(rule) => {
            let outcome = outcome(rule.action);
            let tool = rule.tool.as_deref().unwrap_or("exec");
            let once = if rule.once { "  once" } else { "" };
            format!(
                "{}  {tool:<7}  {}{once}",
                styled(outcome_style(outcome), format!("{outcome:<7}")),
                visible(&rule.pattern)
            )
        }
        None => format!("policy `{}`, written by hand", visible(entry.name())),
    };
    if let Some(at) = expires(entry) {
        let left = at.duration_since(now).as_secs();
        line.push_str(&if expired {
            format!("  {}", styled(outcome_style(Outcome::Deny), "expired"))
        } else {
            format!("  for {} more", span(left))
        });
    }
    if !entry.origin().is_empty() {
        line.push_str(&format!("  {}", styled(DIM, visible(entry.origin()))));
    }
    line
}

/// From when on it no longer holds.
fn expires(entry: &Entry) -> Option<jiff::Timestamp> {
    entry.expires_at()?.parse().ok()
}

/// Seconds, as somebody would say them.
fn span(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn outcome(action: OverrideAction) -> Outcome {
    match action {
        OverrideAction::Allow => Outcome::Allow,
        OverrideAction::Deny => Outcome::Deny,
        OverrideAction::Ask => Outcome::Ask,
    }
}

fn remove(number: usize, yes: bool, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    authority::person(environment, yes)?;
    let which = number.to_string();
    let plan = |home: &Home| Ok(plan_removal(home, &which)?);
    let (rule, ends, rules, by_gateway) = match change(environment, yes, |client| client.remove_rule(&which), plan)? {
        Changed::ByGateway(wire::RemovedRule { rule, rules }) => {
            (said(&rule), rule.expires_at.and_then(|at| at.parse().ok()), rules, true)
        }
        Changed::Here(removed) => (removed.entry.as_override(), expires(&removed.entry), removed.rules, false),
    };
    let state = state(by_gateway, rules);
    printer.out(format!("{} Rule {number} removed — {state}", styled(outcome_style(Outcome::Allow), "✓")));
    if let Some(rule) = rule {
        let left = ends.map(|at: jiff::Timestamp| at.duration_since(jiff::Timestamp::now()).as_secs());
        let lasting = left.map(|left| format!(" --for {}", span(left.max(1)))).unwrap_or_default();
        printer.note(format!("To have it again: {}", styled(BOLD, rule.command_line() + &lasting)));
    }
    Ok(Exit::Yes)
}

/// A rule as the gateway lists it; none for what a person wrote otherwise.
fn said(rule: &wire::Rule) -> Option<Override> {
    let action = match rule.action.as_deref()? {
        "allow" => OverrideAction::Allow,
        "deny" => OverrideAction::Deny,
        _ => OverrideAction::Ask,
    };
    Some(Override {
        action,
        tool: rule.tool.clone().filter(|tool| tool != "exec"),
        pattern: rule.pattern.clone()?,
        params: rule.params.clone(),
        message: rule.message.clone(),
        once: rule.once,
        ..Override::default()
    })
}

fn reset(yes: bool, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    authority::person(environment, yes)?;
    let plan = |home: &Home| Ok(plan_reset(home)?);
    let (count, kept, rules, by_gateway) = match change(environment, yes, Client::reset_rules, plan)? {
        Changed::ByGateway(reset) => (reset.removed, reset.kept, reset.rules, true),
        Changed::Here(reset) => (reset.count, reset.kept.map(|kept| kept.display().to_string()), reset.rules, false),
    };
    let Some(kept) = kept.filter(|_| count > 0) else {
        printer.note("No rules of your own; nothing to do.");
        return Ok(Exit::Yes);
    };
    let state = state(by_gateway, rules);
    printer.out(format!("{} {count} rules removed — {state}", styled(outcome_style(Outcome::Allow), "✓")));
    let file = Home::at(&environment.home).policies().join(NAME);
    let words = ["mv".to_owned(), kept, file.display().to_string()];
    let undo = CommandLine::Argv(words.into()).to_line();
    printer.note(format!("To have them again: {}", styled(BOLD, undo)));
    Ok(Exit::Yes)
}
