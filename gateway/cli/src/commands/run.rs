//! `rampart run -- AGENT`: an agent with everything around it that this version has, on Linux in a jail whose one way out is
//! the gateway, and a plain word about each part.

#[cfg(target_os = "linux")]
mod confinement;
#[cfg(target_os = "linux")]
mod jailed;
#[cfg(target_os = "linux")]
mod overlay;

#[cfg(target_os = "linux")]
pub(crate) use confinement::Scratch;

use std::process::{Child, Command};

use anyhow::Context as _;
#[cfg(target_os = "linux")]
use anyhow::bail;
use rampart_agents::setup;
use rampart_client::wire::OpenedSession;
#[cfg(target_os = "linux")]
use rampart_gateway::{Config, Home, config::Without};
#[cfg(target_os = "linux")]
use rampart_jail::{Confinement, Holds, Overlay, Part};
use rampart_supervisor::{Confined, Watched};

#[cfg(target_os = "linux")]
use self::{jailed::NoJail, overlay::Copied};

use crate::{
    args::{Mode, Preload, Run, SessionMode},
    commands::{
        preload,
        setup::{Standing, State, standing},
        wrap,
    },
    environment::Environment,
    exit::Exit,
    launch::Launch,
    printer::{BOLD, DIM, Printer, styled},
};

pub(crate) fn run(args: Run, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let launch = Launch::new(args.command.clone(), args.agent.clone(), args.mode, environment, printer)?;
    let exec = rampart_supervisor::supported();
    let running = Running { args: &args, launch: &launch, exec, environment, printer };
    #[cfg(target_os = "linux")]
    if !args.no_jail {
        let Some(copied) = Copied::prepare(&args, &launch, environment)? else { return running.in_jail(None) };
        return match running.in_jail(Some(&copied.overlay())) {
            Ok(exit) => copied.settle(exit, printer),
            Err(error) => {
                copied.forget();
                Err(error)
            }
        };
    }
    #[cfg(not(target_os = "linux"))]
    anyhow::ensure!(args.overlay.is_none(), "`--overlay` takes a jail, and there is one only on Linux");
    let why = if cfg!(target_os = "linux") { "without one, as was asked" } else { "only on Linux" };
    running.without_jail(why.to_owned())
}

/// What is run, and with what.
struct Running<'a> {
    args: &'a Run,
    launch: &'a Launch,
    /// Whether every program that starts can be judged.
    exec: Result<(), String>,
    environment: &'a Environment,
    printer: Printer,
}

impl Running<'_> {
    /// Shells that ask, the egress proxy, and the library before libc where it has something to do.
    fn surround(&self, command: &mut Command) -> anyhow::Result<Option<preload::Socket>> {
        wrap::surround(command, self.launch, self.environment)?;
        if !self.has_library() {
            return Ok(None);
        }
        let mode = if self.args.mode == SessionMode::Monitor { Mode::Monitor } else { Mode::Enforce };
        let Run { files, net, .. } = *self.args;
        let told = Preload { agent: None, mode, files, net, command: Vec::new() };
        preload::surround(command, &told, self.launch, self.environment).map(Some)
    }

    /// What is held beside the programs that start.
    fn watched(&self) -> Watched {
        let can = self.exec.is_ok() && rampart_supervisor::can_act_for_others();
        Watched { files: can && self.args.files, connections: can && self.args.net }
    }

    /// The library has to look at what is not held.
    fn has_library(&self) -> bool {
        let Watched { files, connections } = self.watched();
        cfg!(target_os = "linux") && (self.exec.is_err() || self.args.files && !files || self.args.net && !connections)
    }

    /// Runs it to its end; `unasked` as in [`Launch::run_supervised`].
    fn run_by(
        &self,
        command: Command,
        unasked: usize,
        start: impl FnOnce(Command) -> anyhow::Result<(Child, Option<Confined>)> + Send,
    ) -> anyhow::Result<Exit> {
        if self.exec.is_ok() {
            let watched = self.watched();
            return self.launch.run_supervised(command, unasked, watched, start, self.environment, self.printer);
        }
        self.launch.run_started(|| start(command).map(|(child, _)| child), self.printer)
    }

    fn without_jail(&self, why: String) -> anyhow::Result<Exit> {
        let mut command = self.launch.command(self.environment);
        let _socket = self.surround(&mut command)?;
        self.tell(&Jail::none(why));
        let cannot = || format!("cannot run `{}`", self.launch.program().display());
        self.run_by(command, 1, |mut command| Ok((command.spawn().with_context(cannot)?, None)))
    }
}

#[cfg(target_os = "linux")]
impl Running<'_> {
    /// `overlay` is what it changes instead of the project.
    fn in_jail(&self, overlay: Option<&Overlay>) -> anyhow::Result<Exit> {
        let Self { launch, environment, .. } = self;
        let config = crate::configuration::read(&Home::at(&environment.home), self.printer)?;
        // Landlock cannot only watch, so where nothing is to be refused, nothing of files is.
        let watched = launch.session.monitor;
        let (command, mut confined, stays) = self.prepare(&config)?;
        confined.files = confined.files.filter(|_| !watched);
        if let Some(files) = &mut confined.files {
            files.overlay = overlay.cloned();
        }
        // Whoever can ask Docker has done by others what nobody here sees.
        let alone = self.args.allow_socket.is_empty() && config.jail.allow_sockets.is_empty();
        let sees = |holds: Holds| !watched && alone && self.exec.is_ok() && holds.missing().is_empty();
        let started = self.run_jailed(command, &confined, sees, |holds| Jail::whole(holds, watched));
        drop(stays);
        let error = match started {
            Err(error) => error,
            ended => return ended,
        };
        let failed = error.chain().find_map(|cause| cause.downcast_ref::<NoJail>());
        if !matches!(failed, Some(NoJail::Failed(failed)) if failed.part != Part::Program) {
            return Err(error).with_context(|| format!("cannot run `{}` in a jail", launch.program().display()));
        }
        let why = failed.map(ToString::to_string).unwrap_or_default();
        if overlay.is_some() {
            bail!(
                "no copy of the project can be made here ({why}), and so `{}` is not run. {COPY}",
                launch.program().display()
            );
        }
        match config.jail.without {
            Without::Files if !watched => {
                let (command, mut confined, _stays) = self.prepare(&config)?;
                let network = confined.network.take().unwrap_or_default();
                confined.only_port = network.proxy.map(|proxy| proxy.port());
                self.run_jailed(command, &confined, |_| false, |holds| Jail::files(holds, why))
            }
            Without::Refuse if !watched => {
                bail!("no jail can be made here ({why}), and so `{}` is not run. {REMEDY}", launch.program().display())
            }
            _ => self.without_jail(why),
        }
    }

    /// The command that confines itself, what it is confined to, and what has to stay as long as it runs.
    fn prepare(&self, config: &Config) -> anyhow::Result<(Command, Confinement, (Option<preload::Socket>, Scratch))> {
        let mut command = self.launch.jailed_command(self.environment);
        let socket = self.surround(&mut command)?;
        let (mut confined, scratch) = confinement::of(self.args, self.launch, config, self.environment)?;
        confinement::clean(&mut command, &mut confined);
        Ok((command, confined, (socket, scratch)))
    }

    fn run_jailed(
        &self,
        command: Command,
        confined: &Confinement,
        sees: impl FnOnce(Holds) -> bool + Send,
        jail: impl FnOnce(Holds) -> Jail + Send,
    ) -> anyhow::Result<Exit> {
        let road = self.launch.road();
        let told = |holds, confined| self.tell(&Jail { confined, ..jail(holds) });
        // It is this program before it is the agent.
        self.run_by(command, 2, |command| {
            let (child, confined) = jailed::start(command, confined, road, sees, told)?;
            Ok((child, Some(confined)))
        })
    }
}

/// What helps where no jail can be made.
#[cfg(target_os = "linux")]
const REMEDY: &str = "It takes user namespaces (`sysctl user.max_user_namespaces`, on Ubuntu \
    `kernel.apparmor_restrict_unprivileged_userns=0` or a profile; in a container they are often forbidden), nftables and \
    Landlock. `jail: {without: files}` in config.yaml restricts files alone where they are missing, `without: run` runs the \
    agent with what else there is, and `--no-jail` does that once";

/// What helps where no copy-on-write view can be made.
#[cfg(target_os = "linux")]
const COPY: &str = "`--overlay` takes a jail and an overlayfs that users may mount (Linux 5.11, the module `overlay`), over a file \
    system that is none itself, as in a container it often is. Run it without, on a branch of its own";

/// How much holds of the jail.
struct Jail {
    network: (&'static str, String),
    files: (&'static str, String),
    /// Code that nobody can read is left to what looks at it while it runs.
    confined: bool,
}

impl Jail {
    /// None of it.
    fn none(why: String) -> Self {
        let network = "variables name the egress proxy; a program that ignores them goes past it".to_owned();
        Self { network: ("advisory", network), files: ("open", why), confined: false }
    }

    #[cfg(target_os = "linux")]
    fn whole(holds: rampart_jail::Holds, watched: bool) -> Self {
        let network = "a network whose only way out is the gateway; there is no other for UDP, ICMP or raw packets";
        let files = if watched { ("open", "this session is only watched".to_owned()) } else { Self::of_files(holds) };
        Self { network: ("enforced", network.to_owned()), files, confined: false }
    }

    /// Files alone.
    #[cfg(target_os = "linux")]
    fn files(holds: rampart_jail::Holds, why: String) -> Self {
        let network =
            format!("the host's network, but no packets, and connections to the egress proxy's port alone ({why})");
        Self { network: ("advisory", network), files: Self::of_files(holds), confined: false }
    }

    #[cfg(target_os = "linux")]
    fn of_files(holds: rampart_jail::Holds) -> (&'static str, String) {
        let missing = holds.missing();
        let text = "writes stay in the project; keys and Rampart's home are out of reach".to_owned();
        if missing.is_empty() {
            return ("enforced", text);
        }
        ("enforced", format!("{text}; not with this kernel: {}", missing.join(", ")))
    }
}

impl Running<'_> {
    /// What holds, and how much.
    fn tell(&self, jail: &Jail) {
        let Self { args, launch, exec, environment, printer } = self;
        if args.quiet {
            return;
        }
        let OpenedSession { session, egress, .. } = &launch.session;
        printer.note(styled(BOLD, format!("rampart: {} in session {session}", launch.agent)));
        let line = |road: &str, word: &str, what: &str| printer.note(format!("  {road:<8} {word:<9} {what}"));
        let hook = setup::find(&launch.agent).map(|setup| (setup, standing(setup, environment)));
        match hook {
            Some((_, Standing { state: State::SetUp, file })) => {
                line("hook", "advisory", &format!("{file} calls Rampart; agents run the tool when a hook fails"));
            }
            Some((setup, _)) => line("hook", "open", &format!("not set up: `rampart setup {}`", setup.agent.name)),
            None => line("hook", "open", "this program has no hooks that Rampart knows"),
        }
        line("shell", "advisory", "shells on PATH and $SHELL ask first; a shell by its full path is not one of them");
        match exec {
            Ok(()) => line(
                "exec",
                "enforced",
                "what any process starts is judged as the kernel sees it, and compared once it has started",
            ),
            Err(why) => line("exec", "open", why),
        }
        let Watched { files, connections } = self.watched();
        if files {
            line("files", "enforced", "what any process opens, changes or removes is judged, and done for it");
        }
        if connections {
            line("net", "enforced", "connections are judged, and made for the process that wants them");
        }
        if self.has_library() {
            line("preload", "advisory", "what libc starts asks first; static programs and Go do without libc");
        } else if exec.is_ok() {
            line("preload", "off", "`--files` and `--net` have files and connections judged as well");
        } else {
            line("preload", "open", "only on Linux");
        }
        match egress {
            Some(_) => line("http", jail.network.0, &jail.network.1),
            None => line("http", "open", "the gateway has no egress proxy"),
        }
        line("jail", jail.files.0, &jail.files.1);
        if jail.confined {
            line("opaque", "judged", "code that cannot be read is not asked about, and judged by what it does");
        }
        printer.note(styled(DIM, "  advisory: a program that does not take part can walk around it"));
    }
}
