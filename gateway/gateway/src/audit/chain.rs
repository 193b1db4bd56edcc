//! The hash chain: how a line is sealed, and how a sealed line is taken apart. Pure; bytes in, bytes out.
//!
//! A sealed line ends in `,"h":"<64 hex>"}` and
//! `h = SHA-256("rampart/audit/v2\n" || previous h, 32 raw bytes || every byte of the line before ,"h":)`.
//! Nothing here ever parses or re-serialises JSON, so duplicate keys and long digits cannot hide.

use sha2::{Digest, Sha256};

/// A SHA-256 value.
pub(super) type Hash = [u8; 32];

/// What stands before the first record of a trail.
pub(super) const GENESIS: Hash = [0; 32];

/// Keeps these hashes apart from those of any other use of SHA-256.
const DOMAIN: &[u8] = b"rampart/audit/v2\n";

const OPENING: &[u8] = br#","h":""#;
const CLOSING: &[u8] = br#""}"#;
/// Length of what sealing adds to a line: `,"h":"`, 64 digits, `"}`.
const SEAL: usize = OPENING.len() + 64 + CLOSING.len();

/// Seals the record that starts at `start` and runs to the end of `buffer`: `{...` without its closing brace. Appends
/// the hash, the brace and a newline, and returns the new head.
pub(super) fn seal(buffer: &mut Vec<u8>, start: usize, previous: &Hash) -> Hash {
    let hash = link(previous, buffer.get(start..).unwrap_or_default());
    buffer.extend_from_slice(OPENING);
    push_hex(buffer, &hash);
    buffer.extend_from_slice(CLOSING);
    buffer.push(b'\n');
    hash
}

/// The hash of a record whose bytes before `,"h":` are `body`.
pub(super) fn link(previous: &Hash, body: &[u8]) -> Hash {
    Sha256::new().chain_update(DOMAIN).chain_update(previous).chain_update(body).finalize().into()
}

/// Takes a sealed line (without its newline) apart into the bytes that were hashed and the hash it claims.
pub(super) fn unseal(line: &[u8]) -> Option<(&[u8], Hash)> {
    let (body, seal) = line.split_at_checked(line.len().checked_sub(SEAL)?)?;
    let digits = seal.strip_prefix(OPENING)?.strip_suffix(CLOSING)?;
    Some((body, hash_from_hex(digits)?))
}

/// Reads 64 lower-case hex digits. Upper case is refused: one hash has one spelling, so that no byte of a line can be
/// changed unseen.
pub(super) fn hash_from_hex(digits: &[u8]) -> Option<Hash> {
    let mut hash = GENESIS;
    if digits.len() != 64 || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    hex::decode_to_slice(digits, &mut hash).ok()?;
    Some(hash)
}

fn push_hex(buffer: &mut Vec<u8>, hash: &Hash) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in hash {
        buffer.push(DIGITS[usize::from(byte >> 4)]);
        buffer.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_the_contract_names() {
        let mut line = br#"{"seq":1"#.to_vec();
        let head = seal(&mut line, 0, &GENESIS);
        // printf 'rampart/audit/v2\n' | cat - <(head -c 32 /dev/zero) <(printf '{"seq":1') | sha256sum
        let mut input = b"rampart/audit/v2\n".to_vec();
        input.extend_from_slice(&[0; 32]);
        input.extend_from_slice(br#"{"seq":1"#);
        assert_eq!(head, Hash::from(Sha256::digest(&input)));
        assert_eq!(line, format!("{{\"seq\":1,\"h\":\"{}\"}}\n", hex::encode(head)).into_bytes());
        let (body, claimed) = unseal(line.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!((body, claimed), (&br#"{"seq":1"#[..], head));
    }

    #[test]
    fn what_is_not_sealed_exactly_is_not_a_line() {
        let good = format!("{{,\"h\":\"{}\"}}", "a".repeat(64));
        assert!(unseal(good.as_bytes()).is_some());
        for bad in [
            good.replacen('a', "A", 1),
            good.replacen('a', "g", 1),
            good.replacen("aa", "a", 1),
            good.replace("\"h\":", "\"h\": "),
            format!("{good} "),
            String::new(),
            "}".into(),
        ] {
            assert!(unseal(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
