//! From a destination to the addresses that are judged and dialled: overrides first, then the system's own resolver.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::{
    address::{Allowance, special},
    destination::{Destination, Host},
    refusal::Refused,
    upstream_proxy::UpstreamProxy,
};

/// Longer than any resolver that will answer.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer is used; keeps a burst of plain requests from asking for each of them.
const KEPT: Duration = Duration::from_secs(10);
const MAX_KEPT: usize = 1024;
/// Of an answer with more addresses, the rest is not looked at.
const MAX_ADDRESSES: usize = 16;

/// Sends a host somewhere else than DNS says, as curl's `--resolve` and `--connect-to` do: `host[:port]=address[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    host: Host,
    port: Option<u16>,
    to: IpAddr,
    to_port: Option<u16>,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not an override: write `host[:port]=address[:port]`");
        let (from, to) = text.split_once('=').ok_or_else(refuse)?;
        let (host, port) = match from.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().map_err(|_| refuse())?)),
            _ => (from, None),
        };
        let (to, to_port) = match to.parse::<SocketAddr>() {
            Ok(address) => (address.ip(), Some(address.port())),
            Err(_) => (to.trim_matches(['[', ']']).parse().map_err(|_| refuse())?, None),
        };
        Ok(Self { host: Host::parse(host)?, port, to, to_port })
    }
}

/// The addresses of a destination.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) list: Arc<[SocketAddr]>,
    /// The configuration names them, so they may be private.
    configured: bool,
    /// They are those of this proxy, which will resolve the name.
    pub(crate) via: Option<Arc<UpstreamProxy>>,
}

impl Addresses {
    /// The same, named by somebody who may: they may be private.
    pub(crate) fn chosen(self) -> Self {
        Self { configured: true, ..self }
    }

    pub(crate) fn ips(&self) -> Vec<IpAddr> {
        if self.via.is_some() {
            // Not the destination's.
            return Vec::new();
        }
        self.list.iter().map(SocketAddr::ip).collect()
    }
}

/// Resolves names, and says which results may be dialled.
pub(crate) struct Resolver {
    overrides: Vec<Override>,
    allow_private: Vec<Allowance>,
    /// Where the proxy itself listens.
    own: Vec<SocketAddr>,
    upstream: Option<Arc<UpstreamProxy>>,
    /// Who is asked in place of the system's resolver.
    servers: Option<TokioResolver>,
    kept: Cache<Host, (Arc<[IpAddr]>, Instant)>,
}

impl Resolver {
    pub(crate) fn new(overrides: Vec<Override>, allow_private: Vec<Allowance>, own: Vec<SocketAddr>) -> Self {
        Self { overrides, allow_private, own, upstream: None, servers: None, kept: Cache::new(MAX_KEPT) }
    }

    /// The same, but what is not near is reached through this proxy.
    pub(crate) fn through(self, proxy: Option<UpstreamProxy>) -> Self {
        Self { upstream: proxy.map(Arc::new), ..self }
    }

    /// The same, but names are looked up at these servers.
    ///
    /// # Errors
    /// When such a resolver cannot be made.
    pub(crate) fn asking(self, servers: &[SocketAddr]) -> io::Result<Self> {
        if servers.is_empty() {
            return Ok(self);
        }
        let server = |address: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = address.port();
                connection
            });
            NameServerConfig::new(address.ip(), true, connections.to_vec())
        };
        let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        // Both kinds, because each address is looked at; and nothing but the names that are asked for.
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = DNS_TIMEOUT / 2;
        options.cache_size = 0;
        let resolver = builder.build().map_err(|e| io::Error::other(e.to_string()))?;
        Ok(Self { servers: Some(resolver), ..self })
    }

    /// What the configuration says in place of DNS.
    fn overridden(&self, to: &Destination) -> Option<&Override> {
        self.overrides.iter().find(|o| o.host == to.host && o.port.is_none_or(|p| p == to.port))
    }

    /// Whether nobody need be asked where this is.
    pub(crate) fn knows(&self, to: &Destination) -> bool {
        self.overridden(to).is_some() || self.upstream.as_ref().is_some_and(|proxy| proxy.leads_to(&to.host))
    }

    pub(crate) async fn resolve(&self, to: &Destination) -> Result<Addresses, Refused> {
        if let Some(found) = self.overridden(to) {
            let address = SocketAddr::new(found.to, found.to_port.unwrap_or(to.port));
            return Ok(Addresses { list: Arc::new([address]), configured: true, via: None });
        }
        if let Some(proxy) = self.upstream.as_ref().filter(|proxy| proxy.leads_to(&to.host)) {
            let list = self.addresses(&proxy.at).await?;
            return Ok(Addresses { list, configured: true, via: Some(Arc::clone(proxy)) });
        }
        Ok(Addresses { list: self.addresses(to).await?, configured: false, via: None })
    }

    async fn addresses(&self, to: &Destination) -> Result<Arc<[SocketAddr]>, Refused> {
        let ips = match &to.host {
            Host::Address(address) => Arc::new([*address]),
            Host::Name(name) => self.look_up(&to.host, name).await?,
        };
        Ok(ips.iter().map(|ip| SocketAddr::new(*ip, to.port)).collect())
    }

    async fn look_up(&self, host: &Host, name: &str) -> Result<Arc<[IpAddr]>, Refused> {
        if let Some((ips, until)) = self.kept.get(host)
            && Instant::now() < until
        {
            return Ok(ips);
        }
        // The dot keeps the search list of resolv.conf out of it.
        let rooted = if name.contains('.') { format!("{name}.:0") } else { format!("{name}:0") };
        let asking = async {
            if let Some(servers) = &self.servers {
                let found = servers.lookup_ip(format!("{name}.")).await.map_err(|e| e.to_string())?;
                return Ok(found.iter().take(MAX_ADDRESSES).collect());
            }
            let found = tokio::net::lookup_host(rooted).await.map_err(|e| e.to_string())?;
            Ok::<Arc<[IpAddr]>, String>(found.map(|a| a.ip()).take(MAX_ADDRESSES).collect())
        };
        let ips: Arc<[IpAddr]> = match tokio::time::timeout(DNS_TIMEOUT, asking).await {
            Ok(Ok(found)) => found,
            Ok(Err(why)) => return Err(Refused::unresolved(name, &why)),
            Err(_) => return Err(Refused::unresolved(name, "no answer within 5 seconds")),
        };
        if ips.is_empty() {
            return Err(Refused::unresolved(name, "the name has no address"));
        }
        self.kept.insert(host.clone(), (Arc::clone(&ips), Instant::now() + KEPT));
        Ok(ips)
    }

    /// What another proxy is told to reach: its addresses are not seen here, but some are written in the name.
    pub(crate) fn check_told(&self, to: &Destination) -> Result<(), Refused> {
        let (ip, what) = match &to.host {
            Host::Address(ip) => (*ip, special(*ip)),
            Host::Name(name) if name == "localhost" || name.ends_with(".localhost") => {
                (IpAddr::from([127, 0, 0, 1]), Some("loopback"))
            }
            Host::Name(_) => return Ok(()),
        };
        match what {
            Some(what) if !self.allow_private.iter().any(|a| a.covers(&to.host, ip)) => {
                Err(Refused::private(to, ip, what))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a destination with even one address that is not of the open internet, unless the configuration allows
    /// it: a name that points both outside and inside is a trap.
    pub(crate) fn check(&self, to: &Destination, addresses: &Addresses) -> Result<(), Refused> {
        if addresses.via.is_some() {
            self.check_told(to)?;
        }
        for address in &*addresses.list {
            if self.own.iter().any(|own| leads_to(*own, *address)) {
                return Err(Refused::looped());
            }
            let ip = address.ip();
            if let Some(what) = special(ip)
                && !addresses.configured
                && !self.allow_private.iter().any(|a| a.covers(&to.host, ip))
            {
                return Err(Refused::private(to, ip, what));
            }
        }
        Ok(())
    }
}

/// Whether one who listens at `own` is reached at `address`.
fn leads_to(own: SocketAddr, address: SocketAddr) -> bool {
    let (mine, ip) = (own.ip().to_canonical(), address.ip().to_canonical());
    own.port() == address.port() && (mine == ip || (mine.is_unspecified() && (ip.is_loopback() || ip.is_unspecified())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Scheme;

    fn resolver(overrides: &[&str], allow: &[&str]) -> Resolver {
        let overrides = overrides.iter().map(|o| o.parse().unwrap()).collect();
        Resolver::new(
            overrides,
            allow.iter().map(|a| a.parse().unwrap()).collect(),
            vec!["127.0.0.1:9091".parse().unwrap()],
        )
    }

    async fn go(resolver: &Resolver, to: &str) -> Result<String, String> {
        let to = Destination::parse(Scheme::Https, to).unwrap();
        let addresses = resolver.resolve(&to).await.map_err(|r| r.code().to_owned())?;
        resolver.check(&to, &addresses).map_err(|r| r.code().to_owned())?;
        Ok(addresses.list.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn overrides_win_and_may_point_inside() {
        let r = resolver(&["origin.test=127.0.0.1:8443", "x.test:444=10.0.0.1", "[::1]:8=[::1]:9"], &[]);
        assert_eq!(go(&r, "ORIGIN.test.").await.as_deref(), Ok("127.0.0.1:8443"));
        assert_eq!(go(&r, "x.test:444").await.as_deref(), Ok("10.0.0.1:444"));
        assert_eq!(go(&r, "[::1]:8").await.as_deref(), Ok("[::1]:9"));
        assert!(go(&r, "x.test:445").await.is_err());
        for bad in ["", "x", "x=y", "x:y=127.0.0.1", "=127.0.0.1", "a b=127.0.0.1"] {
            assert!(bad.parse::<Override>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn private_addresses_need_an_allowance() {
        let r = resolver(&[], &["10.0.0.0/8", "localhost"]);
        for to in ["127.0.0.1", "192.168.0.1", "[::ffff:127.0.0.1]", "169.254.169.254", "[::1]:9091"] {
            assert_eq!(go(&r, to).await, Err("private_address".to_owned()), "{to}");
        }
        assert!(go(&r, "10.1.2.3").await.is_ok());
        assert!(go(&r, "localhost").await.is_ok());
    }

    #[tokio::test]
    async fn the_proxy_does_not_call_itself() {
        let r = resolver(&["x.test=127.0.0.1:9091"], &["127.0.0.0/8"]);
        assert_eq!(go(&r, "x.test").await, Err("loop".to_owned()));
        assert_eq!(go(&r, "127.0.0.1:9091").await, Err("loop".to_owned()));
        assert!(go(&r, "127.0.0.1:9092").await.is_ok());
    }
}
