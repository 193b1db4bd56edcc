//! Where a path lies, and how delicate it is.

mod lists;
mod normal;

use rampart_call::{Scope, Sensitivity, Target};

use crate::Surroundings;
use normal::{Normal, normalise};
pub(crate) use normal::{is_absolute, join};

/// Says where a path lies and how delicate it is. The answer is always a [`Target::Path`]. A relative path starts at
/// `around.cwd`, or in the project where that is not known.
pub fn locate(path: &str, around: &Surroundings<'_>) -> Target {
    find(path, path, around, around.cwd, false, has_glob(path))
}

fn has_glob(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// [`locate`] for a path seen from `cwd`, with all that is below it where `recursive` is set.
pub(crate) fn find(
    path: &str,
    written: &str,
    around: &Surroundings<'_>,
    cwd: Option<&str>,
    recursive: bool,
    glob: bool,
) -> Target {
    let normal = normalise(path, around.home, cwd);
    let found = lists::look_up(&normal, recursive, glob);
    let in_rampart_home = around.rampart_home.is_some_and(|home| is_below(&normal.text, home));
    let scope = if found.rampart || in_rampart_home {
        Scope::Rampart
    } else if found.agent_config {
        Scope::AgentConfig
    } else {
        scope(&normal, around, glob)
    };
    Target::Path {
        path: normal.text,
        written: written.to_owned(),
        scope,
        sensitivity: found.sensitivity,
        glob,
        recursive,
    }
}

pub(crate) fn ready() {
    lists::ready();
}

/// Whether a key or credential store of the system lies somewhere below `folder` under a name that the pattern meets.
pub(crate) fn holds_key_named(folder: &str, pattern: &str) -> bool {
    lists::holds_key_named(folder, pattern)
}

/// Whether a path is the socket through which containers are told what to do: who has it has the machine.
pub(crate) fn is_container_socket(path: &str) -> bool {
    ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "cri-dockerd.sock"].iter().any(|s| path.ends_with(s))
}

/// Whether a path is a disk or a part of one.
pub(crate) fn is_disk(path: &str) -> bool {
    let disks = ["sd", "hd", "vd", "xvd", "nvme", "mmcblk", "dm-", "mapper/", "disk", "rdisk", "loop", "md", "zd"];
    path.strip_prefix("/dev/").is_some_and(|name| disks.iter().any(|disk| name.starts_with(disk)))
}

/// Whether a build makes the folder again, or only some of what lies in a folder is meant.
pub(crate) fn is_rebuilt(path: &str) -> bool {
    const MADE: &[&str] = &[
        "node_modules",
        "dist",
        "build",
        "target",
        "out",
        "coverage",
        "htmlcov",
        "tmp",
        "temp",
        "cache",
        "logs",
        "venv",
        ".cache",
        ".venv",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        ".eggs",
        ".next",
        ".nuxt",
        ".svelte-kit",
        ".turbo",
        ".parcel-cache",
        ".nyc_output",
        ".gradle",
        ".dart_tool",
        ".terraform",
        "DerivedData",
    ];
    let last = path.rsplit('/').next().unwrap_or("");
    MADE.contains(&last) || last.starts_with("__pycache__") || last.contains('*') && last.len() > 1
}

/// Whether the path is the project itself, or all of it.
pub(crate) fn is_project_root(path: &str, around: &Surroundings<'_>) -> bool {
    let path = path.strip_suffix("/*").unwrap_or(path);
    matches!(path, "." | "*" | "./*" | "") || project(around).is_some_and(|root| root.trim_end_matches('/') == path)
}

fn project<'a>(around: &Surroundings<'a>) -> Option<&'a str> {
    let named = around.workspace.filter(|w| !is_too_wide(w, around));
    named.or_else(|| {
        around.cwd.filter(|cwd| {
            let normal = normalise(cwd, around.home, None);
            let source = normal.text.starts_with("/usr/src/") || normal.text.starts_with("/usr/local/src/");
            let first = normal.segments().next().unwrap_or("");
            let in_home = normal.home.as_deref().is_some_and(|rest| !rest.is_empty());
            let plain = !lists::is_system(first)
                || matches!(first, "opt" | "srv" | "mnt" | "media" | "home" | "Users" | "Volumes");
            !is_too_wide(cwd, around) && (source || in_home || plain || lists::is_temp(&normal.text))
        })
    })
}

/// Whether an absolute path lies in the project. That may itself lie in a temporary directory.
pub(crate) fn is_own(path: &str, around: &Surroundings<'_>) -> bool {
    project(around).is_some_and(|root| is_below(path, root) && !is_whole_temp(root))
}

/// The root of the file system, a home, or a directory above one.
fn is_too_wide(path: &str, around: &Surroundings<'_>) -> bool {
    let normal = normalise(path, around.home, None);
    normal.text == "/"
        || normal.home.as_deref() == Some("")
        || matches!(normal.text.as_str(), "/home" | "/Users" | "/root")
}

fn scope(path: &Normal, around: &Surroundings<'_>, glob: bool) -> Scope {
    let text = path.text.as_str();
    // a home is worth as much where it lies in a temporary directory, as in a container or a test
    let at_home = path.home.is_some() && around.home.is_some_and(|home| !is_whole_temp(home));
    if lists::is_temp(text) && !at_home {
        return if is_own(text, around) { Scope::Project } else { Scope::Temp };
    }
    if let Some(device) = text.strip_prefix("/dev/") {
        let name = device.split('/').next().unwrap_or("");
        return if lists::is_harmless_device(name) { Scope::Elsewhere } else { Scope::Device };
    }
    if let Some(root) = project(around)
        && is_below(text, root)
    {
        return Scope::Project;
    }
    if is_in_checkout(text) {
        return Scope::Project;
    }
    if !is_absolute(text) {
        // a drive whose backslashes the shell took
        let drive = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
        return if text == ".." || text.starts_with("../") || drive { Scope::Elsewhere } else { Scope::Project };
    }
    if let Some(rest) = &path.home {
        let all = rest.is_empty() || matches!(rest.as_str(), "*" | ".*" | "**" | "{*,.*}" | ".[!.]*" | "?*");
        return if all { Scope::HomeRoot } else { Scope::Home };
    }
    let mut segments = path.segments();
    let Some(first) = segments.next() else { return Scope::SystemRoot };
    let second = segments.next();
    if first.contains(['*', '?', '[']) && glob {
        return Scope::SystemRoot;
    }
    if matches!(first, "home" | "Users") {
        return match second {
            Some(name) if glob && name.contains(['*', '?']) => Scope::HomeRoot,
            _ => Scope::SystemRoot,
        };
    }
    let drive = first.len() == 2 && first.ends_with(':');
    if drive {
        return match second {
            None | Some("*") => Scope::SystemRoot,
            Some(name) if name.eq_ignore_ascii_case("users") => Scope::HomeRoot,
            Some(name)
                if ["windows", "program files", "program files (x86)", "programdata"]
                    .contains(&&*name.to_ascii_lowercase()) =>
            {
                if segments.next().is_none() {
                    Scope::SystemRoot
                } else {
                    Scope::System
                }
            }
            _ => Scope::Elsewhere,
        };
    }
    if lists::is_system(first) {
        let whole = second.is_none() || second == Some("*") && segments.next().is_none();
        return if whole { Scope::SystemRoot } else { Scope::System };
    }
    if second.is_none() { Scope::SystemRoot } else { Scope::Elsewhere }
}

/// Whether everything in a directory for temporary files is meant, whoever put it there.
pub(crate) fn is_all_temp(path: &str) -> bool {
    let path = path.strip_suffix("/*").unwrap_or(path).trim_end_matches('/');
    is_whole_temp(path.strip_prefix("/private").unwrap_or(path)) || path == "/dev/shm"
}

fn is_whole_temp(path: &str) -> bool {
    matches!(path, "/tmp" | "/var/tmp")
}

/// Whether a path lies in a project, by the names that containers give to where projects are: `/repo/x`, `/workspace/app/x`.
fn is_in_checkout(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).filter(|segment| !segment.is_empty());
    let above = match segments.next() {
        Some("repo" | "app" | "code" | "project" | "testbed") => 0,
        Some("workspace" | "workspaces" | "builds" | "repos" | "projects") => 1,
        _ => return false,
    };
    segments.nth(above).is_some_and(|below| !below.starts_with(['*', '?', '{']) && !below.starts_with(".*"))
}

fn is_below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a sensitivity makes what is read a secret.
pub(crate) const fn is_secret(sensitivity: Sensitivity) -> bool {
    matches!(sensitivity, Sensitivity::Credential | Sensitivity::MayHoldSecrets)
}

/// Whether a path lies where people keep what they made or collected, by the names that desktops give to such folders.
pub(crate) fn is_in_collection(path: &str, around: &Surroundings<'_>) -> bool {
    const COLLECTIONS: &[&str] = &["Desktop", "Documents", "Movies", "Music", "Pictures", "Photos", "Videos"];
    let normal = normalise(path, around.home, None);
    normal.home.is_some_and(|rest| rest.split('/').next().is_some_and(|first| COLLECTIONS.contains(&first)))
}

/// Whether the path is a folder directly below a home, or everything in it.
pub(crate) fn is_home_folder(path: &str, around: &Surroundings<'_>) -> bool {
    // `*`, `*.*` and `?*` are all of it
    let all = |last: &str| last.contains('*') && last.chars().all(|c| matches!(c, '*' | '?' | '.'));
    let folder = path.rsplit_once('/').filter(|(_, last)| all(last)).map_or(path, |(folder, _)| folder);
    let normal = normalise(folder, around.home, None);
    normal.home.is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
}
