//! The roots that this machine trusts, and PEM files with more of them.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::authority::SUBJECT_MARK;

/// The certificates that this machine trusts, without any authority of ours: a user who installed ours system-wide, or
/// who starts us with our own variables set, must not make us believe what we minted.
pub fn system_roots() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a root certificate of this machine could not be read");
    }
    found.certs.into_iter().filter(|c| !is_ours(c)).collect()
}

/// Reads every certificate of a PEM text.
///
/// # Errors
/// When a block is damaged.
pub fn parse_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("not a PEM file of certificates: {e}"))
}

/// Reads the private key of a PEM text: PKCS 8, PKCS 1 or SEC 1, not encrypted.
///
/// # Errors
/// When there is none, or it is damaged.
pub fn parse_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(text).map_err(|e| format!("not a PEM file with an unencrypted private key: {e}"))
}

/// Whether a certificate was made by any authority of ours, this or an earlier one.
fn is_ours(certificate: &CertificateDer<'_>) -> bool {
    certificate.windows(SUBJECT_MARK.len()).any(|w| w == SUBJECT_MARK.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Authority;

    #[test]
    fn our_own_authority_is_never_a_root() {
        assert!(is_ours(Authority::generate().unwrap().certificate()));
        assert!(system_roots().iter().all(|c| !is_ours(c)));
    }

    #[test]
    fn damaged_pem_is_an_error_and_other_text_is_no_certificate() {
        assert!(parse_pem(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").is_err());
        assert_eq!(parse_pem(b"hello\n").unwrap(), []);
    }
}
