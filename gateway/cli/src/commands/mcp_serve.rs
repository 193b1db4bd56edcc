//! `rampart mcp serve`: MCP over HTTP, in front of a server that has a URL, one that is started by a command, or those
//! that `config.yaml` names.

use std::{ffi::OsString, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use rampart_call::{Gate, Origin};
use rampart_certs::{ServerConfig, serving};
use rampart_client::{Client, blocking, wire::OpenSession};
use rampart_gateway::{
    Config, Home,
    config::{Place, Server},
};
use rampart_mcp::{
    environment::clean,
    http::{Access, Clients, Endpoints, Front, Hosting, Limits, Options, Processes, owner},
    stdio,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower::util::BoxCloneSyncService;

use super::{
    mcp::{Traffic, cleaned, explicit, schemas, server_name},
    mcp_clients::ClientSessions,
    mcp_pins,
};
use crate::{
    args::{McpServe, Pinning, SessionMode, Shapes},
    configuration,
    environment::Environment,
    exit::Exit,
    log_output, outbound,
    printer::Printer,
    reach,
};

/// Characters of a token that nobody guesses.
const SHORTEST: usize = 16;

pub(crate) fn run(args: McpServe, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let config = configuration::read(&Home::at(environment.home.clone()), printer)?;
    let listen = args.listen.unwrap_or(config.mcp.listen);
    let door = Door::new(&args, &config, listen)?;
    let named = args.upstream.is_none() && args.server.is_empty();
    if named && config.mcp.servers.is_empty() {
        bail!(
            "no server was named: give its URL with --upstream, its command after `--`, or name some in config.yaml \
             under `mcp.servers`"
        );
    }
    if named && (args.name.is_some() || !args.env.is_empty()) {
        bail!("--name and --env are about one server; write `env` beside its command in config.yaml");
    }
    // Before anything is started for it.
    args.upstream.as_ref().map_or(Ok(()), Front::check)?;
    log_output::start(environment.log.as_deref(), None);
    reach::ensure(environment)?;
    let mut road = reach::road(environment);
    let agent = environment.agent.clone().unwrap_or(args.agent_id.clone());
    let session = args.session_id.clone().or_else(|| environment.session.clone());
    // Whoever names the session wants all clients in it.
    let apart = session.is_none();
    let mut clients = None;
    let mut session = session.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    if road.token.is_none() {
        let wanted = OpenSession {
            agent: agent.clone(),
            session: Some(session.clone()),
            monitor: args.mode == SessionMode::Monitor,
            clients: apart,
            ..OpenSession::default()
        };
        let opened = blocking::Client::new(road.clone()).open_session(&wanted)?;
        reach::note_enforced(args.mode, &opened, printer);
        road = reach::road_of(&opened, environment);
        if opened.clients {
            let through = opened.egress.is_some() && !args.no_proxy;
            let through = through.then(|| outbound::Files::of(environment)).transpose()?;
            clients = Some(Arc::new(ClientSessions { road: road.clone(), agent: agent.clone(), through }));
        }
        session = opened.session;
    }
    let origin = Origin {
        agent: agent.clone(),
        session,
        workspace: Some(environment.workspace().display().to_string()),
        home: Some(environment.user_home.display().to_string()),
        trace: environment.trace,
        ..Origin::default()
    };
    let gate: Arc<dyn Gate> = Arc::new(Client::new(road.clone()));
    let traffic = Traffic { agent: &agent, road: &road, environment, printer };
    let setting = Setting { args: &args, config: &config, environment, origin, traffic, gate, clients };
    let scheme = if door.tls.is_some() { "https" } else { "http" };
    let public = door.public.clone();
    let endpoints = setting.endpoints(door)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let endpoints = Arc::new(endpoints);
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}; choose another place with --listen"))?;
        let here = listener.local_addr()?;
        let base = public.unwrap_or_else(|| format!("{scheme}://{here}"));
        for path in endpoints.paths() {
            printer.out(format!("{base}{path}"));
        }
        let (mut end, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let ended = tokio::select! {
            served = Arc::clone(&endpoints).serve(listener) => served.map(|()| Exit::Yes).map_err(Into::into),
            _ = end.recv() => Ok(Exit::Yes),
            _ = interrupt.recv() => Ok(Exit::Yes),
        };
        endpoints.end().await;
        ended
    })
}

/// How clients come in.
struct Door {
    access: Access,
    public: Option<String>,
    tls: Option<ServerConfig>,
}

impl Door {
    /// # Errors
    /// When others than this machine could come and would not have to show who they are, or a file cannot be used.
    fn new(args: &McpServe, config: &Config, listen: SocketAddr) -> anyhow::Result<Self> {
        let public = match &args.public_url {
            Some(url) if url.scheme().is_none() || url.path() != "/" || url.query().is_some() => {
                bail!("--public-url {url}: write what stands before the paths, such as https://mcp.example");
            }
            Some(url) => Some(url.to_string().trim_end_matches('/').to_owned()),
            None => config.mcp.public_url.clone(),
        };
        let flags = args.tls_cert.clone().zip(args.tls_key.clone());
        let tls = flags.or(config.mcp.tls.clone());
        let tokens = args.token_file.as_ref().or(config.mcp.token_file.as_ref());
        let mut hosts = args.allow_host.clone();
        let host = public.as_deref().and_then(|public| public.parse::<http::Uri>().ok());
        hosts.extend(host.and_then(|url| Some(url.host()?.to_owned())));
        if !listen.ip().is_loopback() {
            if tls.is_none() || tokens.is_none() {
                bail!(
                    "{listen}: others than this machine could call the server there; give --tls-cert, --tls-key and \
                     --token-file, or listen on 127.0.0.1 and put a proxy that has TLS and tokens in front"
                );
            }
            if listen.ip().is_unspecified() && hosts.is_empty() {
                bail!("{listen}: say by which name clients come, with --public-url or --allow-host");
            }
            hosts.extend([listen.ip().to_string(), listen.to_string()]);
        }
        let tokens = tokens.map(|path| read_tokens(path)).transpose()?.unwrap_or_default();
        let access = Access::new(hosts, tokens.lines().map(str::trim).filter(|line| !line.is_empty()));
        let tls = tls.map(|(certificate, key)| tls_of(&certificate, &key)).transpose()?;
        Ok(Self { access, public, tls })
    }
}

/// The tokens of a file that nobody else can read.
fn read_tokens(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the tokens in {}", path.display()))?;
    let open = std::fs::metadata(path)?.permissions().mode() & 0o077 != 0;
    if open {
        bail!("{}: others on this machine can read the tokens; run chmod 600 on it", path.display());
    }
    let tokens: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if tokens.is_empty() || tokens.iter().any(|token| token.len() < SHORTEST) {
        bail!(
            "{}: write tokens of at least {SHORTEST} characters, each on a line; `openssl rand -hex 32` makes one",
            path.display()
        );
    }
    Ok(text)
}

/// TLS for clients.
fn tls_of(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let made = serving(&read(certificate)?, &read(key)?);
    made.map_err(|why| anyhow!("{} and {}: {why}", certificate.display(), key.display()))
}

/// What of a server passes, and how.
#[derive(Clone, Copy)]
struct Terms {
    pins: Pinning,
    shapes: Shapes,
    filter_tools: bool,
}

/// What all servers of one listener share.
struct Setting<'a> {
    args: &'a McpServe,
    config: &'a Config,
    environment: &'a Environment,
    origin: Origin,
    traffic: Traffic<'a>,
    gate: Arc<dyn Gate>,
    /// None where all clients share a session.
    clients: Option<Arc<ClientSessions>>,
}

impl Setting<'_> {
    fn clients(&self) -> Option<Arc<dyn Clients>> {
        self.clients.clone().map(|clients| clients as Arc<dyn Clients>)
    }

    fn endpoints(&self, door: Door) -> anyhow::Result<Endpoints> {
        let args = self.args;
        let terms = Terms { pins: args.pins, shapes: args.schemas, filter_tools: args.filter_tools };
        let endpoints = Endpoints::new(door.access, Limits::default()).known_as(door.public).behind(door.tls);
        if let Some(url) = &args.upstream {
            let name = args.name.clone().unwrap_or_else(|| url.host().unwrap_or_default().to_owned());
            return Ok(endpoints.front(url.path(), self.front(url.clone(), name, terms)?));
        }
        if !args.server.is_empty() {
            let name = args.name.clone().unwrap_or_else(|| server_name(&args.server));
            let processes = self.processes(args.server.clone(), name, &args.env, terms)?;
            return Ok(endpoints.processes("/mcp", processes));
        }
        self.config.mcp.servers.iter().try_fold(endpoints, |endpoints, (name, server)| {
            let Server { place, pins, schemas, filter_tools } = server;
            let path = format!("/mcp/{name}");
            let pins = match pins.as_deref() {
                None => args.pins,
                Some("approved") => Pinning::Approved,
                Some("off") => Pinning::Off,
                Some(_) => Pinning::FirstUse,
            };
            let shapes = match schemas.as_deref() {
                None => args.schemas,
                Some("check") => Shapes::Check,
                Some("closed") => Shapes::Closed,
                Some(_) => Shapes::Off,
            };
            let terms = Terms { pins, shapes, filter_tools: filter_tools.unwrap_or(args.filter_tools) };
            Ok(match place {
                Place::Url(url) => {
                    let url = url.reveal().parse().with_context(|| format!("the URL of `{name}` in config.yaml"))?;
                    endpoints.front(path, self.front(url, name.clone(), terms)?)
                }
                Place::Command(words, env) => {
                    let command = words.iter().map(OsString::from).collect();
                    let env: Vec<String> = env.iter().map(|variable| variable.reveal().to_owned()).collect();
                    endpoints.processes(path, self.processes(command, name.clone(), &env, terms)?)
                }
            })
        })
    }

    fn front(&self, url: http::Uri, server: String, terms: Terms) -> anyhow::Result<Front> {
        // Without the query, which may hold a secret.
        let (scheme, place) = (url.scheme_str().unwrap_or_default(), url.authority());
        let place = place.map(ToString::to_string).unwrap_or_default();
        let identity = format!("{server} ({scheme}://{place}{})", url.path());
        let options = Options {
            pins: mcp_pins::store(terms.pins, &server, identity, self.environment)?,
            schemas: schemas(terms.shapes),
            filter_tools: terms.filter_tools,
            url,
            server,
            origin: self.origin.clone(),
            clients: self.clients(),
            limits: Limits::default(),
        };
        let upstream = BoxCloneSyncService::new(outbound::client(self.config)?.keeping(owner));
        Ok(Front::new(options, Arc::clone(&self.gate), upstream)?)
    }

    fn processes(
        &self,
        command: Vec<OsString>,
        server: String,
        env: &[String],
        terms: Terms,
    ) -> anyhow::Result<Processes> {
        let identity = mcp_pins::identity(&server, &command, self.environment);
        let proxy = if self.args.no_proxy { Vec::new() } else { self.traffic.through_the_proxy(&server) };
        let process = stdio::Options {
            pins: mcp_pins::store(terms.pins, &server, identity, self.environment)?,
            schemas: schemas(terms.shapes),
            filter_tools: terms.filter_tools,
            server,
            env: clean(std::env::vars_os()).into_iter().chain(proxy).collect(),
            command,
            origin: self.origin.clone(),
            clean: Some(cleaned),
            orphans: stdio::Orphans::EndMarked,
            limits: stdio::Limits { answer: self.args.timeout.map(Duration::from_secs), ..stdio::Limits::default() },
        };
        let hosting = Hosting {
            process,
            clients: self.clients(),
            explicit: explicit(env)?,
            limits: Limits::default(),
            sessions: self.args.sessions.into(),
            idle: Duration::from_secs(self.args.idle_timeout),
        };
        Ok(Processes::new(hosting, Arc::clone(&self.gate)))
    }
}
