//! `rampart policy list` and `policy fetch`: the policies that come with Rampart, and those of a registry.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use rampart_call::Outcome;
use rampart_gateway::{FETCHED, Home, policy_files};
use rampart_policy::{Layer, SourceFile, lint, packs};
use rampart_scan::visible;
use serde_json::json;

use crate::{
    args::{Fetch, List},
    environment::Environment,
    exit::Exit,
    printer::{DIM, Printer, outcome_style, styled},
    profile_file,
    registry::{
        Registry,
        index::{Entry, is_name, sha256},
    },
    rules,
    user_overrides::{files_with, reloaded, replace, text_of},
};

/// How a policy stands in a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    /// In force although nobody wrote it there, as the default.
    Default,
    Installed,
    /// As another version wrote it.
    Outdated,
    Edited,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Default => "default",
            Self::Installed => "installed",
            Self::Outdated => "outdated",
            Self::Edited => "edited",
        }
    }

    /// How the file stands that would hold a text with this hash.
    fn of(path: &Path, hash: &str) -> anyhow::Result<Self> {
        if !path.exists() {
            let (folder, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
            let in_force = policy_files(folder).is_ok_and(|files| files.iter().any(|f| *f.name == *name));
            return Ok(if in_force { Self::Default } else { Self::Absent });
        }
        let text = text_of(path)?;
        let current = text.split_once('\n').is_some_and(|(_, rest)| sha256(rest.as_bytes()) == hash);
        Ok(match (profile_file::unedited(&text), current) {
            (true, true) => Self::Installed,
            (true, false) => Self::Outdated,
            (false, _) => Self::Edited,
        })
    }
}

/// A policy that can be installed.
struct Offer {
    name: String,
    /// Whose it is, for the first line of its file.
    origin: String,
    text: String,
    path: PathBuf,
}

pub(crate) fn list(args: &List, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    for pack in packs::all() {
        let state = State::of(&home.policies().join(format!("{}.yaml", pack.name)), &sha256(pack.text.as_bytes()))?;
        if args.json {
            printer.json(&json!({
                "name": pack.name, "description": pack.description, "profile": pack.profile, "source": "built-in",
                "installed": !matches!(state, State::Absent | State::Default), "default": state == State::Default,
                "edited": state == State::Edited, "outdated": state == State::Outdated,
            }))?;
        } else {
            let kind = if pack.profile { "profile" } else { "pack" };
            let state = styled(outcome_style(Outcome::Allow), format!("{:<9}", state.as_str()));
            printer.out(format!("{:<16} {kind:<8} {state} {}", pack.name, styled(DIM, pack.description)));
        }
    }
    let Some(registry) = Registry::configured(&args.from, environment, printer)? else { return Ok(Exit::Yes) };
    for entry in registry.index(args.force, printer)?.policies {
        let state = State::of(&place(&home, &entry.name), &entry.sha256)?;
        if args.json {
            printer.json(&json!({
                "name": entry.name, "description": entry.description, "profile": false, "source": registry.url.as_str(),
                "version": entry.version, "installed": state != State::Absent, "default": false,
                "edited": state == State::Edited, "outdated": state == State::Outdated,
            }))?;
        } else {
            let (version, description) = (visible(&entry.version), visible(&entry.description));
            let state = styled(outcome_style(Outcome::Allow), format!("{:<9}", state.as_str()));
            printer.out(format!("{:<16} {version:<8} {state} {}", entry.name, styled(DIM, description)));
        }
    }
    Ok(Exit::Yes)
}

/// Where a policy of a registry is put.
fn place(home: &Home, name: &str) -> PathBuf {
    home.policies().join(format!("{name}{FETCHED}.yaml"))
}

pub(crate) fn fetch(args: &Fetch, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    let Some(pack) = packs::builtin(&args.name) else {
        let (entry, text, url) = from_registry(args, environment, printer)?;
        let (origin, path) = (format!("{} {} from {url}", entry.name, entry.version), place(&home, &entry.name));
        return install(&Offer { name: entry.name, origin, text, path }, args.force, environment, printer);
    };
    if pack.profile {
        bail!(
            "`{0}` is a whole profile; `rampart init --profile {0}` puts it in the place of the one in force",
            pack.name
        );
    }
    let path = home.policies().join(format!("{}.yaml", pack.name));
    let offer = Offer { name: pack.name.to_owned(), origin: String::new(), text: pack.text.into_owned(), path };
    install(&offer, args.force, environment, printer)
}

/// The entry, the text and the registry of a policy that does not come with Rampart.
fn from_registry(args: &Fetch, environment: &Environment, printer: Printer) -> anyhow::Result<(Entry, String, String)> {
    let mut names: Vec<String> = packs::all().filter(|p| !p.profile).map(|p| p.name.to_owned()).collect();
    let missing =
        |names: &[String]| format!("there is no policy `{}`; there are {}", visible(&args.name), names.join(", "));
    ensure!(is_name(&args.name), missing(&names));
    let Some(registry) = Registry::configured(&args.from, environment, printer)? else { bail!(missing(&names)) };
    let index = registry.index(args.force, printer)?;
    let Some(entry) = index.entry(&args.name) else {
        names.extend(index.policies.iter().map(|entry| entry.name.clone()));
        bail!(missing(&names));
    };
    Ok((entry.clone(), registry.policy(entry)?, registry.url.to_string()))
}

/// Puts a policy into the home, if everything loads with it, and never over what somebody edited.
fn install(offer: &Offer, force: bool, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let Offer { name, origin, text, path } = offer;
    let state = State::of(path, &sha256(text.as_bytes()))?;
    match state {
        State::Installed => {
            printer.out(format!("{name} is installed: {}", path.display()));
            return Ok(Exit::Yes);
        }
        State::Edited if !force => {
            bail!("{} was edited; give --force to replace it (a copy is kept)", path.display());
        }
        State::Absent | State::Default | State::Outdated | State::Edited => {}
    }
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let before = rules::files(environment, &[])?;
    let planned = files_with(&before, &file_name, Layer::Profile, text);
    let rules = rules::compile(&planned, printer)?.rule_count();
    show_odd(&before, &planned, printer);
    if state == State::Edited {
        let kept = path.with_extension("yaml.edited");
        fs::rename(path, &kept).with_context(|| format!("cannot move {} to {}", path.display(), kept.display()))?;
        printer.note(format!("your edited file is kept as {}", kept.display()));
    }
    replace(path, &profile_file::stamp_from(text, origin), 0o600)?;
    let state = reloaded(environment, rules)?;
    printer.out(format!("{} {} — {state}", styled(outcome_style(Outcome::Allow), "✓"), path.display()));
    printer.note("To take it back, remove that file.");
    Ok(Exit::Yes)
}

/// Shows what may not mean what its author thinks, and was not there before.
fn show_odd(before: &[SourceFile], planned: &[SourceFile], printer: Printer) {
    let known = lint(before);
    let fresh: Vec<_> = lint(planned).into_iter().filter(|d| !known.contains(d)).collect();
    if !fresh.is_empty() {
        rules::show(&fresh, planned, printer);
    }
}
