//! `rampart setup AGENT`: puts our hook into an agent's settings, and takes it away again.

mod change;
mod json;
mod trust;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_agents::setup::{self, Entry, File, Holds, Settings, Setup, Site, holds_ours, hook_in, hook_of_plugin};
use rampart_gateway::Home;
use serde_json::Value;

use self::change::{Way, plan};
use crate::{
    args,
    commands::{init, mcp_install},
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, styled},
    settings_file::show,
};

pub(crate) fn run(args: &args::Setup, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let Some(name) = &args.agent else {
        if args.remove && !args.project && !args.mcp {
            return all_back(args, environment, printer);
        }
        if args.remove || args.force || args.project || args.mcp {
            bail!("say which agent; `rampart setup` lists them");
        }
        return list(args, environment, printer);
    };
    let Some(setup) = setup::find(name) else {
        let known: Vec<_> = setup::ALL.iter().map(|setup| setup.agent.name).collect();
        bail!(
            "there is no agent `{name}` to set up; there are {}; any other is started with `rampart wrap -- AGENT`",
            known.join(", ")
        );
    };
    if args.patch_tools {
        if setup.agent.name != "openclaw" {
            bail!("--patch-tools is for openclaw");
        }
        printer.note("no file of OpenClaw's is patched: a plugin sees every tool call (exec, web_fetch, browser, message and all others), and survives upgrades");
    }
    one(setup, args, Detail::Lines, environment, printer)?;
    Ok(Exit::Yes)
}

/// Undoes it for every agent that asks us.
fn all_back(args: &args::Setup, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let mut agents = setup::ALL.iter().filter(|setup| state(setup, environment) == State::SetUp).peekable();
    if agents.peek().is_none() {
        printer.note("no agent asks Rampart by your own settings; there is nothing to remove");
    }
    let mut left = Vec::new();
    for setup in agents {
        if let Err(error) = one(setup, args, Detail::Lines, environment, printer) {
            left.push(format!("{}: {error:#}", setup.title));
        }
    }
    if !left.is_empty() {
        bail!("some agents still ask Rampart: {}", left.join("; "));
    }
    Ok(Exit::Yes)
}

/// How much is said of what changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Every line, and what the agent's hooks cannot do.
    Lines,
    /// The files, in one line for each agent.
    Files,
}

/// Sets one agent up, or undoes that.
pub(crate) fn one(
    setup: &Setup,
    args: &args::Setup,
    detail: Detail,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<()> {
    if args.project && !setup.of_project {
        bail!("{} has no hooks of a project; leave --project out", setup.title);
    }
    let places = Places::of(environment, args.project)?;
    let site = places.site();
    let way = match (args.remove, args.force) {
        (true, _) => Way::Remove,
        (false, true) => Way::Force,
        (false, false) => Way::Put,
    };
    let files = (setup.files)(&site);
    let changes = plan(&files, way, environment)?;
    if changes.iter().all(change::Change::is_none) {
        printer.note(format!("{}: {}", setup.title, if args.remove { "nothing to remove" } else { "already set up" }));
    }
    let files_changed = changes.iter().filter(|change| !change.is_none());
    for change in files_changed.clone().filter(|_| detail == Detail::Lines) {
        printer.note(styled(BOLD, change.path.display()));
        show(change.before.as_deref().unwrap_or_default(), change.after.as_deref().unwrap_or_default(), printer);
        if let Some(backup) = change.kept_at().filter(|_| !args.dry_run) {
            printer.note(styled(DIM, format!("  as it was: {}", backup.display())));
        }
    }
    let was_used = is_used(setup, environment);
    if !args.dry_run {
        let mut order: Vec<_> = changes.iter().filter(|change| !change.is_none()).collect();
        if args.remove {
            order.reverse();
        }
        for change in order {
            change.make(environment).with_context(|| change.path.display().to_string())?;
        }
    }
    let changed = changes.iter().any(|change| !change.is_none());
    let title = setup.title;
    let summed: Vec<String> = files_changed.map(|change| change.summed(&environment.user_home)).collect();
    let summed = summed.join(", ");
    match (args.remove, args.dry_run, detail) {
        (false, true, Detail::Files) if changed => printer.note(format!("{title} would be set up: {summed}")),
        (false, true, _) if changed => printer.note(format!("{title} would be set up; nothing was changed")),
        (true, true, _) if changed => printer.note(format!("{title} would be as it was; nothing was changed")),
        (true, false, _) if changed => printer.note(format!("{title} no longer asks Rampart")),
        (false, false, _) => {
            init::first(&Home::at(&environment.home), printer)?;
            let project = if args.project { " --project" } else { "" };
            let more = match detail {
                Detail::Files => format!(": {summed}"),
                Detail::Lines => format!("; `rampart setup {}{project} --remove` undoes it", setup.agent.name),
            };
            if changed {
                printer.note(format!("{title} asks Rampart before each tool from its next start{more}"));
            }
        }
        _ => {}
    }
    if !args.remove {
        if !was_used {
            printer
                .note(format!("note: {} is not seen here (neither its program on PATH nor its folder)", setup.title));
        }
        cautions(setup, &files, detail, environment, printer);
    }
    if args.mcp {
        servers(setup, args, environment, printer);
    }
    Ok(())
}

/// Sets an agent up again, without a word about it.
pub(crate) fn again(setup: &Setup, environment: &Environment) -> anyhow::Result<()> {
    let places = Places::of(environment, false)?;
    let changes = plan(&(setup.files)(&places.site()), Way::Put, environment)?;
    changes.iter().filter(|change| !change.is_none()).try_for_each(|change| change.make(environment))
}

/// What makes this protection weaker than it looks.
fn cautions(setup: &Setup, files: &[File], detail: Detail, environment: &Environment, printer: Printer) {
    let shared = setup.also.iter().map(|path| environment.workspace().join(path));
    let own = files.iter().filter(|file| !matches!(file.holds, Holds::Own { .. })).map(|file| file.path.clone().into());
    let settings: Vec<Value> = own.chain(shared).filter_map(|path| settings(&path)).collect();
    for why in (setup.weakened)(&Settings { files: &settings }) {
        printer.note(format!("weaker than it could be: {why}"));
    }
    for limit in setup.limits.iter().filter(|_| detail == Detail::Lines) {
        printer.note(styled(DIM, format!("note: {limit}")));
    }
}

/// Settings as a value, if they can be read.
fn settings(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    if path.extension().is_some_and(|ending| ending == "toml") {
        return serde_json::to_value(toml::from_str::<toml::Table>(&text).ok()?).ok();
    }
    json::value(&text).ok()
}

/// Puts `rampart mcp` in front of the agent's MCP servers too.
fn servers(setup: &Setup, args: &args::Setup, environment: &Environment, printer: Printer) {
    let client = match setup.agent.name {
        "gemini-cli" => "gemini",
        name @ ("claude-code" | "codex" | "cursor" | "cline") => name,
        _ => {
            printer.note(format!(
                "the MCP servers of {} are not changed: put `rampart mcp --` in front of their commands",
                setup.title
            ));
            return;
        }
    };
    let args = args::McpInstall { client: Some(client.to_owned()), remove: args.remove, dry_run: args.dry_run };
    if let Err(error) = mcp_install::run(&args, environment, printer) {
        printer.note(format!("MCP servers: {error:#}"));
    }
}

/// How an agent stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its settings call us.
    SetUp,
    /// It is used here and does not ask us.
    Used,
    /// It is not seen here.
    Absent,
}

/// How an agent stands here, and the file that shows it.
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) file: String,
}

/// How an agent stands here, by the user's own settings.
pub(crate) fn standing(setup: &Setup, environment: &Environment) -> Standing {
    let calls_us = |file: &&File| {
        let text = std::fs::read_to_string(&file.path).unwrap_or_default();
        match &file.holds {
            Holds::Own { .. } => text.contains("rampart") && text.contains("hook"),
            Holds::Json(entries) => {
                // A hook, or the place of a plugin.
                let place =
                    |entry: &Entry| matches!(entry, Entry::Element(_, Value::String(place)) if text.contains(place));
                entries.iter().any(place) || settings(Path::new(&file.path)).is_some_and(|value| holds_ours(&value))
            }
            Holds::Trust { .. } => false,
        }
    };
    let files = Places::of(environment, false).map(|places| (setup.files)(&places.site())).unwrap_or_default();
    // The agent's own settings say it; only where it has none for this, a file of ours does.
    let in_settings = |file: &&File| matches!(file.holds, Holds::Json(_));
    let file = match files.iter().find(in_settings) {
        Some(file) => Some(file).filter(calls_us),
        None => files.iter().find(calls_us),
    };
    let state = match file {
        Some(_) => State::SetUp,
        None if is_used(setup, environment) => State::Used,
        None => State::Absent,
    };
    let shown = file.or(files.iter().find(in_settings)).or(files.first());
    Standing { state, file: shown.map(|file| file.path.clone()).unwrap_or_default() }
}

/// The words that the agent starts before each tool, as its settings are now; none where they are not ours.
pub(crate) fn hook(setup: &Setup, environment: &Environment) -> anyhow::Result<Option<Vec<String>>> {
    let started = |file: File| match file.holds {
        Holds::Own { executable: true, .. } => Path::new(&file.path).is_file().then(|| vec![file.path]),
        _ => match settings(Path::new(&file.path)) {
            Some(settings) => hook_in(&settings).map(|command| ["/bin/sh", "-c", command].map(str::to_owned).to_vec()),
            None => hook_of_plugin(&std::fs::read_to_string(&file.path).unwrap_or_default()),
        },
    };
    Ok((setup.files)(&Places::of(environment, false)?.site()).into_iter().find_map(started))
}

/// How an agent stands here.
pub(crate) fn state(setup: &Setup, environment: &Environment) -> State {
    standing(setup, environment).state
}

/// Whether the agent was set up and its settings are no longer so: somebody took our hook out, or an upgrade did, or this
/// program has moved.
pub(crate) fn has_drifted(setup: &Setup, environment: &Environment) -> bool {
    let Ok(places) = Places::of(environment, false) else { return false };
    let Ok(changes) = plan(&(setup.files)(&places.site()), Way::Put, environment) else { return false };
    changes.iter().any(change::Change::was_made) && !changes.iter().all(change::Change::is_none)
}

fn is_used(setup: &Setup, environment: &Environment) -> bool {
    let folders = || std::env::split_paths(&environment.path);
    setup.signs.iter().any(|sign| environment.user_home.join(sign).exists())
        || setup.agent.programs.iter().any(|program| folders().any(|folder| folder.join(program).is_file()))
}

/// Every agent and how it stands; at a terminal each that could be set up is asked about.
fn list(args: &args::Setup, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    for setup in setup::ALL {
        let how = match state(setup, environment) {
            State::SetUp => "asks Rampart",
            State::Used => "is used here and does not ask",
            State::Absent => "not seen here",
        };
        printer.out(format!("{:<12} {:<20} {how}", setup.agent.name, setup.title));
    }
    if args.dry_run || !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        printer.note("`rampart setup AGENT` sets one up, with --dry-run shows what would be changed; any other agent: `rampart wrap -- AGENT`");
        return Ok(Exit::Yes);
    }
    for setup in setup::ALL.iter().filter(|setup| state(setup, environment) == State::Used) {
        if printer.yes(format!("Set up {}?", setup.title))? {
            one(setup, args, Detail::Lines, environment, printer)?;
        }
    }
    Ok(Exit::Yes)
}

/// The files in which an agent's settings stand that ask us: the user's, and those of the project.
pub(crate) fn files(setup: &Setup, environment: &Environment) -> anyhow::Result<Vec<PathBuf>> {
    let project = environment.workspace();
    let own = (setup.files)(&Places::of(environment, false)?.site()).into_iter().map(|file| file.path.into());
    Ok(own.chain(setup.also.iter().map(|path| project.join(path))).collect())
}

/// The places of a setup, as text.
struct Places {
    home: String,
    rampart: String,
    project: Option<String>,
    program: String,
}

impl Places {
    fn of(environment: &Environment, project: bool) -> anyhow::Result<Self> {
        let text = |path: &Path| {
            let text = path.to_str().with_context(|| format!("the path {} is no text", path.display()))?;
            anyhow::Ok(text.to_owned())
        };
        let program = if project {
            // Where everybody has it: the file goes to others.
            "rampart".to_owned()
        } else {
            let own = std::env::current_exe().context("cannot find this program's own file")?;
            let small = own.with_file_name("rampart-shim");
            text(if small.is_file() { &small } else { &own })?
        };
        Ok(Self {
            home: text(&environment.user_home)?,
            rampart: text(&environment.home)?,
            project: project.then(|| text(&environment.workspace())).transpose()?,
            program,
        })
    }

    fn site(&self) -> Site<'_> {
        Site {
            home: &self.home,
            rampart: &self.rampart,
            project: self.project.as_deref(),
            program: &self.program,
            variable: &|name| Environment::variable(name)?.into_string().ok(),
        }
    }
}
