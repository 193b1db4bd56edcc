//! `rampart preload -- CMD`: runs a command with a library before libc that asks before a program is started. The library
//! asks this process, and this process asks the gateway.

mod broker;
mod library;

use std::{ffi::OsString, fs, os::unix::net::UnixListener, process::Command};

use anyhow::{Context as _, bail};
use rampart_frame::{FILES, Mode as Letter, NET, VARIABLE};
use rampart_gateway::Home;

use crate::{
    args::{Mode, Preload, SessionMode},
    environment::Environment,
    exit::Exit,
    launch::Launch,
    printer::Printer,
};

/// Longest path of a socket (unix(7)), without its NUL.
const LONGEST: usize = 107;

pub(crate) fn run(args: Preload, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let mode = if args.mode == Mode::Monitor { SessionMode::Monitor } else { SessionMode::Enforce };
    let launch = Launch::new(args.command.clone(), args.agent.clone(), mode, environment, printer)?;
    let mut command = launch.command(environment);
    let _socket = match args.mode {
        Mode::Disabled => None,
        Mode::Enforce | Mode::Monitor => Some(surround(&mut command, &args, &launch, environment)?),
    };
    launch.run(command, printer)
}

/// A socket that is there as long as this value.
pub(crate) struct Socket(std::path::PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Puts the library before libc in the command, and listens for what it asks.
pub(crate) fn surround(
    command: &mut Command,
    args: &Preload,
    launch: &Launch,
    environment: &Environment,
) -> anyhow::Result<Socket> {
    let home = Home::at(&environment.home);
    let library = library::place(&home)?;
    let path = home.root().join("run").join(format!("preload-{}.sock", std::process::id()));
    let text = path.to_str().filter(|text| text.len() <= LONGEST);
    let Some(text) = text else {
        bail!(
            "the path of the socket {} is longer than {LONGEST} bytes; set RAMPART_HOME to a shorter one",
            path.display()
        );
    };
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen on {text}"))?;
    let monitor = launch.session.monitor;
    let mut told = String::from(char::from(if monitor { Letter::Monitor } else { Letter::Enforce } as u8));
    told.extend(args.files.then_some(char::from(FILES)));
    told.extend(args.net.then_some(char::from(NET)));
    told.push(':');
    told.push_str(text);
    let mut libraries = OsString::from(library);
    if let Some(others) = Environment::variable("LD_PRELOAD") {
        libraries.push(":");
        libraries.push(others);
    }
    command.env("LD_PRELOAD", libraries).env(VARIABLE, told);
    broker::listen(listener, launch, monitor, environment)?;
    Ok(Socket(path))
}
