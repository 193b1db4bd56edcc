//! Runs an MCP server behind the relay with a gate that allows everything but what `--deny TEXT` names: for trying the
//! road with real clients and servers, and for measuring it.
//!
//! `cargo run -p rampart-mcp --example allow_all -- [--deny TEXT] SERVER...`
//!
//! Not the product: `rampart mcp` asks the gateway.

use std::{ffi::OsString, io::Write as _, sync::Arc};

use futures_util::{Stream, stream};
use rampart_call::{Call, Judgement, Origin, Permit, Reason, Refusal, Verdict};
use rampart_mcp::{environment, stdio};
use tokio::signal::unix::{SignalKind, signal};

#[expect(clippy::disallowed_methods, reason = "this example is its own gate")]
fn judge(call: &Call, deny: Option<&str>) -> Verdict {
    match deny {
        Some(text) if format!("{:?}", call.action).contains(text) => {
            Verdict::Deny(Refusal { judgement: Judgement::refused(Reason::Default, format!("it mentions `{text}`")) })
        }
        _ => Verdict::Allow(Permit::mint(Judgement::allowed(Reason::Default))),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let mut command: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut deny = None;
    if command.first().is_some_and(|a| a == "--deny") && command.len() > 1 {
        deny = command.drain(..2).nth(1).and_then(|text| text.into_string().ok());
    }
    let options = stdio::Options {
        command,
        server: "example".into(),
        origin: Origin::default(),
        env: environment::clean(std::env::vars_os()),
        pins: None,
        schemas: rampart_mcp::Schemas::default(),
        filter_tools: false,
        clean: None,
        orphans: stdio::Orphans::Leave,
        limits: stdio::Limits::default(),
    };
    let gate = Arc::new(move |call: Call| judge(&call, deny.as_deref()));
    let run = async {
        let (input, output) = (stdio::Handle::new(std::io::stdin())?, stdio::Handle::new(std::io::stdout())?);
        std::io::Result::Ok(stdio::run(options, gate, input, output, signals()?).await)
    };
    let (code, message) = match run.await {
        Ok(Ok(outcome)) => (outcome.exit_code, format!("{:?}", outcome.summary)),
        Ok(Err(error)) => (error.exit_code(), error.to_string()),
        Err(error) => (1, error.to_string()),
    };
    let _ = writeln!(std::io::stderr(), "{message}");
    code.into()
}

/// The signals that are passed on to the server.
fn signals() -> std::io::Result<impl Stream<Item = i32>> {
    let mut all = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()] {
        let mut arrivals = signal(kind)?;
        let numbers = stream::poll_fn(move |cx| arrivals.poll_recv(cx).map(|got| got.map(|()| kind.as_raw_value())));
        all.push(numbers);
    }
    Ok(stream::select_all(all))
}
