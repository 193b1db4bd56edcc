//! Paths without `.`, `..`, doubled slashes and spellings of the home.

/// A path in its simplest form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Normal {
    /// Absolute where that was possible; begins with `~` where the home is not known.
    pub(crate) text: String,
    /// What stands behind the home it lies in: empty for the home itself.
    pub(crate) home: Option<String>,
}

impl Normal {
    /// The names between the slashes.
    pub(crate) fn segments(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.text.split('/').filter(|s| !s.is_empty())
    }
}

/// Whether a path needs no working directory.
pub(crate) fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '~']) || is_windows(path)
}

fn is_windows(path: &str) -> bool {
    // `C:Windows` is what a shell leaves of `C:\Windows`
    let drive = match path.as_bytes() {
        [drive, b':', b'/' | b'\\', ..] => drive.is_ascii_alphabetic(),
        [drive, b':', next, ..] => drive.is_ascii_uppercase() && next.is_ascii_alphabetic(),
        _ => false,
    };
    drive || path.starts_with(r"\\")
}

/// `path` as seen from `cwd`.
pub(crate) fn join(cwd: Option<&str>, path: &str) -> String {
    match cwd {
        Some(cwd) if !is_absolute(path) => format!("{}/{path}", cwd.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

pub(super) fn normalise(path: &str, home: Option<&str>, cwd: Option<&str>) -> Normal {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let unfolded = batch_variable(path);
    let path = unfolded.as_deref().unwrap_or(path);
    let path = path.strip_prefix(r"\\?\").or_else(|| path.strip_prefix("//?/")).unwrap_or(path);
    let mut joined;
    let path = if is_windows(path) {
        joined = path.replace('\\', "/");
        joined.as_str()
    } else {
        joined = join(cwd, path);
        if let (Some(home), Some(rest)) = (home, joined.strip_prefix('~'))
            && (rest.is_empty() || rest.starts_with('/'))
        {
            joined = format!("{}{rest}", home.trim_end_matches('/'));
        }
        joined.as_str()
    };
    let path = if path.is_empty() { "/" } else { path };
    let on_drive = is_windows(path) && !path.starts_with('/');
    let absolute = path.starts_with(['/', '~']) || on_drive;
    let at_home = path == "~" || path.starts_with("~/");
    let mut parts: Vec<&str> = Vec::with_capacity(8);
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") | None if !absolute => parts.push(".."),
                // above a home that is not known
                Some(&"..") => parts.push(".."),
                Some(&"~") if at_home && parts.len() == 1 => parts.push(".."),
                // nothing is above a drive
                Some(_) if on_drive && parts.len() == 1 => {}
                _ => {
                    parts.pop();
                }
            },
            // what the kernel shows of a process's own root
            "root" if matches!(parts.as_slice(), ["proc", process] if is_process(process)) => parts.clear(),
            name => parts.push(name),
        }
    }
    let above = if at_home { parts.iter().skip(1).take_while(|part| **part == "..").count() } else { 0 };
    if above > 0 {
        // where the homes lie, or further up
        parts.splice(..=above, (above == 1).then_some("home"));
    }
    let mut text = String::with_capacity(path.len() + 1);
    if absolute && !on_drive && (above > 0 || !at_home) {
        text.push('/');
    }
    text.push_str(&parts.join("/"));
    if on_drive && text.ends_with(':') && parts.len() == 1 {
        text.push('/');
    }
    if text.is_empty() {
        text.push('.');
    }
    let home = behind_home(&text, home).map(str::to_owned);
    Normal { text, home }
}

/// A path with the folder that a batch variable in front of it stands for.
fn batch_variable(path: &str) -> Option<String> {
    let (name, rest) = path.strip_prefix('%')?.split_once('%')?;
    let folder = match name.to_ascii_lowercase().as_str() {
        "userprofile" | "homepath" => "C:/Users/user",
        "homedrive" | "systemdrive" => "C:",
        "appdata" => "C:/Users/user/AppData/Roaming",
        "localappdata" => "C:/Users/user/AppData/Local",
        "systemroot" | "windir" => "C:/Windows",
        "programdata" | "allusersprofile" => "C:/ProgramData",
        "programfiles" => "C:/Program Files",
        "temp" | "tmp" => "C:/Windows/Temp",
        _ => return None,
    };
    let rest = rest.strip_prefix("%HOMEPATH%").map_or_else(|| rest.to_owned(), |rest| format!("/Users/user{rest}"));
    Some(format!("{folder}{rest}"))
}

fn is_process(name: &str) -> bool {
    matches!(name, "self" | "thread-self") || name.bytes().all(|b| b.is_ascii_digit())
}

fn behind_home<'p>(path: &'p str, home: Option<&str>) -> Option<&'p str> {
    if let Some(home) = home
        && let Some(rest) = path.strip_prefix(home.trim_end_matches('/'))
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return Some(rest.trim_start_matches('/'));
    }
    for root in ["~", "/root", "/var/root"] {
        if let Some(rest) = path.strip_prefix(root)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return Some(rest.trim_start_matches('/'));
        }
    }
    let below = path
        .strip_prefix("/home/")
        .or_else(|| path.strip_prefix("/Users/"))
        .or_else(|| path.get(1..).filter(|_| is_windows(path))?.strip_prefix(":/Users/"))?;
    let (user, rest) = below.split_once('/').unwrap_or((below, ""));
    (!user.is_empty() && user != "*" && user != "Shared").then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn spellings_of_a_path_become_one() {
        for (path, cwd, want) in [
            ("/etc/../etc//shadow", None, "/etc/shadow"),
            ("./a/./b/..", Some("/w"), "/w/a"),
            ("a/../../b", None, "../b"),
            ("~/x", None, "/home/u/x"),
            ("..", Some("/home/u/p"), "/home/u"),
            ("/..", None, "/"),
            (r"C:\Users\A\.aws\credentials", None, "C:/Users/A/.aws/credentials"),
            ("/proc/self/root/etc/shadow", None, "/etc/shadow"),
            ("/proc/./self//root/proc/1/root/etc/shadow", None, "/etc/shadow"),
            ("/proc/self/rootx/shadow", None, "/proc/self/rootx/shadow"),
            (r"C:\a\..\..", None, "C:/"),
            ("~/~/..", None, "/home/u"),
            ("/~/x", None, "/~/x"),
            ("", Some("/w"), "/w"),
        ] {
            assert_eq!(normalise(path, Some("/home/u"), cwd).text, want, "{path}");
        }
        for (path, want) in [
            ("~/../../etc", "/etc"),
            ("~/../../..", "/"),
            ("~/../v/.env", "/home/v/.env"),
            ("~/..x", "~/..x"),
            ("~/~/../x", "~/x"),
        ] {
            assert_eq!(normalise(path, None, None).text, want, "{path}");
        }
    }
}
