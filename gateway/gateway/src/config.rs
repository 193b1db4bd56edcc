//! How the gateway runs: `config.yaml`. As strict as a policy file, and no project can touch it.

mod jail;
mod mcp;
mod otel;
mod registry;
mod secret;
mod source;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use rampart_call::{Standing, Surface};
use rampart_policy::Diagnostic;

use crate::{
    audit::{Witness, sinks::Syslog},
    notify::{Secret, Target},
};

pub use jail::{Jail, Place as JailPlace, Without};
pub use mcp::{Mcp, Place, Server};
pub use otel::Otel;
pub use registry::{NoKey, PublicKey, Registry};
pub use secret::{Credential, Follow, Followed, From, Secrets};

/// Everything that `config.yaml` can say, with defaults where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the API listens beside its socket.
    pub listen: SocketAddr,
    /// By which names it may be asked for, where it listens beyond loopback: what a browser sends as `Host`.
    pub listen_as: Vec<String>,
    /// The egress proxy.
    pub egress: Egress,
    /// MCP servers for clients over HTTP.
    pub mcp: Mcp,
    /// What becomes of decisions.
    pub mode: Mode,
    /// The audit trail.
    pub audit: Audit,
    /// How long a question waits for a human.
    pub approval_timeout: Duration,
    /// Nobody is there who could answer: what would be asked is refused.
    pub headless: bool,
    /// Where people reach the API, for links in notices that answer a question: scheme, host and path, without a slash
    /// at the end. Without it there are no links.
    pub approval_base_url: Option<String>,
    /// What surfaces do without an answer.
    pub surfaces: Surfaces,
    /// Whom to tell of decisions, besides those that policies name.
    pub notify: Vec<Target>,
    /// Where the records of the audit trail go as well.
    pub syslog: Option<Syslog>,
    /// Where policies of others come from.
    pub registry: Option<Registry>,
    /// Where traces, metrics and the log go.
    pub otel: Option<Otel>,
    /// Where `rampart upgrade` finds releases.
    pub upgrade: Option<Upgrade>,
    /// What the egress proxy puts into requests for agents that hold only a placeholder.
    pub credentials: Vec<Credential>,
    /// What is followed besides those.
    pub secrets: Secrets,
    /// What `rampart run` confines agents to.
    pub jail: Jail,
}

/// Where releases are, and who signs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// An `https://` address or the absolute path of a folder.
    pub from: String,
    /// The Ed25519 key of whoever makes them.
    pub key: PublicKey,
}

/// The egress proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names that are not looked up but dialled at a given address.
    pub resolve: Vec<Resolve>,
    /// PEM files with further roots that upstream certificates may come from.
    pub upstream_ca: Vec<PathBuf>,
    /// Files with lists of certificates that are not believed any more.
    pub upstream_crls: Vec<PathBuf>,
    /// Addresses, networks and hosts that may be reached although they are private.
    pub allow_private: Vec<String>,
    /// Hosts, with or without a port, that are reached without being looked into.
    pub passthrough: Vec<String>,
    /// The proxy through which the outside is reached.
    pub upstream_proxy: Option<Secret>,
    /// Hosts and networks that are reached without it.
    pub no_proxy: Vec<String>,
    /// Certificates to show to hosts that ask for one.
    pub client_certificates: Vec<ClientCertificate>,
    /// Where connections arrive that the kernel redirected.
    pub transparent: Option<SocketAddr>,
    /// Only clients with the credentials of a session are served; otherwise the others are, as the session
    /// `unidentified`.
    pub require_credentials: bool,
    /// Who clients without credentials are, by where they come from; the first that covers an address counts.
    pub sources: Vec<Source>,
    /// Servers that names are looked up at, in place of the system's resolver.
    pub dns: Vec<SocketAddr>,
    /// Where clients that can reach nobody else ask for names.
    pub dns_listen: Option<SocketAddr>,
    /// HTML file that browsers are shown for what is refused.
    pub block_page: Option<PathBuf>,
    /// Bounds of what clients may take, where they are not the usual ones.
    pub limits: Limits,
}

/// Bounds of what clients of the egress proxy may take. None: the usual one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: Option<usize>,
    /// Connections at once from one address.
    pub connections_per_client: Option<usize>,
    /// Bytes of the head of a request.
    pub head_size: Option<u64>,
    /// How long a head that has begun may take to come.
    pub head_time: Option<Duration>,
    /// How long each 10 KiB of an announced body may take to come.
    pub body_time: Option<Duration>,
    /// How long a client may take nothing of what it is sent.
    pub answer_time: Option<Duration>,
    /// How long an answer, a WebSocket or a tunnel may bring nothing.
    pub idle_time: Option<Duration>,
}

/// Whose requests come from a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// An address, a network, or `any`.
    pub from: String,
    /// What policies call the agent.
    pub agent: String,
}

/// A certificate to show to one host, or to those below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The host, or `*.host`.
    pub host: String,
    /// PEM file with the certificate and those above it.
    pub certificate: PathBuf,
    /// PEM file with its key.
    pub key: PathBuf,
}

/// One name and where it is dialled, as curl's `--resolve` and `--connect-to` do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// Host name, in lower case.
    pub host: String,
    /// Only for this port.
    pub port: Option<u16>,
    /// The address to dial.
    pub address: IpAddr,
    /// The port to dial, where it is another.
    pub to_port: Option<u16>,
}

/// What becomes of decisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// They hold.
    #[default]
    Enforce,
    /// They are recorded, and everything goes on.
    Monitor,
    /// None are made.
    Disabled,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Monitor, Self::Disabled];

    /// The word used in the configuration, by `status` and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Monitor => "monitor",
            Self::Disabled => "disabled",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Every record is on disk before the answer, allowances too.
    pub strict: bool,
    /// Calls go on, counted, while the trail cannot be written.
    pub allow_on_failure: bool,
    /// Who keeps its checkpoints as well.
    pub witnesses: Vec<Witness>,
    /// Length in bytes after which a new segment begins.
    pub segment_bytes: u64,
    /// Time after which a new segment begins.
    pub segment_age: Option<Duration>,
    /// Segments whose records are all older may be removed.
    pub keep_age: Option<Duration>,
    /// The oldest segments may be removed when all together are longer than so many bytes.
    pub keep_bytes: Option<u64>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            strict: false,
            allow_on_failure: false,
            witnesses: Vec::new(),
            segment_bytes: 64 << 20,
            segment_age: None,
            keep_age: None,
            keep_bytes: None,
        }
    }
}

/// What surfaces do without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surfaces {
    /// These let the call go on.
    pub fail_open: Vec<Surface>,
    /// How long a surface waits for a sign of life.
    pub deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        Self {
            listen: loopback(9090),
            listen_as: Vec::new(),
            egress: Egress {
                listen: loopback(9091),
                resolve: Vec::new(),
                upstream_ca: Vec::new(),
                upstream_crls: Vec::new(),
                allow_private: Vec::new(),
                passthrough: Vec::new(),
                upstream_proxy: None,
                no_proxy: Vec::new(),
                client_certificates: Vec::new(),
                transparent: None,
                require_credentials: false,
                sources: Vec::new(),
                dns: Vec::new(),
                dns_listen: None,
                block_page: None,
                limits: Limits::default(),
            },
            mcp: Mcp {
                listen: loopback(9092),
                public_url: None,
                tls: None,
                token_file: None,
                servers: BTreeMap::new(),
            },
            mode: Mode::Enforce,
            audit: Audit::default(),
            approval_timeout: Duration::from_mins(2),
            headless: false,
            approval_base_url: None,
            surfaces: Surfaces { fail_open: Vec::new(), deadline: Standing::DEADLINE },
            notify: Vec::new(),
            syslog: None,
            registry: None,
            otel: None,
            upgrade: None,
            credentials: Vec::new(),
            secrets: Secrets::default(),
            jail: Jail::default(),
        }
    }
}

impl Config {
    /// Reads the text of a `config.yaml`. `file` is how diagnostics shall name it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        source::parse(text, file)
    }
}
