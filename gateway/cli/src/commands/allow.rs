//! `rampart allow` and `rampart block`: one exact rule, written where it holds, judged before it is written.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, bail};
use rampart_call::Outcome;
use rampart_client::{Fault, wire};
use rampart_gateway::{
    Home,
    overrides::{self, Added, OverrideError, Place, entries, plan_addition, try_out, with},
};
use rampart_policy::{Layer, Override, OverrideAction, parse_duration};

use crate::{
    args::{Allow, Block, NewRule},
    authority,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, Printer, outcome_style, styled},
    rules,
    user_overrides::{self, Changed},
};

/// How a project's policy begins.
const PROJECT_HEAD: &str = "\
# Rules for everybody who works on this project. They can only restrict what each person's own policy allows.
version: \"1\"
";

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
    let lasts_s = args.lasting.as_deref().map(seconds).transpose()?;
    let rule = rule(args, action, lasts_s)?;
    authority::person(environment, args.yes)?;
    let added = if args.project {
        add_to_project(&rule, environment, printer)
    } else {
        add_to_home(&rule, lasts_s, args.yes, environment, printer)
    };
    // That a rule would change nothing is an answer, and no failure.
    match added {
        Err(error) if changes_nothing(&error) => {
            printer.note(format!("{error:#}"));
            Ok(Exit::No)
        }
        done => done,
    }
}

fn changes_nothing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OverrideError::NoEffect(_)))
        || matches!(error.downcast_ref(), Some(Fault::Refused { code, .. }) if code == "no_effect")
}

/// The rule that the arguments describe.
fn rule(args: &NewRule, action: OverrideAction, lasts_s: Option<u64>) -> anyhow::Result<Override> {
    let end = |seconds: u64| rampart_gateway::rfc3339(rampart_gateway::wall_ms().saturating_add(seconds * 1000));
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let mut params: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for param in &args.params {
        let (name, pattern) = param.split_once('=').filter(|(name, _)| !name.is_empty()).with_context(|| {
            format!("`{param}` names no parameter; write it as NAME=PATTERN, such as path=/home/me/notes/*")
        })?;
        params.entry(name.to_owned()).or_default().push(pattern.to_owned());
    }
    let rule = Override {
        action,
        tool: args.tool.as_ref().map(|t| t.trim().to_owned()).filter(|t| t != "exec"),
        pattern: args.pattern.trim().to_owned(),
        params,
        description: Some(format!("added by hand on {today}")),
        message: args.message.clone(),
        expires_at: lasts_s.map(end),
        once: args.once,
    };
    rule.check().map_err(|why| anyhow::anyhow!("`{}` cannot be a rule: {why}", rule.pattern))?;
    Ok(rule)
}

/// How many seconds a time such as `1h` has.
fn seconds(text: &str) -> anyhow::Result<u64> {
    let ms = parse_duration(text).with_context(|| format!("`{text}` is not a time; write it as 30m, 1h or 7d"))?;
    let seconds = u64::try_from(ms / 1000).ok().filter(|seconds| *seconds < 1 << 40);
    seconds.context("that is too long a time")
}

fn place(environment: &Environment) -> Place {
    Place {
        cwd: Some(environment.cwd.clone()),
        workspace: environment.project_policy.then(|| environment.workspace()),
        home: Some(environment.user_home.clone()),
    }
}

fn add_to_home(
    rule: &Override,
    lasts_s: Option<u64>,
    yes: bool,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let place = place(environment);
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let action = match rule.action {
        OverrideAction::Allow => "allow",
        OverrideAction::Deny => "deny",
        OverrideAction::Ask => "ask",
    };
    let new = wire::NewRule {
        action: action.to_owned(),
        pattern: rule.pattern.clone(),
        tool: rule.tool.clone(),
        params: rule.params.clone(),
        message: rule.message.clone(),
        description: rule.description.clone(),
        lasts_s,
        once: rule.once,
        preview: false,
        cwd: text(&place.cwd),
        workspace: text(&place.workspace),
        home: text(&place.home),
    };
    let planned = |home: &Home| Ok(plan_addition(home, rule, &place)?);
    let changed = user_overrides::change(environment, yes, |client| client.add_rule(&new), planned)?;
    match changed {
        Changed::ByGateway(added) => show(&added, true, printer),
        Changed::Here(Added { number, existed, notes, warnings, rules }) => {
            let warnings = warnings.iter().map(ToString::to_string).collect();
            show(&wire::AddedRule { number, existed, notes, warnings, rules }, false, printer);
        }
    }
    Ok(Exit::Yes)
}

/// Says what became of a rule, and how to take it back.
pub(crate) fn show(added: &wire::AddedRule, by_gateway: bool, printer: Printer) {
    if added.existed {
        printer.out(format!("this is rule {} already; `rampart rules` lists it", added.number));
        return;
    }
    for text in added.warnings.iter().chain(&added.notes) {
        printer.note(text);
    }
    let state = user_overrides::state(by_gateway, added.rules);
    printer.out(format!("{} Rule added — {state}", styled(outcome_style(Outcome::Allow), "✓")));
    printer.note(format!("To take it back: {}", styled(BOLD, format!("rampart rules remove {}", added.number))));
}

fn add_to_project(rule: &Override, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let folder = environment.workspace().join(".rampart");
    let path = folder.join("policy.yaml");
    let old = user_overrides::text_of(&path)?;
    let unclear = |why: String| anyhow::anyhow!("cannot add to {}: {why}", path.display());
    let entries = entries(&old).map_err(unclear)?;
    if overrides::position(&entries, rule).is_some() {
        printer.out(format!("{} has this rule already", path.display()));
        return Ok(Exit::Yes);
    }
    let shared = Override { description: None, ..rule.clone() };
    let text = with(&old, &shared.to_policy(&overrides::name(rule, &entries)), PROJECT_HEAD).map_err(unclear)?;
    let files = rules::files(environment, &[])?;
    let planned = user_overrides::files_with(&files, &path.display().to_string(), Layer::Project, &text);
    let tried = try_out(rule, &files, &planned, &Home::at(&environment.home), &place(environment))?;
    rules::show(&tried.warnings, &planned, printer);
    for note in tried.notes {
        printer.note(note);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    user_overrides::replace(&path, &text, 0o644)?;
    printer.out(format!("{} Rule added to {}", styled(outcome_style(Outcome::Allow), "✓"), path.display()));
    printer.note("It holds for everybody who works here. To take it back, remove it from that file.");
    Ok(Exit::Yes)
}
