//! What the small program does with its arguments and environment: `hook AGENT`, `--shell NAME ARGS...`, or a shell's
//! name as its own. `rampart` does the same under a shell's name and as `rampart hook`.
//!
//! The only part of this crate that reads the environment and prints.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use crate::{
    Ask, hook, on_demand,
    shell::{self, Ending, Shell},
};
use rampart_agents::{ALL, Agent, Facts};
use rampart_call::{Origin, TraceParent};

/// Does what these arguments say and gives the exit status. Returns from a shell's work only when it was refused.
pub fn run(argv0: OsString, args: Vec<OsString>) -> u8 {
    if let Some(name) = shell::name(&argv0) {
        return run_shell(name, argv0, args);
    }
    let mut words: Vec<_> = args.iter().map(|arg| arg.to_str()).collect();
    // As `rampart hook` has it, so that one can stand for the other.
    if words.first() == Some(&Some("hook")) && words.get(1) == Some(&Some("--format")) {
        words.remove(1);
    }
    match words.as_slice() {
        [Some("hook"), Some(agent)] => run_hook(agent, None),
        [Some("hook"), Some(agent), Some("--timeout"), Some(seconds)] => match seconds.parse() {
            Ok(seconds) => run_hook(agent, Some(Duration::from_secs(seconds))),
            Err(_) => usage(&format!("`{seconds}` is not a number of seconds")),
        },
        [Some("--shell"), Some(name), ..] => match shell::name(OsStr::new(name)) {
            Some(shell) => run_shell(shell, name.into(), args.into_iter().skip(2).collect()),
            None => usage(&format!("`{name}` is not one of the shells {}", shell::NAMES.join(", "))),
        },
        _ => usage("nothing to do"),
    }
}

/// Exit status 2 is a refusal to most agents: a hook that is set up wrongly lets nothing pass.
fn usage(why: &str) -> u8 {
    let text = format!(
        "rampart-shim: {why}\nusage: rampart-shim hook [--format] AGENT [--timeout SECONDS]\n       rampart-shim --shell NAME \
         [ARGUMENT...]\n"
    );
    end(&Ending { stderr: text, exit: 2 })
}

fn run_hook(name: &str, granted: Option<Duration>) -> u8 {
    let Some(agent) = rampart_agents::find(name) else {
        let known: Vec<_> = ALL.iter().map(|agent| agent.name).collect();
        return usage(&format!("there is no agent `{name}`; the agents are {}", known.join(", ")));
    };
    refuse_on_panic(agent);
    let patience = hook::patience(agent, granted);
    let ask = ask().map(|mut ask| {
        // The rest is for what is done when there was no answer.
        ask.settings.patience = patience * 9 / 10;
        ask
    });
    let reply = match ask {
        Some(ask) => hook::run(agent, facts(Some(agent)), io::stdin(), patience, move |call| ask.judge(call), heard_of),
        None => agent.refuse(rampart_call::Reason::GatewayUnreachable, NO_HOME),
    };
    // A host that has gone away cannot be answered.
    let _ = io::stdout().write_all(reply.stdout.as_bytes());
    end(&Ending { stderr: reply.stderr, exit: reply.exit })
}

/// Notes that an agent's session begins, for `rampart doctor`: its hooks are in place. Only where there is a home already.
fn heard_of(agent: &'static Agent) {
    let folder = home().map(|home| home.join("state")).filter(|folder| folder.is_dir());
    let noted = folder.map(|folder| {
        let folder = folder.join("heard");
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(agent.name), ""))
    });
    // It is worth nothing to the session itself.
    drop(noted);
}

/// Most hosts run the tool when their hook crashes, so a crash is a refusal too, whichever thread it is in and whether or
/// not this program was built to unwind.
#[expect(clippy::exit, reason = "there is nothing to go back to")]
fn refuse_on_panic(agent: &'static Agent) {
    std::panic::set_hook(Box::new(move |_| {
        let reply = agent.refuse(rampart_call::Reason::GatewayUnreachable, "Rampart's hook failed; please report this");
        let mut stdout = io::stdout();
        let _ = stdout.write_all(reply.stdout.as_bytes()).and_then(|()| stdout.flush());
        std::process::exit(end(&Ending { stderr: reply.stderr, exit: reply.exit }).into());
    }));
}

fn run_shell(name: &'static str, argv0: OsString, args: Vec<OsString>) -> u8 {
    let Some(ask) = ask() else {
        return end(&Ending { stderr: format!("rampart: refused: {NO_HOME}\n"), exit: shell::REFUSED });
    };
    let facts = facts(None);
    let origin = Origin {
        agent: text("RAMPART_AGENT").unwrap_or_default(),
        session: facts.session.unwrap_or_default(),
        depth: facts.depth,
        workspace: facts.workspace,
        home: facts.home,
        trace: facts.trace,
        ..Origin::default()
    };
    let cwd = std::env::current_dir().unwrap_or_default();
    let shell = Shell { name, argv0, args, path: variable("PATH").unwrap_or_default(), origin, cwd };
    let notice = |text: &str| drop(io::stderr().write_all(text.as_bytes()));
    end(&shell::run(&shell, |call| ask.judge(call), notice))
}

fn end(ending: &Ending) -> u8 {
    let _ = io::stderr().write_all(ending.stderr.as_bytes());
    ending.exit
}

const NO_HOME: &str = "neither RAMPART_HOME nor HOME is set, so there is no place for a gateway";

/// How to ask the gateway of `RAMPART_HOME`, else of `~/.rampart`. It is started unless `RAMPART_AUTOSTART` is 0.
fn ask() -> Option<Ask> {
    let home = home()?;
    let forbidden = text("RAMPART_AUTOSTART").as_deref() == Some("0");
    let start = (!forbidden).then(|| on_demand(&home, rampart(), variable));
    let mut ask = Ask::new(&home, start);
    ask.settings.token = text("RAMPART_CREDENTIAL");
    Some(ask)
}

/// `RAMPART_HOME`, else `~/.rampart`.
fn home() -> Option<PathBuf> {
    match variable("RAMPART_HOME") {
        Some(home) => std::path::absolute(home).ok(),
        None => Some(PathBuf::from(variable("HOME")?).join(".rampart")),
    }
}

/// The `rampart` program: beside this one, else on `PATH`.
fn rampart() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|shim| shim.with_file_name("rampart"));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| PathBuf::from("rampart"))
}

fn facts(agent: Option<&Agent>) -> Facts {
    Facts {
        cwd: std::env::current_dir().ok().and_then(|cwd| cwd.into_os_string().into_string().ok()),
        home: text("HOME"),
        workspace: text("RAMPART_WORKSPACE").or_else(|| agent?.project_var.and_then(text)),
        session: text("RAMPART_SESSION"),
        depth: text("RAMPART_DEPTH").and_then(|depth| depth.parse().ok()).unwrap_or(0),
        // As OpenTelemetry passes it on to processes.
        trace: text("TRACEPARENT").and_then(|parent| TraceParent::parse(&parent)),
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the program's entry")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}
