//! Long runs of base64, base64url, base32 and hexadecimal. They are found by skipping, and decoded without asking for
//! alignment, padding or one alphabet: what matters is whether text comes out.

use std::io::Read as _;

use super::{Link, View};

/// The shortest run that can hold something, in characters.
const SHORTEST: usize = 24;
/// How many bytes at the end of a stretch are read at once.
const LAST: usize = 8;
/// The shortest text that can hold something, in bytes.
const TEXT: usize = 14;
/// Runs up to this length are tried at all four alignments.
const TRY_ALL: usize = 8 * 1024;
/// The shortest line of a run that goes on in the next line.
const LINE: usize = 60;

/// How much of something packed is looked at, in bytes.
const UNPACKED: u64 = 64 * 1024;

/// The longest run that a finding in it covers as a whole; of longer ones it covers the characters that hold it.
const WHOLE: usize = 2 * 1024;

const UPPER: u8 = 1;
const LOWER: u8 = 2;
const DIGIT: u8 = 4;
const SIGN: u8 = 8;
const NOT_HEX: u8 = 16;
const NOT_BASE32: u8 = 32;

/// What kinds a byte of a run is of; 0 for a byte that ends it.
const KIND: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 128 {
        let c = i as u8;
        table[i] = match c {
            b'A'..=b'F' => UPPER,
            b'G'..=b'Z' => UPPER | NOT_HEX,
            b'a'..=b'f' => LOWER,
            b'g'..=b'z' => LOWER | NOT_HEX,
            b'2'..=b'7' => DIGIT,
            b'0' | b'1' | b'8' | b'9' => DIGIT | NOT_BASE32,
            b'+' | b'/' | b'-' | b'_' => SIGN | NOT_HEX | NOT_BASE32,
            _ => 0,
        };
        i += 1;
    }
    table
}

fn kind(byte: u8) -> u8 {
    KIND.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Scans the texts that runs of `view` decode to.
pub(super) fn each(view: &View<'_>, look: &mut impl FnMut(&View<'_>)) {
    let bytes = view.bytes;
    let mut i = 0;
    while let Some(probe) = bytes.get(i..i + SHORTEST) {
        // A run that covers this stretch would have no byte out of place in it. Mostly the last bytes tell, read at once.
        if let Some(last) = probe.last_chunk::<LAST>()
            && last.iter().fold(u8::MAX, |least, b| least.min(kind(*b))) == 0
        {
            i += SHORTEST - LAST + 1;
            continue;
        }
        if let Some(bad) = probe.iter().rposition(|b| kind(*b) == 0) {
            i += bad + 1;
            continue;
        }
        let end = run_end(bytes, i);
        decode(view, i, end, look);
        i = end;
    }
}

/// The end of the run that begins at `start`: over line breaks where the lines are long, and over dots where labels of
/// a host's name are.
fn run_end(bytes: &[u8], start: usize) -> usize {
    let mut line = start;
    let mut kinds = 0;
    let mut end = start;
    loop {
        let here = bytes.get(line..).unwrap_or_default().iter().take_while(|b| kind(**b) != 0);
        let (length, of_line) = here.fold((0, 0), |(n, kinds), b| (n + 1, kinds | kind(*b)));
        // A word in the next line is none of a run of hexadecimal or base32.
        let narrow = line > start && (kinds & NOT_HEX == 0 || kinds & NOT_BASE32 == 0);
        if length == 0 || narrow && of_line & !kinds & (NOT_HEX | NOT_BASE32) != 0 {
            return end;
        }
        kinds |= of_line;
        end = line + length;
        let gap = match bytes.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] | [b'\\', b'n', ..] => 2,
            [b'\n', ..] => 1,
            [b'.', ..] if kinds & NOT_HEX == 0 || kinds & NOT_BASE32 == 0 => 1,
            _ => return end,
        };
        if length < LINE {
            return end;
        }
        line = end + gap;
    }
}

/// Where a decoded text comes from: bytes `start..end`, of which each character but the first `skip` gives `width` bits,
/// what stands before the text in what they give, and how many bytes there make one of the text; none where it is packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    start: usize,
    end: usize,
    skip: usize,
    width: usize,
    before: usize,
    wide: usize,
}

impl Place {
    /// Where in `bytes`, in which the run stands, `from..to` of the text comes from.
    pub(super) fn locate(&self, bytes: &[u8], from: usize, to: usize) -> (usize, usize) {
        // Nothing is cut out of what is packed.
        if self.wide == 0 || self.end - self.start <= WHOLE {
            return (self.start, self.end);
        }
        let first = self.skip + (self.before + from * self.wide) * 8 / self.width;
        let last = self.skip + ((self.before + to * self.wide) * 8).div_ceil(self.width);
        let mut characters =
            characters(bytes.get(self.start..self.end).unwrap_or_default()).map(|(i, _)| self.start + i);
        let start = characters.nth(first).unwrap_or(self.start);
        let end = characters.nth(last.saturating_sub(first + 2)).map_or(self.end, |i| i + 1);
        (start, end)
    }
}

/// The characters of a run without its line breaks, also those written as `\n`, and where they stand.
fn characters(run: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut escaped = false;
    run.iter().copied().enumerate().filter(move |(_, b)| {
        let dropped = escaped || kind(*b) == 0;
        escaped = *b == b'\\';
        !dropped
    })
}

/// Scans what `start..end` decodes to, where that is text.
fn decode(view: &View<'_>, start: usize, end: usize, look: &mut impl FnMut(&View<'_>)) {
    let run = view.bytes.get(start..end).unwrap_or_default();
    let all = run.iter().fold(0, |all, b| all | kind(*b));
    if all & NOT_HEX == 0 {
        if run.len() >= 2 * TEXT {
            texts(
                view,
                Place { start, end, skip: 0, width: 4, before: 0, wide: 1 },
                &bits(run, 0, 4, &HEX),
                "hex",
                look,
            );
        }
        return;
    }
    if all & NOT_BASE32 == 0 && all & DIGIT != 0 && all & (UPPER | LOWER) != UPPER | LOWER {
        texts(
            view,
            Place { start, end, skip: 0, width: 5, before: 0, wide: 1 },
            &bits(run, 0, 5, &BASE32),
            "base32",
            look,
        );
        return;
    }
    if all & UPPER == 0 || all & LOWER == 0 {
        return;
    }
    if let Some(packed) = run.first_chunk().copied().and_then(packing) {
        let text = unpacked(&bits(run, 0, 6, &BASE64), packed);
        if !text.is_empty() {
            let place = Place { start, end, skip: 0, width: 6, before: 0, wide: 0 };
            look(&View::inner(&text, view, Link::Run(place), "base64, packed"));
        }
    }
    let layer = if run.iter().any(|b| b"-_".contains(b)) { "base64url" } else { "base64" };
    let alignments = if run.len() <= TRY_ALL { alignments_of_text(run) } else { [true, false, false, false] };
    for skip in alignments.iter().enumerate().filter_map(|(skip, may_be_text)| may_be_text.then_some(skip)) {
        let decoded = bits(run, skip, 6, &BASE64);
        let place = Place { start, end, skip, width: 6, before: 0, wide: 1 };
        if texts(view, place, &decoded, layer, look) * 2 > decoded.len() {
            break;
        }
    }
}

/// How what a run of base64 holds is packed, by its beginning.
#[derive(Debug, Clone, Copy)]
enum Packed {
    /// RFC 1952 section 2.3.1.
    Gzip,
    /// RFC 1950 section 2.2, with the windows that are in use.
    Zlib,
}

fn packing(beginning: [u8; 4]) -> Option<Packed> {
    match beginning {
        [b'H', b'4', b's', b'I'] => Some(Packed::Gzip),
        [b'e', b'A' | b'F' | b'J' | b'N', ..] => Some(Packed::Zlib),
        _ => None,
    }
}

/// What is packed, as far as it can be read: no more than the longest text that is looked at.
fn unpacked(bytes: &[u8], packed: Packed) -> Vec<u8> {
    let mut text = Vec::new();
    // What breaks off leaves what came before.
    let _ = match packed {
        Packed::Gzip => flate2::read::GzDecoder::new(bytes).take(UNPACKED).read_to_end(&mut text),
        Packed::Zlib => flate2::read::ZlibDecoder::new(bytes).take(UNPACKED).read_to_end(&mut text),
    };
    text
}

/// At which of the four alignments a run of base64 holds text: for as many groups in a row as the shortest text fills,
/// the three bytes that four characters make are ASCII.
fn alignments_of_text(run: &[u8]) -> [bool; 4] {
    let mut may_be = [false; 4];
    let mut streaks = [0; 4];
    let mut four = [0u8; 4];
    for (n, (_, byte)) in characters(run).enumerate() {
        four = [four[1], four[2], four[3], BASE64.get(usize::from(byte)).copied().unwrap_or(NONE)];
        let ascii = n >= 3 && four[0] & 0b10_0000 == 0 && four[1] & 0b1000 == 0 && four[2] & 0b10 == 0;
        let alignment = (n + 1) % 4;
        if let (Some(streak), Some(may_be)) = (streaks.get_mut(alignment), may_be.get_mut(alignment)) {
            *streak = if ascii { *streak + 1 } else { 0 };
            *may_be |= *streak >= (TEXT - 2) / 3;
        }
    }
    may_be
}

/// Scans the stretches of `decoded` that are text; gives their length.
fn texts(
    view: &View<'_>,
    place: Place,
    decoded: &[u8],
    layer: &'static str,
    look: &mut impl FnMut(&View<'_>),
) -> usize {
    let mut i = 0;
    let mut total = 0;
    while let Some(probe) = decoded.get(i..i + TEXT) {
        if let Some(bad) = probe.iter().rposition(|b| !is_text(*b)) {
            i += bad + 1;
            continue;
        }
        // Once there is text, other alphabets may go on in it.
        let rest = decoded.get(i..).unwrap_or_default();
        let length = rest.iter().take_while(|b| is_text(**b) || **b >= 0x80).count();
        if let Some(text) = rest.get(..length) {
            look(&View::inner(text, view, Link::Run(Place { before: i, ..place }), layer));
        }
        i += length;
        total += length;
    }
    total + wide_texts(view, place, decoded, layer, look)
}

/// The same for text in UTF-16 whose characters are ASCII: each is a byte and a zero.
fn wide_texts(
    view: &View<'_>,
    place: Place,
    decoded: &[u8],
    layer: &'static str,
    look: &mut impl FnMut(&View<'_>),
) -> usize {
    let mut done = 0;
    let mut total = 0;
    for zero in memchr::memchr_iter(0, decoded) {
        let Some(start) = zero.checked_sub(1).filter(|start| *start >= done) else { continue };
        let pairs = decoded.get(start..).unwrap_or_default().chunks_exact(2);
        let character = |pair: &[u8]| match pair {
            [c, 0] if is_text(*c) => Some(*c),
            _ => None,
        };
        let text: Vec<u8> = pairs.map_while(character).collect();
        let length = text.len();
        if length >= TEXT {
            look(&View::inner(&text, view, Link::Run(Place { before: start, wide: 2, ..place }), layer));
            total += 2 * length;
        }
        done = start + (2 * length).max(2);
    }
    total
}

fn is_text(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) || matches!(byte, b'\n' | b'\r' | b'\t')
}

/// The bytes that the characters of a run make, but for the first `skip`, at `width` bits each.
fn bits(run: &[u8], skip: usize, width: usize, values: &[u8; 256]) -> Vec<u8> {
    let from = if skip == 0 { 0 } else { characters(run).nth(skip).map_or(run.len(), |(i, _)| i) };
    let mut out = Vec::with_capacity(run.len() * width / 8 + 1);
    let mut pool = 0u32;
    let mut held = 0;
    let mut escaped = false;
    for byte in run.get(from..).unwrap_or_default() {
        let value = values.get(usize::from(*byte)).copied().unwrap_or(NONE);
        if value == NONE || escaped {
            escaped = *byte == b'\\';
            continue;
        }
        pool = pool << width | u32::from(value);
        held += width;
        if held >= 8 {
            held -= 8;
            out.push((pool >> held & 0xff) as u8);
        }
    }
    out
}

/// The value of a character that has none.
const NONE: u8 = 0xff;

const BASE64: [u8; 256] = values(&[
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"##############################################################-_",
]);
const BASE32: [u8; 256] = values(&[b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijklmnopqrstuvwxyz"]);
const HEX: [u8; 256] = values(&[b"0123456789abcdef", b"0123456789ABCDEF"]);

/// The table of the values that characters have in the first or another alphabet; `#` is none.
const fn values(alphabets: &[&[u8]]) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut n = 0;
    while n < alphabets.len() {
        let mut i = 0;
        while i < alphabets[n].len() {
            if alphabets[n][i] != b'#' {
                table[alphabets[n][i] as usize] = i as u8;
            }
            i += 1;
        }
        n += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        each(&View::plain(text.as_bytes()), &mut |inner| {
            found.push((String::from_utf8_lossy(inner.bytes).into_owned(), inner.layers()[0]));
        });
        found
    }

    #[track_caller]
    fn check(text: &str, layer: &str) {
        let found = decoded(text);
        assert!(found.iter().any(|(t, l)| t.contains("the quick brown fox") && *l == layer), "{text}: {found:?}");
    }

    #[test]
    fn runs_of_all_kinds_are_decoded() {
        check("x dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcw== y", "base64");
        check("/up/dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcw", "base64");
        check("dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcz8_", "base64url");
        check("74686520717569636b2062726f776e20666f78206a756d7073", "hex");
        check("ORUGKIDROVUWG2ZAMJZG653OEBTG66BANJ2W24DT", "base32");
        check("orugkidrovuwg2zamjzg653oebtg66banj2w24dt", "base32");
        check("dABoAGUAIABxAHUAaQBjAGsAIABiAHIAbwB3AG4AIABmAG8AeAA=", "base64");
        check("hex: 74686520717569636b2062726f776e20666f78206a756d7073206f766572206974\nowner: me", "hex");
        check("74686520717569636b2062726f776e2074686520717569636b2062726f776e.20666f78.x.io", "hex");
    }

    #[test]
    fn identifiers_and_hashes_are_not() {
        for text in [
            "getElementsByClassNameAndSomethingElse",
            "d7d16c793a365ed7d16c793a365ed7d16c793a36",
            "/usr/local/lib/node_modules/typescript/lib",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(decoded(text), [], "{text}");
        }
    }
}
