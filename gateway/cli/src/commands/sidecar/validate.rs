//! `rampart sidecar validate`: no agent starts while anything leaks.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rampart_certs::{CertificateDer, parse_pem};
use rampart_egress::{Leads, Way, probe, proxy_answers, resolvers};
use rampart_policy::parse_duration;
use serde_json::json;

use super::powers;
use crate::{args::Validate, environment::Environment, exit::Exit, launch, printer::Printer};

/// Where Docker answers in every container of a network that has names.
const DOCKER_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
/// How long after one look the next one follows, while the proxy is waited for.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn run(args: &Validate, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let wait = parse_duration(&args.wait).and_then(|ms| u64::try_from(ms).ok());
    let wait = wait.with_context(|| format!("`{}` is not a time; write it as 60s or 2m", args.wait))?;
    let powers = powers::tried(args.proxy_uid);
    let mut ways = Vec::new();
    // Whoever can get past the rules need not be tried any further, and the proxy may never be seen from there.
    if !powers.iter().any(|way| way.leads == Leads::Out) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        ways = runtime.block_on(async {
            let authority = awaited(args, Instant::now() + Duration::from_millis(wait)).await?;
            Ok::<_, anyhow::Error>(probe(args.to, args.to6, &authority).await?)
        })?;
        ways.push(resolvers(&name_servers()));
    }
    ways.extend(powers);
    let open: Vec<&Way> = ways.iter().filter(|way| way.leads == Leads::Out).collect();
    if args.json {
        let all = ways.iter().map(|w| json!({ "way": w.name, "leads": w.leads.as_str(), "evidence": w.evidence }));
        let verdict = if open.is_empty() { "enforced" } else { "advisory" };
        printer.json(&json!({ "verdict": verdict, "ways": all.collect::<Vec<_>>() }))?;
    } else {
        for way in &ways {
            printer.note(format!("{:<16} {:<8} {}", way.name, way.leads.as_str(), way.evidence));
        }
    }
    if !open.is_empty() {
        let names: Vec<_> = open.iter().map(|way| way.name).collect();
        printer.note(format!("rampart: this leads past the proxy: {}; nothing is started", names.join(", ")));
        return Ok(Exit::No);
    }
    if args.command.is_empty() {
        printer.note("rampart: nothing leads past the proxy");
        return Ok(Exit::Yes);
    }
    become_command(args, environment)
}

/// Waits until the proxy answers and its certificate is there.
async fn awaited(args: &Validate, until: Instant) -> anyhow::Result<CertificateDer<'static>> {
    loop {
        let answers = match &args.proxy {
            None => proxy_answers(SocketAddr::new(args.to, 80), false).await,
            Some(name) => match tokio::net::lookup_host(name.as_str()).await.map(|mut found| found.next()) {
                Ok(Some(address)) => proxy_answers(address, true).await,
                Ok(None) => Err("it has no address".to_owned()),
                Err(error) => Err(format!("`{name}`: {error}")),
            },
        };
        let missing = match answers {
            Ok(()) => match authority(&args.ca) {
                Ok(certificate) => return Ok(certificate),
                Err(why) => format!("{why:#}"),
            },
            Err(why) => why,
        };
        if Instant::now() > until {
            let place = args.proxy.as_deref().unwrap_or("what is redirected");
            bail!("the proxy does not answer for {place} within {}: {missing}; nothing is started", args.wait);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn authority(file: &Path) -> anyhow::Result<CertificateDer<'static>> {
    let text =
        std::fs::read(file).with_context(|| format!("cannot read the proxy's certificate {}", file.display()))?;
    let found = parse_pem(&text).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    found.into_iter().next().with_context(|| format!("{} holds no certificate", file.display()))
}

/// Who may answer questions for names here: those of resolv.conf(5), Docker's own, and the first address of each network,
/// where engines have theirs.
pub(in crate::commands) fn name_servers() -> Vec<IpAddr> {
    let configured = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let configured = configured.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok());
    let routes = std::fs::read_to_string("/proc/self/net/route").unwrap_or_default();
    let networks = routes.lines().skip(1).filter_map(|line| {
        // Destination, as the machine keeps the four bytes; 0 is the way to everywhere else.
        let network = u32::from_str_radix(line.split_whitespace().nth(1)?, 16).ok().filter(|network| *network != 0)?;
        let first = u32::from_be_bytes(network.to_ne_bytes()).checked_add(1)?;
        Some(IpAddr::from(Ipv4Addr::from(first)))
    });
    configured.chain([DOCKER_RESOLVER]).chain(networks).collect()
}

fn become_command(args: &Validate, environment: &Environment) -> anyhow::Result<Exit> {
    let Some((name, rest)) = args.command.split_first() else { return Ok(Exit::Yes) };
    let program = launch::find(name, &environment.path)
        .with_context(|| format!("cannot find `{}`; check its name and PATH, or give its full path", name.display()))?;
    let error = Command::new(&program).arg0(name).args(rest).exec();
    Err(error).with_context(|| format!("cannot run `{}`", program.display()))
}
