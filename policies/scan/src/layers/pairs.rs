//! Bytes written as pairs of hexadecimal digits with something between them: `67 68 70`, `67:68:70`. They are found by
//! skipping.

use super::{Link, View};

/// How many pairs the shortest text takes.
const SHORTEST: usize = 20;
/// How many bytes are skipped: where they end, a run that is long enough covers what is looked at.
const STRIDE: usize = 48;

/// Scans the texts that pairs of `view` spell out.
pub(super) fn each(view: &View<'_>, look: &mut impl FnMut(&View<'_>)) {
    let bytes = view.bytes;
    let mut i = 0;
    // Two pairs and what is between, from any of their bytes on.
    while let Some([a, b, c, d, e, f]) = bytes.get(i..).and_then(<[u8]>::first_chunk) {
        let separator = [(a, d), (b, e), (c, f)].iter().position(|(one, next)| one == next && separates(**one));
        let Some(separator) = separator else {
            i += STRIDE;
            continue;
        };
        let (start, end) = run(bytes, i + separator);
        if end - start >= 3 * SHORTEST - 1 {
            decode(view, start, end, look);
        }
        i = end.max(i + STRIDE);
    }
}

fn separates(byte: u8) -> bool {
    b" :-,".contains(&byte)
}

/// The pairs around the separator at `at`.
fn run(bytes: &[u8], at: usize) -> (usize, usize) {
    let separator = bytes.get(at);
    let pair = |i: usize| bytes.get(i..i + 2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    let mut start = at;
    while start.checked_sub(2).is_some_and(pair) {
        start -= 2;
        if start.checked_sub(1).and_then(|i| bytes.get(i)) != separator || !start.checked_sub(3).is_some_and(pair) {
            break;
        }
        start -= 1;
    }
    let mut end = at;
    while bytes.get(end) == separator && pair(end + 1) {
        end += 3;
    }
    (start, end)
}

/// Scans what the pairs in `start..end` spell out, where that is text.
fn decode(view: &View<'_>, start: usize, end: usize, look: &mut impl FnMut(&View<'_>)) {
    let value = |b: &u8| char::from(*b).to_digit(16).unwrap_or(0) as u8;
    let pairs = view.bytes.get(start..end).unwrap_or_default().chunks(3);
    let text: Vec<u8> = pairs.map(|p| p.iter().take(2).fold(0, |n, b| n << 4 | value(b))).collect();
    let readable = text.iter().filter(|b| (0x20..0x7f).contains(*b) || matches!(b, b'\n' | b'\r' | b'\t')).count();
    if readable * 10 >= text.len() * 9 {
        let steps: Vec<_> = (0..text.len()).map(|n| (n, start + 3 * n)).chain([(text.len(), end)]).collect();
        look(&View::inner(&text, view, Link::Steps(&steps), "hex"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Vec<(String, (usize, usize))> {
        let mut found = Vec::new();
        each(&View::plain(text.as_bytes()), &mut |inner| {
            found.push((String::from_utf8_lossy(inner.bytes).into_owned(), inner.locate(0, inner.bytes.len())));
        });
        found
    }

    #[test]
    fn pairs_are_read_wherever_they_begin() {
        for separator in [" ", ":", "-", ","] {
            for before in 0..60 {
                let pairs: Vec<String> = b"the quick brown fox jumps".iter().map(|b| format!("{b:02x}")).collect();
                let text = format!("{}{} .", "x".repeat(before), pairs.join(separator));
                let place = (before, text.len() - 2);
                assert_eq!(decoded(&text), [("the quick brown fox jumps".to_owned(), place)], "{text}");
            }
        }
    }

    #[test]
    fn addresses_and_fingerprints_are_not() {
        for text in [
            "00:1b:44:11:3a:b7",
            "9f:86:d0:81:88:4c:7d:65:9a:2f:ea:a0:c5:5a:d0:15:a3:bf:4f:1b:2b:0b:82:2c",
            "a bad cafe is an old one",
        ] {
            assert_eq!(decoded(text), [], "{text}");
        }
    }
}
