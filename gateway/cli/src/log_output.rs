//! The log of a running gateway: standard error, one line an event.

use tracing_subscriber::EnvFilter;

/// Starts it; `filter` is `RAMPART_LOG`, such as `debug` or `rampart_egress=debug`.
pub(crate) fn start(filter: Option<&str>) {
    let filter = EnvFilter::new(filter.unwrap_or("warn"));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
}
