//! `config.yaml` of this home, with what flags say on top.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, bail};
use rampart_gateway::{
    Config, Home, Mode,
    audit::sinks::{Layout, Peer, Syslog},
    config::Otel,
};
use rampart_policy::parse_duration;

use crate::{args, diagnostics, environment::Environment, printer::Printer};

/// What is in force when nothing is typed.
///
/// # Errors
/// When the file does not load; the lines are shown.
pub(crate) fn read(home: &Home, printer: Printer) -> anyhow::Result<Config> {
    let text = home.config()?.unwrap_or_default();
    let name = home.config_file().display().to_string();
    Config::parse(&text, &name).map_err(|wrong| {
        printer.note(diagnostics::render(&wrong, |_| Some(text.as_str())));
        anyhow::anyhow!("{name} does not load; mend it or remove it")
    })
}

/// The same with the flags of `rampart serve`.
///
/// # Errors
/// When a flag's value makes no sense.
pub(crate) fn with_flags(mut config: Config, args: &args::Serve) -> anyhow::Result<Config> {
    if let Some(port) = args.port {
        config.listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    }
    config.listen = args.addr.unwrap_or(config.listen);
    config.egress.listen = args.egress.unwrap_or(config.egress.listen);
    if let Some(mode) = args.mode {
        config.mode = match mode {
            args::Mode::Enforce => Mode::Enforce,
            args::Mode::Monitor => Mode::Monitor,
            args::Mode::Disabled => Mode::Disabled,
        };
    }
    if let Some(text) = &args.approval_timeout {
        let ms = parse_duration(text).with_context(|| format!("`{text}` is not a time; write it as 90s or 5m"))?;
        if ms < 1000 {
            bail!("--approval-timeout {text} is too short for anybody to answer");
        }
        config.approval_timeout = std::time::Duration::from_millis(ms.unsigned_abs());
    }
    config.headless |= args.headless;
    if args.sidecar {
        config.egress.transparent.get_or_insert(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 15001));
        config.egress.dns_listen.get_or_insert(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 15053));
    }
    if let Some(text) = &args.syslog {
        let peer = Peer::parse(text).with_context(|| {
            format!("`{text}` is no address of a collector; write localhost:514, tcp://HOST:PORT or tls://HOST:PORT")
        })?;
        let layout = config.syslog.map(|syslog| syslog.layout).unwrap_or_default();
        config.syslog = Some(Syslog { peer, layout });
    }
    if args.cef {
        let syslog = config.syslog.as_mut().context("--cef needs a collector: add `--syslog HOST:PORT`")?;
        syslog.layout = Layout::Cef;
    }
    if !config.listen.ip().is_loopback() && config.listen_as.is_empty() {
        bail!(
            "{} can be reached from other machines; the API listens on loopback only, or in a container under the names \
             that `listen_as` in config.yaml has",
            config.listen
        );
    }
    Ok(config)
}

/// The same with what the variables of OpenTelemetry say where `config.yaml` says nothing.
///
/// # Errors
/// When they name a collector that cannot be reached as they say.
pub(crate) fn with_collector(mut config: Config, environment: &Environment) -> anyhow::Result<Config> {
    let variables = &environment.otel;
    if variables.disabled {
        config.otel = None;
    } else if let (None, Some(endpoint)) = (&config.otel, &variables.endpoint) {
        let base = Otel::endpoint(endpoint).with_context(|| {
            format!("OTEL_EXPORTER_OTLP_ENDPOINT={endpoint} is no address such as http://localhost:4318")
        })?;
        if let Some(protocol) = variables.protocol.as_ref().filter(|protocol| *protocol != "http/protobuf") {
            bail!("OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not spoken; set it to http/protobuf");
        }
        config.otel = Some(Otel::new(base));
    }
    Ok(config)
}
