//! How each tool is made to trust the authority: the environment variables, as data, and the bundle some of them need.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry};
use rustls::pki_types::CertificateDer;

/// An environment variable by which a tool is told whom to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Who reads it.
    pub read_by: &'static str,
    /// What its file does to the tool's own roots.
    pub kind: Kind,
}

/// What the file that a [`Variable`] names does to the tool's own roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It comes on top of them: our certificate is enough.
    Adds,
    /// It takes their place: the file must hold the machine's roots and our certificate.
    Replaces,
}

/// Every variable we know, in the order they are printed.
pub const VARIABLES: &[Variable] = &[
    replaces(
        "SSL_CERT_FILE",
        "OpenSSL (Python ssl, httpx, Ruby, Perl), Go, rustls-native-certs, uv, curl with OpenSSL",
    ),
    replaces("REQUESTS_CA_BUNDLE", "Python requests"),
    replaces("CURL_CA_BUNDLE", "curl; Python requests where REQUESTS_CA_BUNDLE is not set"),
    replaces("GIT_SSL_CAINFO", "git"),
    replaces("PIP_CERT", "pip"),
    replaces("CARGO_HTTP_CAINFO", "cargo"),
    replaces("AWS_CA_BUNDLE", "AWS CLI and SDKs"),
    replaces("npm_config_cafile", "npm"),
    replaces("YARN_HTTPS_CA_FILE_PATH", "Yarn 2 and later"),
    replaces("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "Google Cloud CLI"),
    replaces("NIX_SSL_CERT_FILE", "programs built by Nix"),
    replaces("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "gRPC C core (Python, Ruby, C++)"),
    adds("NODE_EXTRA_CA_CERTS", "Node, Bun, and what runs on them"),
    adds("DENO_CERT", "Deno"),
    adds("CODEX_CA_CERTIFICATE", "Codex CLI"),
];

const fn adds(name: &'static str, read_by: &'static str) -> Variable {
    Variable { name, read_by, kind: Kind::Adds }
}

const fn replaces(name: &'static str, read_by: &'static str) -> Variable {
    Variable { name, read_by, kind: Kind::Replaces }
}

/// The text of a PEM file with all of `roots` and, at the end, `authority`.
pub fn bundle(roots: &[CertificateDer<'_>], authority: &CertificateDer<'_>) -> String {
    roots.iter().chain([authority]).map(pem).collect()
}

/// The password of the store for Java: the usual one for a store that holds no secret.
const JAVA_PASSWORD: &str = "changeit";
/// Rounds that protect nothing here, since nothing in it is secret.
const JAVA_ROUNDS: u32 = 100;

/// A PKCS #12 file with all of `roots` and `authority`, each marked as trusted the way Java wants it.
pub(crate) fn java_store(roots: &[CertificateDer<'_>], authority: &CertificateDer<'_>) -> Result<Vec<u8>, String> {
    let mut store = KeyStore::new();
    for (number, root) in roots.iter().enumerate() {
        // What Java could not read it need not be told of.
        if let Ok(root) = Certificate::from_der(root) {
            store.add_entry(&format!("root-{number}"), KeyStoreEntry::Certificate(root));
        }
    }
    let ours = Certificate::from_der(authority).map_err(|e| e.to_string())?;
    store.add_entry("rampart", KeyStoreEntry::Certificate(ours));
    let writer = store.writer(JAVA_PASSWORD).encryption_iterations(JAVA_ROUNDS).mac_iterations(JAVA_ROUNDS);
    writer.write().map_err(|e| e.to_string())
}

/// The options that make a Java program trust what stands in a store at `path`; none where the path cannot stand in the
/// variable that holds them, which is split at white space.
pub fn java_options(path: &str) -> Option<String> {
    let plain = !path.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    plain.then(|| {
        format!(
            "-Djavax.net.ssl.trustStore={path} -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword={JAVA_PASSWORD}"
        )
    })
}

/// One certificate as PEM text (RFC 7468).
pub(crate) fn pem(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let encoded = STANDARD.encode(certificate);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, parse_pem};

    #[test]
    fn a_bundle_holds_every_root_and_the_authority_last() {
        let (one, two, ours) = (Authority::generate(), Authority::generate(), Authority::generate());
        let (one, two, ours) = (one.unwrap(), two.unwrap(), ours.unwrap());
        let roots = [one.certificate().clone(), two.certificate().clone()];
        let text = bundle(&roots, ours.certificate());
        assert_eq!(parse_pem(text.as_bytes()).unwrap(), [&roots[..], &[ours.certificate().clone()]].concat());
        assert!(text.lines().all(|l| l.len() <= 64));
    }

    #[test]
    fn no_variable_stands_twice() {
        let names: std::collections::HashSet<_> = VARIABLES.iter().map(|v| v.name).collect();
        assert_eq!(names.len(), VARIABLES.len());
    }
}
