//! `rampart mcp serve --upstream URL`: stands in front of an MCP server that speaks HTTP.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use rampart_call::Origin;
use rampart_client::{
    Client, blocking,
    wire::{OpenSession, SessionLasts},
};
use rampart_gateway::Home;
use rampart_mcp::http::{Front, Limits, Options};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower::util::BoxCloneSyncService;

use super::mcp_pins;
use crate::{
    args::McpServe, configuration, environment::Environment, exit::Exit, log_output, outbound, printer::Printer, reach,
};

pub(crate) fn run(args: McpServe, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if !args.listen.ip().is_loopback() {
        bail!(
            "--listen {}: others than this machine could call the server there, and this version has no TLS and no tokens \
             for them; listen on 127.0.0.1 and put a proxy that has both in front",
            args.listen
        );
    }
    // Before anything is started for it.
    Front::check(&args.upstream)?;
    log_output::start(environment.log.as_deref(), None);
    reach::ensure(environment)?;
    let mut road = reach::road(environment);
    let agent = environment.agent.clone().unwrap_or(args.agent_id);
    let session = args.session_id.or_else(|| environment.session.clone());
    let mut session = session.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    if road.token.is_none() {
        let wanted = OpenSession {
            agent: agent.clone(),
            session: Some(session.clone()),
            lasts: SessionLasts::Process,
            secrets: Vec::new(),
        };
        let opened = blocking::Client::new(road.clone()).open_session(&wanted)?;
        (session, road.token) = (opened.session, Some(opened.credential));
    }
    let config = configuration::read(&Home::at(environment.home.clone()), printer)?;
    let host = args.upstream.host().unwrap_or_default().to_owned();
    let server = args.name.unwrap_or(host);
    // Without the query, which may hold a secret.
    let (scheme, place) = (args.upstream.scheme_str().unwrap_or_default(), args.upstream.authority());
    let place = place.map(ToString::to_string).unwrap_or_default();
    let identity = format!("{server} ({scheme}://{place}{})", args.upstream.path());
    let options = Options {
        pins: mcp_pins::store(args.pins, &server, identity, environment)?,
        url: args.upstream,
        server,
        origin: Origin {
            agent,
            session,
            workspace: Some(environment.workspace().display().to_string()),
            home: Some(environment.user_home.display().to_string()),
            trace: environment.trace,
            ..Origin::default()
        },
        hosts: args.allow_host,
        limits: Limits::default(),
    };
    let path = options.url.path().to_owned();
    let upstream = BoxCloneSyncService::new(outbound::client(&config)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let front = Arc::new(Front::new(options, Arc::new(Client::new(road)), upstream)?);
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}; choose another place with --listen", args.listen))?;
        printer.out(format!("http://{}{path}", listener.local_addr()?));
        let (mut end, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            served = front.serve(listener) => served.map(|()| Exit::Yes).map_err(Into::into),
            _ = end.recv() => Ok(Exit::Yes),
            _ = interrupt.recv() => Ok(Exit::Yes),
        }
    })
}
