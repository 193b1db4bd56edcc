//! What a release says of itself: a manifest for one kind of machine, and the signature of whoever made it.

use anyhow::{Context as _, bail, ensure};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The kind of machine this program is for.
pub(crate) fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The programs that a release may replace.
pub(crate) const PROGRAMS: [&str; 2] = ["rampart", "rampart-shim"];

/// `TARGET.json` of a release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Its version, three numbers.
    pub(crate) version: String,
    /// What it is for.
    pub(crate) target: String,
    /// Grows with every release, so that an old one that is served again is told from a new one.
    pub(crate) serial: u64,
    /// The programs in it.
    pub(crate) files: Vec<Program>,
}

/// One program of a release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// Its name, which is also that of the file beside the manifest, after the target and a slash.
    pub(crate) name: String,
    /// SHA-256 in hex.
    pub(crate) sha256: String,
}

impl Manifest {
    /// Reads a manifest that `key` signed (Ed25519, RFC 8032; the signature in hex).
    ///
    /// # Errors
    /// When the signature is not that key's, and when the manifest is not for this machine.
    pub(crate) fn read(text: &[u8], signature: &[u8], key: &VerifyingKey) -> anyhow::Result<Self> {
        let signature = std::str::from_utf8(signature).ok().and_then(|text| hex::decode(text.trim()).ok());
        let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
        let signature = signature.context("the manifest's signature is not 64 bytes in hex")?;
        if key.verify_strict(text, &signature).is_err() {
            bail!("the manifest was not signed with the key in config.yaml: nothing of it is believed");
        }
        let manifest: Self = serde_json::from_slice(text).context("the manifest cannot be read")?;
        ensure!(manifest.target == target(), "the manifest is for {}, this machine is {}", manifest.target, target());
        let names: Vec<_> = manifest.files.iter().map(|file| file.name.as_str()).collect();
        ensure!(names.first() == Some(&"rampart"), "the manifest does not begin with `rampart`");
        ensure!(
            names.iter().all(|name| PROGRAMS.contains(name)),
            "the manifest names programs that are not ours: {names:?}"
        );
        Ok(manifest)
    }
}

impl Program {
    /// Whether these bytes are it.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        hex::encode(Sha256::digest(bytes)) == self.sha256
    }
}

/// A version as numbers that can be compared.
pub(crate) fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("0.10.0") > numbers("0.9.12"));
        for bad in ["", "1", "1.2", "1.2.3.4", "1.2.x", "v1.2.3"] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
    }
}
