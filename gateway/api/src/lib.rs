//! The gateway's HTTP API, on its Unix socket and on loopback: who may ask what, and how it is said in JSON.
//!
//! Not here: any decision. Every route asks the `Gateway` it stands in front of.

mod access;
mod at_once;
mod awake;
mod beside;
mod body;
mod doors;
mod error;
mod listen;
mod openapi;
mod patient;
mod routes;
mod serve;
#[cfg(test)]
mod tests;

use crate::access::{Failures, Tickets};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use rampart_gateway::{Gateway, credentials};
use tokio_util::sync::CancellationToken;

pub use access::{Peer, Scope};
pub use beside::Beside;
pub use doors::{Handed, Jailed, serve_doors};
pub use listen::{ListenError, bind_shared_socket, bind_socket, bind_tcp};
pub(crate) use routes::router;
pub use serve::{serve, serve_everybody};

/// What the API stands in front of.
#[derive(Debug)]
pub struct Api {
    gateway: Arc<Gateway>,
    failures: Failures,
    /// For event streams.
    tickets: Tickets,
    /// For logins to the dashboard.
    logins: Tickets,
    /// Names of programs that are agents.
    agents: Vec<&'static str>,
    /// What the `Host` header may say.
    hosts: Vec<String>,
    /// Where people open links to questions, when that is elsewhere: scheme and host, and the host alone.
    links: Option<(String, String)>,
    listen: Option<SocketAddr>,
    egress: Option<SocketAddr>,
    placeholders: BTreeMap<String, String>,
    beside: Option<Arc<Beside>>,
    jailed: Jailed,
    version: String,
    /// Ends the streams that would go on for ever.
    stop: CancellationToken,
}

impl Api {
    /// An API that listens on no port yet. `token` is that of the home, with which people may do everything; `stop` is
    /// what [`serve`] is given.
    pub fn new(gateway: Arc<Gateway>, token: &str, version: impl Into<String>, stop: CancellationToken) -> Self {
        gateway.credentials().accept(credentials::HOME, token);
        Self {
            gateway,
            failures: Failures::default(),
            tickets: Tickets::lasting(Duration::from_secs(30)),
            logins: Tickets::lasting(Duration::from_mins(2)),
            agents: Vec::new(),
            hosts: Vec::new(),
            links: None,
            listen: None,
            egress: None,
            placeholders: BTreeMap::new(),
            beside: None,
            jailed: Jailed::default(),
            version: version.into(),
            stop,
        }
    }

    /// Names of programs that are agents: what runs below one on the socket is no person.
    pub fn knows_agents(mut self, programs: Vec<&'static str>) -> Self {
        self.agents = programs;
        self
    }

    /// Where the TCP listener is. Only requests for this address, by number or as `localhost`, are answered there.
    pub fn listens_on(mut self, address: SocketAddr) -> Self {
        let port = address.port();
        self.hosts.push(address.to_string());
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            self.hosts.extend([format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
        }
        self.listen = Some(address);
        self
    }

    /// A further name that TCP callers may use in `Host`, with its port: the sidecar's name in its network.
    pub fn answers_to(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// The URL under which people reach this API to open links to questions. It is good for those alone.
    pub fn links_at(mut self, base_url: &str) -> Self {
        self.links = base_url.parse::<http::Uri>().ok().and_then(|uri| {
            let host = uri.authority()?.as_str().to_ascii_lowercase();
            Some((format!("{}://{host}", uri.scheme_str()?), host))
        });
        self
    }

    fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    fn egress(&self) -> Option<SocketAddr> {
        self.egress
    }

    /// How many sessions have their doors served, for `status`.
    pub fn jailed(&self) -> Jailed {
        self.jailed.clone()
    }

    /// Where the egress proxy listens, for `status`.
    pub fn egress_on(mut self, address: SocketAddr) -> Self {
        self.egress = Some(address);
        self
    }

    /// What can be looked at beside the gateway.
    pub fn looks_beside(mut self, beside: Beside) -> Self {
        self.beside = Some(Arc::new(beside));
        self
    }

    /// What sessions get in variables in place of credentials.
    pub fn gives(mut self, placeholders: impl IntoIterator<Item = (String, String)>) -> Self {
        self.placeholders.extend(placeholders);
        self
    }
}
