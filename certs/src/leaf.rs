//! Leaf certificates, minted when a host is first seen.

use std::{net::IpAddr, sync::Arc};

use quick_cache::sync::Cache;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::{
    crypto::aws_lc_rs::sign::any_ecdsa_type,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, SigningKey},
};
use time::{Duration, OffsetDateTime};

use crate::{Fault, authority::BACKDATE};

/// How long a leaf is valid from now.
const LIFETIME: Duration = Duration::days(7).saturating_sub(BACKDATE);
/// How long a minted leaf is handed out; shorter than its life, so that clients with slow clocks are content.
const HANDED_OUT: Duration = Duration::days(3);
/// How many hosts are kept. A leaf is about 1 KB.
const KEPT: usize = 2048;

/// Mints leaves under one issuer. All leaves share one key that is not the authority's and never leaves the process.
pub(crate) struct Leaves {
    issuer: Issuer<'static, KeyPair>,
    issuer_until: OffsetDateTime,
    key: KeyPair,
    signer: Arc<dyn SigningKey>,
    minted: Cache<String, (Arc<CertifiedKey>, OffsetDateTime)>,
}

impl Leaves {
    pub(crate) fn new(issuer: Issuer<'static, KeyPair>, issuer_until: OffsetDateTime) -> Result<Self, String> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| e.to_string())?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = any_ecdsa_type(&der).map_err(|e| e.to_string())?;
        Ok(Self { issuer, issuer_until, key, signer, minted: Cache::new(KEPT) })
    }

    pub(crate) fn get(&self, host: &str, now: OffsetDateTime) -> Result<Arc<CertifiedKey>, Fault> {
        let (leaf, until) = self.minted.get_or_insert_with(host, || self.mint(host, now))?;
        if now < until {
            return Ok(leaf);
        }
        let fresh = self.mint(host, now)?;
        self.minted.insert(host.to_owned(), fresh.clone());
        Ok(fresh.0)
    }

    fn mint(&self, host: &str, now: OffsetDateTime) -> Result<(Arc<CertifiedKey>, OffsetDateTime), Fault> {
        let fault = |why: String| Fault::Mint { name: host.to_owned(), why };
        if now >= self.issuer_until {
            return Err(fault(format!("the certificate authority expired on {}", self.issuer_until)));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "intercepted by Rampart");
        params.subject_alt_names = vec![match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if host.is_empty() => return Err(fault("the name is empty".to_owned())),
            Err(_) => SanType::DnsName(host.try_into().map_err(|e: rcgen::Error| fault(e.to_string()))?),
        }];
        params.serial_number = Some(random_serial().map_err(fault)?);
        params.not_before = now - BACKDATE;
        params.not_after = (now + LIFETIME).min(self.issuer_until);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let until = (now + HANDED_OUT).min(params.not_after);
        let certificate = params.signed_by(&self.key, &self.issuer).map_err(|e| fault(e.to_string()))?;
        Ok((Arc::new(CertifiedKey::new(vec![certificate.into()], Arc::clone(&self.signer))), until))
    }
}

/// 16 random bytes without a leading zero or sign bit (RFC 5280 section 4.1.2.2 wants a positive number).
pub(crate) fn random_serial() -> Result<SerialNumber, String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| format!("no randomness: {e}"))?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

#[cfg(test)]
pub(crate) use tests::verifies;

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Barrier};

    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        crypto::aws_lc_rs,
        pki_types::{ServerName, UnixTime},
    };
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    use super::*;
    use crate::Authority;

    pub(crate) fn verifies(authority: &Authority, leaf: &CertifiedKey, name: &str) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(leaf.end_entity_cert().unwrap(), &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn a_leaf_is_good_for_its_host_and_no_other() {
        let authority = Authority::generate().unwrap();
        for host in ["example.com", "xn--bcher-kva.example", "a_b.example.com", "192.0.2.7", "2001:db8::1"] {
            let leaf = authority.leaf(host).unwrap();
            assert!(verifies(&authority, &leaf, host), "{host}");
            assert!(!verifies(&authority, &leaf, "other.example"), "{host}");
        }
        let stranger = Authority::generate().unwrap();
        assert!(!verifies(&stranger, &authority.leaf("example.com").unwrap(), "example.com"));
    }

    #[test]
    fn a_leaf_says_what_it_may_be_used_for() {
        let authority = Authority::generate().unwrap();
        let leaf = authority.leaf("192.0.2.7").unwrap();
        let (_, cert) = X509Certificate::from_der(leaf.end_entity_cert().unwrap()).unwrap();
        let (_, ca) = X509Certificate::from_der(authority.certificate()).unwrap();
        assert!(cert.validity().time_to_expiration().unwrap() <= std::time::Duration::from_hours(7 * 24));
        let age = OffsetDateTime::now_utc() - cert.validity().not_before.to_datetime();
        assert!(age >= Duration::minutes(59) && age <= Duration::minutes(61), "{age}");
        assert_eq!(cert.raw_serial().len(), 16);
        assert!(!cert.is_ca());
        let usage = cert.extended_key_usage().unwrap().unwrap();
        assert!(usage.value.server_auth && !usage.value.client_auth && !usage.value.any);
        let san = cert.subject_alternative_name().unwrap().unwrap();
        assert_eq!(san.value.general_names, [GeneralName::IPAddress(&[192, 0, 2, 7])]);
        assert_ne!(cert.public_key().raw, ca.public_key().raw, "the leaf key is not the authority's");
        let text = format!("{:?}", cert.extensions());
        assert!(text.contains("AuthorityKeyIdentifier"), "{text}");
    }

    #[test]
    fn names_that_no_certificate_can_carry_are_refused() {
        let authority = Authority::generate().unwrap();
        for host in ["", "bücher.example"] {
            let err = authority.leaf(host).unwrap_err().to_string();
            assert!(err.starts_with("could not make a certificate for"), "{err}");
        }
    }

    #[test]
    fn callers_for_one_host_share_one_minting() {
        let authority = Authority::generate().unwrap();
        let barrier = Barrier::new(8);
        let minted: HashSet<usize> = std::thread::scope(|scope| {
            let wait = || {
                barrier.wait();
                Arc::as_ptr(&authority.leaf("example.com").unwrap()) as usize
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(wait)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(minted.len(), 1);
    }

    #[test]
    fn a_leaf_is_minted_anew_before_it_expires() {
        let now = OffsetDateTime::now_utc();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let issuer = Issuer::new(CertificateParams::default(), key);
        let leaves = Leaves::new(issuer, now + Duration::days(30)).unwrap();
        let first = leaves.get("example.com", now).unwrap();
        assert!(Arc::ptr_eq(&first, &leaves.get("example.com", now + Duration::days(2)).unwrap()));
        let second = leaves.get("example.com", now + Duration::days(4)).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &leaves.get("example.com", now + Duration::days(5)).unwrap()));
        assert!(leaves.get("example.org", now + Duration::days(31)).is_err());
    }
}
