//! How the egress proxy reaches the outside, as the configuration says it, with an error that names the key.

use std::{fs, str::FromStr};

use anyhow::Context as _;
use rampart_call::Origin;
use rampart_certs::{CertificateRevocationListDer, parse_crls, parse_pem};
use rampart_egress::{
    Allowance, ClientCertificate, Limits, Names, Passthrough, Sources, UpstreamProxy, transparent_listener,
};
use rampart_gateway::Egress;
use tokio::net::TcpListener;

/// The longest page for what is refused, in bytes.
const LONGEST_PAGE: usize = 256 * 1024;

pub(crate) fn passthrough(egress: &Egress) -> anyhow::Result<Vec<Passthrough>> {
    read_all(&egress.passthrough, "egress.passthrough")
}

pub(crate) fn proxy(egress: &Egress) -> anyhow::Result<Option<UpstreamProxy>> {
    let Some(address) = &egress.upstream_proxy else { return Ok(None) };
    let proxy: UpstreamProxy = read(address.reveal(), "egress.upstream_proxy")?;
    let near: Vec<Allowance> = read_all(&egress.no_proxy, "egress.no_proxy")?;
    Ok(Some(proxy.without(near)))
}

/// What is not believed any more: `egress.upstream_crls`.
///
/// # Errors
/// When a file holds no lists.
pub(crate) fn revoked(egress: &Egress) -> anyhow::Result<Vec<CertificateRevocationListDer<'static>>> {
    let mut lists = Vec::new();
    for path in &egress.upstream_crls {
        let text = fs::read(path).with_context(|| format!("egress.upstream_crls: cannot read {}", path.display()))?;
        let found =
            parse_crls(&text).map_err(|why| anyhow::anyhow!("egress.upstream_crls: {}: {why}", path.display()))?;
        lists.extend(found);
    }
    Ok(lists)
}

pub(crate) fn certificates(egress: &Egress) -> anyhow::Result<Vec<ClientCertificate>> {
    let all = egress.client_certificates.iter().map(|certificate| {
        let pem = |path: &std::path::Path| {
            fs::read(path).with_context(|| format!("egress.client_certificates: cannot read {}", path.display()))
        };
        let named = |path: &std::path::Path, why: &dyn std::fmt::Display| {
            anyhow::anyhow!("egress.client_certificates: {}: {why}", path.display())
        };
        Ok(ClientCertificate {
            host: read(&certificate.host, "egress.client_certificates")?,
            chain: parse_pem(&pem(&certificate.certificate)?).map_err(|e| named(&certificate.certificate, &e))?,
            key: rampart_certs::parse_key(&pem(&certificate.key)?).map_err(|e| named(&certificate.key, &e))?,
        })
    });
    all.collect()
}

pub(crate) fn transparent(egress: &Egress) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = egress.transparent else { return Ok(None) };
    let listener = transparent_listener(address);
    listener.map(Some).with_context(|| format!("egress.transparent: cannot listen on {address}"))
}

/// Who clients are by where they come from: `egress.sources`. Each is a session of its agent's name.
pub(crate) fn sources(egress: &Egress, home: &str) -> anyhow::Result<Sources> {
    let all = egress.sources.iter().map(|source| {
        let (agent, session) = (source.agent.clone(), source.agent.clone());
        let origin = Origin { agent, session, home: Some(home.to_owned()), ..Origin::default() };
        Ok((read(&source.from, "egress.sources")?, origin))
    });
    Ok(Sources::new(all.collect::<anyhow::Result<Vec<_>>>()?))
}

/// Where jailed clients ask for names.
pub(crate) async fn names(egress: &Egress) -> anyhow::Result<Option<Names>> {
    let Some(address) = egress.dns_listen else { return Ok(None) };
    let names = Names::bind(address).await;
    names.map(Some).with_context(|| format!("egress.dns_listen: cannot listen on {address}"))
}

/// The page for what is refused. It is read once; a restart reads it again.
pub(crate) fn block_page(egress: &Egress) -> anyhow::Result<Option<String>> {
    let Some(path) = &egress.block_page else { return Ok(None) };
    let page =
        fs::read_to_string(path).with_context(|| format!("egress.block_page: cannot read {}", path.display()))?;
    if page.len() > LONGEST_PAGE {
        anyhow::bail!("egress.block_page: {} is longer than {} KB", path.display(), LONGEST_PAGE / 1024);
    }
    Ok(Some(page))
}

/// The usual bounds, and those that the configuration names.
pub(crate) fn limits(egress: &Egress) -> Limits {
    let usual = Limits::default();
    let said = &egress.limits;
    Limits {
        connections: said.connections.unwrap_or(usual.connections),
        connections_per_source: said.connections_per_client.unwrap_or(usual.connections_per_source),
        head_size: said.head_size.and_then(|n| usize::try_from(n).ok()).unwrap_or(usual.head_size),
        head_time: said.head_time.unwrap_or(usual.head_time),
        body_time: said.body_time.unwrap_or(usual.body_time),
        answer_time: said.answer_time.unwrap_or(usual.answer_time),
        idle_time: said.idle_time.or(usual.idle_time),
        ..usual
    }
}

fn read_all<T: FromStr<Err = String>>(texts: &[String], key: &str) -> anyhow::Result<Vec<T>> {
    texts.iter().map(|text| read(text, key)).collect()
}

fn read<T: FromStr<Err = String>>(text: &str, key: &str) -> anyhow::Result<T> {
    text.parse().map_err(|why| anyhow::anyhow!("{key}: {why}"))
}
