//! The folder that a gateway lives in: what lies where, who may touch it, and that only one gateway uses it.

mod entry;
mod key;

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rampart_call::{Lost, Standing};

use self::entry::{check_file, create_folder};
pub(crate) use self::{entry::open_private, key::key_of_installation};

/// A home directory, by default `~/.rampart`.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

/// Why a home cannot be used. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Where a relative path leads depends on who asks.
    #[error("the home {} is not an absolute path: set RAMPART_HOME to one", .0.display())]
    Relative(PathBuf),
    /// A link may be turned to another place between two looks.
    #[error("{} is a symbolic link, and none is followed in Rampart's home: put the real thing there, or set RAMPART_HOME to the real folder", .0.display())]
    Link(PathBuf),
    /// Something else stands where a folder should.
    #[error("{} is not a folder: move it away", .0.display())]
    NotFolder(PathBuf),
    /// A pipe, a device or a folder stands where a file should.
    #[error("{} is not an ordinary file: move it away", .0.display())]
    NotFile(PathBuf),
    /// Whoever owns it can change it.
    #[error("{} belongs to user {uid}, not to you (user {us}): change its owner, or use another RAMPART_HOME", path.display())]
    Foreign {
        /// What.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// Us.
        us: u32,
    },
    /// Others can read or change it.
    #[error("others may use {} (mode {mode:04o}): run `chmod {wanted:o} {}`", path.display(), path.display())]
    Open {
        /// What.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// It has a second name, by which others may reach it.
    #[error("{} has {links} names (hard links): copy it and put the copy in its place", path.display())]
    HardLinked {
        /// What.
        path: PathBuf,
        /// How many names.
        links: u64,
    },
    /// Another gateway was first.
    #[error("a gateway runs on {} already ({}): stop it with `rampart serve stop`, or use another RAMPART_HOME", home.display(), holder(*pid))]
    Taken {
        /// The home.
        home: PathBuf,
        /// The gateway's process, when it could be read.
        pid: Option<u32>,
    },
    /// The token file holds no token.
    #[error("{} holds no token of at least 16 characters: remove it, and the next start writes a new one", .0.display())]
    NoToken(PathBuf),
    /// The system said no.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or("its process is not known yet".to_owned(), |pid| format!("process {pid}"))
}

/// That this process is the only gateway of a home, until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

const FOLDERS: [&str; 5] = ["policies", "audit", "ca", "run", "state"];

impl Home {
    /// The home at a path. Nothing is looked at or created yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Creates what is missing and checks what is there.
    ///
    /// # Errors
    /// When something belongs to others, is open to others, or is not what its name says.
    pub fn prepare(&self) -> Result<(), HomeError> {
        if !self.root.is_absolute() {
            return Err(HomeError::Relative(self.root.clone()));
        }
        create_folder(&self.root, 0o077)?;
        // Below a folder that nobody else can enter, reading is no concern, but a group's right to write is a mistake.
        FOLDERS.iter().try_for_each(|name| create_folder(&self.root.join(name), 0o022))
    }

    /// Makes this process the gateway of the home. Call [`prepare`](Self::prepare) first.
    ///
    /// # Errors
    /// When another gateway holds it; the error names that one.
    pub fn lock(&self) -> Result<Lock, HomeError> {
        let path = self.root.join("run").join("gateway.pid");
        let mut file = open_private(OpenOptions::new().read(true).write(true).create(true).truncate(false), &path)?;
        let io = |what, source| HomeError::Io { what, path: path.clone(), source };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(32).read_to_string(&mut text);
                return Err(HomeError::Taken { home: self.root.clone(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock", source)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(|source| io("write", source))?;
        Ok(Lock { _file: file })
    }

    /// The token that the TCP listener wants: the content of `token`, which is written when it is missing.
    ///
    /// # Errors
    /// When the file is open to others, is no ordinary file or holds no token.
    pub fn token(&self) -> Result<String, HomeError> {
        let path = self.root.join("token");
        let io = |what, source| HomeError::Io { what, path: path.clone(), source };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => draw_token(file).map_err(|source| io("write a token to", source)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let file = open_private(OpenOptions::new().read(true), &path)?;
                let mut text = String::new();
                file.take(1024).read_to_string(&mut text).map_err(|source| io("read", source))?;
                match text.trim() {
                    token if token.len() >= 16 => Ok(token.to_owned()),
                    _ => Err(HomeError::NoToken(path)),
                }
            }
            Err(source) => Err(io("create", source)),
        }
    }

    /// Puts a new token in place of the one in `token`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rotate_token(&self) -> Result<String, HomeError> {
        let path = self.root.join("token");
        let draft = self.root.join("token.new");
        let io = |source| HomeError::Io { what: "write", path: path.clone(), source };
        match std::fs::remove_file(&draft) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io)?;
        let token = draw_token(file).map_err(io)?;
        std::fs::rename(&draft, &path).map_err(io)?;
        Ok(token)
    }

    /// The text of `config.yaml`, when there is one.
    ///
    /// # Errors
    /// When others may change it or it cannot be read.
    pub fn config(&self) -> Result<Option<String>, HomeError> {
        let path = self.config_file();
        match path.symlink_metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(HomeError::Io { what: "look at", path, source }),
            Ok(meta) => check_file(&path, &meta, 0o022)?,
        }
        let text = std::fs::read_to_string(&path);
        text.map(Some).map_err(|source| HomeError::Io { what: "read", path, source })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Policy files of the human and the profiles.
    pub fn policies(&self) -> PathBuf {
        self.root.join("policies")
    }

    /// The audit trail.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }

    /// The certificate authority.
    pub fn ca(&self) -> PathBuf {
        self.root.join("ca")
    }

    /// What is remembered between runs.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The questions that wait for a human.
    pub(crate) fn approvals(&self) -> PathBuf {
        self.state().join("approvals")
    }

    /// Where the gateway listens.
    pub fn socket(&self) -> PathBuf {
        self.root.join("run").join("gateway.sock")
    }

    /// What surfaces shall do without an answer.
    pub(crate) fn standing(&self) -> PathBuf {
        self.root.join(Standing::FILE)
    }

    /// What surfaces wrote down of calls that got none.
    pub(crate) fn lost(&self) -> PathBuf {
        self.root.join(Lost::FILE)
    }

    /// How the gateway runs.
    pub fn config_file(&self) -> PathBuf {
        self.root.join("config.yaml")
    }
}

fn draw_token(mut file: File) -> io::Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let token = format!("rampart_{}", hex::encode(secret));
    writeln!(file, "{token}")?;
    file.sync_all()?;
    Ok(token)
}

#[cfg(test)]
mod tests;
