//! `rampart wrap -- AGENT`: runs a command whose shells ask first and whose traffic goes through the egress proxy.

use std::{
    ffi::OsString,
    fs,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::Context as _;
use rampart_client::{
    blocking::Client,
    wire::{OpenSession, SessionLasts},
};
use rampart_gateway::Home;
use rustix::process::WaitOptions;

use crate::{
    args::Wrap,
    configuration,
    environment::Environment,
    exit::Exit,
    outbound,
    printer::{DIM, Printer, styled},
    reach, secrets,
};

/// The shells that are put in front of the real ones.
const SHELLS: [&str; 4] = ["bash", "sh", "zsh", "dash"];

pub(crate) fn run(args: Wrap, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    reach::ensure(environment)?;
    let files = outbound::Files::of(environment)?;
    let shells = shells(&Home::at(&environment.home))?;
    let (program, rest) = args.command.split_first().context("clap asks for a command")?;
    let agent = args.agent.unwrap_or_else(|| agent_name(program));
    // The command itself is what the user asked for; what it starts is what we ask about.
    let real = find(program, &environment.path).with_context(|| {
        format!("cannot find `{}`; check its name and PATH, or give its full path", program.to_string_lossy())
    })?;
    let mut road = reach::road(environment);
    let config = configuration::read(&Home::at(&environment.home), printer)?;
    let secrets = secrets::of_session(&config, environment);
    let wanted = OpenSession { agent: agent.clone(), session: None, lasts: SessionLasts::Process, secrets };
    let opened = Client::new(road.clone()).open_session(&wanted)?;
    let mut path = shells.clone().into_os_string();
    path.push(":");
    path.push(&environment.path);
    let mut command = Command::new(&real);
    command
        .arg0(program)
        .args(rest)
        .envs(outbound::variables(&opened, &files, environment.node_options.as_deref())?)
        .envs(&opened.placeholders)
        .env("PATH", path)
        .env("SHELL", shells.join("bash"))
        .env("CLAUDE_CODE_SHELL", shells.join("bash"))
        .env("RAMPART_HOME", &environment.home)
        .env("RAMPART_SESSION", &opened.session)
        .env("RAMPART_AGENT", &agent)
        .env("RAMPART_CREDENTIAL", &opened.credential)
        // A person's token is not for agents.
        .env_remove("RAMPART_TOKEN");
    // Signals of the terminal reach the command itself; we stay to tell how it ended.
    let status =
        ignoring_interrupts(|| run_below(command)).with_context(|| format!("cannot run `{}`", real.display()))?;
    road.token = Some(opened.credential);
    summary(&Client::new(road), &opened.session, printer);
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(Exit::Child(u8::try_from(code).unwrap_or(1)))
}

/// Runs a command whose processes stay below this one whatever they do: those that lose their parent become our children
/// (PR_SET_CHILD_SUBREAPER(2const)), so that none can leave its session by becoming a daemon.
fn run_below(mut command: Command) -> std::io::Result<ExitStatus> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let child = command.spawn()?;
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
        let line = format!("rampart: {} calls judged, {} refused", summary.calls, summary.refused);
        let more = if summary.refused > 0 { "; `rampart log --deny` shows them" } else { "" };
        printer.note(styled(DIM, format!("{line}{more}")));
    }
}

/// Runs `work` while an interrupt from the terminal does not end us.
fn ignoring_interrupts<T>(work: impl FnOnce() -> T) -> T {
    // A handler rather than an ignored signal: what is ignored stays ignored in the child.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    if let Ok(runtime) = &runtime {
        runtime.spawn(async {
            loop {
                if tokio::signal::ctrl_c().await.is_err() {
                    break;
                }
            }
        });
    }
    work()
}

/// The folder of shells that ask: links to the small binary beside this program, or to this program itself.
fn shells(home: &Home) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let small = own.with_file_name("rampart-shim");
    let target = if small.exists() { small } else { own };
    let folder = home.state().join("shells");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for shell in SHELLS {
        link(&target, &folder.join(shell)).with_context(|| format!("cannot make {shell} in {}", folder.display()))?;
    }
    Ok(folder)
}

/// A link that another process may be using at the same moment, so it is made aside and put in place at once.
fn link(target: &Path, place: &Path) -> std::io::Result<()> {
    if fs::read_link(place).is_ok_and(|there| there == target) {
        return Ok(());
    }
    let draft = place.with_extension(std::process::id().to_string());
    std::os::unix::fs::symlink(target, &draft)?;
    fs::rename(&draft, place)
}

/// What policies call this agent, or the program's name.
fn agent_name(program: &OsString) -> String {
    let name = base_name(program);
    rampart_agents::of_program(&name).map_or(name, |agent| agent.name.to_owned())
}

fn base_name(program: &OsString) -> String {
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

/// The program as a shell would find it.
fn find(program: &OsString, path: &OsString) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 {
        return Some(PathBuf::from(program));
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| {
        file.metadata().is_ok_and(|meta| {
            use std::os::unix::fs::PermissionsExt as _;
            meta.is_file() && meta.permissions().mode() & 0o111 != 0
        })
    })
}
