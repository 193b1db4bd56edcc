//! A world for one test: a home of its own, the real binaries, and nothing left running at the end.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::overdue::{self, Watched};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Where the binaries of this build are, built if they are not there yet.
pub(crate) fn bin(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.ancestors().find(|p| p.ends_with("deps")).unwrap().parent().unwrap().to_path_buf();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "-p", "rampart-cli", "-p", "rampart-shim", "-p", "rampart-verify"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.current_dir(root()).status().unwrap().success(), "the binaries do not build");
        folder
    });
    folder.join(name)
}

/// One home, one user, one project.
pub(crate) struct World {
    dir: tempfile::TempDir,
    gateway: Option<Child>,
    /// Everything belongs to this user and runs as that.
    user: Option<u32>,
    _watched: Watched,
}

impl World {
    /// A fresh home whose gateway listens on free ports.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("rampart-test-").tempdir().unwrap();
        let world = Self { dir, gateway: None, user: None, _watched: overdue::watch() };
        for folder in ["home", "home/.rampart", "project"] {
            std::fs::create_dir_all(world.path(folder)).unwrap();
        }
        set_mode(&world.path("home/.rampart"), 0o700);
        world.config("listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n");
        world
    }

    /// A fresh home with `policy` as the user's own policy, in place of the profile.
    pub(crate) fn with_policy(policy: &str) -> Self {
        let world = Self::new();
        world.write("home/.rampart/policies/custom.yaml", policy);
        world
    }

    /// A path inside this world.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// The home directory of Rampart.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home/.rampart")
    }

    /// The project the agent works in.
    pub(crate) fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, relative: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Replaces `config.yaml`.
    pub(crate) fn config(&self, text: &str) {
        self.write("home/.rampart/config.yaml", text);
    }

    /// Any program, in this world's surroundings.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("RAMPART_HOME", self.home())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.dir.path())
            .current_dir(self.project());
        if let Some(user) = self.user {
            // The groups of root go with its number.
            command.uid(user).gid(user);
        }
        command
    }

    /// Whether it is root's.
    pub(crate) fn is_roots(&self) -> bool {
        self.dir.path().metadata().unwrap().uid() == 0
    }

    /// Gives everything that is there by now to a user, as whom all runs from now on. Root can do that.
    pub(crate) fn give_to(&mut self, user: u32) {
        let owner = format!("{user}:{user}");
        assert!(Command::new("chown").args(["-R", &owner]).arg(self.dir.path()).status().unwrap().success());
        self.user = Some(user);
    }

    /// The `rampart` program with these arguments.
    pub(crate) fn rampart(&self, args: &[&str]) -> Command {
        let mut command = self.command(bin("rampart"));
        command.args(args);
        // A test has no terminal, so what only people may do wants their token.
        if matches!(args, ["approve" | "deny" | "token" | "dashboard", ..])
            && let Ok(token) = std::fs::read_to_string(self.home().join("token"))
        {
            command.env("RAMPART_TOKEN", token.trim());
        }
        command
    }

    /// Runs `rampart` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.rampart(args).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs `rampart` to its end with this on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        run_with(self.rampart(args), input)
    }

    /// Starts the gateway and waits until it answers.
    pub(crate) fn serve(&mut self, args: &[&str]) -> &mut Self {
        self.serve_with(args, &[])
    }

    /// The same, with these variables set for the gateway.
    pub(crate) fn serve_with(&mut self, args: &[&str], env: &[(&str, &str)]) -> &mut Self {
        let mut command = self.rampart(&[&["serve"], args].concat());
        command.envs(env.iter().copied());
        self.serve_as(command)
    }

    /// Starts the gateway by this command and waits until it answers.
    pub(crate) fn serve_as(&mut self, mut command: Command) -> &mut Self {
        let log = std::fs::File::create(self.path("gateway.log")).unwrap();
        let spawned = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.gateway = Some(spawned.unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.run(&["status", "--json"]).success() {
            if let Some(status) = self.gateway.as_mut().unwrap().try_wait().unwrap() {
                panic!("the gateway ended with {status}: {}", self.gateway_log());
            }
            assert!(Instant::now() < deadline, "the gateway does not answer: {}", self.gateway_log());
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    /// The running gateway's process.
    pub(crate) fn gateway(&mut self) -> &mut Child {
        self.gateway.as_mut().expect("call serve first")
    }

    /// Stops the gateway without ending it, and waits until every thread of it stands still.
    pub(crate) fn freeze(&mut self) {
        let pid = self.signal("-STOP");
        let stopped = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("stat")).is_ok_and(|stat| stat.contains(") T "))
        };
        while !std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(stopped) {
            std::thread::yield_now();
        }
    }

    /// Lets a frozen gateway go on.
    pub(crate) fn thaw(&mut self) {
        self.signal("-CONT");
    }

    /// Sends it a signal, as `kill` writes it. Its process id.
    pub(crate) fn signal(&mut self, signal: &str) -> u32 {
        let pid = self.gateway().id();
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
        pid
    }

    /// What the gateway printed.
    pub(crate) fn gateway_log(&self) -> String {
        std::fs::read_to_string(self.path("gateway.log")).unwrap_or_default()
    }

    /// `rampart status --json`.
    pub(crate) fn status(&self) -> Value {
        self.run(&["status", "--json"]).json()
    }

    /// The records of the audit trail, in order.
    pub(crate) fn records(&self) -> Vec<Value> {
        let mut segments: Vec<_> = std::fs::read_dir(self.home().join("audit"))
            .map(|dir| dir.map(|e| e.unwrap().path()).filter(|p| p.extension() == Some(OsStr::new("jsonl"))).collect())
            .unwrap_or_default();
        segments.sort();
        let mut text: String = segments.iter().map(|s| std::fs::read_to_string(s).unwrap()).collect();
        // A record may be about to be written.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The decisions among them.
    pub(crate) fn decisions(&self) -> Vec<Value> {
        self.records().into_iter().filter(|r| r["type"] == "decision").collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(child) = &mut self.gateway {
            let _ = child.kill();
            let _ = child.wait();
        }
        // A gateway that a road started on demand.
        let lock = std::fs::read_to_string(self.home().join("run/gateway.pid")).unwrap_or_default();
        if let Ok(pid) = lock.trim().parse::<u32>() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
        // What an agent left in the background.
        let mark = format!("HOME={}\0", self.path("home").display());
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            if environment.windows(mark.len()).any(|part| part == mark.as_bytes()) {
                let _ = Command::new("kill").arg("-9").arg(process.file_name()).stderr(Stdio::null()).status();
            }
        }
    }
}

/// Runs a command to its end with this on standard input.
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran::from(output)
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    pub(crate) fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Fails the test unless the program ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A program that talks in lines.
pub(crate) struct Talk {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    /// How long a line is waited for.
    patience: Duration,
}

impl Talk {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (send, lines) = std::sync::mpsc::channel();
        let reader = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || reader.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines, patience: Duration::from_secs(10) }
    }

    /// The same program, which takes up to half a minute where others want the processors too.
    pub(crate) fn that_is_slow(self) -> Self {
        Self { patience: Duration::from_secs(30), ..self }
    }

    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("still open");
        stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n")).expect("it listens");
    }

    /// The next line, within ten seconds, or as long as it has.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        self.lines.recv_timeout(self.patience).expect("it answers")
    }

    #[track_caller]
    pub(crate) fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear()).unwrap()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Closes its standard input and waits for its end.
    pub(crate) fn finish(mut self) -> Ran {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        let mut stderr = String::new();
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut stderr);
        Ran { code: status.code(), stdout: self.lines.iter().collect::<Vec<_>>().join("\n"), stderr }
    }
}

/// Kilobytes of memory that a process has resident, and the most that it had.
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let [resident, most] = ["VmRSS:", "VmHWM:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    });
    (resident, most)
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Says by name what a test needs and does not find. In CI nothing may be skipped.
pub(crate) fn skip(test: &str, needs: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test} needs {needs}, and in CI nothing is skipped");
    // Not by `eprintln!`, which a test that passes keeps to itself.
    let _ = writeln!(std::io::stderr(), "skipped: {test} needs {needs}");
}

/// Says by name what the kernel of this machine does not allow a test, which no package can change, in CI neither.
pub(crate) fn cannot(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test} cannot run here: {why}");
}

/// Whether these programs are here; says by name what is not.
pub(crate) fn have(test: &str, programs: &[&str]) -> bool {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let missing: Vec<_> = programs.iter().filter(|p| !folders.iter().any(|f| f.join(p).is_file())).copied().collect();
    if !missing.is_empty() {
        skip(test, &missing.join(" and "));
    }
    missing.is_empty()
}

/// Where `tests/clients/install` put the real clients and servers, if it ran.
pub(crate) fn clients(test: &str) -> Option<PathBuf> {
    let folder = root().join("target/clients");
    if folder.join("stamp").exists() {
        return Some(folder);
    }
    skip(test, "the clients: run tests/clients/install");
    None
}
