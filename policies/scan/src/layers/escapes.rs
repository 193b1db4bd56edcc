//! Percent escapes (RFC 3986), those of JSON and other string literals (RFC 8259), character references of HTML, and
//! quoted-printable (RFC 2045): the text around them is undone.

use super::{Link, View, whole_words};

/// How much text around an escape is looked at with it, in bytes.
const AROUND: usize = 256;

/// The parts of a text that hold escapes, by kind.
#[derive(Debug, Default)]
struct Escapes {
    percent: Vec<(usize, usize)>,
    literal: Vec<(usize, usize)>,
    html: Vec<(usize, usize)>,
    quoted: Vec<(usize, usize)>,
}

impl Escapes {
    /// Finds those that can hide something: not line breaks and quotes, which stand in every string.
    fn of(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for at in memchr::memchr3_iter(b'%', b'\\', b'&', bytes) {
            let rest = bytes.get(at..).unwrap_or_default();
            let parts = match rest {
                [b'%', ..] if percent(rest).is_some() => &mut found.percent,
                [b'\\', b'u', next, ..] if next.is_ascii_hexdigit() => &mut found.literal,
                [b'\\', b'x' | b'/', ..] => &mut found.literal,
                [b'&', b'#', ..] => &mut found.html,
                [b'&', ..] if [&b"&quot;"[..], b"&amp;", b"&lt;"].iter().any(|n| rest.starts_with(n)) => {
                    &mut found.html
                }
                _ => continue,
            };
            extend(parts, at, bytes.len());
        }
        // Base64 may end a line alike, so only where a mail says that it is written so.
        if let Some(from) = memchr::memmem::find(bytes, b"uoted-printable") {
            let rest = bytes.get(from..).unwrap_or_default();
            for at in memchr::memchr_iter(b'=', rest) {
                if rest.get(at..).and_then(quoted_printable).is_some() {
                    extend(&mut found.quoted, from + at, bytes.len());
                }
            }
        }
        found
    }
}

/// Has the text around `at` be one of the parts, or more of the last.
fn extend(parts: &mut Vec<(usize, usize)>, at: usize, length: usize) {
    let to = length.min(at + AROUND);
    match parts.last_mut() {
        Some((start, end)) if *start <= at && at <= *end + AROUND => *end = to.max(*end),
        _ => parts.push((at.saturating_sub(AROUND), to)),
    }
}

/// Scans what escapes hide.
pub(super) fn each(view: &View<'_>, look: &mut impl FnMut(&View<'_>)) {
    let escapes = Escapes::of(view.bytes);
    let kinds = [
        (&escapes.percent, percent as Undo, "percent"),
        (&escapes.literal, literal as Undo, "json"),
        (&escapes.html, html as Undo, "html"),
        (&escapes.quoted, quoted_printable as Undo, "quoted-printable"),
    ];
    for (parts, undo, layer) in kinds {
        for &(start, end) in parts {
            let (start, end) = whole_words(view.bytes, start, end);
            let part = view.bytes.get(start..end).unwrap_or_default();
            let (bytes, steps) = undone(part, start, undo);
            look(&View::inner(&bytes, view, Link::Steps(&steps), layer));
        }
    }
}

/// Reads one escape at the beginning of a text: what it stands for, and its length.
type Undo = fn(&[u8]) -> Option<(Escaped, usize)>;

/// What an escape stands for.
enum Escaped {
    /// What is above 127 is one of the bytes of a character.
    Byte(u8),
    Char(char),
    Nothing,
}

/// `part` with its escapes undone, and the steps by which its positions lead back. `offset` is where it stands.
fn undone(part: &[u8], offset: usize, undo: Undo) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut bytes = Vec::with_capacity(part.len());
    let mut steps = vec![(0, offset)];
    let mut i = 0;
    while let Some(rest) = part.get(i..)
        && let Some(first) = rest.first()
    {
        let escape = matches!(first, b'%' | b'\\' | b'&' | b'=').then(|| undo(rest)).flatten();
        let Some((escaped, length)) = escape else {
            bytes.push(*first);
            i += 1;
            continue;
        };
        steps.push((bytes.len(), offset + i));
        match escaped {
            Escaped::Byte(byte) => bytes.push(byte),
            Escaped::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Escaped::Nothing => {}
        }
        i += length;
        steps.push((bytes.len(), offset + i));
    }
    (bytes, steps)
}

fn hex_at(rest: &[u8], from: usize, digits: usize) -> Option<u32> {
    let text = std::str::from_utf8(rest.get(from..from + digits)?).ok()?;
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

fn byte_at(rest: &[u8], from: usize) -> Option<Escaped> {
    hex_at(rest, from, 2).and_then(|n| u8::try_from(n).ok()).map(Escaped::Byte)
}

fn percent(rest: &[u8]) -> Option<(Escaped, usize)> {
    (rest.first() == Some(&b'%')).then(|| byte_at(rest, 1)).flatten().map(|byte| (byte, 3))
}

fn quoted_printable(rest: &[u8]) -> Option<(Escaped, usize)> {
    Some(match rest {
        [b'=', b'\n', ..] => (Escaped::Nothing, 2),
        [b'=', b'\r', b'\n', ..] => (Escaped::Nothing, 3),
        [b'=', ..] => (byte_at(rest, 1)?, 3),
        _ => return None,
    })
}

fn literal(rest: &[u8]) -> Option<(Escaped, usize)> {
    let (c, length) = match rest {
        [b'\\', b'u', ..] => utf16(rest)?,
        [b'\\', b'x', ..] => return Some((byte_at(rest, 2)?, 4)),
        [b'\\', b'n' | b'r', ..] => ('\n', 2),
        [b'\\', b't', ..] => ('\t', 2),
        [b'\\', c @ (b'"' | b'\\' | b'/' | b'\''), ..] => (char::from(*c), 2),
        _ => return None,
    };
    Some((Escaped::Char(c), length))
}

/// `\u` and four digits, or two such that make one character.
fn utf16(rest: &[u8]) -> Option<(char, usize)> {
    let first = hex_at(rest, 2, 4)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = rest.get(6..8).filter(|next| *next == b"\\u").and_then(|_| hex_at(rest, 8, 4))?;
    let (high, low) = (first.checked_sub(0xd800)?, second.checked_sub(0xdc00)?);
    char::from_u32(0x1_0000 + (high << 10) + low).map(|c| (c, 12))
}

fn html(rest: &[u8]) -> Option<(Escaped, usize)> {
    const NAMED: &[(&str, char)] =
        &[("&quot;", '"'), ("&apos;", '\''), ("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&nbsp;", ' ')];
    if let Some((name, c)) = NAMED.iter().find(|(n, _)| rest.starts_with(n.as_bytes())) {
        return Some((Escaped::Char(*c), name.len()));
    }
    let body = rest.strip_prefix(b"&#")?;
    let (radix, skip) = if matches!(body.first(), Some(b'x' | b'X')) { (16, 1) } else { (10, 0) };
    let digits = body.get(skip..)?.iter().take(7).take_while(|b| b.is_ascii_hexdigit()).count();
    let text = std::str::from_utf8(body.get(skip..skip + digits)?).ok()?;
    let c = char::from_u32(u32::from_str_radix(text, radix).ok()?)?;
    let end = skip + digits;
    Some((Escaped::Char(c), 2 + end + usize::from(body.get(end) == Some(&b';'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(undo: Undo, text: &str, expected: &str) {
        let (bytes, steps) = undone(text.as_bytes(), 0, undo);
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        let outer = View::plain(text.as_bytes());
        let view = View::inner(&bytes, &outer, Link::Steps(&steps), "x");
        assert_eq!(view.locate(0, bytes.len()), (0, text.len()));
    }

    #[test]
    fn escapes_are_undone_and_lead_back() {
        check(percent, "a%3Db%zz%4", "a=b%zz%4");
        check(percent, "%C3%A9", "é");
        check(literal, r#"\u0041\x42\"\\\n"#, "AB\"\\\n");
        check(literal, r"\q\u12\ud83d\u0041\udc00", "\\q\\u12\\ud83dA\\udc00");
        check(literal, r"\u5ffd\ud83d\ude00\udb40\udc41", "忽😀\u{e0041}");
        check(quoted_printable, "a=\nb=\r\nc=C3=A9=zz=", "abcé=zz=");
        check(html, "&#65;&#x42;&lt;&unknown;&#", "AB<&unknown;&#");
    }

    #[test]
    fn a_position_behind_an_escape_leads_behind_it() {
        let (bytes, steps) = undone(b"a%3Dbc", 10, percent);
        let outer = View::plain(b"0123456789a%3Dbc");
        let view = View::inner(&bytes, &outer, Link::Steps(&steps), "percent");
        assert_eq!((view.locate(1, 2), view.locate(2, 4)), ((11, 14), (14, 16)));
    }
}
