//! Where a destination leads and whether the proxy would dial it, for those who only want to know.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use url::Url;

use crate::{
    address::Allowance,
    destination::{Destination, Host, Scheme},
    refusal::Refused,
    resolve::{Override, Resolver},
    upstream_proxy::UpstreamProxy,
};

/// Knows what a proxy with these settings would reach.
pub struct Outlook(Resolver);

/// Why a destination would not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unreached {
    /// The stable code of the reason, as in the refusal of a request.
    pub reason: String,
    /// The reason, and what a human can do.
    pub message: String,
    /// The addresses that are known of it.
    pub addresses: Vec<IpAddr>,
}

impl Outlook {
    /// # Errors
    /// When a resolver that asks the servers `dns` cannot be made.
    pub fn new(
        resolve: Vec<Override>,
        allow_private: Vec<Allowance>,
        upstream_proxy: Option<UpstreamProxy>,
        dns: &[SocketAddr],
        own: Vec<SocketAddr>,
    ) -> io::Result<Self> {
        Ok(Self(Resolver::new(resolve, allow_private, own).through(upstream_proxy).asking(dns)?))
    }

    /// The addresses that would be dialled for a URL. Of a name that only DNS knows there are none, unless that is to be
    /// `asked`; behind another proxy, which resolves names itself, there are none either.
    ///
    /// # Errors
    /// Why none would be dialled.
    pub async fn of(&self, url: &Url, asked: bool) -> Result<Vec<IpAddr>, Unreached> {
        let refused = |refused: Refused, addresses| Unreached {
            reason: refused.code().to_owned(),
            message: refused.message().to_owned(),
            addresses,
        };
        let to = destination(url).map_err(|why| refused(Refused::malformed(why), Vec::new()))?;
        if !asked && matches!(to.host, Host::Name(_)) && !self.0.knows(&to) {
            return self.0.check_told(&to).map(|()| Vec::new()).map_err(|why| refused(why, Vec::new()));
        }
        let found = self.0.resolve(&to).await.map_err(|why| refused(why, Vec::new()))?;
        self.0.check(&to, &found).map_err(|why| refused(why, found.ips()))?;
        Ok(found.ips())
    }
}

fn destination(url: &Url) -> Result<Destination, String> {
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => return Err(format!("`{other}` is not spoken by the proxy: only http and https are")),
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Destination::parse(scheme, &format!("{}{port}", url.host_str().unwrap_or_default()))
}
