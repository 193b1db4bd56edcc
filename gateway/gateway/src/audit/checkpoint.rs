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

    /// Every checkpoint in a text that a witness kept: one a line, as JSON, as a record of the trail, or as a syslog
    /// collector writes it down. Lines that are none are left out.
    pub fn all_in(text: &str) -> Vec<Self> {
        match serde_json::from_str(text) {
            Ok(one) => vec![one],
            Err(_) => text.lines().filter_map(Self::in_line).collect(),
        }
    }

    fn in_line(line: &str) -> Option<Self> {
        let json = line.find('{').and_then(|at| line.get(at..));
        json.and_then(|json| serde_json::from_str(json).ok()).or_else(|| {
            // the structured data of RFC 5424; numbers and hex need no unescaping
            let param = |name: &str| {
                let (_, rest) = line.split_once(&format!(" {name}=\""))?;
                Some(rest.split_once('"')?.0.to_owned())
            };
            let size = param("size")?.parse().ok()?;
            Some(Self { size, head: param("head")?, root: param("root")?, key: param("key")?, sig: param("sig")? })
        })
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
    fn checkpoints_are_found_in_what_witnesses_keep() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let [one, two] = [12, 13].map(|size| Checkpoint::sign(&key, size, &[1; 32], &[2; 32]));
        let json = |checkpoint: &Checkpoint| serde_json::to_string(checkpoint).unwrap();
        let Checkpoint { size, head, root, key, sig } = &two;
        let record = json(&two).replacen('{', r#"{"v":"rampart.audit.v2","seq":14,"type":"checkpoint","#, 1);
        let syslog = format!(
            r#"Jan 31 09:30:00 box <110>1 2026 h rampart 1 checkpoint [rampart@32473 seq="14" size="{size}" head="{head}" root="{root}" key="{key}" sig="{sig}" h="ab"] checkpoint"#
        );
        for (text, wanted) in [
            (serde_json::to_string_pretty(&one).unwrap(), vec![&one]),
            (format!("{}\n{}\n", json(&one), json(&two)), vec![&one, &two]),
            (format!("# kept by alice\n{record}"), vec![&two]),
            (format!("{syslog}\nJan 31 other words\n"), vec![&two]),
            ("nothing".to_owned(), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(Checkpoint::all_in(&text).iter().collect::<Vec<_>>(), wanted, "{text}");
        }
    }

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
