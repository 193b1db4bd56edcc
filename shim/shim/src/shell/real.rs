//! The real shell behind a name: the first on `PATH` that is not ourselves.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Where shells are when `PATH` does not know them.
const USUAL: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

pub(super) fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    find_but(name, path, identity(&std::env::current_exe().ok()?)?)
}

/// A file by what it is: hard links of ours are ourselves, under whatever name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

fn find_but(name: &str, path: &OsStr, ourselves: (u64, u64)) -> Option<PathBuf> {
    let usual = USUAL.iter().map(PathBuf::from);
    // A relative entry would let the working directory choose the shell.
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute()).chain(usual);
    folders.map(|folder| folder.join(name)).find(|program| {
        fs::metadata(program)
            .is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0 && (meta.dev(), meta.ino()) != ourselves)
            && !is_another_of_ours(program)
    })
}

/// A link to another installation of Rampart. Two of them would hand over to each other for ever.
fn is_another_of_ours(program: &Path) -> bool {
    let real = program.canonicalize().unwrap_or_default();
    real.file_name().and_then(OsStr::to_str).is_some_and(|name| name == "rampart" || name == "rampart-shim")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_ourselves_and_relative_entries_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        for folder in ["ours", "linked", "other", "real", "plain"] {
            fs::create_dir(file(folder)).unwrap();
        }
        fs::copy("/bin/sh", file("ours/bash")).unwrap();
        fs::hard_link(file("ours/bash"), file("linked/bash")).unwrap();
        fs::copy("/bin/sh", file("other/rampart-shim")).unwrap();
        std::os::unix::fs::symlink(file("other/rampart-shim"), file("other/bash")).unwrap();
        fs::write(file("plain/bash"), "not executable").unwrap();
        fs::copy("/bin/sh", file("real/bash")).unwrap();
        let path = std::env::join_paths([
            ".".into(),
            file("ours"),
            file("linked"),
            file("other"),
            file("plain"),
            file("real"),
        ])
        .unwrap();
        let ourselves = identity(&file("ours/bash")).unwrap();
        assert_eq!(find_but("bash", &path, ourselves), Some(file("real/bash")));
        assert_eq!(find_but("no-such-shell", &path, ourselves), None);
        assert!(find_but("sh", OsStr::new(""), ourselves).is_some_and(|sh| sh.is_absolute()));
    }
}
