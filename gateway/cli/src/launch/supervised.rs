//! A command whose processes start nothing that the gateway has not let go on (`rampart-supervisor`).

use std::{
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rampart_call::{Action, Call, Gate, Judging, Origin, Refusal, Surface};
use rampart_client::Client;
use rampart_gateway::Home;
use rampart_shim::place;
use rampart_supervisor::{Confined, Held, Supervision, Watched, run_held};

use super::{Launch, ignoring_interrupts, summary};
use crate::{environment::Environment, exit::Exit, outbound::Files, printer::Printer};

impl Launch {
    /// Runs the command to its end as [`run`](Launch::run) does, and has judged whatever its processes start, and what else is
    /// watched. `start` starts it, and says what it is confined to; `unasked` are the programs that it becomes before it is what a person asked for, that one included.
    ///
    /// # Errors
    /// When it cannot be started, or not be supervised.
    pub(crate) fn run_supervised(
        &self,
        mut command: Command,
        unasked: usize,
        watched: Watched,
        start: impl FnOnce(Command) -> anyhow::Result<(Child, Option<Confined>)> + Send,
        environment: &Environment,
        printer: Printer,
    ) -> anyhow::Result<Exit> {
        let origin = Origin {
            surface: Surface::Supervisor,
            agent: self.agent.clone(),
            session: self.session.session.clone(),
            home: environment.user_home.to_str().map(str::to_owned),
            trace: environment.trace,
            ..Origin::default()
        };
        let given = Files::given(&Home::at(&environment.home));
        let gate = Asking { client: Client::new(self.road.clone()), last: Mutex::default() };
        let supervision =
            Supervision { asks_itself: own_shell(), unasked, watched, given, ..Supervision::new(&gate, origin) };
        let held = Held::new(&mut command, watched).context("cannot supervise what is started")?;
        let status = ignoring_interrupts(|| run_held(held, || start(command), supervision))
            .with_context(|| format!("cannot run `{}`", self.program.display()))?;
        summary(&rampart_client::blocking::Client::new(self.road.clone()), &self.session.session, printer);
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(Exit::Child(u8::try_from(code).unwrap_or(1)))
    }
}

/// The shell that asks by itself, with more to say than `EPERM`.
fn own_shell() -> Option<PathBuf> {
    let own = std::env::current_exe().and_then(|own| own.canonicalize()).ok()?;
    Some(own.with_file_name("rampart-shim")).filter(|shim| shim.is_file())
}

/// How long it holds to which project a folder belongs. A policy that a project gets meanwhile counts from then on.
const PROJECT: Duration = Duration::from_millis(500);

/// The gateway, which is told what project a call belongs to.
struct Asking {
    client: Client,
    /// What was found out last: the processes of a build start in the same folder again and again.
    last: Mutex<Option<Placed>>,
}

struct Placed {
    cwd: Option<String>,
    workspace: Option<String>,
    at: Instant,
}

impl Gate for Asking {
    fn judge(&self, call: Call) -> Judging<'_> {
        self.client.judge(self.placed(call))
    }

    fn refused(&self, call: Call, refusal: Refusal) -> Judging<'_> {
        self.client.refused(self.placed(call), refusal)
    }
}

impl Asking {
    fn placed(&self, mut call: Call) -> Call {
        // Where a process is that does something else with files stands where the project does, as it does for hooks.
        let cwd = if let Action::Exec { cwd, .. } = &call.action { cwd } else { &call.origin.workspace }.clone();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|last| last.cwd == cwd && last.at.elapsed() < PROJECT) {
            call.origin.workspace.clone_from(&known.workspace);
        } else {
            place(&mut call.origin, cwd.as_deref().map(Path::new));
            let workspace = call.origin.workspace.clone();
            *last = Some(Placed { cwd, workspace, at: Instant::now() });
        }
        call
    }
}

#[cfg(test)]
mod tests {
    use rampart_call::{CommandLine, Phase};
    use rampart_client::Settings;

    use super::*;

    #[test]
    fn a_project_is_looked_for_in_each_folder_and_again_after_a_moment() {
        let home = tempfile::tempdir().unwrap();
        let at = |folder: &str| home.path().join(folder).to_str().unwrap().to_owned();
        std::fs::create_dir_all(at("app/src")).unwrap();
        let asking = Asking { client: Client::new(Settings::new(home.path().join("s"))), last: Mutex::default() };
        let placed = |cwd: &str| {
            let action = Action::Exec { command: CommandLine::Argv(vec!["true".to_owned()]), cwd: Some(at(cwd)) };
            let origin = Origin { home: Some(at("")), ..Origin::default() };
            asking.placed(Call { origin, phase: Phase::Before, action, response: None }).origin.workspace
        };
        assert_eq!(placed("app/src"), Some(at("app/src")));
        assert_eq!(placed("app"), Some(at("app")));
        std::fs::create_dir_all(at("app/.git")).unwrap();
        assert_eq!(placed("app/src"), Some(at("app")), "another folder than the last");
        std::fs::write(at("app/src/.git"), "").unwrap();
        std::thread::sleep(PROJECT);
        assert_eq!(placed("app/src"), Some(at("app/src")));
    }
}
