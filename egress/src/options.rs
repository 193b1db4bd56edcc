//! What the composition root decides about the proxy.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rampart_call::Origin;
use rampart_certs::Authority;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    address::Allowance, credentials::Credentials, dns::Names, doors::Doors, passthrough::Passthrough,
    resolve::Override, sources::Sources, upstream::ClientCertificate, upstream_proxy::UpstreamProxy,
};

/// Says which session a proxy user name and password belong to, and who a client without them is; none where such a
/// client is turned away.
pub type Identify = Arc<dyn Fn(Option<(&str, &str)>) -> Option<Origin> + Send + Sync>;

/// Everything the proxy is given.
pub struct Options {
    /// Plays the origins towards the clients.
    pub authority: Arc<Authority>,
    /// Hosts that live elsewhere than DNS says. May point to private addresses.
    pub resolve: Vec<Override>,
    /// Roots that origins may use besides those of the machine.
    pub upstream_ca: Vec<CertificateDer<'static>>,
    /// Certificates of origins that their authorities have revoked.
    pub upstream_crls: Vec<CertificateRevocationListDer<'static>>,
    /// Destinations that may be reached although their addresses are private.
    pub allow_private: Vec<Allowance>,
    /// Destinations that are reached without being looked into.
    pub passthrough: Vec<Passthrough>,
    /// Another proxy, through which all that is not near is reached.
    pub upstream_proxy: Option<UpstreamProxy>,
    /// What to show to origins that want to know who we are.
    pub client_certificates: Vec<ClientCertificate>,
    /// Secrets that are put into requests on their way.
    pub credentials: Credentials,
    /// The session of clients that `identify` knows without credentials: they get none of those put in.
    pub unidentified: String,
    /// Where connections arrive that the kernel redirected (`SO_ORIGINAL_DST`, or TPROXY).
    pub transparent: Option<TcpListener>,
    /// Where clients that can reach nobody else ask for names.
    pub names: Option<Names>,
    /// Doors of sessions that have no other way out, as they come.
    pub doors: Option<mpsc::Receiver<Doors>>,
    /// Servers that names are looked up at, in place of the system's resolver.
    pub dns: Vec<SocketAddr>,
    /// The page that browsers are shown for what is refused, with `{{message}}`, `{{rule}}`, `{{reason}}` and `{{allow}}`.
    pub block_page: Option<String>,
    /// Bounds of what clients may take.
    pub limits: Limits,
    /// Who clients are that say nothing of it, by where they come from.
    pub sources: Sources,
    /// Names sessions, and says who may do without a name.
    pub identify: Identify,
}

impl Options {
    /// A proxy for clients that `identify` knows, with nothing configured.
    pub fn new(authority: Arc<Authority>, identify: Identify) -> Self {
        Self {
            authority,
            resolve: Vec::new(),
            upstream_ca: Vec::new(),
            upstream_crls: Vec::new(),
            allow_private: Vec::new(),
            passthrough: Vec::new(),
            upstream_proxy: None,
            client_certificates: Vec::new(),
            credentials: Credentials::default(),
            unidentified: String::new(),
            transparent: None,
            names: None,
            doors: None,
            dns: Vec::new(),
            block_page: None,
            limits: Limits::default(),
            sources: Sources::default(),
            identify,
        }
    }
}

/// Bounds of what clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_source: usize,
    /// Bytes of the head of an HTTP/1 request.
    pub head_size: usize,
    /// How long a head that has begun may take to come.
    pub head_time: Duration,
    /// How long a client may take for each 10 KiB of a body that it announced, where nobody but it is waited for.
    pub body_time: Duration,
    /// How long a client may take nothing of what it is sent.
    pub answer_time: Duration,
    /// How long an answer, a WebSocket or a tunnel may bring nothing before it is ended; as long as it likes where none.
    pub idle_time: Option<Duration>,
    /// How long a client's TLS handshake may take.
    pub handshake_time: Duration,
    /// HTTP/2 streams at once on one connection.
    pub streams: u32,
    /// How long connections may go on after the proxy was told to stop.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_source: 512,
            head_size: 64 * 1024,
            head_time: Duration::from_secs(5),
            body_time: Duration::from_secs(10),
            answer_time: Duration::from_mins(1),
            idle_time: None,
            handshake_time: Duration::from_secs(10),
            streams: 128,
            drain_time: Duration::from_secs(3),
        }
    }
}
