//! A gateway as far as a surface sees one, and a home for it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rampart_call::{Answer, Call, Judgement, Outcome, Reason};

use crate::shim;

/// What the gateway does with a question.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// Refuses what contains `forbidden`, asks about what contains `doubtful`, lets the rest pass.
    Answers,
    /// Takes the question and says nothing.
    Hangs,
    /// Takes the question and goes away.
    HangsUp,
    /// Shows signs of life for longer than a silent gateway is given, then lets it pass.
    Holds,
}

/// A home, a project and a gateway.
pub(crate) struct World {
    dir: tempfile::TempDir,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl World {
    /// A world without a gateway.
    pub(crate) fn empty() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap(), calls: Arc::default() };
        for folder in ["home/run", "project", "bin"] {
            fs::create_dir_all(world.path(folder)).unwrap();
        }
        for name in ["bash", "sh", "dash"] {
            let link = world.path("bin").join(name);
            fs::hard_link(shim(), &link).or_else(|_| fs::copy(shim(), &link).map(drop)).unwrap();
        }
        world
    }

    pub(crate) fn with(manner: Manner) -> Self {
        let world = Self::empty();
        let socket = world.path("home/run/gateway.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
        let calls = world.calls.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let calls = calls.clone();
                thread::spawn(move || serve(manner, stream.unwrap(), &calls));
            }
        });
        world
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// What was asked, each as `surface: subject`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|call| format!("{}: {}", call.origin.surface, call.action.subject())).collect()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path("project"))
            .env("RAMPART_HOME", self.path("home"))
            .env("RAMPART_AUTOSTART", "0")
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .current_dir(self.path("project"));
        command
    }

    pub(crate) fn hook(&self, agent: &str, input: &[u8]) -> Ran {
        let mut command = self.command(shim());
        command.args(["hook", agent]);
        run(command, input)
    }

    /// One of the linked shells.
    pub(crate) fn shell(&self, name: &str, args: &[&str]) -> Command {
        let mut command = self.command(self.path("bin").join(name));
        command.args(args);
        command
    }
}

fn serve(manner: Manner, mut stream: std::os::unix::net::UnixStream, calls: &Mutex<Vec<Call>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let call: Call = serde_json::from_slice(&body).unwrap();
    let subject = call.action.subject();
    calls.lock().unwrap().push(call);
    let verdict = match () {
        () if subject.contains("forbidden") => Outcome::Deny,
        () if subject.contains("doubtful") => Outcome::Ask,
        () => Outcome::Allow,
    };
    let mut judgement = Judgement::refused(Reason::Rule, "It is forbidden");
    judgement.outcome = verdict;
    judgement.suggestions = vec!["rampart allow x".to_owned()];
    let answer = serde_json::to_string(&Answer { verdict, judgement, seq: Some(1) }).unwrap();
    match manner {
        Manner::Answers => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).ok()
        }
        Manner::Hangs => loop {
            thread::park();
        },
        Manner::HangsUp => None,
        Manner::Holds => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(2200) {
                stream.write_all(b"1\r\n \r\n").ok()?;
                thread::sleep(Duration::from_millis(200));
            }
            stream.write_all(format!("{:x}\r\n{answer}\r\n0\r\n\r\n", answer.len()).as_bytes()).ok()
        }
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

pub(crate) fn run(mut command: Command, input: &[u8]) -> Ran {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It need not read what it refuses.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
        took: begun.elapsed(),
    }
}

/// A captured payload of an agent.
pub(crate) fn fixture(agent: &str, name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agents/fixtures");
    let captured = fs::read(folder.join(agent).join(format!("{name}.json"))).unwrap();
    let captured: serde_json::Value = serde_json::from_slice(&captured).unwrap();
    captured["stdin"].to_string().into_bytes()
}
