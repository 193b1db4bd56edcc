//! `rampart-verify`: a service for `action: webhook` that asks a language model about calls that rules leave open. Its
//! word is one opinion: what it cannot answer clearly, a human is asked.
//!
//! Not here: policy. Which calls come here, and what happens when no answer comes, the rule says.

mod ledger;
mod model;
mod question;
mod service;

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::Parser;
use tokio::{net::TcpListener, signal::unix};

use self::{
    model::{Dialect, Model},
    service::{Limits, Service},
};

/// Asks a language model whether a call of an agent is harmless, for rules with `action: webhook`.
///
/// The key of the model's API is read from RAMPART_VERIFY_KEY.
#[derive(Debug, Parser)]
#[command(name = "rampart-verify", version, max_term_width = 100)]
struct Args {
    /// Where to listen; `webhook: { url: "http://localhost:8090/verify" }` asks there
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// How the model is spoken to
    #[arg(long, value_name = "API", default_value = "openai")]
    api: Dialect,
    /// Base URL of the model's API [default: that of the API's maker]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Name of the model
    #[arg(long, value_name = "NAME")]
    model: String,
    /// How long the model may take, in milliseconds; less than the `timeout` of the rule
    #[arg(long, value_name = "MS", default_value_t = 4000)]
    timeout: u64,
    /// Most questions to the model in a minute
    #[arg(long, value_name = "COUNT", default_value_t = 60)]
    per_minute: u32,
    /// Most questions to the model in a day
    #[arg(long, value_name = "COUNT", default_value_t = 2000)]
    per_day: u32,
    /// How long an answer is good for the same call, in seconds; 0 for not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    cache: u64,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "rampart-verify: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    if !args.listen.ip().is_loopback() {
        bail!("--listen {}: it answers whoever asks, so it listens on loopback only", args.listen);
    }
    #[expect(clippy::disallowed_methods, reason = "this is the program's entry")]
    let key = std::env::var("RAMPART_VERIFY_KEY").ok().filter(|key| !key.is_empty());
    let base_url = args.base_url.unwrap_or_else(|| args.api.usual_base_url().to_owned());
    let model = Model::new(args.api, &base_url, args.model, key).map_err(|why| anyhow::anyhow!("{why}"))?;
    let limits = Limits {
        patience: Duration::from_millis(args.timeout),
        per_minute: args.per_minute,
        per_day: args.per_day,
        remembered: Duration::from_secs(args.cache),
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = rampart_egress::Client::new(Vec::new(), Vec::new(), Vec::new())?;
    let service = Arc::new(Service::new(model, limits, client));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {}; choose another --listen", args.listen))?;
        let _ = writeln!(std::io::stdout(), "listening on http://{}/verify", listener.local_addr()?);
        let mut terminate = unix::signal(unix::SignalKind::terminate())?;
        let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
        let end = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        axum::serve(listener, service::router(service)).with_graceful_shutdown(end).await?;
        Ok(())
    })
}
