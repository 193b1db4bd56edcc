//! The signed list of a registry's policies. Pure: bytes in, a list out.
//!
//! `index.json` is `{"format": 1, "serial": 7, "policies": [{"name", "version", "description", "sha256", "url"}]}`; a
//! `url` may be relative to that of the index. `index.json.sig` holds the Ed25519 signature (RFC 8032), in hex, of
//! `rampart/registry/v1`, a newline, and every byte of `index.json`. The serial grows with every change, so that an old
//! list cannot be passed off as the newest one.

use anyhow::{Context as _, bail, ensure};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rampart_call::strict;
use rampart_gateway::PublicKey;
use rampart_policy::packs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What is signed begins with this, so that no other signature of the key can be taken for one of an index.
const DOMAIN: &[u8] = b"rampart/registry/v1\n";
/// The form of the list that this program reads.
const FORMAT: u32 = 1;
/// Longer names are no file names.
const LONGEST_NAME: usize = 64;

/// A registry's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    format: u32,
    /// Grows with every change.
    pub(crate) serial: u64,
    pub(crate) policies: Vec<Entry>,
}

/// A policy in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    /// SHA-256 of the policy's text, in hex.
    pub(crate) sha256: String,
    /// Where the text is, relative to the index.
    pub(crate) url: String,
}

impl Index {
    pub(crate) fn new(serial: u64, policies: Vec<Entry>) -> Self {
        Self { format: FORMAT, serial, policies }
    }

    /// The list, if the key signed it.
    ///
    /// # Errors
    /// When the signature is not the key's, or the list is not one.
    pub(crate) fn verified(bytes: &[u8], signature: &[u8], key: &PublicKey) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(signature).unwrap_or_default().trim();
        let raw: Option<[u8; 64]> = hex::decode(text).ok().and_then(|raw| raw.try_into().ok());
        let signature = Signature::from_bytes(&raw.context("its signature is not 128 hexadecimal digits")?);
        let key = VerifyingKey::from_bytes(key.as_bytes()).context("the key is not an Ed25519 key")?;
        let Ok(()) = key.verify_strict(&message(bytes), &signature) else {
            bail!("its signature is not of the key that is trusted; nothing of it was used");
        };
        Self::parse(bytes)
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let value = strict::parse(bytes)?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        ensure!(format == Some(FORMAT.into()), "it is of a form that this version of rampart does not know");
        let index: Self = serde_json::from_value(value)?;
        for (number, entry) in index.policies.iter().enumerate() {
            entry.check()?;
            let twice = index.policies.iter().take(number).any(|earlier| earlier.name == entry.name);
            ensure!(!twice, "it lists `{}` twice", entry.name);
        }
        Ok(index)
    }

    /// The list as a file, and its signature.
    ///
    /// # Errors
    /// When an entry is not one that a reader would take.
    pub(crate) fn signed(&self, key: &SigningKey) -> anyhow::Result<(String, String)> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        Self::parse(text.as_bytes())?;
        let signature = hex::encode(key.sign(&message(text.as_bytes())).to_bytes());
        Ok((text, format!("{signature}\n")))
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.policies.iter().find(|entry| entry.name == name)
    }
}

impl Entry {
    fn check(&self) -> anyhow::Result<()> {
        let name = &self.name;
        ensure!(is_name(name), "`{}` is no name for a policy", rampart_scan::visible(name));
        ensure!(packs::builtin(name).is_none(), "`{name}` is the name of a policy that comes with Rampart");
        let hash = self.sha256.len() == 64 && self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        ensure!(hash, "the hash of `{name}` is not 64 hexadecimal digits");
        Ok(())
    }

    /// Whether this is the text that the list speaks of.
    pub(crate) fn is_text(&self, text: &[u8]) -> bool {
        self.sha256 == sha256(text)
    }
}

/// Lower case, digits and dashes: it becomes the name of a file.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    plain && !name.starts_with('-') && (1..=LONGEST_NAME).contains(&name.len())
}

/// SHA-256, in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn message(bytes: &[u8]) -> Vec<u8> {
    [DOMAIN, bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> (SigningKey, PublicKey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::new(key.verifying_key().to_bytes()).unwrap();
        (key, public)
    }

    fn entry(name: &str) -> Entry {
        let (version, description) = ("1.0.0".to_owned(), "a policy".to_owned());
        Entry { name: name.to_owned(), version, description, sha256: sha256(b"x"), url: format!("{name}.yaml") }
    }

    #[test]
    fn only_what_the_key_signed_is_a_list() {
        let ((secret, public), (_, other)) = (key(1), key(2));
        let index = Index::new(3, vec![entry("postgres")]);
        let (text, signature) = index.signed(&secret).unwrap();
        let read = |text: &str, signature: &str, key| Index::verified(text.as_bytes(), signature.as_bytes(), key);
        assert_eq!(read(&text, &signature, &public).unwrap(), index);
        let changed = text.replace("\"serial\": 3", "\"serial\": 4");
        let elsewhere = hex::encode(secret.sign(text.as_bytes()).to_bytes());
        for (text, signature, key) in [
            (changed.as_str(), signature.as_str(), &public),
            (&text, &signature, &other),
            (&text, &elsewhere, &public),
            (&text, "", &public),
            (&text, "zz", &public),
            (text.trim_end(), &signature, &public),
        ] {
            let error = read(text, signature, key).unwrap_err().to_string();
            assert!(error.contains("signature"), "{error}");
        }
    }

    #[test]
    fn a_signed_list_that_makes_no_sense_is_refused() {
        let (secret, public) = key(1);
        let listed = |policies: &str| format!("{{\"format\":1,\"serial\":1,\"policies\":[{policies}]}}");
        let policy = |name: &str, hash: &str| {
            format!(
                "{{\"name\":\"{name}\",\"version\":\"1\",\"description\":\"\",\"sha256\":\"{hash}\",\"url\":\"x\"}}"
            )
        };
        let hash = sha256(b"x");
        for (text, says) in [
            (listed(&policy("../custom", &hash)), "no name"),
            (listed(&policy("Custom", &hash)), "no name"),
            (listed(&policy("standard", &hash)), "comes with Rampart"),
            (listed(&policy("a", "12")), "64 hexadecimal"),
            (listed(&policy("a", &hash.to_uppercase())), "64 hexadecimal"),
            (listed(&[policy("a", &hash), policy("a", &hash)].join(",")), "twice"),
            ("{\"format\":2,\"serial\":1,\"policies\":[]}".to_owned(), "does not know"),
            ("{\"format\":1,\"serial\":1,\"serial\":2,\"policies\":[]}".to_owned(), "serial"),
            ("{\"format\":1,\"serial\":1,\"policies\":[],\"more\":1}".to_owned(), "more"),
            ("{\"format\":1,\"serial\":-1,\"policies\":[]}".to_owned(), "invalid value"),
            (String::new(), "empty"),
        ] {
            let signature = hex::encode(secret.sign(&message(text.as_bytes())).to_bytes());
            let error = format!("{:#}", Index::verified(text.as_bytes(), signature.as_bytes(), &public).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
