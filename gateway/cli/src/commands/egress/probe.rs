//! `rampart egress probe`: what gets out from here past the proxy.

use rampart_certs::{CertificateDer, parse_pem};
use rampart_egress::{Leads, Way, probe};
use rampart_gateway::Home;
use serde_json::json;

use crate::{args::Probe, environment::Environment, exit::Exit, outbound, printer::Printer};

pub(super) fn run(args: &Probe, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let authority = authority(environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ways = runtime.block_on(probe(args.to, args.to6, &authority))?;
    let open: Vec<&Way> = ways.iter().filter(|way| way.leads == Leads::Out).collect();
    let verdict = if open.is_empty() { "enforced" } else { "advisory" };
    if args.json {
        let all = ways.iter().map(|w| json!({ "way": w.name, "leads": w.leads.as_str(), "evidence": w.evidence }));
        printer.json(&json!({ "verdict": verdict, "ways": all.collect::<Vec<_>>() }))?;
    } else {
        for way in &ways {
            printer.out(format!("{:<13} {:<8} {}", way.name, way.leads.as_str(), way.evidence));
        }
        printer.out(verdict);
        printer.note(if open.is_empty() {
            "Nothing gets out from here past the proxy: programs that ignore it reach nobody."
        } else {
            "What is open goes past the proxy: here it judges only what is sent to it."
        });
    }
    Ok(if open.is_empty() { Exit::Yes } else { Exit::No })
}

/// By whom our own proxy is known.
fn authority(environment: &Environment) -> anyhow::Result<CertificateDer<'static>> {
    Home::at(&environment.home).prepare()?;
    let files = outbound::Files::of(environment)?;
    let text = std::fs::read(files.ours())?;
    let found = parse_pem(&text).map_err(|why| anyhow::anyhow!("{}: {why}", files.ours().display()))?;
    found.into_iter().next().ok_or_else(|| anyhow::anyhow!("{} holds no certificate", files.ours().display()))
}
