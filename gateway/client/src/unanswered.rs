//! What a surface does when its gateway gives no answer. The gateway said so when it started, in a file; what goes on for
//! that reason is written down in another, from which it comes into the audit trail when a gateway is there again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rampart_call::{Call, Lost, Standing, strict};
use rustix::{fs::OFlags, process::geteuid};

use crate::Fault;

/// What a surface does when its gateway gives no answer. What cannot be trusted to be the gateway is refused either way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Unanswered {
    /// The call does not happen.
    #[default]
    Refuse,
    /// What the gateway of this home said when it started: in monitor mode, and for surfaces that may fail open, the call
    /// goes on and is written down.
    AsTold(PathBuf),
    /// The session is only watched: the call goes on, and is written down in this home.
    GoOn(PathBuf),
}

impl Unanswered {
    /// Whether every call goes on.
    pub fn only_watches(&self) -> bool {
        match self {
            Self::Refuse => false,
            Self::GoOn(_) => true,
            Self::AsTold(home) => standing(home).is_ok_and(|standing| standing.only_watches()),
        }
    }

    /// Whether a call goes on in spite of this; if so, that is written down.
    pub(crate) fn lets_pass(&self, call: &Call, fault: &Fault) -> bool {
        let (home, passes) = match self {
            Self::Refuse => return false,
            Self::GoOn(home) => (home, true),
            Self::AsTold(home) => {
                let Ok(standing) = standing(home) else { return false };
                let fails_open = || fault.is_absence() && standing.fail_open.contains(&call.origin.surface);
                (home, standing.only_watches() || fails_open())
            }
        };
        if passes {
            // A surface that only watches holds nothing up because it cannot write.
            let _ = write_down(home, &Lost::of(call, fault.word(), now_ms()));
        }
        passes
    }
}

/// How long a surface waits for a sign of life, as the gateway of this home said.
pub(crate) fn deadline(home: &Path) -> Duration {
    standing(home).map_or(Standing::DEADLINE, |standing| standing.deadline()).clamp(SHORTEST, LONGEST)
}

/// A gateway that lives and holds a question shows it twice a second.
const SHORTEST: Duration = Duration::from_secs(1);
/// Nobody waits longer for one that hangs.
const LONGEST: Duration = Duration::from_mins(1);

/// What the gateway said. Whoever could change that could let everything pass, so only a file of ours or of root is
/// believed, and only one that nobody else may write to.
fn standing(home: &Path) -> io::Result<Standing> {
    let file = open(OpenOptions::new().read(true), &home.join(Standing::FILE))?;
    let meta = file.metadata()?;
    let is_ours = meta.uid() == geteuid().as_raw() || meta.uid() == 0;
    if !meta.is_file() || !is_ours || meta.nlink() != 1 || meta.mode() & 0o022 != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut text = Vec::new();
    file.take(4096).read_to_end(&mut text)?;
    strict::from_slice(&text).map_err(io::Error::other)
}

/// Adds a line with one call to write, so that surfaces that do so at once do not mix.
fn write_down(home: &Path, lost: &Lost) -> io::Result<()> {
    let mut file = open(OpenOptions::new().append(true).create(true).mode(0o600), &home.join(Lost::FILE))?;
    let meta = file.metadata()?;
    let is_open = meta.mode() & 0o077 != 0 || meta.nlink() != 1 || meta.uid() != geteuid().as_raw();
    if !meta.is_file() || is_open || meta.len() >= Lost::FILE_BYTES {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut line = serde_json::to_vec(lost)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// Follows no link and waits for no pipe.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()).open(path)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use rampart_call::{Action, Origin, Phase};

    use super::*;

    fn home_that_watches() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for folder in ["run", "state"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        let path = home.path().join(Standing::FILE);
        fs::write(&path, r#"{"mode":"monitor","fail_open":[]}"#).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        home
    }

    fn passes(home: &Path) -> bool {
        let action = Action::Read { paths: Vec::new() };
        let call = Call { origin: Origin::default(), phase: Phase::Before, action, response: None };
        Unanswered::AsTold(home.to_owned()).lets_pass(&call, &Fault::HungUp)
    }

    #[test]
    fn what_others_could_have_said_is_not_believed() {
        type Spoil = fn(&Path);
        let spoils: [(&str, Spoil); 7] = [
            ("gone", |path| fs::remove_file(path).unwrap()),
            ("others may write", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o622)).unwrap()),
            ("a link", |path| {
                let real = path.with_extension("real");
                fs::rename(path, &real).unwrap();
                std::os::unix::fs::symlink(&real, path).unwrap();
            }),
            ("a second name", |path| fs::hard_link(path, path.with_extension("second")).unwrap()),
            ("cut", |path| fs::write(path, r#"{"mode":"moni"#).unwrap()),
            ("a key twice", |path| fs::write(path, r#"{"mode":"enforce","mode":"monitor","fail_open":[]}"#).unwrap()),
            ("of a stranger", |path| {
                // Only root can make one; for others the file is gone.
                if std::os::unix::fs::chown(path, Some(12345), None).is_err() {
                    fs::remove_file(path).unwrap();
                }
            }),
        ];
        for (name, spoil) in spoils {
            let home = home_that_watches();
            assert!(passes(home.path()), "{name}");
            spoil(&home.path().join(Standing::FILE));
            assert!(!passes(home.path()), "{name}");
        }
    }

    #[test]
    fn what_is_written_down_is_private_and_bounded_and_goes_through_no_link() {
        let home = home_that_watches();
        let path = home.path().join(Lost::FILE);
        assert!(passes(home.path()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, vec![b'x'; Lost::FILE_BYTES as usize]).unwrap();
        assert!(passes(home.path()));
        assert_eq!(fs::metadata(&path).unwrap().len(), Lost::FILE_BYTES);
        fs::remove_file(&path).unwrap();
        let elsewhere = home.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(passes(home.path()));
        assert!(!elsewhere.exists());
    }
}
