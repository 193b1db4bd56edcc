//! A checkpoint: a signed statement of how long the trail was and what stood in it. Kept elsewhere (a witness), it
//! proves later that nothing before it was changed or cut off.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::chain::{self, Hash};

/// How long the trail was and what stood in it, signed with the key of the segment that was being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of records it covers: those with a `seq` up to this.
    pub size: u64,
    /// Hash of the last of them, in hex.
    pub head: String,
    /// Merkle root (RFC 6962) over their hashes, in hex.
    pub root: String,
    /// Ed25519 public key, in hex.
    pub key: String,
    /// Ed25519 signature of `rampart/audit/checkpoint/v2`, size, head and root, each followed by a newline, in hex.
    pub sig: String,
}

impl Checkpoint {
    /// Signs the state of a trail.
    pub fn sign(key: &SigningKey, size: u64, head: &Hash, root: &Hash) -> Self {
        let (head, root) = (hex::encode(head), hex::encode(root));
        let sig = hex::encode(key.sign(statement(size, &head, &root).as_bytes()).to_bytes());
        Self { size, head, root, key: hex::encode(key.verifying_key().to_bytes()), sig }
    }

    /// Whether the signature is that of its own key over its own words. Whose key that is stands elsewhere.
    pub fn is_signed(&self) -> bool {
        verify_hex(&self.key, &self.sig, &statement(self.size, &self.head, &self.root))
    }

    /// The head as bytes.
    pub fn head_hash(&self) -> Option<Hash> {
        chain::hash_from_hex(self.head.as_bytes())
    }
}

fn statement(size: u64, head: &str, root: &str) -> String {
    format!("rampart/audit/checkpoint/v2\n{size}\n{head}\n{root}\n")
}

/// Whether `sig` (hex) is the signature of `text` under `key` (hex). RFC 8032 with the strict checks, so that one
/// message has one valid signature.
pub(super) fn verify_hex(key: &str, sig: &str, text: &str) -> bool {
    let mut key_bytes = [0; 32];
    let mut sig_bytes = [0; 64];
    if hex::decode_to_slice(key, &mut key_bytes).is_err() || hex::decode_to_slice(sig, &mut sig_bytes).is_err() {
        return false;
    }
    VerifyingKey::from_bytes(&key_bytes)
        .is_ok_and(|key| key.verify_strict(text.as_bytes(), &Signature::from_bytes(&sig_bytes)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_with_one_thing_changed_is_not_signed() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let good = Checkpoint::sign(&key, 12, &[1; 32], &[2; 32]);
        assert!(good.is_signed());
        let changes: [fn(&mut Checkpoint); 5] = [
            |c| c.size = 11,
            |c| c.head = hex::encode([3; 32]),
            |c| c.root = hex::encode([3; 32]),
            |c| c.key = hex::encode(SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes()),
            |c| c.sig.truncate(10),
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(!bad.is_signed(), "{bad:?}");
        }
    }
}
