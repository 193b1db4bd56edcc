//! Finding the gateway of a home, or starting one in the background. Ten hooks that start at once get one gateway.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Fault, socket};

/// How to start a gateway.
#[derive(Debug, Clone)]
pub struct Start {
    /// The home it shall serve.
    pub home: PathBuf,
    /// The program to run.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment: an agent's own variables, secrets among them, are not for the gateway.
    pub env: Vec<(OsString, OsString)>,
    /// How long to wait until it answers.
    pub patience: Duration,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// A gateway answered already, or somebody else started one meanwhile.
    Running,
    /// We started one; its process id.
    Here(u32),
}

/// Why no gateway runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something that is not our gateway holds its place.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The home cannot be used.
    #[error("cannot use {} to start a gateway: {source}", path.display())]
    Home {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program cannot be run.
    #[error("cannot run {} to start a gateway: {source}", program.display())]
    Program {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended at once.
    #[error("the gateway ended as soon as it was started ({status}). Its last words, from {}:\n{words}", log.display())]
    Ended {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The end of the log.
        words: String,
    },
    /// It runs but does not answer.
    #[error("the gateway did not answer within {patience:?}; its log is {}", log.display())]
    Slow {
        /// How long we waited.
        patience: Duration,
        /// Its log.
        log: PathBuf,
    },
}

/// Where a gateway that was started in the background writes what it has to say.
pub fn log(home: &Path) -> PathBuf {
    home.join("state").join("gateway.log")
}

/// Makes sure that a gateway listens.
///
/// # Errors
/// When something untrusted listens there, when the program cannot be started or ends at once, and when it does not
/// listen in time.
pub fn ensure(start: &Start) -> Result<Started, StartError> {
    let socket = crate::socket(&start.home);
    if listens(&socket)? {
        return Ok(Started::Running);
    }
    for folder in [&start.home, &start.home.join("run"), &start.home.join("state")] {
        private_folder(folder)?;
    }
    let until = Instant::now() + start.patience;
    let lock_path = start.home.join("run").join("start.lock");
    let lock = private_file(OpenOptions::new().write(true).create(true).truncate(false), &lock_path)?;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => pause(until, start)?,
            Err(TryLockError::Error(source)) => return Err(StartError::Home { path: lock_path, source }),
        }
        if listens(&socket)? {
            return Ok(Started::Running);
        }
    }
    // Whoever held the lock before us may have succeeded just now.
    if listens(&socket)? {
        return Ok(Started::Running);
    }
    let mut child = spawn(start)?;
    loop {
        if listens(&socket)? {
            return Ok(Started::Here(child.id()));
        }
        if let Ok(Some(status)) = child.try_wait() {
            // It may have lost against a gateway that was started by other means and is about to listen.
            let grace = until.min(Instant::now() + Duration::from_millis(300));
            while Instant::now() < grace {
                if listens(&socket)? {
                    return Ok(Started::Running);
                }
                thread::sleep(PAUSE);
            }
            let log = log(&start.home);
            return Err(StartError::Ended { status: status.to_string(), words: last_words(&log), log });
        }
        pause(until, start)?;
    }
}

/// Leaves the terminal and session of whoever started us. A gateway in the background calls this first, so that it
/// outlives the hook, the agent and the terminal. Does nothing when it leads a session or process group already.
pub fn detach() {
    let _ = rustix::process::setsid();
}

const PAUSE: Duration = Duration::from_millis(5);

fn pause(until: Instant, start: &Start) -> Result<(), StartError> {
    if Instant::now() >= until {
        return Err(StartError::Slow { patience: start.patience, log: log(&start.home) });
    }
    thread::sleep(PAUSE);
    Ok(())
}

fn listens(path: &Path) -> Result<bool, Fault> {
    match socket::listens(path) {
        Ok(()) => Ok(true),
        Err(Fault::Unreachable { .. }) => Ok(false),
        Err(fault) => Err(fault),
    }
}

fn spawn(start: &Start) -> Result<Child, StartError> {
    let path = log(&start.home);
    let grown = fs::metadata(&path).is_ok_and(|meta| meta.len() > MAX_LOG);
    if grown {
        let _ = fs::rename(&path, path.with_extension("log.1"));
    }
    let log = private_file(OpenOptions::new().append(true).create(true), &path)?;
    let errors = log.try_clone().map_err(|source| StartError::Home { path, source })?;
    Command::new(&start.program)
        .args(&start.args)
        .env_clear()
        .envs(start.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&start.home)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|source| StartError::Program { program: start.program.clone(), source })
}

/// Size in bytes from which on a new log is begun.
const MAX_LOG: u64 = 1 << 20;

fn last_words(log: &Path) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(log) {
        let size = file.metadata().map_or(0, |meta| meta.len());
        let _ = file.seek(SeekFrom::Start(size.saturating_sub(2048)));
        let _ = file.take(2048).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn private_folder(path: &Path) -> Result<(), StartError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StartError::Home { path: path.to_owned(), source }),
    }
}

fn private_file(options: &mut OpenOptions, path: &Path) -> Result<File, StartError> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    let opened = options.mode(0o600).custom_flags(flags.cast_signed()).open(path);
    opened.map_err(|source| StartError::Home { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
