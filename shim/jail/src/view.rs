//! What the process sees of the file system: a mount namespace in which some places are empty, some closed and some fixed.
//! What stands in their place lies in a folder of the caller's.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, StatVfsMountFlags, statvfs},
    mount::{
        MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind, mount_change,
        mount_remount, move_mount, open_tree,
    },
};

use crate::{
    confinement::Files,
    outcome::{Failed, Part},
    overlay,
};

/// Places that a process gets anew, and may write to: what programs of the host keep their sockets in.
const OWN: [(&str, &str); 3] = [("/tmp", "tmp"), ("/var/tmp", "var-tmp"), ("/run", "run")];
/// What of `/run` is no socket and is needed: how names are looked up, and where some systems keep their programs.
const OF_RUN: [&str; 7] = [
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/resolvconf/resolv.conf",
    "/run/NetworkManager/resolv.conf",
    "/run/current-system",
    "/run/opengl-driver",
    "/run/booted-system",
];

/// What is done at a place, in this order where it is one place.
enum Act {
    Cover(OwnedFd),
    Show(OwnedFd),
}

/// Builds the view in this mount namespace, which nobody else sees, and says which places in it are the process's own.
/// `listed` are the sockets that the host knows.
pub(crate) fn build(files: &Files, listed: &[PathBuf]) -> Result<Vec<PathBuf>, Failed> {
    let failed = |step: String| move |error: io::Error| Failed::new(Part::View, step, error);
    let here = std::env::current_dir().map_err(failed("finding the working directory".into()))?;
    let alone = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", alone).map_err(|e| failed("making mounts private".into())(e.into()))?;

    if let Some(overlay) = &files.overlay {
        overlay::lay(overlay)?;
    }
    let scratch = Scratch::new(&files.scratch);
    let scratch = scratch.map_err(failed(format!("preparing {}", files.scratch.display())))?;
    let of_run = OF_RUN.iter().map(PathBuf::from).filter(|path| path.exists());
    let reachable: Vec<_> = files.shown.iter().chain(&files.sockets).cloned().chain(of_run).collect();
    let kept: Vec<_> = reachable.iter().chain(&files.writable).chain(&files.around).cloned().collect();
    let mut acts = Vec::new();
    let mut own = Vec::new();
    for (place, name) in OWN.map(|(place, name)| (PathBuf::from(place), name)) {
        // Where writing to all of it was allowed, it is the real one.
        if !place.is_dir() || place.is_symlink() || files.writable.contains(&place) {
            continue;
        }
        let cover = scratch
            .own(name)
            .and_then(|cover| hold(&cover))
            .map_err(failed(format!("covering {}", place.display())))?;
        acts.push((place.clone(), Act::Cover(cover)));
        own.push(place);
    }
    for place in files.hidden.iter().filter(|path| path.exists()) {
        let cover = scratch
            .cover(place, &kept)
            .and_then(|cover| hold(&cover))
            .map_err(failed(format!("covering {}", place.display())))?;
        acts.push((place.clone(), Act::Cover(cover)));
    }
    // Everything that stays, and everything that covers, is held before anything is covered.
    let covered: Vec<_> = acts.iter().map(|(place, _)| place.clone()).collect();
    for path in kept.iter().filter(|path| covered.iter().any(|place| path.starts_with(place))) {
        let tree = hold(path).map_err(failed(format!("holding {}", path.display())))?;
        acts.push((path.clone(), Act::Show(tree)));
    }
    for socket in listed {
        let is_in = |places: &[PathBuf]| places.iter().any(|place| socket.starts_with(place));
        let is_gone = is_in(&covered) && !is_in(&files.around) && !is_in(&files.writable);
        if !is_gone && !is_in(&reachable) && socket.symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket()) {
            let cover = hold(&scratch.file).map_err(failed(format!("covering {}", socket.display())))?;
            acts.push((socket.clone(), Act::Cover(cover)));
        }
    }
    // From the root down, so that what lies in another is done after that.
    acts.sort_by_key(|(path, act)| (path.components().count(), matches!(act, Act::Show(_))));
    for (path, act) in acts {
        match act {
            Act::Show(tree) => {
                show(&path, &tree).map_err(failed(format!("showing {}", path.display())))?;
                // What is shown in a place of its own is not its own.
                if own.iter().any(|place| path.starts_with(place)) && !files.writable.contains(&path) {
                    read_only(&path).map_err(failed(format!("fixing {}", path.display())))?;
                }
            }
            // What lies in a place that is covered is gone with it.
            Act::Cover(_) if path.symlink_metadata().is_err() => {}
            Act::Cover(with) => {
                put(&path, &with).map_err(failed(format!("covering {}", path.display())))?;
            }
        }
    }
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() {
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("rampart", &shared, "tmpfs", flags, c"mode=1777")
            .map_err(|e| failed("covering /dev/shm".into())(e.into()))?;
        own.push(shared);
    }
    for path in files.fixed.iter().filter(|path| path.exists()) {
        fix(path).map_err(failed(format!("fixing {}", path.display())))?;
    }
    std::env::set_current_dir(&here).map_err(failed(format!("going back to {}", here.display())))?;
    Ok(own)
}

/// A tree that can be put in place later, whatever covers it meanwhile.
fn hold(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    Ok(open_tree(CWD, path, flags)?)
}

/// Puts a tree in place. What it stands on is made where it is not there, in what covers.
fn show(path: &Path, tree: &OwnedFd) -> io::Result<()> {
    if !path.exists() {
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode);
        if kind.is_dir() {
            fs::create_dir(path)?;
        } else {
            fs::File::create(path)?;
        }
    }
    put(path, tree)
}

fn put(path: &Path, tree: &OwnedFd) -> io::Result<()> {
    Ok(move_mount(tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Makes a place read-only.
fn fix(path: &Path) -> io::Result<()> {
    mount_bind(path, path)?;
    read_only(path)
}

/// Makes the mount that stands there read-only. Flags that it has already are kept, since they may be locked.
fn read_only(path: &Path) -> io::Result<()> {
    const KEPT: [(StatVfsMountFlags, MountFlags); 3] = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
    ];
    let there = statvfs(path)?.f_flag;
    let kept = KEPT.iter().filter(|(flag, _)| there.contains(*flag)).map(|(_, flag)| *flag);
    // How access times are kept is locked as well; this word says to leave that.
    let flags = kept.fold(MountFlags::BIND | MountFlags::RDONLY, |all, flag| all | flag);
    mount_remount(path, flags, "")?;
    Ok(())
}

/// What stands in place of other things.
struct Scratch {
    root: PathBuf,
    /// A file and a folder that nobody may open.
    file: PathBuf,
    folder: PathBuf,
}

impl Scratch {
    fn new(root: &Path) -> io::Result<Self> {
        let (file, folder) = (root.join("nothing"), root.join("nowhere"));
        fs::write(&file, "")?;
        fs::create_dir(&folder)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o000))?;
        Ok(Self { root: root.to_owned(), file, folder })
    }

    /// An empty folder that everybody may write to. In that of programs that run, each user has one of their own.
    fn own(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.root.join(name);
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777))?;
        if name == "run" {
            let runtime = folder.join("user").join(rustix::process::geteuid().to_string());
            fs::create_dir_all(&runtime)?;
            fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700))?;
        }
        Ok(folder)
    }

    /// What a hidden place is covered with: something that cannot be opened, or a folder that only shows what is to be shown.
    fn cover(&self, place: &Path, kept: &[PathBuf]) -> io::Result<PathBuf> {
        if !place.is_dir() {
            return Ok(self.file.clone());
        }
        if !kept.iter().any(|path| path.starts_with(place)) {
            return Ok(self.folder.clone());
        }
        let folder = self.root.join(format!("in-place-of{}", place.display()).replace('/', "-"));
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

/// The sockets that the kernel lists for the network namespace of this process (unix(7)).
pub(crate) fn sockets() -> Vec<PathBuf> {
    let list = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let mut found: Vec<_> = list.lines().skip(1).filter_map(socket_path).collect();
    found.sort();
    found.dedup();
    found
}

/// The path in a line of that list: `Num RefCount Protocol Flags Type St Inode Path`. A path may have spaces; an abstract
/// name begins with `@`.
fn socket_path(line: &str) -> Option<PathBuf> {
    let mut rest = line;
    for _ in 0..7 {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    Some(PathBuf::from(rest.trim_start())).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_by_their_paths() {
        let line = |path: &str| format!("0000000000000000: 00000002 00000000 00010000 0001 01  1234 {path}");
        for (path, found) in [
            ("/run/docker.sock", Some("/run/docker.sock")),
            ("/home/u/a b/s", Some("/home/u/a b/s")),
            ("@/tmp/.X11-unix/X0", None),
            ("relative", None),
            ("", None),
        ] {
            assert_eq!(socket_path(&line(path)), found.map(PathBuf::from), "{path}");
        }
        assert_eq!(socket_path("0000000000000000: 00000003 00000000 00000000 0001 03 4321"), None);
    }
}
