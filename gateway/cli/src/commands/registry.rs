//! `rampart policy list` and `policy fetch`: the policies that come with Rampart.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use rampart_call::Outcome;
use rampart_gateway::{Home, policy_files};
use rampart_policy::packs::{self, Pack};
use serde_json::json;

use crate::{
    args::Fetch,
    authority,
    environment::Environment,
    exit::Exit,
    printer::{DIM, Printer, outcome_style, styled},
    profile_file, rules,
    user_overrides::{files_with, reloaded, replace, text_of},
};

/// How a pack stands in a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    /// In force although nobody wrote it there, as the default.
    Default,
    Installed,
    /// As another version of Rampart wrote it.
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

    fn of(pack: &Pack, folder: &Path) -> anyhow::Result<Self> {
        let name = format!("{}.yaml", pack.name);
        let path = folder.join(&name);
        if !path.exists() {
            let in_force = policy_files(folder).is_ok_and(|files| files.iter().any(|f| f.name == name));
            return Ok(if in_force { Self::Default } else { Self::Absent });
        }
        let text = text_of(&path)?;
        let current = text.split_once('\n').is_some_and(|(_, rest)| rest == pack.text);
        Ok(match (profile_file::unedited(&text), current) {
            (true, true) => Self::Installed,
            (true, false) => Self::Outdated,
            (false, _) => Self::Edited,
        })
    }
}

pub(crate) fn list(json: bool, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    let folder = home.policies();
    for pack in packs::all() {
        let state = State::of(&pack, &folder)?;
        if json {
            printer.json(&json!({
                "name": pack.name, "description": pack.description, "profile": pack.profile,
                "installed": !matches!(state, State::Absent | State::Default), "default": state == State::Default, "edited": state == State::Edited,
                "outdated": state == State::Outdated,
            }))?;
        } else {
            let kind = if pack.profile { "profile" } else { "pack" };
            let state = styled(outcome_style(Outcome::Allow), format!("{:<9}", state.as_str()));
            printer.out(format!("{:<16} {kind:<8} {state} {}", pack.name, styled(DIM, pack.description)));
        }
    }
    Ok(Exit::Yes)
}

pub(crate) fn fetch(args: &Fetch, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let Some(pack) = packs::builtin(&args.name) else {
        let names: Vec<_> = packs::all().filter(|p| !p.profile).map(|p| p.name).collect();
        bail!("there is no policy `{}`; there are {}", args.name, names.join(", "));
    };
    if pack.profile {
        bail!(
            "`{0}` is a whole profile; `rampart init --profile {0}` puts it in the place of the one in force",
            pack.name
        );
    }
    authority::person(environment, true)?;
    let home = Home::at(&environment.home);
    home.prepare()?;
    let path = home.policies().join(format!("{}.yaml", pack.name));
    match State::of(&pack, &home.policies())? {
        State::Installed => {
            printer.out(format!("{} is installed: {}", pack.name, path.display()));
            return Ok(Exit::Yes);
        }
        State::Edited if !args.force => {
            bail!("{} was edited; give --force to replace it (a copy is kept)", path.display());
        }
        State::Edited => {
            let kept = path.with_extension("yaml.edited");
            fs::rename(&path, &kept)
                .with_context(|| format!("cannot move {} to {}", path.display(), kept.display()))?;
            printer.note(format!("your edited file is kept as {}", kept.display()));
        }
        State::Absent | State::Default | State::Outdated => {}
    }
    let file = pack.to_file();
    let planned = files_with(&rules::files(environment, &[])?, &file.name, file.layer, &file.text);
    let rules = rules::compile(&planned, printer)?.rule_count();
    replace(&path, &profile_file::stamp(&pack.text), 0o600)?;
    let state = reloaded(environment, rules)?;
    printer.out(format!("{} {} — {state}", styled(outcome_style(Outcome::Allow), "✓"), path.display()));
    printer.note("To take it back, remove that file.");
    Ok(Exit::Yes)
}
