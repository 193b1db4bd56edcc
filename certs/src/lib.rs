//! Whom we may impersonate: the certificate authority of this installation, the leaf certificates it mints on demand,
//! and the settings that make each tool trust it.
//!
//! Not here: sockets, TLS handshakes, or the decision which hosts are intercepted (`rampart-egress`).

mod authority;
mod leaf;
mod roots;
mod serving;
mod store;
pub mod trust;

pub use authority::{Authority, Fault};
pub use roots::{parse_crls, parse_key, parse_pem, system_roots};
/// What [`serving`] gives.
pub use rustls::ServerConfig;
/// What [`parse_pem`] and [`system_roots`] give, and what [`parse_crls`] does.
pub use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
pub use serving::serving;
