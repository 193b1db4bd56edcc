//! The certificate authority: a P-256 key and its self-signed certificate.

use std::{path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
};
use rustls::{pki_types::CertificateDer, sign::CertifiedKey};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::leaf::{Leaves, random_serial};

/// Stands in the subject of every authority we make, so that none of them is ever taken for a root of the outside.
pub(crate) const SUBJECT_MARK: &str = "Rampart local authority";

/// How long a new authority lasts.
const LIFETIME: Duration = Duration::days(730);
/// Allows for clocks that are behind ours.
pub(crate) const BACKDATE: Duration = Duration::hours(1);

/// A certificate authority that mints leaf certificates for the hosts we intercept.
pub struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
    not_after: OffsetDateTime,
    leaves: Leaves,
}

/// Why there is no authority to work with, or no leaf from it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The operating system refused.
    #[error("could not {what} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Someone else could read or change the key.
    #[error("`{}` is open to other users (mode {mode:o}); whoever reads it can impersonate every site: run `chmod {want:o} {0}`, and delete it if others had access", path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        want: u32,
    },
    /// It belongs to another user.
    #[error("`{}` belongs to user id {owner}, not to you (user id {you}): refusing a certificate authority that someone else controls", path.display())]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The effective user of this process.
        you: u32,
    },
    /// Its time is over, or has not come.
    #[error("the certificate authority in `{}` is valid from {from} to {until} only, and now is {now}: check the clock, or make a new one with `rampart ca rotate`", path.display())]
    Expired {
        /// The key file.
        path: PathBuf,
        /// Start of validity.
        from: OffsetDateTime,
        /// End of validity.
        until: OffsetDateTime,
        /// The clock.
        now: OffsetDateTime,
    },
    /// The file holds something else.
    #[error("`{}` does not hold a certificate authority ({why}): restore it, or make a new one with `rampart ca rotate`", path.display())]
    Broken {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate could not be made.
    #[error("could not make a certificate for `{name}`: {why}")]
    Mint {
        /// For whom.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// The certificate of an authority in a PEM text, and until when it holds.
pub(crate) fn valid(text: &str, now: OffsetDateTime) -> Result<(CertificateDer<'static>, OffsetDateTime), Unfit> {
    let broken = |e: &dyn std::fmt::Display| Unfit::Broken(e.to_string());
    let held = crate::roots::parse_pem(text.as_bytes()).map_err(|e| broken(&e))?;
    let der = held.into_iter().next().ok_or_else(|| broken(&"no certificate in it"))?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|e| broken(&e))?;
    if !parsed.is_ca() {
        return Err(broken(&"the certificate is not that of an authority"));
    }
    let (from, until) = (parsed.validity().not_before.to_datetime(), parsed.validity().not_after.to_datetime());
    if now < from || now >= until {
        return Err(Unfit::OutOfTime { from, until });
    }
    Ok((der, until))
}

impl Authority {
    /// A new authority that lives in memory only.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, Fault> {
        Self::generate_at(OffsetDateTime::now_utc(), &[])
    }

    /// A new authority; where `only` names domains, one that is good for them and what is below them, and for nothing
    /// else (RFC 5280 section 4.2.1.10).
    pub(crate) fn generate_at(now: OffsetDateTime, only: &[String]) -> Result<Self, Fault> {
        let fault = |why: String| Fault::Mint { name: SUBJECT_MARK.to_owned(), why };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| fault(e.to_string()))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Rampart");
        params.distinguished_name.push(DnType::CommonName, format!("{SUBJECT_MARK} {}", now.date()));
        params.serial_number = Some(random_serial().map_err(fault)?);
        params.not_before = now - BACKDATE;
        params.not_after = now + LIFETIME;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if !only.is_empty() {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: only.iter().cloned().map(GeneralSubtree::DnsName).collect(),
                // What is said of domains says nothing of addresses.
                excluded_subtrees: vec![
                    GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
                    GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
                ],
            });
        }
        let certificate = params.self_signed(&key).map_err(|e| fault(e.to_string()))?;
        let path = PathBuf::from("memory");
        Self::from_pem(&certificate.pem(), &key.serialize_pem(), now).map_err(|e| e.at(path, now))
    }

    /// Puts a stored authority together again and checks that its parts fit.
    pub(crate) fn from_pem(certificate: &str, key: &str, now: OffsetDateTime) -> Result<Self, Unfit> {
        let broken = |e: &dyn std::fmt::Display| Unfit::Broken(e.to_string());
        let (der, until) = valid(certificate, now)?;
        let pair = KeyPair::from_pem(key).map_err(|e| broken(&e))?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|e| broken(&e))?;
        if parsed.public_key().subject_public_key.data.as_ref() != pair.public_key_raw() {
            return Err(broken(&"the key does not belong to the certificate"));
        }
        let certificate_pem = crate::trust::pem(&der);
        let key_pem = pair.serialize_pem();
        let issuer = Issuer::from_ca_cert_der(&der, pair).map_err(|e| broken(&e))?;
        let leaves = Leaves::new(issuer, until).map_err(Unfit::Broken)?;
        Ok(Self { certificate: der, certificate_pem, key_pem, not_after: until, leaves })
    }

    /// The certificate, as clients have to trust it.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate as PEM text.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Only for the store.
    pub(crate) fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// When it stops being valid.
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// The certificate and key to present as `host`: a DNS name in lower case without a trailing dot, or an address.
    /// Minted when first asked for and kept for a while; any number of callers for one host wait for a single minting.
    ///
    /// # Errors
    /// When `host` is neither, or the authority is about to expire.
    pub fn leaf(&self, host: &str) -> Result<Arc<CertifiedKey>, Fault> {
        self.leaves.get(host, OffsetDateTime::now_utc())
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// What is wrong with the text of an authority, before it is known where it came from.
#[derive(Debug)]
pub(crate) enum Unfit {
    Broken(String),
    OutOfTime { from: OffsetDateTime, until: OffsetDateTime },
}

impl Unfit {
    pub(crate) fn at(self, path: PathBuf, now: OffsetDateTime) -> Fault {
        match self {
            Self::Broken(why) => Fault::Broken { path, why },
            Self::OutOfTime { from, until } => Fault::Expired { path, from, until, now },
        }
    }
}
