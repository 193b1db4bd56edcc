//! `rampart config show`: what is in force, and where each value comes from.

use std::time::Duration;

use rampart_call::Outcome;
use rampart_gateway::{
    Config, Home,
    config::{Followed, Limits},
};
use serde_json::json;

use crate::{
    args::ConfigVerb,
    configuration,
    environment::Environment,
    exit::Exit,
    printer::{DIM, Printer, styled},
};

pub(crate) fn run(verb: &ConfigVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let ConfigVerb::Show(args) = verb;
    let home = Home::at(&environment.home);
    let config = configuration::read(&home, printer)?;
    let (values, defaults) = (values(&config), values(&Config::default()));
    for ((key, value), (_, default)) in values.iter().zip(&defaults) {
        let source = if value == default { "default" } else { "config.yaml" };
        if args.json {
            printer.json(&json!({ "key": key, "value": value, "source": source }))?;
        } else {
            printer.out(format!("{key:<20} {value:<24} {}", styled(DIM, source)));
        }
    }
    Ok(Exit::Yes)
}

/// Every key with its value as it would be written.
fn values(config: &Config) -> Vec<(&'static str, String)> {
    let list = |items: Vec<String>| if items.is_empty() { "[]".to_owned() } else { items.join(", ") };
    let resolve = config.egress.resolve.iter().map(|r| {
        let port = r.port.map(|p| format!(":{p}")).unwrap_or_default();
        format!("{}{port}:{}", r.host, r.address)
    });
    vec![
        ("listen", config.listen.to_string()),
        ("listen_as", list(config.listen_as.clone())),
        ("mode", config.mode.as_str().to_owned()),
        ("egress.listen", config.egress.listen.to_string()),
        ("egress.resolve", list(resolve.collect())),
        ("egress.upstream_ca", list(config.egress.upstream_ca.iter().map(|p| p.display().to_string()).collect())),
        ("egress.upstream_crls", list(config.egress.upstream_crls.iter().map(|p| p.display().to_string()).collect())),
        ("egress.allow_private", list(config.egress.allow_private.clone())),
        ("egress.passthrough", list(config.egress.passthrough.clone())),
        ("egress.upstream_proxy", if config.egress.upstream_proxy.is_some() { "set" } else { "none" }.to_owned()),
        ("egress.no_proxy", list(config.egress.no_proxy.clone())),
        (
            "egress.client_certificates",
            list(config.egress.client_certificates.iter().map(|c| c.host.clone()).collect()),
        ),
        ("egress.transparent", config.egress.transparent.map_or("none".to_owned(), |address| address.to_string())),
        ("egress.require_credentials", config.egress.require_credentials.to_string()),
        ("egress.sources", list(config.egress.sources.iter().map(|s| format!("{} is {}", s.from, s.agent)).collect())),
        ("egress.dns", list(config.egress.dns.iter().map(ToString::to_string).collect())),
        ("egress.dns_listen", config.egress.dns_listen.map_or("none".to_owned(), |address| address.to_string())),
        ("egress.block_page", config.egress.block_page.as_ref().map_or("none".to_owned(), |p| p.display().to_string())),
        ("egress.limits", limits(&config.egress.limits)),
        (
            "credentials",
            list(config.credentials.iter().map(|c| format!("{} for {}", c.name, c.hosts.join(" "))).collect()),
        ),
        ("secrets.seen", if config.secrets.seen { "follow" } else { "ignore" }.to_owned()),
        ("secrets.hosts", list(config.secrets.hosts.clone())),
        ("secrets.follow", list(config.secrets.follow.iter().map(|f| source(&f.from)).collect())),
        ("mcp.listen", config.mcp.listen.to_string()),
        ("mcp.public_url", config.mcp.public_url.clone().unwrap_or_else(|| "none".into())),
        ("mcp.tls", config.mcp.tls.as_ref().map_or_else(|| "none".into(), |(pem, _)| pem.display().to_string())),
        ("mcp.token_file", config.mcp.token_file.as_ref().map_or_else(|| "none".into(), |p| p.display().to_string())),
        ("mcp.servers", list(config.mcp.servers.keys().cloned().collect())),
        ("jail.hide", list(config.jail.hide.iter().map(ToString::to_string).collect())),
        ("jail.show", list(config.jail.show.iter().map(ToString::to_string).collect())),
        ("jail.allow_write", list(config.jail.allow_write.iter().map(ToString::to_string).collect())),
        ("jail.allow_sockets", list(config.jail.allow_sockets.iter().map(ToString::to_string).collect())),
        ("jail.without", config.jail.without.as_str().to_owned()),
        ("audit.durability", if config.audit.strict { "strict" } else { "normal" }.to_owned()),
        ("audit.on_failure", if config.audit.allow_on_failure { "allow" } else { "deny" }.to_owned()),
        ("audit.witnesses", list(config.audit.witnesses.iter().map(ToString::to_string).collect())),
        ("audit.segment.size", size(config.audit.segment_bytes)),
        ("audit.segment.age", age(config.audit.segment_age)),
        ("audit.retention.size", config.audit.keep_bytes.map_or("none".to_owned(), size)),
        ("audit.retention.age", age(config.audit.keep_age)),
        ("approvals.timeout", format!("{}s", config.approval_timeout.as_secs())),
        ("approvals.headless", config.headless.to_string()),
        ("approvals.base_url", config.approval_base_url.clone().unwrap_or_else(|| "none".to_owned())),
        ("notify", list(config.notify.iter().map(|target| format!("{target} on {}", words(&target.on))).collect())),
        ("syslog", config.syslog.as_ref().map_or("none".to_owned(), |s| format!("{} {}", s.peer, s.layout.as_str()))),
        ("registry.url", config.registry.as_ref().map_or("none".to_owned(), |registry| registry.url.clone())),
        ("registry.key", config.registry.as_ref().map_or("none".to_owned(), |registry| registry.key.to_string())),
        ("otel", config.otel.as_ref().map_or("none".to_owned(), |otel| otel.endpoint.clone())),
        ("upgrade.from", config.upgrade.as_ref().map_or("none".to_owned(), |upgrade| upgrade.from.clone())),
        ("surfaces.fail_open", list(config.surfaces.fail_open.iter().map(ToString::to_string).collect())),
        ("surfaces.deadline", format!("{}ms", config.surfaces.deadline.as_millis())),
    ]
}

fn limits(limits: &Limits) -> String {
    let number = |name: &str, value: Option<u64>| value.map(|value| format!("{name}: {value}"));
    let time = |name: &str, value: Option<Duration>| value.map(|value| format!("{name}: {}ms", value.as_millis()));
    let said = [
        number("connections", limits.connections.map(|n| n as u64)),
        number("connections_per_client", limits.connections_per_client.map(|n| n as u64)),
        number("head_size", limits.head_size),
        time("head_time", limits.head_time),
        time("body_time", limits.body_time),
        time("answer_time", limits.answer_time),
        time("idle_time", limits.idle_time),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { "usual".to_owned() } else { said.join(", ") }
}

fn source(from: &Followed) -> String {
    match from {
        Followed::Env(pattern) => format!("env {pattern}"),
        Followed::EnvFile(path) => format!("env_file {}", path.display()),
        Followed::File(path) => format!("file {}", path.display()),
    }
}

/// As few digits as say all.
fn size(bytes: u64) -> String {
    let fits = |(power, _): &(i32, &str)| bytes.is_multiple_of(1024_u64.pow(power.unsigned_abs()));
    let (power, unit) = [(4, "tb"), (3, "gb"), (2, "mb")].into_iter().find(fits).unwrap_or((1, "kb"));
    format!("{}{unit}", bytes / 1024_u64.pow(power.unsigned_abs()))
}

fn age(age: Option<Duration>) -> String {
    match age.map(|age| age.as_secs()) {
        None => "none".to_owned(),
        Some(seconds) if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        Some(seconds) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        Some(seconds) => format!("{}m", seconds / 60),
    }
}

fn words(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>().join("+")
}
