//! The gateway of the whole machine, where its administrator set one up: all surfaces ask that one, and none of their own
//! user. Only root can say so, in one file; who may say otherwise could be the agent.

use std::{
    fs::{self, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rampart_call::strict;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// Where root says that there is one.
pub const FILE: &str = "/etc/rampart/gateway.json";

/// What stands in [`FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// For people who find the file.
    #[serde(default)]
    pub note: String,
    /// The socket that every user may ask.
    pub socket: PathBuf,
    /// The user that listens there; must stand in `/etc/passwd`.
    pub user: String,
}

/// Whom to trust to be the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Ourselves, or root, who could replace us anyway.
    Own,
    /// The user of the machine's gateway, or root.
    User(u32),
    /// Nobody, because what root should have said cannot be believed.
    Nobody(String),
}

/// The machine's gateway and its user. None where there is none.
///
/// # Errors
/// When the file is there and cannot be believed.
pub(crate) fn find() -> Result<Option<(PathBuf, u32)>, String> {
    read(Path::new(FILE), Path::new("/etc/passwd"))
}

fn read(file: &Path, passwd: &Path) -> Result<Option<(PathBuf, u32)>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let opened = match OpenOptions::new().read(true).custom_flags(no_link()).open(file) {
        Ok(opened) => opened,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(wrong(&e)),
    };
    let folder = file.parent().map(fs::symlink_metadata).transpose().map_err(|e| wrong(&e))?;
    let meta = opened.metadata().map_err(|e| wrong(&e))?;
    if !meta.is_file() || !only_roots(&meta) || !folder.is_some_and(|folder| folder.is_dir() && only_roots(&folder)) {
        return Err(wrong(&"somebody other than root can change it"));
    }
    let mut text = Vec::new();
    opened.take(64 << 10).read_to_end(&mut text).map_err(|e| wrong(&e))?;
    let System { socket, user, .. } = strict::from_slice(&text).map_err(|e| wrong(&e))?;
    let users = fs::read_to_string(passwd).map_err(|e| wrong(&e))?;
    let uid = uid(&users, &user).ok_or_else(|| wrong(&format!("{} has no user `{user}`", passwd.display())))?;
    Ok(Some((socket, uid)))
}

fn no_link() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

/// Whether nobody but root can change it.
fn only_roots(meta: &Metadata) -> bool {
    meta.uid() == 0 && meta.mode() & 0o022 == 0
}

/// The number of a user (passwd(5)).
fn uid(passwd: &str, user: &str) -> Option<u32> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields.into_iter().find_map(|fields| match fields.as_slice() {
        [name, _, uid, ..] if *name == user && !user.is_empty() => uid.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const TEXT: &str = r#"{"socket":"/run/rampart/gateway.sock","user":"rampart"}"#;

    #[test]
    fn only_root_says_whom_everybody_asks() {
        if !crate::tests::is_root("only_root_says_whom_everybody_asks") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (folder, passwd) = (dir.path().join("rampart"), dir.path().join("passwd"));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&passwd, "root:x:0:0::/root:/bin/sh\nrampart:x:990:990::/var/lib/rampart:/bin/false\n").unwrap();
        let file = folder.join("gateway.json");
        let find = || read(&file, &passwd);
        let good = || {
            let _ = fs::remove_file(&file);
            fs::write(&file, TEXT).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        };
        assert_eq!(find(), Ok(None));
        good();
        assert_eq!(find(), Ok(Some(("/run/rampart/gateway.sock".into(), 990))));
        type Spoil<'a> = &'a dyn Fn();
        let spoils: [(&str, Spoil<'_>); 6] = [
            ("others may write", &|| fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap()),
            ("of somebody else", &|| std::os::unix::fs::chown(&file, Some(1000), None).unwrap()),
            ("a link", &|| {
                fs::rename(&file, dir.path().join("elsewhere")).unwrap();
                std::os::unix::fs::symlink(dir.path().join("elsewhere"), &file).unwrap();
            }),
            ("an unknown user", &|| fs::write(&file, TEXT.replace("\"rampart\"", "\"nobody-here\"")).unwrap()),
            ("not JSON", &|| fs::write(&file, "socket: x").unwrap()),
            ("a folder of somebody else", &|| std::os::unix::fs::chown(&folder, Some(1000), None).unwrap()),
        ];
        for (name, spoil) in spoils {
            good();
            spoil();
            assert!(find().is_err(), "{name}");
        }
    }
}
