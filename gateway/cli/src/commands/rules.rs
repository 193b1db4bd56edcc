//! `rampart rules`: what `rampart allow` and `rampart block` added, and taking it back.

use anyhow::{Context as _, bail};
use rampart_call::{CommandLine, Outcome};
use rampart_policy::{Layer, OverrideAction};
use rampart_scan::visible;
use serde_json::json;

use crate::{
    args::{Rules, RulesVerb},
    authority,
    environment::Environment,
    exit::Exit,
    override_text::{Entry, without},
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    rules,
    user_overrides::{self, UserOverrides},
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
    let entries = UserOverrides::open(environment)?.entries()?;
    let now = jiff::Timestamp::now();
    for (number, entry) in (1..).zip(&entries) {
        let expired = entry.expires().is_some_and(|at| at <= now);
        if json {
            let rule = entry.as_override();
            printer.json(&json!({
                "number": number, "name": entry.name(), "origin": entry.origin(), "expired": expired,
                "expires_at": entry.expires().map(|at| at.to_string()),
                "action": rule.as_ref().map(|r| outcome(r.action).as_str()),
                "tool": rule.as_ref().map(|r| r.tool.as_deref().unwrap_or("exec")),
                "pattern": rule.as_ref().map(|r| r.pattern.as_str()), "message": rule.as_ref().and_then(|r| r.message.as_deref()),
                "once": rule.as_ref().is_some_and(|r| r.once), "policy": entry.policy,
            }))?;
        } else {
            printer.out(format!("{number:>3}  {}", line(entry, expired, now)));
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
                "{}  {tool:<5}  {}{once}",
                styled(outcome_style(outcome), format!("{outcome:<5}")),
                visible(&rule.pattern)
            )
        }
        None => format!("policy `{}`, written by hand", visible(entry.name())),
    };
    if let Some(at) = entry.expires() {
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
    let overrides = UserOverrides::open(environment)?;
    let entries = overrides.entries()?;
    let entry = number.checked_sub(1).and_then(|index| entries.get(index));
    let Some(entry) = entry else {
        bail!("there is no rule {number}; `rampart rules` lists the {} there are", entries.len());
    };
    let text = without(&overrides.text, number - 1)
        .with_context(|| format!("cannot take rule {number} out of {}", overrides.path.display()))?;
    let state = apply(&overrides, &text, environment, printer)?;
    printer.out(format!("{} Rule {number} removed — {state}", styled(outcome_style(Outcome::Allow), "✓")));
    if let Some(rule) = entry.as_override() {
        let left = entry.expires().map(|at| at.duration_since(jiff::Timestamp::now()).as_secs());
        let lasting = left.map(|left| format!(" --for {}", span(left.max(1)))).unwrap_or_default();
        printer.note(format!("To have it again: {}", styled(BOLD, rule.command_line() + &lasting)));
    }
    Ok(Exit::Yes)
}

fn reset(yes: bool, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    authority::person(environment, yes)?;
    let overrides = UserOverrides::open(environment)?;
    let count = overrides.entries()?.len();
    if count == 0 {
        printer.note("No rules of your own; nothing to do.");
        return Ok(Exit::Yes);
    }
    let kept = overrides.path.with_extension("yaml.before-reset");
    user_overrides::replace(&kept, &overrides.text, 0o600)?;
    let state = apply(&overrides, &format!("{}policies: []\n", user_overrides::HEAD), environment, printer)?;
    printer.out(format!("{} {count} rules removed — {state}", styled(outcome_style(Outcome::Allow), "✓")));
    let words = ["mv".to_owned(), kept.display().to_string(), overrides.path.display().to_string()];
    let undo = CommandLine::Argv(words.into()).to_line();
    printer.note(format!("To have them again: {}", styled(BOLD, undo)));
    Ok(Exit::Yes)
}

/// Writes a text that loads, and tells the gateway.
fn apply(overrides: &UserOverrides, text: &str, environment: &Environment, printer: Printer) -> anyhow::Result<String> {
    let files = rules::files(environment, &[])?;
    let planned = user_overrides::files_with(&files, user_overrides::NAME, Layer::Overrides, text);
    let rules = rules::compile(&planned, printer)?.rule_count();
    overrides.save(text)?;
    user_overrides::reloaded(environment, rules)
}
