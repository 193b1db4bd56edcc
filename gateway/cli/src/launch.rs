//! Starting a person's command in a session of its own, and what is said about it at the end.

mod supervised;

use std::{
    ffi::{OsStr, OsString},
    os::unix::{
        fs::PermissionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
};

use anyhow::Context as _;
use rampart_client::{
    Settings,
    blocking::Client,
    wire::{OpenSession, OpenedSession},
};
use rampart_gateway::Home;
use rustix::process::WaitOptions;

use crate::{
    args::SessionMode,
    configuration,
    environment::Environment,
    exit::Exit,
    printer::{DIM, Printer, styled},
    reach, secrets,
};

/// A command that is about to be started.
pub(crate) struct Launch {
    /// The session it gets.
    pub(crate) session: OpenedSession,
    /// What policies call it.
    pub(crate) agent: String,
    program: PathBuf,
    words: Vec<OsString>,
    road: Settings,
}

impl Launch {
    /// Finds the program and opens a session for it, in a gateway that is started where none runs.
    ///
    /// # Errors
    /// When there is no such program, or no gateway.
    pub(crate) fn new(
        words: Vec<OsString>,
        agent: Option<String>,
        mode: SessionMode,
        environment: &Environment,
        printer: Printer,
    ) -> anyhow::Result<Self> {
        reach::ensure(environment)?;
        let name = words.first().context("clap asks for a command")?;
        let agent = agent.unwrap_or_else(|| agent_name(name));
        let program = find(name, &environment.path).with_context(|| {
            format!("cannot find `{}`; check its name and PATH, or give its full path", name.to_string_lossy())
        })?;
        let config = configuration::read(&Home::at(&environment.home), printer)?;
        let secrets = secrets::of_session(&config, environment);
        let monitor = mode == SessionMode::Monitor;
        let wanted = OpenSession { agent: agent.clone(), monitor, secrets, ..OpenSession::default() };
        let session = Client::new(reach::road(environment)).open_session(&wanted)?;
        reach::note_enforced(mode, &session, printer);
        let road = reach::road_of(&session, environment);
        Ok(Self { session, agent, program, words, road })
    }

    /// The command, with what tells its processes which session they belong to.
    pub(crate) fn command(&self, environment: &Environment) -> Command {
        let mut command = Command::new(&self.program);
        if let Some((name, rest)) = self.words.split_first() {
            command.arg0(name).args(rest);
        }
        self.tell(&mut command, environment);
        command
    }

    /// The same for a process of ours that goes into a jail and then becomes it.
    #[cfg(target_os = "linux")]
    pub(crate) fn jailed_command(&self, environment: &Environment) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg0(rampart_jail::NAME).arg(&self.program).args(&self.words);
        self.tell(&mut command, environment);
        command
    }

    fn tell(&self, command: &mut Command, environment: &Environment) {
        command
            .envs(&self.session.placeholders)
            .env("RAMPART_HOME", &environment.home)
            .env("RAMPART_SESSION", &self.session.session)
            .env("RAMPART_AGENT", &self.agent)
            .env("RAMPART_CREDENTIAL", &self.session.credential)
            // A person's token is not for agents.
            .env_remove("RAMPART_TOKEN");
    }

    /// The file that it is started from.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// How its processes ask.
    pub(crate) fn road(&self) -> &Settings {
        &self.road
    }

    /// Runs the command to its end, and says what was decided meanwhile.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn run(&self, mut command: Command, printer: Printer) -> anyhow::Result<Exit> {
        let cannot = || format!("cannot run `{}`", self.program.display());
        self.run_started(|| command.spawn().with_context(cannot), printer)
    }

    /// The same for one that is started in its own way.
    ///
    /// # Errors
    /// As starting it.
    pub(crate) fn run_started(
        &self,
        start: impl FnOnce() -> anyhow::Result<Child>,
        printer: Printer,
    ) -> anyhow::Result<Exit> {
        // Signals of the terminal reach the command itself; we stay to tell how it ended.
        let status = ignoring_interrupts(|| run_below(start))?;
        summary(&Client::new(self.road.clone()), &self.session.session, printer);
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(Exit::Child(u8::try_from(code).unwrap_or(1)))
    }
}

/// Runs a command whose processes stay below this one whatever they do: those that lose their parent become our children
/// (PR_SET_CHILD_SUBREAPER(2const)), so that none can leave its session by becoming a daemon.
fn run_below(start: impl FnOnce() -> anyhow::Result<Child>) -> anyhow::Result<ExitStatus> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let child = start()?;
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if u32::try_from(pid.as_raw_nonzero().get()) == Ok(child.id()) => {
                return Ok(ExitStatus::from_raw(status.as_raw()));
            }
            // An orphan that we inherited.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// One line about what was decided.
fn summary(client: &Client, session: &str, printer: Printer) {
    let Ok(summary) = client.session(session) else { return };
    if summary.calls > 0 {
        let calls = if summary.calls == 1 { "call" } else { "calls" };
        let line = format!("rampart: {} {calls} judged, {} refused", summary.calls, summary.refused);
        let more = if summary.refused > 0 { "; `rampart log --deny` shows them" } else { "" };
        printer.note(styled(DIM, format!("{line}{more}")));
    }
}

/// Runs `work` while an interrupt from the terminal does not end us.
fn ignoring_interrupts<T>(work: impl FnOnce() -> T) -> T {
    // A handler rather than an ignored signal: what is ignored stays ignored in the child. It stays when the runtime is gone, which
    // would else be woken by every other signal too.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    if let Ok(runtime) = &runtime {
        runtime.block_on(async { drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())) });
    }
    drop(runtime);
    work()
}

/// What policies call this agent, or the program's name.
fn agent_name(program: &OsStr) -> String {
    let name = base_name(program);
    rampart_agents::of_program(&name).map_or(name, |agent| agent.name.to_owned())
}

fn base_name(program: &OsStr) -> String {
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

/// The program as a shell would find it.
pub(crate) fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 {
        return Some(PathBuf::from(program));
    }
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}
