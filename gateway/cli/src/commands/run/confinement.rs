//! What an agent is confined to: by its project, its own settings, `jail` in config.yaml and the flags.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use rampart_agents::setup;
use rampart_client::Settings;
use rampart_gateway::{Config, Home};
use rampart_jail::{Confinement, Files, Network};

use crate::{args::Run, commands::setup as settings, environment::Environment, launch::Launch, outbound};

/// Variables that lead to sockets of other programs; where that socket was not allowed, they lead nowhere.
const LEADS: [&str; 10] = [
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DOCKER_HOST",
    "CONTAINER_HOST",
    "TMUX",
    "WAYLAND_DISPLAY",
    "VSCODE_IPC_HOOK_CLI",
];

/// A folder for what stands in place of hidden things; gone when this value is.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("rampart-{}", uuid::Uuid::now_v7().simple()));
        let path = std::path::absolute(path)?;
        fs::DirBuilder::new().create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(Self(path))
    }
}

impl Scratch {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What nobody may enter is not emptied either.
        let _ = fs::set_permissions(self.0.join("nowhere"), std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What an agent is confined to.
///
/// # Errors
/// When it stands where everything would be its project, and when a path does not exist.
pub(crate) fn of(
    args: &Run,
    launch: &Launch,
    config: &Config,
    environment: &Environment,
) -> anyhow::Result<(Confinement, Scratch)> {
    let scratch = Scratch::new()?;
    let proxy = launch.session.egress.as_deref().and_then(|address| address.parse().ok());
    let network = Network { proxy, host_ports: args.allow_host_port.clone() };
    let files = files(args, launch, config, environment, scratch.0.clone())?;
    Ok((Confinement { network: Some(network), files: Some(files), ..Confinement::default() }, scratch))
}

fn files(
    args: &Run,
    launch: &Launch,
    config: &Config,
    environment: &Environment,
    scratch: PathBuf,
) -> anyhow::Result<Files> {
    let home = &environment.user_home;
    let project = real(&environment.workspace())?;
    if real(home).unwrap_or_else(|_| home.clone()).starts_with(&project) {
        bail!(
            "{} holds your whole home: start the agent in the folder of a project, or without a jail (`--no-jail`)",
            project.display()
        );
    }
    let setup = setup::find(&launch.agent);
    let mut writable = vec![project.clone()];
    // What the agent keeps of its own: without it, it knows neither its user nor what was said.
    for own in setup.iter().flat_map(|setup| setup.signs.iter().chain(setup.keeps)).map(|own| home.join(own)) {
        begin(&own);
        writable.extend(there(own));
    }
    for cache in config.jail.allow_write.iter().filter(|place| place.is_cache()) {
        // Where it is not there, programs would make it now, and in a home that they cannot.
        let _ = fs::DirBuilder::new().mode(0o700).create(cache.below(home));
    }
    writable.extend(config.jail.allow_write.iter().map(|place| place.below(home)).filter_map(there));
    let chosen = args.allow_write.iter().map(|path| real(path)).collect::<anyhow::Result<Vec<_>>>()?;
    writable.extend(chosen.iter().cloned());
    let mut sockets = [vec![project.clone()], chosen].concat();
    sockets.extend(config.jail.allow_sockets.iter().map(|place| place.below(home)).filter_map(there));
    for path in &args.allow_socket {
        let path = real(path)?;
        if !path.metadata().is_ok_and(|meta| meta.file_type().is_socket()) {
            bail!("{} is no socket", path.display());
        }
        sockets.push(path);
    }
    // What decides which hooks are asked, and what runs later.
    let mut fixed: Vec<_> = [".rampart", ".git/hooks", ".husky"].iter().map(|name| project.join(name)).collect();
    if let Some(setup) = setup {
        fixed.extend(settings::files(setup, environment)?);
    }
    let fixed = fixed.into_iter().filter_map(there).collect();

    let rampart = real(&environment.home)?;
    let socket = Settings::of(&environment.home).socket;
    let run = socket.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut hidden: BTreeSet<_> = config.jail.hidden().map(|place| place.below(home)).filter_map(there).collect();
    hidden.extend([rampart, home.join(".rampart"), run.join("doors.sock")].into_iter().filter_map(there));
    // What somebody may write to is shown to them.
    hidden.retain(|path| !writable.contains(path));
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let around = [home.clone(), launch.program().to_path_buf(), own.with_file_name("rampart-shim"), own];
    let given = outbound::Files::given(&Home::at(&environment.home));
    let shown = there(run).into_iter().chain(given).collect();
    let around = around.into_iter().filter_map(there).collect();
    let hidden = hidden.into_iter().collect();
    Ok(Files { writable, fixed, hidden, shown, around, sockets, scratch, overlay: None })
}

/// Makes what an agent makes of its own when it first starts, where it is not there: in a home that it cannot.
fn begin(own: &Path) {
    let _ = match own.extension() {
        Some(_) => fs::File::create_new(own).and_then(|mut file| file.write_all(b"{}\n")),
        None => fs::DirBuilder::new().recursive(true).mode(0o700).create(own),
    };
}

/// The real path of something that must be there.
fn real(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
}

/// The real path of something that may be there.
#[expect(clippy::needless_pass_by_value, reason = "the end of a chain")]
fn there(path: PathBuf) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// Takes out of the environment what leads to sockets that are hidden. What acts on every program waits for the one that it is for.
pub(crate) fn clean(command: &mut Command, confinement: &mut Confinement) {
    const LIBRARIES: &str = "LD_PRELOAD";
    let libraries = command.get_envs().find(|(name, _)| *name == LIBRARIES).and_then(|(_, value)| value?.to_str());
    if let Some(libraries) = libraries.map(str::to_owned) {
        confinement.variables.push((LIBRARIES.to_owned(), libraries));
        command.env_remove(LIBRARIES);
    }
    let sockets = confinement.files.as_ref().map(|files| files.sockets.as_slice()).unwrap_or_default();
    for name in LEADS {
        let leads_there = |value: &std::ffi::OsStr| {
            sockets.iter().any(|socket| value.to_string_lossy().contains(&*socket.to_string_lossy()))
        };
        if !Environment::variable(name).is_some_and(|value| leads_there(&value)) {
            command.env_remove(name);
        }
    }
    if Environment::variable("TMPDIR").is_some() {
        command.env("TMPDIR", "/tmp");
    }
    command.env("RAMPART_AUTOSTART", "0");
}
