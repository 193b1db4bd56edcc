//! `rampart egress`: the HTTP road looked at from outside.

mod har;
mod probe;

use std::io::Write as _;

use anyhow::{Context as _, bail};
use rampart_client::wire::{Decision, ToolRequest};
use rampart_gateway::Home;
use serde_json::json;

use crate::{
    args::{Check, EgressVerb, Har, Json},
    environment::Environment,
    exit::Exit,
    printer::{Printer, outcome_style, styled},
    reach,
};

pub(crate) fn run(verb: EgressVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    match verb {
        EgressVerb::Probe(args) => probe::run(&args, environment, printer),
        EgressVerb::Check(args) => check(&args, environment, printer),
        EgressVerb::Pac(args) => pac(&args, environment, printer),
        EgressVerb::Export(args) => export(&args, environment, printer),
    }
}

/// Asks the gateway that runs, by the code that judges requests: about the connection first, then about the request.
fn check(args: &Check, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let url = url::Url::parse(&args.url).with_context(|| format!("`{}` is not an address", args.url))?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        bail!("`{}` names no host and port; write it like https://example.com/path", args.url);
    };
    let client = reach::client(environment);
    let ask = |tool: &str, params: serde_json::Value| {
        let home = Some(environment.user_home.display().to_string());
        let request = ToolRequest { agent: args.agent.clone(), params, home, ..ToolRequest::default() };
        client.preflight(tool, &request).context("no gateway answers, and only it knows what it would decide")
    };
    let mut decisions = Vec::new();
    if url.scheme() == "https" {
        decisions.push(("connect", ask("connect", json!({ "host": host, "port": port }))?));
    }
    let mut params = json!({ "method": args.method, "url": url.as_str() });
    if let Some(body) = &args.body {
        params["body"] = body.as_str().into();
    }
    decisions.push(("fetch", ask("fetch", params)?));
    for (tool, decision) in &decisions {
        if args.json {
            printer.json(&json!({ "tool": tool, "decision": decision }))?;
        } else {
            show(tool, decision, printer);
        }
    }
    let of = |word: &str| decisions.iter().any(|(_, decision)| decision.decision == word);
    Ok(match (of("deny"), of("ask") || of("webhook")) {
        (true, _) => Exit::No,
        (false, true) => Exit::Ask,
        (false, false) => Exit::Yes,
    })
}

fn show(tool: &str, decision: &Decision, printer: Printer) {
    let outcome = serde_json::from_value(decision.decision.as_str().into());
    let word = outcome.map_or_else(|_| decision.decision.clone(), |o| styled(outcome_style(o), &decision.decision));
    let by = decision.matched_policies.first().unwrap_or(&decision.reason);
    printer.out(format!("{word:<6} {tool:<8} {by}  {}", decision.message));
    for suggestion in &decision.suggestions {
        printer.out(format!("       a human can allow it with: {suggestion}"));
    }
}

/// The address is that of the gateway that runs, or the configured one.
fn pac(args: &Json, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let running = reach::client(environment).status().ok().and_then(|status| status.egress);
    let address = match running {
        Some(address) => address.parse().context("the gateway tells no address")?,
        None => crate::configuration::read(&Home::at(&environment.home), printer)?.egress.listen,
    };
    let script = rampart_egress::pac(address);
    if args.json {
        printer.json(&json!({ "url": format!("http://{address}/proxy.pac"), "script": script }))?;
    } else {
        printer.out_raw(script);
    }
    Ok(Exit::Yes)
}

fn export(args: &Har, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    let (text, count) = har::of(&home.audit(), args.session.as_deref())?;
    let Some(path) = &args.output else {
        printer.out(text);
        return Ok(Exit::Yes);
    };
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write a new file {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    printer.note(format!("{count} requests: {}", path.display()));
    Ok(Exit::Yes)
}
