//! `rampart run -- AGENT`: an agent with everything around it that this version has, and a plain word about each part.

use rampart_agents::setup;
use rampart_client::wire::OpenedSession;

use crate::{
    args::{Mode, Preload, Run, SessionMode},
    commands::{
        preload,
        setup::{Standing, State, standing},
        wrap,
    },
    environment::Environment,
    exit::Exit,
    launch::Launch,
    printer::{BOLD, DIM, Printer, styled},
};

pub(crate) fn run(args: Run, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let launch = Launch::new(args.command, args.agent, SessionMode::Enforce, environment, printer)?;
    let mut command = launch.command(environment);
    wrap::surround(&mut command, &launch, environment)?;
    let told = Preload { agent: None, mode: Mode::Enforce, files: args.files, net: args.net, command: Vec::new() };
    let exec = rampart_supervisor::supported();
    // Where every program that starts is judged, the library has to look at files and connections only.
    let library = if cfg!(target_os = "linux") && (exec.is_err() || args.files || args.net) {
        Some(preload::surround(&mut command, &told, &launch, environment)?)
    } else {
        None
    };
    if !args.quiet {
        tell(&launch, library.is_some(), &exec, environment, printer);
    }
    if exec.is_ok() {
        return launch.run_supervised(command, 1, |mut command| Ok(command.spawn()?), environment, printer);
    }
    launch.run(command, printer)
}

/// What holds, and how much.
fn tell(launch: &Launch, library: bool, exec: &Result<(), String>, environment: &Environment, printer: Printer) {
    let OpenedSession { session, egress, .. } = &launch.session;
    printer.note(styled(BOLD, format!("rampart: {} in session {session}", launch.agent)));
    let line = |road: &str, word: &str, what: &str| printer.note(format!("  {road:<8} {word:<9} {what}"));
    let hook = setup::find(&launch.agent).map(|setup| (setup, standing(setup, environment)));
    match hook {
        Some((_, Standing { state: State::SetUp, file })) => {
            line("hook", "advisory", &format!("{file} calls Rampart; agents run the tool when a hook fails"));
        }
        Some((setup, _)) => line("hook", "open", &format!("not set up: `rampart setup {}`", setup.agent.name)),
        None => line("hook", "open", "this program has no hooks that Rampart knows"),
    }
    line("shell", "advisory", "shells on PATH and $SHELL ask first; a shell by its full path is not one of them");
    match exec {
        Ok(()) => line(
            "exec",
            "enforced",
            "what any process starts is judged as the kernel sees it, and compared once it has started",
        ),
        Err(why) => line("exec", "open", why),
    }
    if library {
        line("preload", "advisory", "what libc starts asks first; static programs and Go do without libc");
    } else if exec.is_ok() {
        line("preload", "off", "`--files` and `--net` ask before files are opened and connections are made");
    } else {
        line("preload", "open", "only on Linux");
    }
    match egress {
        Some(_) => {
            line("http", "advisory", "variables name the egress proxy; a program that ignores them goes past it");
        }
        None => line("http", "open", "the gateway has no egress proxy"),
    }
    line("jail", "open", "not built in this version: nothing confines a program that wants to get around all of these");
    printer.note(styled(DIM, "  advisory: a program that does not take part can walk around it"));
}
