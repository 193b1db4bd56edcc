//! What encoded text says, where it stands on the command line.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Longest text that is decoded, in bytes.
const MAX_ENCODED: usize = 1 << 14;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Text of base64, in either alphabet, line ends left out.
pub(crate) fn base64(text: &str) -> Option<String> {
    String::from_utf8(bytes(text)?).ok()
}

/// The bytes of base64, in either alphabet.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(compact(text)?.replace('-', "+").replace('_', "/")).ok()
}

/// Text of hexadecimal digits, perhaps as `\x41` or with blanks.
pub(crate) fn hex(text: &str) -> Option<String> {
    let plain = compact(text)?.replace("\\x", "").replace("0x", "");
    if plain.len() % 2 != 0 || !plain.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..plain.len()).step_by(2).map(|at| u8::from_str_radix(plain.get(at..at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// Text whose letters are thirteen places on.
pub(crate) fn rot13(text: &str) -> String {
    let turn = |c: char, first: u8| char::from((c as u8 - first + 13) % 26 + first);
    text.chars()
        .map(|c| match c {
            'a'..='z' => turn(c, b'a'),
            'A'..='Z' => turn(c, b'A'),
            _ => c,
        })
        .collect()
}

fn compact(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= MAX_ENCODED).then(|| text.chars().filter(|c| !c.is_whitespace()).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn encoded_text_is_read() {
        for (encoded, want) in
            [("L2V0Yw==", Some("/etc")), ("L2V0Yw", Some("/etc")), ("%%", None), ("", None), ("_w", None)]
        {
            assert_eq!(super::base64(encoded).as_deref(), want, "{encoded}");
        }
        for (encoded, want) in
            [("2f657463", Some("/etc")), ("\\x2f 65", Some("/e")), ("2f6", None), ("zz", None), ("", None)]
        {
            assert_eq!(super::hex(encoded).as_deref(), want, "{encoded}");
        }
        assert_eq!(super::rot13("/rgp/Funqbj"), "/etc/Shadow");
    }
}
