//! What an agent holds in place of a credential: of the same shape, so that what checks the shape of a credential takes
//! it, and always the same for one installation, so that it outlives the gateway.

use std::{io, path::Path};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::home::key_of_installation;

/// A value has at least so many letters and digits that are not its beginning: fewer would stand in innocent text.
const FEWEST: usize = 12;
/// The longest beginning that tells what a credential is, such as `github_pat_`.
const LONGEST_PREFIX: usize = 16;

/// Makes placeholders.
pub struct Placeholders {
    key: [u8; 32],
}

impl std::fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Placeholders")
    }
}

impl Placeholders {
    /// Reads the installation's key, or makes one.
    ///
    /// # Errors
    /// When the file is open to others, or cannot be read or made.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { key: key_of_installation(path)? })
    }

    /// The placeholder of a value: letters and digits become others of their kind, the beginning and all else stays. None
    /// where the value is too short to be told from other text.
    pub fn of(&self, name: &str, value: &str) -> Option<String> {
        let prefix = prefix(value);
        let rest = value.get(prefix.len()..)?;
        if rest.bytes().filter(u8::is_ascii_alphanumeric).count() < FEWEST || !value.is_ascii() {
            return None;
        }
        // Only the shape, so that a value that is renewed keeps its placeholder.
        let shape: String = value.chars().map(kind).collect();
        let mut random =
            Stream { key: self.key, about: format!("{name}\n{prefix}\n{shape}"), block: 0, left: Vec::new() };
        let other = |c: char| match c {
            '0'..='9' => random.pick(b"0123456789"),
            'a'..='z' => random.pick(b"abcdefghijklmnopqrstuvwxyz"),
            'A'..='Z' => random.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            c => c,
        };
        Some(format!("{prefix}{}", rest.chars().map(other).collect::<String>()))
    }
}

fn kind(c: char) -> char {
    match c {
        '0'..='9' => '0',
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        c => c,
    }
}

/// What stands before the last hyphen or underscore near the beginning, where it is a word and not the secret itself.
fn prefix(value: &str) -> &str {
    let near = value.get(..LONGEST_PREFIX.min(value.len())).unwrap_or_default();
    let end = near.rfind(['_', '-']).map_or(0, |at| at + 1);
    let prefix = near.get(..end).unwrap_or_default();
    if prefix.len() * 2 <= value.len() && !prefix.contains(|c: char| c.is_ascii_uppercase()) { prefix } else { "" }
}

/// Bytes that only the key tells (HMAC-SHA-256 in counter mode, as NIST SP 800-108).
struct Stream {
    key: [u8; 32],
    about: String,
    block: u32,
    left: Vec<u8>,
}

impl Stream {
    fn pick(&mut self, of: &[u8]) -> char {
        // Bytes beyond the last whole multiple would make some characters likelier.
        let limit = 256 - 256 % of.len();
        loop {
            let byte = usize::from(self.byte());
            if let Some(picked) = of.get(byte % of.len()).filter(|_| byte < limit) {
                return char::from(*picked);
            }
        }
    }

    fn byte(&mut self) -> u8 {
        if self.left.is_empty() {
            #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key");
            mac.update(format!("rampart/placeholder/v1\n{}\n{}", self.block, self.about).as_bytes());
            self.left = mac.finalize().into_bytes().to_vec();
            self.block += 1;
        }
        self.left.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_looks_like_the_value_and_is_another() {
        let placeholders = Placeholders { key: [7; 32] };
        for (value, prefix) in [
            ("ghp_0123456789abcdefghijABCDEFGHIJ", "ghp_"),
            ("github_pat_11AAAAAAA0aaaaaaaaaaaaaaaa", "github_pat_"),
            ("sk-ant-api03-abcDEF0123456789abcDEF", "sk-ant-api03-"),
            ("AKIAQYLPMN5HHHFPZAM2", ""),
            ("p@ss/Word+\"123456789\"", ""),
            ("7d1f9a70-4b9c-4a3e-9f10-2a6f1c0b8e55", ""),
        ] {
            let placeholder = placeholders.of("x", value).unwrap();
            assert!(placeholder.starts_with(prefix) && placeholder != value, "{placeholder}");
            let shape = |text: &str| text.chars().map(kind).collect::<String>();
            assert_eq!(shape(&placeholder), shape(value), "{placeholder}");
            assert_eq!(Some(&placeholder), placeholders.of("x", value).as_ref());
            assert_ne!(Some(&placeholder), placeholders.of("y", value).as_ref());
            assert_ne!(Some(placeholder), Placeholders { key: [8; 32] }.of("x", value));
        }
        assert_eq!(placeholders.of("x", "ghp_short123"), None);
        assert_eq!(placeholders.of("x", "pässwörter-sind-lang-genug"), None);
    }
}
