//! Where policies of others come from, and whose signature counts.

use std::{fmt, str::FromStr};

use ed25519_dalek::VerifyingKey;

/// A registry of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Address of its signed list; always `https`.
    pub url: String,
    /// Who signs the list.
    pub key: PublicKey,
}

/// An Ed25519 public key (RFC 8032), written as `ed25519:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// A text or bytes that are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public key is written as `ed25519:` and 64 hexadecimal digits")]
pub struct NoKey;

impl PublicKey {
    /// The key of these bytes.
    ///
    /// # Errors
    /// When they are no point of the curve.
    pub fn new(bytes: [u8; 32]) -> Result<Self, NoKey> {
        VerifyingKey::from_bytes(&bytes).map(|_| Self(bytes)).map_err(|_| NoKey)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let digits = text.strip_prefix("ed25519:").ok_or(NoKey)?;
        let bytes: [u8; 32] = hex::decode(digits).ok().and_then(|b| b.try_into().ok()).ok_or(NoKey)?;
        Self::new(bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", hex::encode(self.0))
    }
}
