//! What the detectors must find, made from the templates in their files. For tests, of this crate and of those that use it.

use crate::entry::{Entry, FILES, File};

/// Fills in a template: `{a:36}` is 36 letters and digits, `{}` is nothing. `detectors/README.md` lists the kinds.
pub(crate) fn expand(template: &str) -> String {
    let mut out = String::new();
    let mut seed = template.len() as u64 * 7919 + 17;
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = after.find('}') else {
            rest = after;
            break;
        };
        let Some(text) = filled(&after[1..close], &mut seed) else {
            out.push('{');
            rest = &after[1..];
            continue;
        };
        out.push_str(&text);
        rest = &after[close + 1..];
    }
    out + rest
}

fn filled(spec: &str, seed: &mut u64) -> Option<String> {
    let mut draw = |alphabet: &str, n: usize| -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let pick = |_| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            alphabet[(*seed >> 33) as usize % alphabet.len()]
        };
        (0..n).map(pick).collect()
    };
    const DIGITS: &str = "0123456789";
    const HEX: &str = "0123456789abcdef";
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    if spec.is_empty() {
        return Some(String::new());
    }
    if spec == "uuid" {
        return Some([8, 4, 4, 4, 12].map(|n| draw(HEX, n)).join("-"));
    }
    let (kind, length) = spec.split_once(':')?;
    let n = length.parse().ok()?;
    let upper = LOWER.to_uppercase();
    Some(match kind {
        "a" => draw(&format!("{DIGITS}{LOWER}{upper}"), n),
        "b" => draw(&format!("{DIGITS}{LOWER}{upper}+/"), n),
        "w" => draw(&format!("{DIGITS}{LOWER}{upper}-_"), n - 1) + "k",
        "l" => draw(&format!("{DIGITS}{LOWER}"), n),
        "u" => draw(&format!("{DIGITS}{upper}"), n),
        "t" => draw(&format!("234567{upper}"), n),
        "z" => draw(LOWER, n),
        "Z" => draw(&upper, n),
        "d" => draw(DIGITS, n),
        "h" => draw(HEX, n),
        "H" => draw(&HEX.to_uppercase(), n),
        "q" => draw("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", n),
        _ => return None,
    })
}

/// Every entry of every file.
#[expect(clippy::expect_used, reason = "the files are part of the program")]
pub(crate) fn entries() -> Vec<Entry> {
    let read = |(name, text): &(&str, &str)| toml::from_str::<File>(text).expect(name);
    FILES.iter().map(read).flat_map(|f| f.detectors).collect()
}

/// The hits of all detectors, filled in: id and text.
///
/// # Panics
/// When a detector file cannot be read, which a test of this crate would show.
pub fn hits() -> Vec<(String, String)> {
    entries().into_iter().flat_map(|e| e.hits.iter().map(|h| (e.id.clone(), expand(h))).collect::<Vec<_>>()).collect()
}
