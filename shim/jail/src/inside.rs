//! The process that goes into the jail, step by step, until it becomes the program that it is for. It has one thread.

use std::{
    ffi::OsString,
    fs, io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::Command,
};

use rustix::{
    process::{getegid, geteuid},
    thread::UnshareFlags,
};

use crate::{
    confinement::Confinement,
    conversation::{Conversation, Order, Word},
    files, network,
    outcome::{Failed, Holds, Part},
    privileges, system, view,
};

/// The name under which a program goes into the jail; see [`enter`].
pub const NAME: &str = "rampart-jail";

/// Confines this process as [`start`](crate::start) in another process says, and becomes a program: the words are its file,
/// what it is called, and its arguments. To be called first in `main` of a program that was started under the name [`NAME`],
/// before there is a second thread. Returns only where that failed, which the one outside has been told, with an exit code.
pub fn enter(words: &[OsString]) -> u8 {
    let [file, name, arguments @ ..] = words else { return CANNOT };
    // It stands in place of the program's standard input, which comes in the first message.
    let Ok(parent) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map(Conversation::of) else {
        return CANNOT;
    };
    let mut command = Command::new(file);
    command.arg0(name).args(arguments);
    let failed = match prepare(&parent) {
        Ok(variables) => {
            let error = command.envs(variables).exec();
            Failed::new(Part::Program, format!("starting {}", file.display()), error)
        }
        Err(failed) => failed,
    };
    let _ = parent.say(&Word::Failed(failed), &[]);
    CANNOT
}

/// As shells say that a program was found and could not be run.
const CANNOT: u8 = 126;

fn prepare(parent: &Conversation) -> Result<Vec<(String, String)>, Failed> {
    let told = |error: io::Error| Failed::new(Part::Program, "talking with the process outside", error);
    let Some((Order::Confine(confinement), with)) = parent.hear().map_err(told)? else {
        return Err(told(io::ErrorKind::UnexpectedEof.into()));
    };
    if let [stdin] = with.as_slice() {
        rustix::stdio::dup2_stdin(stdin).map_err(|e| told(e.into()))?;
    }
    let Confinement { network, only_port, files, variables } = *confinement;
    let listed = view::sockets();
    if network.is_some() {
        namespaces(files.is_some())?;
    }
    if let Some(network) = &network {
        let doors = network::set_up(network)?;
        let (doors, ends): (Vec<_>, Vec<OwnedFd>) = doors.into_iter().unzip();
        let ends: Vec<_> = ends.iter().map(|end| end.as_fd()).collect();
        parent.say(&Word::Doors(doors), &ends).map_err(told)?;
    }
    let mut own = Vec::new();
    if let Some(files) = files.as_ref().filter(|_| network.is_some()) {
        own = view::build(files, &listed)?;
    }
    privileges::drop_all()?;
    let (landlock, ruleset) = match &files {
        Some(files) if network.is_some() => {
            files::restrict(files, &own).map(|(version, same)| (Some(version), same))?
        }
        Some(files) => files::restrict_alone(files, only_port).map(|(version, same)| (Some(version), same))?,
        None => (None, None),
    };
    privileges::close_the_rest()?;
    privileges::forbid_system_calls(network.is_none())?;
    let with: Vec<_> = ruleset.iter().map(|ruleset| ruleset.as_fd()).collect();
    parent.say(&Word::Ready(Holds { landlock }), &with).map_err(told)?;
    let Some((Order::Start, _)) = parent.hear().map_err(told)? else {
        return Err(told(io::ErrorKind::UnexpectedEof.into()));
    };
    Ok(variables)
}

/// User and network namespaces, and one of mounts; the user stays who they are.
fn namespaces(mounts: bool) -> Result<(), Failed> {
    let (uid, gid) = (geteuid(), getegid());
    let mut wanted = UnshareFlags::NEWUSER | UnshareFlags::NEWNET;
    if mounts {
        wanted |= UnshareFlags::NEWNS;
    }
    let failed = |step: &'static str| move |error: io::Error| Failed::new(Part::Namespaces, step, error);
    system::unshare(wanted).map_err(failed("making a user namespace"))?;
    // Without CAP_SETGID outside, groups can be mapped only where nobody can leave one (user_namespaces(7)).
    let map = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
    map("setgroups", "deny".into()).map_err(failed("keeping groups"))?;
    map("uid_map", format!("{uid} {uid} 1")).map_err(failed("keeping the user"))?;
    map("gid_map", format!("{gid} {gid} 1")).map_err(failed("keeping the group"))
}
