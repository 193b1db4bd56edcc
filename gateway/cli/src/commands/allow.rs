//! `rampart allow` and `rampart block`: one exact rule, written where it holds, judged before it is written.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, bail};
use rampart_call::{Action, Judgement, Outcome};
use rampart_policy::{Diagnostic, History, Layer, Override, OverrideAction, Ruleset, SourceFile, lint, parse_duration};
use serde_json::json;

use crate::{
    args::{Allow, Block, NewRule},
    authority,
    commands::test,
    environment::Environment,
    exit::Exit,
    override_text::{Entry, entries, with},
    printer::{BOLD, Printer, outcome_style, styled},
    rules,
    user_overrides::{self, UserOverrides},
};

/// How a project's policy begins.
const PROJECT_HEAD: &str = "\
# Rules for everybody who works on this project. They can only restrict what each person's own policy allows.
version: \"1\"
";

/// Stands for the stars of a pattern where a call is made up from it.
const ANY: &str = "example";

pub(crate) fn allow(args: &Allow, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    add(&args.rule, OverrideAction::Allow, environment, printer)
}

pub(crate) fn block(args: &Block, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let action = if args.ask { OverrideAction::Ask } else { OverrideAction::Deny };
    add(&args.rule, action, environment, printer)
}

fn add(args: &NewRule, action: OverrideAction, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if args.project && action == OverrideAction::Allow {
        bail!(
            "a project's policy may only restrict, so nothing can be allowed there; leave out --project, or block something"
        );
    }
    let rule = rule(args, action)?;
    authority::person(environment, args.yes)?;
    if args.project { add_to_project(&rule, environment, printer) } else { add_to_home(&rule, environment, printer) }
}

/// The rule that the arguments describe.
fn rule(args: &NewRule, action: OverrideAction) -> anyhow::Result<Override> {
    let expires_at = args.lasting.as_deref().map(end_of).transpose()?;
    let rule = Override {
        action,
        tool: args.tool.as_ref().map(|t| t.trim().to_owned()).filter(|t| t != "exec"),
        pattern: args.pattern.trim().to_owned(),
        description: Some(format!("added by hand on {}", today())),
        message: args.message.clone(),
        expires_at,
        once: args.once,
    };
    rule.check().map_err(|why| anyhow::anyhow!("`{}` cannot be a rule: {why}", rule.pattern))?;
    Ok(rule)
}

/// The end of a time such as `1h` from now on, as rules say it.
///
/// # Errors
/// When it is no time.
pub(crate) fn end_of(text: &str) -> anyhow::Result<String> {
    let ms = parse_duration(text).with_context(|| format!("`{text}` is not a time; write it as 30m, 1h or 7d"))?;
    let end = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_millis(ms));
    Ok(end.context("that is too long a time")?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The date, as rules say where they come from.
pub(crate) fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Writes a rule into the human's overrides, if it does what it is for.
///
/// # Errors
/// When the file cannot be used, or the gateway does not load it.
pub(crate) fn add_to_home(rule: &Override, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let overrides = UserOverrides::open(environment)?;
    let entries = overrides.entries()?;
    if let Some(at) = position(&entries, rule) {
        printer.out(format!("this is rule {} already; `rampart rules` lists it", at + 1));
        return Ok(Exit::Yes);
    }
    let text = with(&overrides.text, &rule.to_policy(&name(rule, &entries)), user_overrides::HEAD)
        .with_context(|| format!("cannot add to {}", overrides.path.display()))?;
    let files = rules::files(environment, &[])?;
    let planned = user_overrides::files_with(&files, user_overrides::NAME, Layer::Overrides, &text);
    let Some(count) = try_out(rule, &files, &planned, environment, printer)? else { return Ok(Exit::No) };
    overrides.save(&text)?;
    let state = user_overrides::reloaded(environment, count)?;
    printer.out(format!("{} Rule added — {state}", styled(outcome_style(Outcome::Allow), "✓")));
    printer.note(format!("To take it back: {}", styled(BOLD, format!("rampart rules remove {}", entries.len() + 1))));
    Ok(Exit::Yes)
}

fn add_to_project(rule: &Override, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let folder = environment.workspace().join(".rampart");
    let path = folder.join("policy.yaml");
    let old = user_overrides::text_of(&path)?;
    let entries = entries(&old).with_context(|| format!("{} does not load", path.display()))?;
    if position(&entries, rule).is_some() {
        printer.out(format!("{} has this rule already", path.display()));
        return Ok(Exit::Yes);
    }
    let shared = Override { description: None, ..rule.clone() };
    let text = with(&old, &shared.to_policy(&name(rule, &entries)), PROJECT_HEAD)
        .with_context(|| format!("cannot add to {}", path.display()))?;
    let files = rules::files(environment, &[])?;
    let planned = user_overrides::files_with(&files, &path.display().to_string(), Layer::Project, &text);
    if try_out(rule, &files, &planned, environment, printer)?.is_none() {
        return Ok(Exit::No);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    user_overrides::replace(&path, &text, 0o644)?;
    printer.out(format!("{} Rule added to {}", styled(outcome_style(Outcome::Allow), "✓"), path.display()));
    printer.note("It holds for everybody who works here. To take it back, remove it from that file.");
    Ok(Exit::Yes)
}

/// The place of the same rule without an end.
fn position(entries: &[Entry], rule: &Override) -> Option<usize> {
    let same = |there: Override| {
        there.action == rule.action
            && there.tool == rule.tool
            && there.pattern == rule.pattern
            && there.message == rule.message
            && there.expires_at.is_none()
            && !there.once
    };
    let plain = rule.expires_at.is_none() && !rule.once;
    entries.iter().position(|e| plain && e.as_override().is_some_and(same))
}

/// `allow-npm-install`: what a decision will be said to come from.
fn name(rule: &Override, entries: &[Entry]) -> String {
    let verb = match rule.action {
        OverrideAction::Allow => "allow",
        OverrideAction::Deny => "block",
        OverrideAction::Ask => "ask",
    };
    let words = rule.pattern.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).take(4);
    let mut base = std::iter::once(verb).chain(words).collect::<Vec<_>>().join("-").to_lowercase();
    if rule.once {
        // A rule that was used up is known by its name and text, and the same one may be wanted again.
        base.push_str(&format!("-once-{}", jiff::Timestamp::now().as_millisecond()));
    }
    let taken = |name: &str| entries.iter().any(|e| e.name() == name);
    let numbered = (2..).map(|n| format!("{base}-{n}"));
    std::iter::once(base.clone()).chain(numbered).find(|n| !taken(n)).unwrap_or(base)
}

/// Loads the files with the new rule and judges by them what it is about. The number of rules, or none when the rule
/// would change nothing; that has been said then.
fn try_out(
    rule: &Override,
    files: &[SourceFile],
    planned: &[SourceFile],
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Option<usize>> {
    let (old, new) = (rules::compile(files, printer)?, rules::compile(planned, printer)?);
    let known = lint(files);
    let fresh: Vec<Diagnostic> = lint(planned).into_iter().filter(|d| !known.contains(d)).collect();
    if !fresh.is_empty() {
        rules::show(&fresh, planned, printer);
    }
    let Some(action) = example(rule)? else { return Ok(Some(new.rule_count())) };
    let (before, after) = (judge(&old, &action, environment), judge(&new, &action, environment));
    let (wanted, done) = match rule.action {
        OverrideAction::Allow => (Outcome::Allow, after.outcome.passes()),
        OverrideAction::Deny => (Outcome::Deny, after.outcome == Outcome::Deny),
        OverrideAction::Ask => (Outcome::Ask, after.outcome == Outcome::Ask || after.outcome == Outcome::Deny),
    };
    let subject = rampart_scan::visible(&action.subject());
    if !done {
        let by = after.rule.as_ref().map_or_else(|| after.reason.to_string(), ToString::to_string);
        let above = after.rule.as_ref().and_then(|place| new.rule(place)).is_some_and(|r| r.locked);
        let why = if above { ", which is locked and stands above all overrides" } else { "" };
        printer.note(format!("`{subject}` would still come to `{}`, by {by}{why}", after.outcome));
        // An example made up from a pattern with stars is not all the pattern is about.
        if !rule.pattern.contains('*') {
            printer.note("Nothing was written.");
            return Ok(None);
        }
    } else if before.outcome == wanted {
        printer.note(format!("`{subject}` comes to `{wanted}` without this rule too"));
    }
    Ok(Some(new.rule_count()))
}

fn judge(ruleset: &Ruleset, action: &Action, environment: &Environment) -> Judgement {
    let (labels, history) = (BTreeSet::new(), History::default());
    let call = test::call_of(action.clone(), "", environment);
    ruleset.judge(&call, &test::context(&labels, &history, environment))
}

/// A call that the rule is about; none where none can be made up.
fn example(rule: &Override) -> anyhow::Result<Option<Action>> {
    let tool = rule.tool.as_deref().unwrap_or("exec");
    const STAR: &str = "\u{1}";
    let text = rule.pattern.replace(r"\*", STAR).replace("**", "*").replace('*', ANY).replace(STAR, "*");
    let params = match tool {
        "read" | "write" | "edit" if text.contains(['?', '[', '{']) => return Ok(None),
        "fetch" if !text.contains("://") => json!({ "url": format!("https://{text}/") }),
        _ => test::params(tool, &text),
    };
    Ok(Some(Action::from_tool(tool, &params)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_unique() {
        let rule = Override { pattern: "npm install *".into(), ..Override::default() };
        assert_eq!(name(&rule, &[]), "allow-npm-install");
        let text = with("", &rule.to_policy("allow-npm-install"), "").unwrap();
        assert_eq!(name(&rule, &entries(&text).unwrap()), "allow-npm-install-2");
    }

    #[test]
    fn an_example_keeps_the_stars_that_are_meant() {
        let subject = |tool: Option<&str>, pattern: &str| {
            let rule = Override { tool: tool.map(str::to_owned), pattern: pattern.into(), ..Override::default() };
            example(&rule).unwrap().map(|a| a.subject())
        };
        assert_eq!(subject(None, r"ls \*.rs *").as_deref(), Some("ls *.rs example"));
        assert_eq!(subject(Some("read"), "~/a/**").as_deref(), Some("~/a/example"));
        assert_eq!(subject(Some("read"), "~/a/[ab]"), None);
        assert_eq!(subject(Some("fetch"), "*.x.io").as_deref(), Some("GET https://example.x.io/"));
        assert_eq!(subject(Some("mcp"), "github/*").as_deref(), Some("github/example"));
    }
}
