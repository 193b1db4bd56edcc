//! What lines leave in a summary. A mark is one of 65,536 numbers: three of each string as a whole and of each run of
//! one, two and three bytes, and one of each run of five, whatever the case of ASCII letters. A line without one of the marks of
//! what is looked for cannot hold that; one with all of them may.

use memchr::{memchr, memchr2};

/// How long the runs are, and how many marks each leaves: a short text has few runs to be told by. Of a number every run of
/// three digits is everywhere.
const RUNS: [(usize, usize); 4] = [(1, 3), (2, 3), (3, 3), (5, 1)];

/// One bit for each mark.
#[derive(Debug, Clone)]
pub(super) struct Marks(pub(super) Box<[u8; Self::BYTES]>);

impl Marks {
    pub(super) const BYTES: usize = 1 << 13;

    /// None yet.
    pub(super) fn new() -> Self {
        Self(Box::new([0; Self::BYTES]))
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Those of a line: all that a wanted one can be looked for by.
    pub(super) fn add(&mut self, line: &[u8]) {
        let mut run = 0;
        for byte in line {
            run = longer(run, *byte);
            for (long, count) in RUNS {
                of_run(run, long, count).for_each(|mark| self.set(mark));
            }
        }
        for string in strings(line) {
            for mark in of_string(string) {
                self.set(mark);
            }
        }
    }

    fn set(&mut self, mark: u16) {
        if let Some(byte) = self.0.get_mut(usize::from(mark >> 3)) {
            *byte |= 1 << (mark & 7);
        }
    }
}

/// Whether a mark is among those that were kept.
pub(super) fn is_set(marks: &[u8], mark: u16) -> bool {
    marks.get(usize::from(mark >> 3)).is_none_or(|byte| byte & (1 << (mark & 7)) != 0)
}

/// The marks of every line with this text somewhere in it.
pub(super) fn of_text(text: &[u8]) -> Vec<u16> {
    let Some((long, count)) = RUNS.into_iter().rev().find(|(long, _)| *long <= text.len()) else { return Vec::new() };
    let run = |bytes: &[u8]| bytes.iter().fold(0, |run, byte| longer(run, *byte));
    text.windows(long).flat_map(|bytes| of_run(run(bytes), long, count)).collect()
}

/// The marks of every line with this string, which is given as it stands in JSON, without quotes.
pub(super) fn of_string(string: &[u8]) -> [u16; 3] {
    // FNV-1a
    let sum = |sum: u64, byte: &u8| (sum ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01B3);
    scattered(string.iter().fold(0xCBF2_9CE4_8422_2325, sum))
}

/// The run of the last eight bytes, one byte on.
fn longer(run: u64, byte: u8) -> u64 {
    run << 8 | u64::from(byte.to_ascii_lowercase())
}

fn of_run(run: u64, long: usize, count: usize) -> impl Iterator<Item = u16> {
    scattered(run & (u64::MAX >> (64 - 8 * long))).into_iter().take(count)
}

/// Numbers that depend on all of it (the golden ratio, as Fibonacci hashing has it), the best first.
fn scattered(number: u64) -> [u16; 3] {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    [48, 32, 16].map(|by| (mixed >> by) as u16)
}

/// What stands between quotes.
fn strings(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_at_checked(memchr(b'"', rest)? + 1)?;
        let mut end = 0;
        while let Some(at) = after.get(end..).and_then(|text| memchr2(b'"', b'\\', text)) {
            end += at;
            if after.get(end) == Some(&b'"') {
                break;
            }
            // whatever comes behind a backslash does not end the string
            end += 2;
        }
        let (string, after) = after.split_at_checked(end)?;
        rest = after.get(1..).unwrap_or_default();
        Some(string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_and_every_string_of_a_line_is_found_by_its_marks() {
        let line = r#"{"a":"Grüße","b":["x \"y\" \\","",{"c":"deny"}],"n":-17}"#;
        let mut marks = Marks::new();
        marks.add(line.as_bytes());
        let stands = |mark: &u16| is_set(&*marks.0, *mark);
        for from in 0..line.len() {
            for to in from..=line.len() {
                let text = &line.as_bytes()[from..to];
                assert!(of_text(text).iter().all(stands), "{}", String::from_utf8_lossy(text));
                assert!(of_text(&text.to_ascii_uppercase()).iter().all(stands));
            }
        }
        let found: Vec<&str> = strings(line.as_bytes()).map(|s| std::str::from_utf8(s).unwrap()).collect();
        assert_eq!(found, ["a", "Grüße", "b", r#"x \"y\" \\"#, "", "c", "deny", "n"]);
        assert!(found.iter().all(|string| of_string(string.as_bytes()).iter().all(stands)));
        for (text, nowhere) in [("allow", true), ("den", false), ("q", true), ("-1 ", true), ("denya", true)] {
            assert_eq!(!of_text(text.as_bytes()).iter().all(stands), nowhere, "{text}");
        }
        assert!(!of_string(b"den").iter().all(stands));
    }

    #[test]
    fn a_string_without_an_end_is_no_string() {
        for line in [r#"{"a"#, r#"{"a\"#, r#"""#, "", r#"{"a":"\"#] {
            assert!(strings(line.as_bytes()).count() <= 1, "{line}");
        }
    }
}
