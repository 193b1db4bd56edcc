//! Whether an agent could be jailed here: one is made, and nothing is run in it.

use std::{os::unix::process::CommandExt as _, process::Command};

use rampart_jail::{Confinement, Failed, Files, Holds, Network};

use super::Check;
use crate::{commands::run::Scratch, environment::Environment};

pub(super) fn jail(environment: &Environment) -> Check {
    let remedy =
        "docs/jail.md says what a jail takes; without one `rampart run` does what `jail.without` in config.yaml says";
    match try_one(environment) {
        Ok(Ok(holds)) => {
            let version = holds.landlock.unwrap_or_default();
            let missing = holds.missing();
            let found = format!("one can be made: namespaces, packet filter, Landlock {version}");
            if missing.is_empty() {
                Check::ok("jail", found)
            } else {
                Check::warn(
                    "jail",
                    format!("{found}; not with this kernel: {}", missing.join(", ")),
                    "a newer kernel has it",
                )
            }
        }
        Ok(Err(failed)) => Check::warn("jail", format!("none can be made: {failed}"), remedy),
        Err(error) => Check::warn("jail", format!("none was tried: {error:#}"), remedy),
    }
}

fn try_one(environment: &Environment) -> anyhow::Result<Result<Holds, Failed>> {
    let scratch = Scratch::new()?;
    let hidden = environment.home.canonicalize().into_iter().collect();
    let around = environment.cwd.canonicalize().into_iter().collect();
    let files = Files { scratch: scratch.path().to_owned(), hidden, around, ..Files::default() };
    let confined = Confinement { network: Some(Network::default()), files: Some(files), ..Confinement::default() };
    let mut command = Command::new("/proc/self/exe");
    command.arg0(rampart_jail::NAME).args(["/bin/true", "true"]);
    // Not told to start, it ends.
    let started = rampart_jail::start(command, &confined).and_then(rampart_jail::Starting::doors);
    Ok(started.and_then(|(starting, _)| starting.ready()).map(|(starting, holds, _)| {
        starting.leave();
        holds
    }))
}
