//! `rampart doctor --probe`: what holds where this very process stands, in a jail or a container too. Each road is walked; what
//! nobody stops is open.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;
use rampart_certs::parse_pem;
use rampart_client::blocking::Client;
use rampart_egress::{Leads, Way, probe, proxy_answers, resolvers};

use super::{Protection, Road};
use crate::{
    commands::sidecar::{name_servers, powers},
    environment::Environment,
    reach,
};

/// Addresses that everybody may ask: of a public resolver.
const FOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));
const SIX: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111));
/// The user of the sidecar's image.
const PROXY_UID: u32 = 1337;
/// How often a program is started, so that what others start meanwhile is not taken for it.
const STARTS: u64 = 5;

/// Walks all of them.
///
/// # Errors
/// When there is no certificate to know the proxy by, or no packet can be sent at all.
pub(super) fn measured(environment: &Environment) -> anyhow::Result<Vec<Road>> {
    let authority = certificate(environment)?;
    let text = fs::read(&authority).with_context(|| format!("cannot read {}", authority.display()))?;
    let found = parse_pem(&text).map_err(|why| anyhow::anyhow!("{}: {why}", authority.display()))?;
    let certificate = found.into_iter().next().with_context(|| format!("{} holds none", authority.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (ways, proxy) = runtime.block_on(async {
        let ways = probe(FOUR, SIX, &certificate).await?;
        Ok::<_, anyhow::Error>((ways, named_proxy().await))
    })?;
    let of = |names: &[&str]| ways.iter().filter(|way| names.contains(&way.name)).cloned().collect::<Vec<_>>();
    let mut names = of(&["dns-53", "dns-tcp-53"]);
    if !names.iter().all(|way| way.leads == Leads::ToUs) {
        names.push(resolvers(&name_servers()));
    }
    Ok(vec![
        http(&of(&["tcp-80", "tcp-443", "tls-853", "ipv6-tcp-443", "metadata"]), proxy),
        closed("names", &names, "only the gateway answers", "no server for names is in reach but the gateway"),
        closed(
            "packets",
            &of(&["udp-443", "ipv6-udp-443", "icmp", "raw-ip", "raw-frame"]),
            "they arrive at the gateway",
            "UDP, ICMP and raw packets go nowhere",
        ),
        closed("way back", &powers::tried(PROXY_UID), "", "what holds here cannot be taken back from here"),
        exec(environment),
        files(environment),
    ])
}

fn road(name: &'static str, protection: Protection, evidence: impl Into<String>) -> Road {
    Road { name, protection, evidence: evidence.into(), remedy: None }
}

/// By what the proxy is known here: what programs are told to trust.
fn certificate(environment: &Environment) -> anyhow::Result<PathBuf> {
    let told = Environment::variable("NODE_EXTRA_CA_CERTS").map(PathBuf::from);
    let shared = Path::new("/run/rampart/ca.pem").to_owned();
    let own = rampart_certs::Authority::certificate_path(&rampart_gateway::Home::at(&environment.home).ca());
    let found = told.into_iter().chain([shared, own]).find(|path| path.is_file());
    found.context(
        "the certificate of the egress proxy is not here, by which it would be known: start what probes by `rampart run`, \
         `rampart wrap`, or with the variables of `rampart env`",
    )
}

/// The proxy that variables name, if it answers as ours.
async fn named_proxy() -> Result<String, String> {
    let Some(variable) = ["HTTPS_PROXY", "https_proxy"].iter().find_map(|name| Environment::variable(name)) else {
        return Err("no variable names a proxy".to_owned());
    };
    let url = url::Url::parse(&variable.to_string_lossy()).map_err(|error| format!("HTTPS_PROXY: {error}"))?;
    let (host, port) = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(80));
    let name = format!("{host}:{port}");
    let address = (host.trim_matches(['[', ']']), port).to_socket_addrs().ok().and_then(|mut found| found.next());
    let address = address.ok_or_else(|| format!("{name} has no address"))?;
    match proxy_answers(address, true).await {
        Ok(()) => Ok(name),
        Err(why) => Err(format!("{name}: {why}")),
    }
}

/// Ways that lead out, in words.
fn out(ways: &[Way]) -> Option<String> {
    let out: Vec<_> =
        ways.iter().filter(|way| way.leads == Leads::Out).map(|w| format!("{}: {}", w.name, w.evidence)).collect();
    (!out.is_empty()).then(|| out.join("; "))
}

fn http(ways: &[Way], proxy: Result<String, String>) -> Road {
    let taken = ways.iter().filter(|way| way.leads == Leads::ToUs).count();
    match (out(ways), proxy) {
        (Some(out), Ok(proxy)) => road(
            "http",
            Protection::Advisory,
            format!("the proxy at {proxy} is named by variables, and without it: {out}"),
        ),
        (Some(out), Err(why)) => road("http", Protection::Open, format!("{out}; {why}")),
        (None, proxy) if taken > 0 => {
            let named = proxy.map_or_else(|_| String::new(), |proxy| format!(", and the proxy answers at {proxy}"));
            let text = format!("{taken} of {} connections to anywhere arrive at the gateway{named}", ways.len());
            road("http", Protection::Enforced, text)
        }
        (None, Ok(proxy)) => {
            let text = format!("the proxy at {proxy} answers, and no connection to anybody else");
            road("http", Protection::Enforced, text)
        }
        (None, Err(why)) => {
            let text = format!("nobody answers here, the proxy neither, so that nothing is known ({why})");
            road("http", Protection::Open, text)
        }
    }
}

/// A road that shall lead nowhere, or to us.
fn closed(name: &'static str, ways: &[Way], taken: &str, nowhere: &str) -> Road {
    match out(ways) {
        Some(out) => road(name, Protection::Open, out),
        None if ways.iter().any(|way| way.leads == Leads::ToUs) => road(name, Protection::Enforced, taken),
        None => road(name, Protection::Enforced, nowhere),
    }
}

/// Starts this program by its own path, around every shell, and looks whether the gateway was asked.
fn exec(environment: &Environment) -> Road {
    let name = "exec";
    let Some(session) = &environment.session else {
        return road(
            name,
            Protection::Open,
            "this process is in no session, and nobody is asked before a program starts",
        );
    };
    let client = Client::new(reach::road(environment));
    let judged = || client.session(session).map(|summary| summary.calls);
    let before = match judged() {
        Ok(before) => before,
        Err(error) => {
            return road(name, Protection::Open, format!("the gateway tells nothing of this session: {error}"));
        }
    };
    for _ in 0..STARTS {
        let mut own = Command::new("/proc/self/exe");
        if let Err(error) = own.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
            return road(
                name,
                Protection::Enforced,
                format!("a program that is started by its full path is refused: {error}"),
            );
        }
    }
    let rose = judged().map_or(0, |after| after.saturating_sub(before));
    if rose < STARTS {
        let text = format!("{STARTS} programs were started by their full path, and the gateway was asked about {rose}");
        return road(name, Protection::Open, text);
    }
    let text = format!("the gateway was asked about each of {STARTS} programs that were started by their full path");
    // That can be the library's work, which static programs do without.
    match Environment::variable("LD_PRELOAD") {
        Some(library) if library.to_string_lossy().contains("rampart") => road(
            name,
            Protection::Advisory,
            format!("{text}; LD_PRELOAD names a library that asks, which not all programs load"),
        ),
        _ => road(name, Protection::Enforced, text),
    }
}

/// Tries to write where the user might, and to read what nobody but the gateway should.
fn files(environment: &Environment) -> Road {
    let (home, own) = (&environment.user_home, &environment.home);
    let mut done = Vec::new();
    let made = home.join(format!(".rampart-probe-{}", uuid::Uuid::now_v7().simple()));
    let refused = match fs::File::create_new(&made) {
        Ok(_) => {
            let _ = fs::remove_file(&made);
            done.push(format!("a file was made in {}", home.display()));
            None
        }
        Err(error) => Some(error),
    };
    for (path, what) in
        [(own.join("token"), "the token of the gateway"), (own.join("ca/authority.pem"), "the key of its authority")]
    {
        if fs::File::open(&path).is_ok() {
            done.push(format!("{what} was opened"));
        }
    }
    for keys in [".ssh", ".aws", ".gnupg", ".kube"].map(|name| home.join(name)) {
        if fs::read_dir(&keys).is_ok_and(|mut list| list.next().is_some()) {
            done.push(format!("{} was listed", keys.display()));
        }
    }
    let mine = fs::metadata(home)
        .is_ok_and(|meta| meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o200 != 0);
    match refused {
        _ if !done.is_empty() => road("files", Protection::Open, done.join("; ")),
        Some(_) if mine => {
            let text = format!(
                "writing to {}, which is this user's, is refused; keys and the gateway's own are out of reach",
                home.display()
            );
            road("files", Protection::Enforced, text)
        }
        _ => road("files", Protection::Advisory, "nothing could be written or read that should not, by modes alone"),
    }
}
