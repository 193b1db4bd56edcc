//! The egress proxy by itself, with a closure for a gate: everything passes but one host and what is below it.
//!
//! `cargo run -p rampart-egress --example proxy -- 127.0.0.1:9091 CA_FOLDER DENIED_HOST [host=address | private-network | roots.pem]...`
#![expect(clippy::print_stdout, reason = "this program's output is for the person who runs it")]

use std::{path::PathBuf, sync::Arc};

use rampart_call::{Action, Answer, Call, Judgement, Origin, Outcome, Phase, Reason, Verdict};
use rampart_certs::{Authority, parse_pem, system_roots, trust};
use rampart_egress::{Identify, NODE_PRELOAD, Options, proxy_variables, serve};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: proxy ADDRESS CA_FOLDER DENIED_HOST [host=address | private-network | roots.pem]...";
    let (address, folder, denied) =
        (args.next().ok_or(usage)?, PathBuf::from(args.next().ok_or(usage)?), args.next().ok_or(usage)?);
    let (mut resolve, mut allow_private, mut upstream_ca) = (Vec::new(), Vec::new(), Vec::new());
    for arg in args {
        if arg.contains('=') {
            resolve.push(arg.parse()?);
        } else if std::path::Path::new(&arg).extension().is_some_and(|e| e == "pem") {
            upstream_ca.extend(parse_pem(&std::fs::read(&arg)?)?);
        } else {
            allow_private.push(arg.parse()?);
        }
    }
    let authority = Arc::new(Authority::open(&folder)?);
    let bundle = Authority::write_bundle(authority.certificate(), &folder, &system_roots())?;
    let preload = folder.join("node-proxy.cjs");
    std::fs::write(&preload, NODE_PRELOAD)?;
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let address = listener.local_addr()?;
    for (name, value) in proxy_variables(address, Some(("demo", "token")), preload.to_str()) {
        println!("export {name}='{value}'");
    }
    for variable in trust::VARIABLES {
        let file = match variable.kind {
            trust::Kind::Adds => Authority::certificate_path(&folder),
            trust::Kind::Replaces => bundle.clone(),
        };
        println!("export {}='{}'", variable.name, file.display());
    }
    let below = format!(".{denied}");
    let gate = move |call: Call| {
        let host = match &call.action {
            Action::Connect { host, .. } => host.clone(),
            Action::Fetch { url, .. } => {
                url::Url::parse(url).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default()
            }
            _ => String::new(),
        };
        let refuse = call.phase == Phase::Before && (host == denied || host.ends_with(&below));
        let (verdict, judgement) = if refuse {
            (Outcome::Deny, Judgement::refused(Reason::Rule, format!("`{host}` is on the list of denied hosts")))
        } else {
            (Outcome::Allow, Judgement::allowed(Reason::Default))
        };
        judged(verdict, judgement)
    };
    let identify: Identify = Arc::new(|credentials| match credentials {
        None => Some(Origin::default()),
        Some((session, token)) => {
            (token == "token").then(|| Origin { session: session.to_owned(), ..Origin::default() })
        }
    });
    let options = Options { resolve, upstream_ca, allow_private, ..Options::new(authority, identify) };
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        on_signal.cancel();
    });
    serve(listener, options, Arc::new(gate), stop).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the closure is this program's gate")]
fn judged(verdict: Outcome, judgement: Judgement) -> Verdict {
    rampart_call::answer_to_verdict(Answer { verdict, judgement, seq: None })
}
