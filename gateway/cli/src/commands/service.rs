//! `rampart serve install` and `uninstall`: the gateway as a service of systemd or launchd.

mod unit;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use rampart_client::system::FILE;
use unit::{LABEL, MARK, USER, Unit};

use crate::{
    args::Service, authority, environment::Environment, exit::Exit, printer::Printer, user_overrides::replace,
};

/// Where the system's service lives.
const SYSTEM_HOME: &str = "/var/lib/rampart";

/// A file to be written, and the commands by which a service manager takes it over or lets go of it.
struct Plan {
    files: Vec<(PathBuf, String)>,
    take_over: Vec<Vec<String>>,
    let_go: Vec<Vec<String>>,
}

pub(crate) fn install(args: &Service, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let plan = plan(args, environment)?;
    if args.dry_run {
        for (path, text) in &plan.files {
            printer.out(format!("# {}\n{text}", path.display()));
        }
        for command in &plan.take_over {
            printer.out(format!("# then: {}", command.join(" ")));
        }
        return Ok(Exit::Yes);
    }
    authority::person(environment, true)?;
    for (path, text) in &plan.files {
        match fs::read_to_string(path) {
            Ok(there) if there == *text => {
                printer.note(format!("{} is as it should be", path.display()));
                continue;
            }
            Ok(there) if !there.contains(MARK) => {
                bail!("{} is there and was not written by Rampart: move it away", path.display())
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
        let folder = path.parent().context("a unit stands in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        replace(path, text, 0o644)?;
        printer.note(format!("written: {}", path.display()));
    }
    if args.no_start {
        return Ok(Exit::Yes);
    }
    if !told(&plan.take_over, printer) {
        return Ok(Exit::Error);
    }
    printer.note("the gateway is a service now; `rampart status` shows it");
    if args.system {
        printer.note(format!(
            "it runs as the user `{USER}` with the home {SYSTEM_HOME}: hooks, shells, `rampart mcp` and `rampart wrap` of every \
             user ask it from now on and no gateway of their own; only root and that user answer questions and change rules"
        ));
    }
    Ok(Exit::Yes)
}

pub(crate) fn uninstall(args: &Service, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let plan = plan(args, environment)?;
    if args.dry_run {
        for command in &plan.let_go {
            printer.out(format!("# first: {}", command.join(" ")));
        }
        for (path, _) in &plan.files {
            printer.out(format!("# then remove {}", path.display()));
        }
        return Ok(Exit::Yes);
    }
    authority::person(environment, true)?;
    let ours = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains(MARK));
    if !plan.files.iter().any(|(path, _)| ours(path)) {
        printer.note("no service of Rampart is installed");
        return Ok(Exit::Yes);
    }
    let (stop, reload) = plan.let_go.split_at(plan.let_go.len().saturating_sub(1));
    let mut complete = args.no_start || told(stop, printer);
    for (path, _) in plan.files.iter().filter(|(path, _)| ours(path)) {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        printer.note(format!("removed: {}", path.display()));
    }
    complete &= args.no_start || told(reload, printer);
    Ok(if complete { Exit::Yes } else { Exit::Error })
}

/// Runs commands of the service manager. False when one does not do what it should; what is left is printed.
fn told(commands: &[Vec<String>], printer: Printer) -> bool {
    for (nth, command) in commands.iter().enumerate() {
        let Some((program, args)) = command.split_first() else { continue };
        let ran = Command::new(program).args(args).stdin(Stdio::null()).output();
        let why = match ran {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(e) => e.to_string(),
        };
        let rest: Vec<String> = commands.iter().skip(nth).map(|command| command.join(" ")).collect();
        printer.note(format!(
            "rampart: `{}` failed: {why}\nwhat is left to do: {}",
            command.join(" "),
            rest.join("; ")
        ));
        return false;
    }
    true
}

fn plan(args: &Service, environment: &Environment) -> anyhow::Result<Plan> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let home = if args.system { PathBuf::from(SYSTEM_HOME) } else { environment.home.clone() };
    let text = |path: &Path| -> anyhow::Result<String> {
        let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        if text.contains('\n') {
            bail!("{text:?} holds a line end, which no unit can");
        }
        Ok(text.to_owned())
    };
    let unit = Unit { program: text(&program)?, home: text(&home)?, system: args.system };
    if cfg!(target_os = "macos") && args.system {
        bail!(
            "--system works with systemd only: here nothing makes the user `{USER}` and the folder of its socket; `rampart serve install` without it is a service of yours"
        );
    }
    if cfg!(target_os = "macos") { Ok(launchd(&unit, environment)) } else { systemd(&unit, environment) }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn systemd(unit: &Unit, environment: &Environment) -> anyhow::Result<Plan> {
    let name = "rampart.service";
    if unit.system {
        return Ok(Plan {
            files: vec![
                (PathBuf::from("/etc/sysusers.d/rampart.conf"), Unit::sysusers()),
                (Path::new("/etc/systemd/system").join(name), unit.systemd()),
                (PathBuf::from(FILE), Unit::system_file()?),
            ],
            take_over: ["systemd-sysusers rampart.conf", "systemctl daemon-reload", "systemctl enable --now rampart"]
                .map(words)
                .into(),
            let_go: ["systemctl disable --now rampart", "systemctl daemon-reload"].map(words).into(),
        });
    }
    let config = Environment::variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = config.unwrap_or_else(|| environment.user_home.join(".config")).join("systemd/user");
    Ok(Plan {
        files: vec![(folder.join(name), unit.systemd())],
        take_over: ["systemctl --user daemon-reload", "systemctl --user enable --now rampart"].map(words).into(),
        let_go: ["systemctl --user disable --now rampart", "systemctl --user daemon-reload"].map(words).into(),
    })
}

fn launchd(unit: &Unit, environment: &Environment) -> Plan {
    let domain = format!("gui/{}", rustix::process::getuid().as_raw());
    let folder = environment.user_home.join("Library/LaunchAgents");
    let file = folder.join(format!("{LABEL}.plist"));
    let load = vec!["launchctl".into(), "bootstrap".into(), domain.clone(), file.display().to_string()];
    Plan {
        files: vec![(file, unit.launchd())],
        take_over: vec![load],
        let_go: vec![words(&format!("launchctl bootout {domain}/{LABEL}")), words("true")],
    }
}
