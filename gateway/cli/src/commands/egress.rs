//! `rampart egress`: the HTTP road looked at from outside.

mod har;
mod probe;

use std::io::Write as _;

use anyhow::{Context as _, bail};
use rampart_client::wire::{Decision, ToolRequest};
use rampart_egress::Unreached;
use rampart_gateway::Home;
use serde_json::json;

use crate::{
    args::{Check, EgressVerb, Har, Json},
    environment::Environment,
    exit::Exit,
    outbound, outward,
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

/// Asks the gateway that runs, by the code that judges requests: about the connection first, then about the request. Last,
/// whether the proxy would dial the addresses that this leads to.
fn check(args: &Check, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let url = url::Url::parse(&args.url).with_context(|| format!("`{}` is not an address", args.url))?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        bail!("`{}` names no host and port; write it like https://example.com/path", args.url);
    };
    reach::ensure(environment)?;
    let client = reach::client(environment);
    let ask = |tool: &str, params: serde_json::Value| {
        let home = Some(environment.user_home.display().to_string());
        let request = ToolRequest { agent: args.agent.clone(), params, home, ..ToolRequest::default() };
        client.preflight(tool, &request).context("no gateway answers, and only it knows what it would decide")
    };
    let reached = reached(&url, args.dns, environment, printer)?;
    let addresses = match &reached {
        Ok(addresses) | Err(Unreached { addresses, .. }) => addresses,
    };
    let mut decisions = Vec::new();
    if url.scheme() == "https" {
        decisions.push(("connect", ask("connect", json!({ "host": host, "port": port, "addresses": addresses }))?));
    }
    let mut params = json!({ "method": args.method, "url": url.as_str(), "addresses": addresses });
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
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let (word, reason, message) = match &reached {
        Ok(_) if shown.is_empty() && !args.dns => ("allow", "", "not looked up".to_owned()),
        Ok(_) => ("allow", "", shown.join(" ")),
        Err(why) => ("deny", why.reason.as_str(), why.message.clone()),
    };
    if args.json {
        let decision = json!({ "decision": word, "reason": reason, "message": message, "addresses": shown });
        printer.json(&json!({ "tool": "reach", "decision": decision }))?;
    } else {
        line("reach", word, reason, &message, printer);
    }
    let of = |word: &str| decisions.iter().any(|(_, decision)| decision.decision == word);
    Ok(match (of("deny") || reached.is_err(), of("ask") || of("webhook")) {
        (true, _) => Exit::No,
        (false, true) => Exit::Ask,
        (false, false) => Exit::Yes,
    })
}

/// Where it leads by the configuration that is there now, and by DNS if that is wanted.
fn reached(
    url: &url::Url,
    dns: bool,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Result<Vec<std::net::IpAddr>, Unreached>> {
    let config = crate::configuration::read(&Home::at(&environment.home), printer)?;
    let (resolve, allow_private) = (outbound::resolve(&config)?, outbound::allow_private(&config)?);
    let (proxy, egress) = (outward::proxy(&config.egress)?, &config.egress);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let outlook = rampart_egress::Outlook::new(resolve, allow_private, proxy, &egress.dns, vec![egress.listen])?;
        Ok(outlook.of(url, dns).await)
    })
}

fn show(tool: &str, decision: &Decision, printer: Printer) {
    let by = decision.matched_policies.first().unwrap_or(&decision.reason);
    line(tool, &decision.decision, by, &decision.message, printer);
    for suggestion in &decision.suggestions {
        printer.out(format!("       a human can allow it with: {suggestion}"));
    }
}

fn line(tool: &str, decision: &str, by: &str, message: &str, printer: Printer) {
    let outcome = serde_json::from_value(decision.into());
    let word = outcome.map_or_else(|_| decision.to_owned(), |o| styled(outcome_style(o), decision));
    printer.out(format!("{word:<6} {tool:<8} {by}  {message}"));
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
