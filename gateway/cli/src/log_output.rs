//! The log of a running gateway: standard error, one line an event, and a collector where one is configured.

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing::Level;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Starts it; `filter` is `RAMPART_LOG`, such as `debug` or `rampart_egress=debug`. A collector gets what we say from
/// `info` up, and nothing of the libraries that bring it there.
pub(crate) fn start(filter: Option<&str>, collector: Option<&SdkLoggerProvider>) {
    let filter = EnvFilter::new(filter.unwrap_or("warn"));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_filter(filter);
    let ours = ["rampart", "rampart_api", "rampart_egress", "rampart_gateway", "rampart_certs"];
    let told = Targets::new().with_targets(ours.map(|target| (target, LevelFilter::from_level(Level::INFO))));
    let collected = collector.map(|logs| OpenTelemetryTracingBridge::new(logs).with_filter(told));
    tracing_subscriber::registry().with(lines).with(collected).init();
}
