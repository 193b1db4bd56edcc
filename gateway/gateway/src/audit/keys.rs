//! The signing keys: one Ed25519 key a segment. Its private half lies beside the segment only while that segment is
//! being written; the next public key is signed with it, then it is overwritten and removed. Whoever takes over the
//! machine later can therefore not rewrite what earlier keys have signed.

use std::io;

use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use super::{chain::Hash, checkpoint::verify_hex, directory::Directory};

/// How the key of a new segment is introduced, as it stands in the segment's `open` record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Introduction {
    /// Public key of this segment, in hex.
    pub(super) key: String,
    /// Public key of the segment before, in hex; absent in the first segment, or when that key was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous_key: Option<String>,
    /// Signature with the previous key of `rampart/audit/key/v2`, size, head, root and the new key, each followed by a
    /// newline, in hex. It seals the state in which the previous segment was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vouched: Option<String>,
}

impl Introduction {
    /// Introduces `key` with the word of the `previous` one.
    pub(super) fn new(key: &SigningKey, previous: Option<&SigningKey>, size: u64, head: &Hash, root: &Hash) -> Self {
        let public = public_hex(key);
        let vouched = previous.map(|p| hex::encode(p.sign(statement(size, head, root, &public).as_bytes()).to_bytes()));
        Self { previous_key: previous.map(public_hex), vouched, key: public }
    }

    /// Whether the key of the segment before, `known`, vouches for this one and for the state it takes over.
    pub(super) fn is_vouched(&self, known: &str, size: u64, head: &Hash, root: &Hash) -> bool {
        self.previous_key.as_deref() == Some(known)
            && self
                .vouched
                .as_deref()
                .is_some_and(|sig| verify_hex(known, sig, &statement(size, head, root, &self.key)))
    }
}

fn statement(size: u64, head: &Hash, root: &Hash, key: &str) -> String {
    format!("rampart/audit/key/v2\n{size}\n{}\n{}\n{key}\n", hex::encode(head), hex::encode(root))
}

fn public_hex(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().to_bytes())
}

/// Name of the file with the private key of the segment that starts at `first`.
pub(super) fn file_name(first: u64) -> String {
    format!("audit-{first:016}.key")
}

/// Whether a file by this name holds the private key of a segment.
pub(super) fn is_file_name(name: &str) -> bool {
    name.strip_prefix("audit-").and_then(|rest| rest.strip_suffix(".key")).is_some()
}

/// A new random key.
pub(super) fn generate() -> io::Result<SigningKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| io::Error::other(format!("no random numbers: {e}")))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Puts the private key of a segment on disk.
pub(super) fn store(dir: &Directory, first: u64, key: &SigningKey) -> io::Result<()> {
    let name = file_name(first);
    dir.wipe(&name)?;
    dir.create_with(&name, &key.to_bytes())
}

/// The private key of a segment, if it is there and belongs to the public key in the segment's `open` record.
pub(super) fn load(dir: &Directory, first: u64, public: &str) -> io::Result<Option<SigningKey>> {
    let Some(bytes) = dir.read_small(&file_name(first))? else {
        return Ok(None);
    };
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok().map(|seed| SigningKey::from_bytes(&seed));
    Ok(key.filter(|key| public_hex(key) == public))
}
