//! `rampart mcp serve`: MCP over HTTP, in front of a server that has a URL, one that is started by a command, or those
//! that `config.yaml` names.

use std::{ffi::OsString, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use rampart_call::{Gate, Origin};
use rampart_client::{
    Client, blocking,
    wire::{OpenSession, SessionLasts},
};
use rampart_gateway::{
    Config, Home,
    config::{Place, Server},
};
use rampart_mcp::{
    environment::clean,
    http::{Endpoints, Front, Hosting, Limits, Options, Processes, owner},
    stdio,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower::util::BoxCloneSyncService;

use super::{
    mcp::{cleaned, explicit, schemas, server_name, through_the_proxy},
    mcp_pins,
};
use crate::{
    args::{McpServe, Pinning, Shapes},
    configuration,
    environment::Environment,
    exit::Exit,
    log_output, outbound,
    printer::Printer,
    reach,
};

pub(crate) fn run(args: McpServe, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let config = configuration::read(&Home::at(environment.home.clone()), printer)?;
    let listen = args.listen.unwrap_or(config.mcp.listen);
    if !listen.ip().is_loopback() {
        bail!(
            "{listen}: others than this machine could call the server there, and this version has no TLS and no tokens \
             for them; listen on 127.0.0.1 and put a proxy that has both in front"
        );
    }
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
    let mut session = session.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let mut proxy = Vec::new();
    if road.token.is_none() {
        let wanted = OpenSession {
            agent: agent.clone(),
            session: Some(session.clone()),
            lasts: SessionLasts::Process,
            secrets: Vec::new(),
        };
        let opened = blocking::Client::new(road.clone()).open_session(&wanted)?;
        if !args.no_proxy {
            proxy = through_the_proxy(&opened, environment, printer);
        }
        (session, road.token) = (opened.session, Some(opened.credential));
    }
    let origin = Origin {
        agent,
        session,
        workspace: Some(environment.workspace().display().to_string()),
        home: Some(environment.user_home.display().to_string()),
        trace: environment.trace,
        ..Origin::default()
    };
    let gate: Arc<dyn Gate> = Arc::new(Client::new(road));
    let setting = Setting { args: &args, config: &config, environment, origin, proxy, gate };
    let endpoints = setting.endpoints()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let endpoints = Arc::new(endpoints);
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}; choose another place with --listen"))?;
        let here = listener.local_addr()?;
        for path in endpoints.paths() {
            printer.out(format!("http://{here}{path}"));
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

/// What all servers of one listener share.
struct Setting<'a> {
    args: &'a McpServe,
    config: &'a Config,
    environment: &'a Environment,
    origin: Origin,
    /// Variables that send a server's own traffic through the egress proxy.
    proxy: Vec<(OsString, OsString)>,
    gate: Arc<dyn Gate>,
}

impl Setting<'_> {
    fn endpoints(&self) -> anyhow::Result<Endpoints> {
        let args = self.args;
        let endpoints = Endpoints::new(args.allow_host.clone(), Limits::default());
        if let Some(url) = &args.upstream {
            let name = args.name.clone().unwrap_or_else(|| url.host().unwrap_or_default().to_owned());
            return Ok(endpoints.front(url.path(), self.front(url.clone(), name, (args.pins, args.schemas))?));
        }
        if !args.server.is_empty() {
            let name = args.name.clone().unwrap_or_else(|| server_name(&args.server));
            let processes = self.processes(args.server.clone(), name, &args.env, (args.pins, args.schemas))?;
            return Ok(endpoints.processes("/mcp", processes));
        }
        self.config.mcp.servers.iter().try_fold(endpoints, |endpoints, (name, Server { place, pins, schemas })| {
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
            Ok(match place {
                Place::Url(url) => {
                    let url = url.reveal().parse().with_context(|| format!("the URL of `{name}` in config.yaml"))?;
                    endpoints.front(path, self.front(url, name.clone(), (pins, shapes))?)
                }
                Place::Command(words, env) => {
                    let command = words.iter().map(OsString::from).collect();
                    let env: Vec<String> = env.iter().map(|variable| variable.reveal().to_owned()).collect();
                    endpoints.processes(path, self.processes(command, name.clone(), &env, (pins, shapes))?)
                }
            })
        })
    }

    fn front(&self, url: http::Uri, server: String, (pins, shapes): (Pinning, Shapes)) -> anyhow::Result<Front> {
        // Without the query, which may hold a secret.
        let (scheme, place) = (url.scheme_str().unwrap_or_default(), url.authority());
        let place = place.map(ToString::to_string).unwrap_or_default();
        let identity = format!("{server} ({scheme}://{place}{})", url.path());
        let options = Options {
            pins: mcp_pins::store(pins, &server, identity, self.environment)?,
            schemas: schemas(shapes),
            url,
            server,
            origin: self.origin.clone(),
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
        (pins, shapes): (Pinning, Shapes),
    ) -> anyhow::Result<Processes> {
        let identity = mcp_pins::identity(&server, &command, self.environment);
        let process = stdio::Options {
            pins: mcp_pins::store(pins, &server, identity, self.environment)?,
            schemas: schemas(shapes),
            server,
            env: clean(std::env::vars_os()).into_iter().chain(self.proxy.clone()).chain(explicit(env)?).collect(),
            command,
            origin: self.origin.clone(),
            clean: Some(cleaned),
            alone: false,
            limits: stdio::Limits::default(),
        };
        let hosting = Hosting {
            process,
            limits: Limits::default(),
            sessions: self.args.sessions.into(),
            idle: Duration::from_secs(self.args.idle_timeout),
        };
        Ok(Processes::new(hosting, Arc::clone(&self.gate)))
    }
}
