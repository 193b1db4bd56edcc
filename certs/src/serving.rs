//! TLS for a listener of ours, with certificates that its owner has.

use rustls::ServerConfig;

use crate::{parse_key, parse_pem};

/// TLS with the certificates and the key of these PEM texts, for HTTP/1.1.
///
/// # Errors
/// When one of them is damaged or missing, or they do not go together.
pub fn serving(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, String> {
    let certificates = parse_pem(certificates)?;
    if certificates.is_empty() {
        return Err("there is no certificate in the file".into());
    }
    let made = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, parse_key(key)?);
    let mut tls = made.map_err(|why| format!("the certificate and the key do not go together: {why}"))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_and_their_key_serve_and_others_do_not() {
        let make = || {
            let made = rcgen::generate_simple_self_signed(["mcp.example".to_owned()]).unwrap();
            (made.cert.pem(), made.signing_key.serialize_pem())
        };
        let ((certificate, key), (_, other)) = (make(), make());
        assert!(serving(certificate.as_bytes(), key.as_bytes()).is_ok());
        for (certificate, key) in
            [(certificate.as_str(), other.as_str()), ("", &key), (&certificate, ""), (&certificate, "x")]
        {
            assert!(serving(certificate.as_bytes(), key.as_bytes()).is_err());
        }
    }
}
