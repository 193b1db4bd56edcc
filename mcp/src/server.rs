//! The server's process: started in a group of its own, so that whatever it starts in turn can be ended with it.

use std::{ffi::OsString, io, os::unix::process::ExitStatusExt, process::ExitStatus, process::Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::{orphans, stdio::Error};

/// A running server. When it is dropped, its process group is killed.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    group: Option<Pid>,
}

impl Server {
    /// Starts the program with exactly this environment.
    pub(crate) fn start(
        command: &[OsString],
        environment: Vec<(OsString, OsString)>,
        errors: Stdio,
    ) -> Result<(Self, ChildStdin, ChildStdout), Error> {
        let (program, arguments) = command.split_first().ok_or(Error::NoCommand)?;
        let mut running = orphans::servers();
        let started = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn();
        let failed = |source: io::Error| {
            let program = program.to_string_lossy().into_owned();
            match source.kind() {
                io::ErrorKind::NotFound => Error::NotFound { program },
                io::ErrorKind::PermissionDenied => Error::NotExecutable { program },
                _ => Error::Start { program, source },
            }
        };
        let mut child = started.map_err(failed)?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        running.extend(child.id().map(u32::cast_signed));
        drop(running);
        let pipes = (child.stdin.take(), child.stdout.take());
        let server = Self { child, group };
        match pipes {
            (Some(stdin), Some(stdout)) => Ok((server, stdin, stdout)),
            _ => Err(failed(io::Error::other("its pipes are missing"))),
        }
    }

    /// Its standard error, once, if that is a pipe.
    pub(crate) fn errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Its first process, while that has not been waited for.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
    }

    /// Sends a signal to the server and whatever it has started. Harmless when nothing of it is left.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // The only failure is that no process of the group is left.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Waits until the server's first process has ended, and reaps it. Cancel safe.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let pid = self.child.id();
        let status = self.child.wait().await;
        if let Some(pid) = pid {
            orphans::servers().remove(&pid.cast_signed());
        }
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(pid) = self.child.id() {
            orphans::servers().remove(&pid.cast_signed());
        }
    }
}

/// The exit code that a shell would show: 128 and the signal's number for a process that a signal ended.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// How a process ended, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the server ended with exit code {code}"),
        (None, Some(signal)) => format!("the server was ended by signal {signal}"),
        (None, None) => "the server ended".into(),
    }
}
