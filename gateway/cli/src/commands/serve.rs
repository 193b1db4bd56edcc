//! `rampart serve`: the gateway, its API and the egress proxy in one process.

use std::{
    io::IsTerminal as _,
    net::SocketAddr,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rampart_api::{Api, Beside, bind_shared_socket, bind_socket, bind_tcp};
use rampart_call::{Gate, Origin, Surface};
use rampart_certs::Authority;
use rampart_client::Fault;
use rampart_egress as egress;
use rampart_gateway::{
    Config, Gateway, Home, OpenError, Outside, Settings,
    credentials::{Credentials, ENVIRONMENT},
    policy_files,
};
use rampart_policy::SourceFile;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{doctor, mcp_pins};
use crate::{
    args::{Serve, ServeVerb},
    configuration,
    environment::Environment,
    exit::Exit,
    jail, log_output, outbound, outward,
    printer::Printer,
    reach, rules,
    secrets::{self, Secrets},
    telemetry::Telemetry,
};

pub(crate) fn run(args: Serve, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    match &args.verb {
        Some(ServeVerb::Stop) => return stop(environment, printer),
        Some(ServeVerb::Install(args)) => return super::service::install(args, environment, printer),
        Some(ServeVerb::Uninstall(args)) => return super::service::uninstall(args, environment, printer),
        None => {}
    }
    if args.background {
        return background(&args, environment, printer);
    }
    if args.on_demand {
        rampart_client::start::detach();
    }
    // No other process of this user may read our memory, our environment or a core of us (PR_SET_DUMPABLE(2const)).
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    let home = Home::at(&environment.home);
    if args.shared.is_none() && reach::is_of_the_machine(environment) {
        bail!(
            "this machine has a gateway for everybody ({}), and surfaces ask no other; its administrator stops it with `rampart serve uninstall --system`",
            rampart_client::system::FILE
        );
    }
    home.prepare()?;
    let config = configured(configuration::read(&home, printer)?, &args, environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(home, config, &Arc::new(args), environment, printer));
    // A segment that is being summed up is summed up at the next start.
    runtime.shutdown_timeout(Duration::from_secs(3));
    ended
}

/// What the flags and the surroundings make of what `config.yaml` says.
fn configured(config: Config, args: &Serve, environment: &Environment) -> anyhow::Result<Config> {
    let config = configuration::with_flags(config, args)?;
    // A gateway that a road started stands in the surroundings of an agent, which names no collector for it.
    if args.on_demand { Ok(config) } else { configuration::with_collector(config, environment) }
}

async fn serve(
    home: Home,
    config: Config,
    args: &Arc<Serve>,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let on_demand = args.on_demand;
    let mut options = proxy_options(&home, &config, environment)?;
    let Secrets { credentials, followed, placeholders } = secrets::read(&home, &config, on_demand, printer)?;
    options.credentials = egress::Credentials::new(secrets::for_proxy(&credentials)?);
    let held = options.credentials.clone();
    let client = outbound::client(&config)?;
    let tls = client.tls();
    let variables = &environment.otel;
    let otel = config.otel.as_ref().map(|otel| Telemetry::start(otel, variables, client.clone())).transpose()?;
    log_output::start(environment.log.as_deref(), otel.as_ref().map(|otel| &otel.logs));
    let settings = Settings {
        home: home.clone(),
        config: config.clone(),
        project_policies: environment.project_policy,
        outside: Some(Outside::new(client, tls)),
    };
    let gateway = match Gateway::open(settings).await {
        Ok(gateway) => gateway,
        Err(OpenError::Policies(wrong)) => {
            let files: Vec<SourceFile> = policy_files(&home.policies()).unwrap_or_default();
            rules::show(&wrong, &files, printer);
            bail!("the policies do not load, and without rules there is no gateway");
        }
        Err(error) => return Err(error.into()),
    };
    let (flags, surroundings) = (Arc::clone(args), environment.clone());
    gateway.follow_config(move |config| configured(config, &flags, &surroundings).map_err(|e| format!("{e:#}")));
    gateway.follow_secrets(followed);
    if let Some(otel) = &otel {
        otel.watch(&gateway);
    }
    // A gateway that a road started serves that road even where another program has a port.
    let tcp = optional(bind_tcp(config.listen).await, on_demand, printer)?;
    let proxy = optional(bind_proxy(&config).await, on_demand, printer)?;
    options.names = outward::names(&config.egress).await?;
    let (hand, handed) = tokio::sync::mpsc::channel(1);
    options.doors = Some(jail::doors(handed, environment.user_home.clone()));
    let ports = [&tcp, &proxy].into_iter().flatten().filter_map(|l| l.local_addr().ok());
    gateway.listens_on(ports.map(|address| address.port()).collect());
    let local = bind_socket(&home.socket())?;
    let shared = args.shared.as_deref().map(|path| open_to_everybody(path, &home)).transpose()?;
    options.identify = identify(gateway.credentials(), &config, environment);
    let stop = CancellationToken::new();
    let mut api = Api::new(Arc::clone(&gateway), &home.token()?, env!("CARGO_PKG_VERSION"), stop.clone())
        .knows_agents(rampart_agents::programs())
        .looks_beside(beside(environment));
    if let Some(token) = &environment.token {
        gateway.credentials().accept(ENVIRONMENT, token);
    }
    for host in &config.listen_as {
        api = api.answers_to(host);
    }
    if let Some(base_url) = &config.approval_base_url {
        api = api.links_at(base_url);
    }
    let mut lines = vec![format!("gateway  {}  {}", home.socket().display(), config.mode.as_str())];
    if let Some(tcp) = &tcp {
        lines.push(format!("api      http://{}", tcp.local_addr()?));
        api = api.listens_on(tcp.local_addr()?);
    }
    if let Some(proxy) = &proxy {
        lines.push(format!("egress   http://{}  (`eval \"$(rampart env)\"` uses it)", proxy.local_addr()?));
        api = api.egress_on(proxy.local_addr()?).gives(placeholders);
    }
    lines.extend(args.shared.as_ref().map(|path| format!("shared   {}  (for every user)", path.display())));
    lines.extend(config.syslog.as_ref().map(|syslog| format!("syslog   {}  {}", syslog.peer, syslog.layout.as_str())));
    let roads = tokio_util::task::TaskTracker::new();
    if let Some(proxy) = proxy {
        let gate: Arc<dyn Gate> = Arc::<Gateway>::clone(&gateway);
        let (serving, stop) = (egress::serve(proxy, options, gate, stop.clone()), stop.clone());
        roads.spawn(async move {
            if let Err(error) = serving.await {
                // Without its proxy the gateway would only look whole.
                tracing::error!("the egress proxy ended: {error}");
                stop.cancel();
            }
        });
    }
    let handing = bind_doors(&home, args.shared.as_deref())?;
    roads.spawn(rampart_api::serve_doors(handing, Arc::clone(&gateway), hand, api.jailed(), stop.clone()));
    let api = Arc::new(api);
    if let Some(shared) = shared {
        roads.spawn(rampart_api::serve_everybody(Arc::clone(&api), shared));
    }
    roads.spawn(rampart_api::serve(api, local, tcp));
    let hangup = signal(SignalKind::hangup())?;
    roads.spawn(secrets::renew(credentials, held, Arc::clone(&gateway), hangup, stop.clone()));
    roads.spawn(count_panics(Arc::clone(&gateway), stop.clone()));
    roads.close();
    for line in lines {
        printer.note(line);
    }
    let socket = home.socket();
    tokio::select! {
        asked = ended() => asked?,
        () = stop.cancelled() => {}
        () = unreachable(&socket) => tracing::warn!("the home is gone, and so nobody can ask: ending"),
    }
    gateway.suspend();
    stop.cancel();
    roads.wait().await;
    gateway.close().await;
    if let Some(otel) = otel {
        otel.end().await;
    }
    let doors = args.shared.as_ref().unwrap_or(&socket).with_file_name(DOORS);
    for socket in args.shared.iter().chain([&socket, &doors]) {
        let _ = std::fs::remove_file(socket);
    }
    Ok(Exit::Yes)
}

/// What people see at the dashboard that the gateway itself does not know.
fn beside(environment: &Environment) -> Beside {
    let (roads, servers, approve) = (environment.clone(), environment.clone(), environment.clone());
    Beside {
        user_home: environment.user_home.clone(),
        roads: Box::new(move |status| doctor::roads_from(&roads, status)),
        servers: Box::new(move || mcp_pins::servers(&servers).map_err(|e| format!("{e:#}"))),
        approve: Box::new(move |wanted| mcp_pins::approve_seen(wanted, &approve).map_err(|e| format!("{e:#}"))),
    }
}

/// The socket for every user of the machine, and beside it what their programs need to go through the egress proxy. Whoever
/// could write to its folder could take our place.
fn open_to_everybody(socket: &Path, home: &Home) -> anyhow::Result<tokio::net::UnixListener> {
    let folder = socket.parent().filter(|folder| folder.is_absolute()).context("--shared wants an absolute path")?;
    let meta = std::fs::symlink_metadata(folder).with_context(|| format!("cannot look at {}", folder.display()))?;
    let us = rustix::process::geteuid().as_raw();
    if !meta.is_dir() || meta.uid() != us || meta.mode() & 0o022 != 0 {
        bail!("{} must be a folder of user {us} that nobody else can write to", folder.display());
    }
    outbound::publish(home, folder)?;
    Ok(bind_shared_socket(socket)?)
}

/// The socket at which sessions hand in their doors, beside the one that they ask at.
const DOORS: &str = "doors.sock";

fn bind_doors(home: &Home, shared: Option<&Path>) -> anyhow::Result<tokio::net::UnixListener> {
    Ok(match shared {
        Some(shared) => bind_shared_socket(&shared.with_file_name(DOORS))?,
        None => bind_socket(&home.socket().with_file_name(DOORS))?,
    })
}

/// A mistake in the program ends the task it is in and nothing else; that it happened is counted and recorded.
async fn count_panics(gateway: Arc<Gateway>, stop: CancellationToken) {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    std::panic::set_hook(Box::new(move |info| {
        // The place only: what a panic says may quote what it was handed.
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("a task ended because of a mistake in the program, at {place}; the others go on");
        let _ = tell.send(place);
    }));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(place) = told.recv() => gateway.panicked(&place).await,
        }
    }
}

/// A listener, or a word why there is none where that may be.
fn optional<E: std::error::Error + Send + Sync + 'static>(
    bound: Result<TcpListener, E>,
    may_lack: bool,
    printer: Printer,
) -> anyhow::Result<Option<TcpListener>> {
    match bound {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if may_lack => {
            printer.note(format!("rampart: going on without: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the egress proxy cannot listen on {address}: {source}; choose another address with `rampart serve --egress ADDRESS:PORT` or `egress.listen` in config.yaml"
)]
struct NoProxy {
    address: SocketAddr,
    source: std::io::Error,
}

async fn bind_proxy(config: &Config) -> Result<TcpListener, NoProxy> {
    let address = config.egress.listen;
    TcpListener::bind(address).await.map_err(|source| NoProxy { address, source })
}

fn proxy_options(home: &Home, config: &Config, environment: &Environment) -> anyhow::Result<egress::Options> {
    let authority = Authority::open(&home.ca())?;
    Ok(egress::Options {
        authority: Arc::new(authority),
        resolve: outbound::resolve(config)?,
        upstream_ca: outbound::roots(config)?,
        upstream_crls: outward::revoked(&config.egress)?,
        allow_private: outbound::allow_private(config)?,
        passthrough: outward::passthrough(&config.egress)?,
        upstream_proxy: outward::proxy(&config.egress)?,
        client_certificates: outward::certificates(&config.egress)?,
        credentials: egress::Credentials::default(),
        unidentified: UNIDENTIFIED.to_owned(),
        transparent: outward::transparent(&config.egress)?,
        // Bound when the listeners are.
        names: None,
        doors: None,
        dns: config.egress.dns.clone(),
        block_page: outward::block_page(&config.egress)?,
        limits: outward::limits(&config.egress),
        sources: outward::sources(&config.egress, &environment.user_home.display().to_string())?,
        // Nobody, until the gateway that knows them is open.
        identify: Arc::new(|_| None),
    })
}

/// Whose request the proxy sees: that of the session whose credential it bears, as long as that runs.
fn identify(credentials: &Arc<Credentials>, config: &Config, environment: &Environment) -> egress::Identify {
    let (credentials, required) = (Arc::clone(credentials), config.egress.require_credentials);
    let home = environment.user_home.display().to_string();
    Arc::new(move |given| {
        let known = given.and_then(|(session, token)| {
            let bearer = credentials.bearer(token)?;
            (bearer.session.as_deref() == Some(session)).then_some(bearer)
        });
        let (agent, session, server) = match known {
            Some(bearer) => (bearer.agent.unwrap_or_default(), bearer.session.unwrap_or_default(), bearer.server),
            None if required => return None,
            None => (String::new(), UNIDENTIFIED.to_owned(), None),
        };
        Some(Origin { surface: Surface::Egress, agent, session, server, home: Some(home.clone()), ..Origin::default() })
    })
}

/// The session of requests through the proxy that bear no session's credential.
const UNIDENTIFIED: &str = "unidentified";

/// Resolves when somebody asks us to end. A terminal that goes away does; elsewhere SIGHUP means to read things again.
async fn ended() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let at_terminal = std::io::stdin().is_terminal();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv(), if at_terminal => {}
    }
    Ok(())
}

/// Resolves when our socket is no longer where clients look for it: a home that was removed or replaced.
async fn unreachable(socket: &std::path::Path) {
    use std::os::unix::fs::MetadataExt as _;
    let inode = || socket.symlink_metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let ours = inode();
    while inode() == ours {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Starts the same command in the background and returns when it answers.
fn background(args: &Serve, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if let Ok(status) = reach::client(environment).status() {
        printer.note(format!("a gateway runs already (process {})", status.pid));
        return Ok(Exit::Yes);
    }
    let home = Home::at(&environment.home);
    home.prepare()?;
    let log_path = rampart_client::start::log(&environment.home);
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .with_context(|| format!("cannot write {}", log_path.display()))?;
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.arg("serve").args(flags(args)).stdin(std::process::Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // Out of the terminal's process group, so that an interrupt there does not end it.
    let mut child = command.process_group(0).spawn().context("cannot start the gateway")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Ok(status) = reach::client(environment).status() {
            printer.note(format!("gateway started (process {}); `rampart serve stop` ends it", status.pid));
            return Ok(Exit::Yes);
        }
        if let Some(status) = child.try_wait()? {
            let words = std::fs::read_to_string(&log_path).unwrap_or_default();
            let last: Vec<_> = words.lines().rev().take(12).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            bail!("the gateway ended at once ({status}):\n{}", last.join("\n"));
        }
        if Instant::now() > deadline {
            bail!("the gateway does not answer yet; its log is {}", log_path.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The flags of this command for the one in the background.
fn flags(args: &Serve) -> Vec<String> {
    let mut flags = Vec::new();
    let mut push = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            flags.extend([format!("--{name}"), value]);
        }
    };
    push("port", args.port.map(|p| p.to_string()));
    push("addr", args.addr.map(|a| a.to_string()));
    push("egress", args.egress.map(|a| a.to_string()));
    push("mode", args.mode.map(|m| format!("{m:?}").to_lowercase()));
    push("approval-timeout", args.approval_timeout.clone());
    push("syslog", args.syslog.clone());
    if args.sidecar {
        flags.push("--sidecar".to_owned());
    }
    if args.headless {
        flags.push("--headless".to_owned());
    }
    if args.cef {
        flags.push("--cef".to_owned());
    }
    flags
}

fn stop(environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let client = reach::client(environment);
    let status = match client.status() {
        Ok(status) => status,
        Err(Fault::Unreachable { .. }) => {
            printer.note("no gateway runs in this home");
            return Ok(Exit::Yes);
        }
        Err(fault) => return Err(fault.into()),
    };
    let pid = i32::try_from(status.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .context("the gateway tells no process id")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)
        .with_context(|| format!("cannot end process {}", status.pid))?;
    let deadline = Instant::now() + Duration::from_secs(15);
    while client.status().is_ok() || rustix::process::test_kill_process(pid).is_ok() && !is_zombie(status.pid) {
        if Instant::now() > deadline {
            bail!("process {} was asked to end and still runs", status.pid);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    printer.note(format!("gateway stopped (process {})", status.pid));
    Ok(Exit::Yes)
}

/// A process that has ended and waits for its parent to notice.
fn is_zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}
