//! The roots that this machine trusts, and PEM files with more of them.

use std::{os::unix::fs::MetadataExt as _, path::PathBuf};

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject as _};

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

/// When the places last changed from which [`system_roots`] come, in seconds and nanoseconds since 1970; none where that
/// cannot be told.
pub(crate) fn changed_at() -> Option<(i64, i64)> {
    // Variables may name another place today than yesterday, and other systems ask a service.
    if cfg!(not(target_os = "linux")) || openssl_probe::has_ssl_cert_env_vars() {
        return None;
    }
    let found = openssl_probe::probe();
    // A change time, unlike a time of writing, is not one that a package brings along.
    let changed = |place: &PathBuf| std::fs::metadata(place).ok().map(|meta| (meta.ctime(), meta.ctime_nsec()));
    found.cert_file.iter().chain(&found.cert_dir).map(changed).try_fold((0, 0), |last, at| Some(last.max(at?)))
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

/// Reads every list of revoked certificates of a PEM text, or the one that is not written as PEM.
///
/// # Errors
/// When there is none, or one that is damaged, or is not of version 2 (RFC 5280 section 5.1).
pub fn parse_crls(text: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    // A sequence of DER: certificate authorities publish them so (RFC 5280 section 4.2.1.13).
    let lists = if text.first() == Some(&0x30) {
        vec![text.to_vec().into()]
    } else {
        let lists = CertificateRevocationListDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
        lists.map_err(|e| format!("not a PEM file of certificate revocation lists: {e}"))?
    };
    if lists.is_empty() {
        return Err("there is no certificate revocation list in it".to_owned());
    }
    for list in &lists {
        let read = webpki::BorrowedCertRevocationList::from_der(list);
        read.map_err(|e| format!("a certificate revocation list cannot be read: {e}"))?;
    }
    Ok(lists)
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
        assert!(parse_crls(b"hello\n").is_err() && parse_crls(b"").is_err());
        assert!(parse_crls(b"-----BEGIN X509 CRL-----\n!!!\n-----END X509 CRL-----\n").is_err());
        assert!(parse_crls(b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n").is_err());
        assert!(parse_crls(b"0\0").is_err());
    }
}
