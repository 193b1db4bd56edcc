//! The HTTP road: a forward proxy that reads what passes, asks the gate about every request and every answer, and is
//! the one client of origins.
//!
//! Not here: what is allowed (`rampart-policy`), what is recorded (`rampart-gateway`), how certificates are made
//! (`rampart-certs`).

mod address;
mod answer;
mod body;
mod client;
mod credentials;
mod decode;
mod destination;
mod dns;
mod doors;
mod echo;
mod entrance;
mod exchange;
mod head;
mod headers;
mod inspect;
mod meter;
mod options;
mod outlook;
mod pac;
mod passthrough;
mod pool;
mod probe;
mod proxy;
mod refusal;
mod resolve;
mod sources;
mod stall;
mod strict;
mod tunnel;
mod upstream;
mod upstream_proxy;
mod variables;
mod websocket;

pub use address::Allowance;
pub use client::Client;
pub use credentials::{AwsKeys, Credential, Credentials};
pub use dns::Names;
pub use doors::Doors;
pub use entrance::transparent_listener;
pub use options::{Identify, Limits, Options};
pub use outlook::{Outlook, Unreached};
pub use pac::pac;
pub use passthrough::Passthrough;
pub use probe::{Leads, Way, probe, proxy_answers, resolvers};
pub use proxy::{Fault, serve};
pub use resolve::Override;
pub use sources::{Place, Sources};
pub use upstream::ClientCertificate;
pub use upstream_proxy::UpstreamProxy;
pub use variables::{NODE_PRELOAD, proxy_variables};
