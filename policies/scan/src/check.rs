//! Confirmations beyond a shape: checksums, structure, and what a password or a random key looks like.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::plausible;

/// A named confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Luhn,
    Iban,
    Jwt,
    Base58,
    Bech32,
    BasicAuth,
    Password,
    Random,
    Mixed,
    Strong,
    Ssn,
}

impl Check {
    /// The check that an entry names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "luhn" => Self::Luhn,
            "iban" => Self::Iban,
            "jwt" => Self::Jwt,
            "base58" => Self::Base58,
            "bech32" => Self::Bech32,
            "basic-auth" => Self::BasicAuth,
            "password" => Self::Password,
            "random" => Self::Random,
            "mixed" => Self::Mixed,
            "strong" => Self::Strong,
            "ssn" => Self::Ssn,
            _ => return None,
        })
    }

    /// Whether `secret` passes.
    pub(crate) fn passes(self, secret: &[u8]) -> bool {
        match self {
            Self::Luhn => luhn(secret),
            Self::Iban => iban(secret),
            Self::Jwt => jwt(secret),
            Self::Base58 => base58check(secret),
            Self::Bech32 => bech32(secret),
            Self::BasicAuth => basic_auth(secret),
            Self::Password => plausible::password(secret),
            Self::Random => plausible::random(secret),
            Self::Mixed => plausible::mixed(secret),
            Self::Strong => plausible::strong(secret),
            Self::Ssn => social_security(secret),
        }
    }
}

/// The last digit makes the Luhn sum of all digits a multiple of 10 (ISO/IEC 7812-1). Other characters are skipped.
pub(crate) fn luhn(number: &[u8]) -> bool {
    let digits = number.iter().rev().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0'));
    let sum: u32 = digits.enumerate().map(|(i, d)| if i % 2 == 0 { d } else { d * 2 / 10 + d * 2 % 10 }).sum();
    sum.is_multiple_of(10) && number.iter().any(|b| (b'1'..=b'9').contains(b))
}

/// An account number of a country that has them, in its length there, with check digits that fit (ISO 13616, ISO 7064 mod 97).
/// Spaces are skipped.
pub fn iban(number: &[u8]) -> bool {
    let chars: Vec<u8> = number.iter().copied().filter(|b| *b != b' ').collect();
    let Some((head, tail)) = chars.split_at_checked(4) else { return false };
    let country = IBAN_LENGTHS.iter().find(|(code, _)| head.starts_with(code.as_bytes()));
    if country.is_none_or(|(_, length)| chars.len() != usize::from(*length)) {
        return false;
    }
    let mut rest = 0u32;
    for byte in tail.iter().chain(head) {
        rest = match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => return false,
        };
    }
    rest == 1
}

/// Lengths by country, from the IBAN registry of SWIFT.
const IBAN_LENGTHS: &[(&str, u8)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// The first part is a JSON object that names its algorithm (RFC 7519, RFC 7515).
fn jwt(token: &[u8]) -> bool {
    let head = token.split(|b| *b == b'.').next().unwrap_or_default();
    let Ok(head) = URL_SAFE_NO_PAD.decode(head) else { return false };
    head.starts_with(b"{") && [&b"\"alg\""[..], b"\"enc\"", b"\"typ\"", b"\"kid\""].iter().any(|k| contains(&head, k))
}

/// `user:password` in base64 (RFC 7617).
fn basic_auth(value: &[u8]) -> bool {
    let value: Vec<u8> = value.iter().copied().filter(|b| *b != b'=').collect();
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let Ok(plain) = engine.decode(value) else { return false };
    let Some(colon) = plain.iter().position(|b| *b == b':') else { return false };
    plain.len() > colon + 3 && plain.iter().all(|b| (0x20..0x7f).contains(b)) && !plausible::is_placeholder(&plain)
}

/// Base58 whose last four bytes are the start of the double SHA-256 of the others (Bitcoin addresses and exported keys).
pub(crate) fn base58check(text: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for c in text {
        let Some(value) = ALPHABET.iter().position(|a| a == c) else { return false };
        let mut carry = value as u32;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    bytes.extend(text.iter().take_while(|c| **c == b'1').map(|_| 0));
    bytes.reverse();
    let Some((payload, sum)) = bytes.split_last_chunk::<4>() else { return false };
    Sha256::digest(Sha256::digest(payload)).starts_with(sum)
}

/// The checksum of bech32 and bech32m (BIP-173, BIP-350).
fn bech32(text: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let lower = text.to_ascii_lowercase();
    let Some(one) = lower.iter().rposition(|b| *b == b'1') else { return false };
    let (human, data) = lower.split_at(one);
    let high = human.iter().map(|b| u32::from(b >> 5));
    let low = human.iter().map(|b| u32::from(b & 31));
    let mut sum = 1u32;
    let mut step = |value: u32| {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ value;
        for (i, g) in GENERATOR.iter().enumerate() {
            if top >> i & 1 == 1 {
                sum ^= g;
            }
        }
    };
    high.chain([0]).chain(low).for_each(&mut step);
    for byte in data.iter().skip(1) {
        let Some(value) = ALPHABET.iter().position(|a| a == byte) else { return false };
        step(value as u32);
    }
    sum == 1 || sum == 0x2bc8_30a3
}

/// A number that the United States could have given out: no area 000, 666 or 9xx, no group 00, no serial 0000,
/// and none that documentation shows.
fn social_security(number: &[u8]) -> bool {
    let digits: Vec<u8> = number.iter().copied().filter(u8::is_ascii_digit).collect();
    match digits.as_slice() {
        [a @ .., g1, g2, s1, s2, s3, s4] if a.len() == 3 => {
            a != b"000"
                && a != b"666"
                && a.first() != Some(&b'9')
                && (*g1, *g2) != (b'0', b'0')
                && [*s1, *s2, *s3, *s4] != *b"0000"
                && digits != *b"123456789"
                && digits != *b"111223333"
        }
        _ => false,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, passes: &[&str], fails: &[&str]) {
        let check = Check::named(name).unwrap();
        for text in passes {
            assert!(check.passes(text.as_bytes()), "{name} refuses {text}");
        }
        for text in fails {
            assert!(!check.passes(text.as_bytes()), "{name} takes {text}");
        }
    }

    #[test]
    fn card_numbers_and_accounts_carry_check_digits() {
        check("luhn", &["4111 1111 1111 1111", "378282246310005"], &["4111 1111 1111 1112", "0000000000000000"]);
        check(
            "iban",
            &["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "NO9386011117947"],
            &["DE88370400440532013000", "XX89370400440532013000", "DE8937040044053201300", "DE"],
        );
        check(
            "ssn",
            &["219-09-9999"],
            &["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "12"],
        );
    }

    #[test]
    fn wallet_addresses_carry_checksums() {
        check("base58", &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"], &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "0OIl", ""]);
        check(
            "bech32",
            &["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"],
            &["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "bc", "1", ""],
        );
    }

    #[test]
    fn tokens_with_structure_are_read() {
        check("jwt", &["eyJhbGciOiJIUzI1NiJ9.e30.x"], &["eyJmb28iOjF9.e30.x", "ey.ey.x", ""]);
        check("basic-auth", &["YWxpY2U6aHVudGVyMg=="], &["YWxpY2U=", "bm90IGJhc2Ugd2l0aG91dA", "dXNlcjo="]);
    }
}
