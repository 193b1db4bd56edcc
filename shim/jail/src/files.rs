//! What may be read and written (Landlock): everything is read that the view shows, and what is written is said. Where there
//! is no view of its own, what is hidden is left out of what may be read.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use crate::{
    confinement::Files,
    outcome::{Failed, Part},
};

/// The newest version whose meaning is known here.
const NEWEST: ABI = ABI::V7;

/// Devices that hold nothing, and terminals.
const DEVICES: [&str; 8] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts"];

/// What holds, and the same for a thread outside that does something for a process inside.
pub(crate) type Restricted = (u8, Option<OwnedFd>);

/// Restricts this process and all below it, and says which version of Landlock does. `own` are places that are its own.
pub(crate) fn restrict(files: &Files, own: &[PathBuf]) -> Result<Restricted, Failed> {
    let tops = children(Path::new("/"));
    let ruleset = begin(None).and_then(|ruleset| grant(ruleset, tops, files.writable.iter().chain(own)));
    end(ruleset)
}

/// The same in the host's own view and network.
pub(crate) fn restrict_alone(files: &Files, only_port: Option<u16>) -> Result<Restricted, Failed> {
    let mut open = Vec::new();
    readable(Path::new("/"), &files.hidden, &children, &mut open);
    open.extend(files.shown.iter().cloned());
    let temporary = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from);
    let ruleset = begin(only_port).and_then(|ruleset| grant(ruleset, open, files.writable.iter().chain(&temporary)));
    end(ruleset)
}

/// What may be read when some must not: every folder without a hidden one in it as a whole, of the others what is in them. Pure
/// but for `children`.
fn readable(path: &Path, hidden: &[PathBuf], children: &dyn Fn(&Path) -> Vec<PathBuf>, open: &mut Vec<PathBuf>) {
    if hidden.iter().any(|place| place == path) {
        return;
    }
    let holds_hidden = hidden.iter().any(|place| place.starts_with(path));
    // The root as a whole would be its devices as well.
    if !holds_hidden && path != Path::new("/") {
        open.push(path.to_owned());
        return;
    }
    for child in children(path) {
        readable(&child, hidden, children, open);
    }
}

fn children(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()).collect()
}

type Building = Result<RulesetCreated, landlock::RulesetError>;

fn begin(only_port: Option<u16>) -> Building {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?;
    if only_port.is_some() {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    let ruleset = ruleset.create()?;
    match only_port {
        Some(port) => ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp)),
        None => Ok(ruleset),
    }
}

fn grant<'a>(
    ruleset: RulesetCreated,
    read: impl IntoIterator<Item = PathBuf>,
    write: impl Iterator<Item = &'a PathBuf>,
) -> Building {
    let all: BitFlags<AccessFs> = AccessFs::from_all(NEWEST);
    let look: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});
    // Folders can be listed everywhere. Of devices only those are opened that are named: whoever is root, or in the group of
    // disks, would read through them what is hidden.
    let read = read.into_iter().filter(|path| !path.starts_with("/dev"));
    let devices = DEVICES.map(|name| Path::new("/dev").join(name));
    let ruleset = ruleset
        .add_rules(path_beneath_rules(["/"], AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(read, look))?
        .add_rules(path_beneath_rules(devices, all))?
        .add_rules(path_beneath_rules(write, all))?;
    if rustix::process::geteuid().is_root() {
        return Ok(ruleset);
    }
    // Of one's own process: the kernel lets nobody but root change more there.
    ruleset.add_rules(path_beneath_rules(["/proc"], look | AccessFs::WriteFile | AccessFs::Truncate))
}

fn end(ruleset: Building) -> Result<Restricted, Failed> {
    let failed = |error: &dyn std::fmt::Display| {
        Failed::new(Part::Files, "restricting files", std::io::Error::other(error.to_string()))
    };
    let ruleset = ruleset.map_err(|error| failed(&error))?;
    let same = ruleset.try_clone().map_err(|error| failed(&error))?;
    let status = ruleset.restrict_self().map_err(|error| failed(&error))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) | (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => {
            Err(failed(&"this kernel has no Landlock (Linux 5.13, `landlock` in the list of `lsm=`)"))
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok((effective_abi as u8, same.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_something_hidden_is_still_read() {
        let tree = |path: &Path| -> Vec<PathBuf> {
            let names: &[&str] = match path.to_str().unwrap() {
                "/" => &["etc", "home", "usr"],
                "/home" => &["u", "v"],
                "/home/u" => &[".ssh", ".config", "src"],
                "/home/u/.config" => &["gh", "nvim"],
                _ => &[],
            };
            names.iter().map(|name| path.join(name)).collect()
        };
        let hidden = ["/home/u/.ssh", "/home/u/.config/gh"].map(PathBuf::from);
        let mut open = Vec::new();
        readable(Path::new("/"), &hidden, &tree, &mut open);
        assert_eq!(open, ["/etc", "/home/u/.config/nvim", "/home/u/src", "/home/v", "/usr"].map(PathBuf::from));
        open.clear();
        readable(Path::new("/"), &[], &tree, &mut open);
        assert_eq!(open, ["/etc", "/home", "/usr"].map(PathBuf::from));
    }
}
