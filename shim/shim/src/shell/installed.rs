//! Scripts of tools that a person had installed before the agent began, such as those of version managers
//! (`~/.pyenv/libexec/pyenv`): they are judged by their path and arguments, as programs are. Their text is thousands of lines
//! that no rule was written for, and none of it is the agent's.
//!
//! That a file stood there before is told by its change time (inode(7)), which nobody but root can set: renaming, linking or
//! changing it in any way makes it later than the start of whatever of ours is outermost among the ancestors of this process.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    os::{
        fd::AsRawFd as _,
        unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use super::Shell;
use crate::locate;

/// Where tools are put that are nobody's in particular.
const SHARED: [&str; 5] = ["/usr", "/opt", "/nix", "/snap", "/home/linuxbrew"];
/// Ancestors that are looked at.
const DEEPEST: usize = 256;

/// Whether this open script is one of them. What lies in the project never is.
pub(super) fn is(script: &File, shell: &Shell) -> bool {
    let Ok(meta) = script.metadata() else { return false };
    let Ok(real) = fs::read_link(format!("/proc/self/fd/{}", script.as_raw_fd())) else { return false };
    let home = shell.origin.home.as_deref().map(Path::new);
    if !meta.is_file() || is_of_project(&real, &locate::project(&shell.cwd, home), home) {
        return false;
    }
    let Some(began) = outermost() else { return false };
    // To the second, the one of its start left out.
    meta.ctime() + 1 < began.at && is_of_a_tool(&real, began.home.as_deref())
}

/// Whether it lies in the project, unless that is a whole home and more.
fn is_of_project(real: &Path, project: &Path, home: Option<&Path>) -> bool {
    let project = project.canonicalize().unwrap_or_else(|_| project.to_owned());
    let is_home = home.is_some_and(|home| home.starts_with(&project)) || project.parent().is_none();
    !is_home && real.starts_with(&project)
}

fn is_of_a_tool(real: &Path, home: Option<&Path>) -> bool {
    let hidden = |rest: &Path| rest.as_os_str().as_bytes().starts_with(b".");
    SHARED.iter().any(|place| real.starts_with(place))
        || home.is_some_and(|home| home.parent().is_some() && real.strip_prefix(home).is_ok_and(hidden))
}

/// The start of a session.
struct Began {
    /// In seconds since 1970.
    at: i64,
    /// The home of whoever started it.
    home: Option<PathBuf>,
}

/// That of the outermost ancestor that is one of our programs. An agent can start more of them, but none further out.
fn outermost() -> Option<Began> {
    let own = std::env::current_exe().ok()?;
    let ours: Vec<Metadata> =
        ["rampart", "rampart-shim"].iter().filter_map(|name| fs::metadata(own.with_file_name(name)).ok()).collect();
    let is_ours = |pid: u32| {
        let exe = fs::metadata(format!("/proc/{pid}/exe")).ok();
        exe.is_some_and(|exe| ours.iter().any(|file| (file.dev(), file.ino()) == (exe.dev(), exe.ino())))
    };
    let parents = std::iter::successors(Some(std::process::id()), |pid| parent(*pid)).skip(1).take(DEEPEST);
    let found = parents.filter(|pid| is_ours(*pid)).last()?;
    let environment = fs::read(format!("/proc/{found}/environ")).unwrap_or_default();
    let home = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"HOME="));
    Some(Began { at: started(found)?, home: home.map(|home| Path::new(OsStr::from_bytes(home)).to_owned()) })
}

fn parent(pid: u32) -> Option<u32> {
    field(pid, 1)?.parse().ok().filter(|parent| *parent > 0)
}

/// When a process was started, in seconds since 1970.
fn started(pid: u32) -> Option<i64> {
    let ticks: i64 = field(pid, 19)?.parse().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: i64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + ticks / i64::try_from(rustix::param::clock_ticks_per_second()).ok()?)
}

/// A field of what the kernel tells of a process, counted from its state (proc_pid_stat(5)).
fn field(pid: u32, number: usize) -> Option<String> {
    let told = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    told.rsplit_once(')')?.1.split_whitespace().nth(number).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_stand_in_shared_places_and_in_hidden_folders_of_a_home() {
        for (path, home, expect) in [
            ("/home/u/.pyenv/libexec/pyenv", Some("/home/u"), true),
            ("/usr/local/bin/tool", Some("/home/u"), true),
            ("/home/u/project/run.sh", Some("/home/u"), false),
            ("/home/u/project/.tools/run.sh", Some("/home/u"), false),
            ("/home/other/.pyenv/x", Some("/home/u"), false),
            ("/home/u/.pyenv/x", None, false),
            ("/tmp/x", Some("/home/u"), false),
            ("/.x/y", Some("/"), false),
            ("/usrlocal/x", None, false),
        ] {
            assert_eq!(is_of_a_tool(Path::new(path), home.map(Path::new)), expect, "{path} {home:?}");
        }
    }

    #[test]
    fn what_lies_in_the_project_is_none_also_where_that_is_hidden() {
        for (path, project, expect) in [
            ("/home/u/.worktrees/shop/run.sh", "/home/u/.worktrees/shop", true),
            ("/home/u/.pyenv/libexec/pyenv", "/home/u/shop", false),
            ("/home/u/.pyenv/libexec/pyenv", "/home/u", false),
            ("/home/u/.pyenv/libexec/pyenv", "/", false),
        ] {
            let found = is_of_project(Path::new(path), Path::new(project), Some(Path::new("/home/u")));
            assert_eq!(found, expect, "{path} {project}");
        }
    }

    #[test]
    fn where_none_of_our_programs_stands_above_nothing_was_there_before() {
        assert!(outermost().is_none());
        let began = started(std::process::id()).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!((0..3_600).contains(&(i64::try_from(now).unwrap() - began)), "{began} {now}");
    }
}
