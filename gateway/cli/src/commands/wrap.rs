//! `rampart wrap -- AGENT`: runs a command whose shells ask first and whose traffic goes through the egress proxy.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use rampart_gateway::Home;

use crate::{args::Wrap, environment::Environment, exit::Exit, launch::Launch, outbound, printer::Printer};

/// The shells that are put in front of the real ones.
const SHELLS: [&str; 4] = ["bash", "sh", "zsh", "dash"];

pub(crate) fn run(args: Wrap, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    // The command itself is what the user asked for; what it starts is what we ask about.
    let launch = Launch::new(args.command, args.agent, args.mode, environment, printer)?;
    let mut command = launch.command(environment);
    surround(&mut command, &launch, environment)?;
    launch.run(command, printer)
}

/// Puts shells that ask in front of the real ones, and the egress proxy before the network.
pub(crate) fn surround(command: &mut Command, launch: &Launch, environment: &Environment) -> anyhow::Result<()> {
    let files = outbound::Files::of(environment)?;
    let shells = shells(&Home::at(&environment.home))?;
    let mut path = shells.clone().into_os_string();
    path.push(":");
    path.push(&environment.path);
    command
        .envs(outbound::variables(&launch.session, &files, environment.node_options.as_deref())?)
        .env("PATH", path)
        .env("SHELL", shells.join("bash"))
        .env("CLAUDE_CODE_SHELL", shells.join("bash"));
    Ok(())
}

/// The folder of shells that ask: links to the small binary beside this program, or to this program itself.
fn shells(home: &Home) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let small = own.with_file_name("rampart-shim");
    let target = if small.exists() { small } else { own };
    let folder = home.state().join("shells");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for shell in SHELLS {
        link(&target, &folder.join(shell)).with_context(|| format!("cannot make {shell} in {}", folder.display()))?;
    }
    Ok(folder)
}

/// A link that another process may be using at the same moment, so it is made aside and put in place at once.
fn link(target: &Path, place: &Path) -> std::io::Result<()> {
    if fs::read_link(place).is_ok_and(|there| there == target) {
        return Ok(());
    }
    let draft = place.with_extension(std::process::id().to_string());
    std::os::unix::fs::symlink(target, &draft)?;
    fs::rename(&draft, place)
}
