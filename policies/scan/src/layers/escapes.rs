//! Percent escapes (RFC 3986), those of JSON and other string literals (RFC 8259), character references of HTML: the
//! text around them is undone.

use super::{Link, View, whole_words};

/// How much text around an escape is looked at with it, in bytes.
const AROUND: usize = 256;

/// The parts of a text that hold escapes, by kind.
#[derive(Debug, Default)]
struct Escapes {
    percent: Vec<(usize, usize)>,
    literal: Vec<(usize, usize)>,
    html: Vec<(usize, usize)>,
}

impl Escapes {
    /// Finds those that can hide something: not line breaks and quotes, which stand in every string.
    fn of(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for at in memchr::memchr3_iter(b'%', b'\\', b'&', bytes) {
            let rest = bytes.get(at..).unwrap_or_default();
            let parts = match rest {
                [b'%', ..] if percent(rest).is_some() => &mut found.percent,
                [b'\\', b'u', b'0', b'0', ..] | [b'\\', b'x' | b'/', ..] => &mut found.literal,
                [b'&', b'#', ..] => &mut found.html,
                [b'&', ..] if [&b"&quot;"[..], b"&amp;", b"&lt;"].iter().any(|n| rest.starts_with(n)) => {
                    &mut found.html
                }
                _ => continue,
            };
            let to = bytes.len().min(at + AROUND);
            match parts.last_mut() {
                Some((_, end)) if at <= *end + AROUND => *end = to,
                _ => parts.push((at.saturating_sub(AROUND), to)),
            }
        }
        found
    }
}

/// Scans what escapes hide.
pub(super) fn each(view: &View<'_>, look: &mut impl FnMut(&View<'_>)) {
    let escapes = Escapes::of(view.bytes);
    let kinds = [
        (&escapes.percent, percent as Undo, "percent"),
        (&escapes.literal, literal as Undo, "json"),
        (&escapes.html, html as Undo, "html"),
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

/// Reads one escape at the beginning of a text: the character it stands for, and its length.
type Undo = fn(&[u8]) -> Option<(char, usize)>;

/// `part` with its escapes undone, and the steps by which its positions lead back. `offset` is where it stands.
fn undone(part: &[u8], offset: usize, undo: Undo) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut bytes = Vec::with_capacity(part.len());
    let mut steps = vec![(0, offset)];
    let mut i = 0;
    while let Some(rest) = part.get(i..)
        && let Some(first) = rest.first()
    {
        let escape = matches!(first, b'%' | b'\\' | b'&').then(|| undo(rest)).flatten();
        let Some((c, length)) = escape else {
            bytes.push(*first);
            i += 1;
            continue;
        };
        steps.push((bytes.len(), offset + i));
        // In percent escapes, what is above 127 is one of the bytes of a character, and stays a byte.
        match u8::try_from(u32::from(c)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
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

fn percent(rest: &[u8]) -> Option<(char, usize)> {
    (rest.first() == Some(&b'%')).then(|| hex_at(rest, 1, 2)).flatten().and_then(char::from_u32).map(|c| (c, 3))
}

fn literal(rest: &[u8]) -> Option<(char, usize)> {
    Some(match rest {
        [b'\\', b'u', ..] => (char::from_u32(hex_at(rest, 2, 4)?)?, 6),
        [b'\\', b'x', ..] => (char::from_u32(hex_at(rest, 2, 2)?)?, 4),
        [b'\\', b'n' | b'r', ..] => ('\n', 2),
        [b'\\', b't', ..] => ('\t', 2),
        [b'\\', c @ (b'"' | b'\\' | b'/' | b'\''), ..] => (char::from(*c), 2),
        _ => return None,
    })
}

fn html(rest: &[u8]) -> Option<(char, usize)> {
    const NAMED: &[(&str, char)] =
        &[("&quot;", '"'), ("&apos;", '\''), ("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&nbsp;", ' ')];
    if let Some((name, c)) = NAMED.iter().find(|(n, _)| rest.starts_with(n.as_bytes())) {
        return Some((*c, name.len()));
    }
    let body = rest.strip_prefix(b"&#")?;
    let (radix, skip) = if matches!(body.first(), Some(b'x' | b'X')) { (16, 1) } else { (10, 0) };
    let digits = body.get(skip..)?.iter().take(7).take_while(|b| b.is_ascii_hexdigit()).count();
    let text = std::str::from_utf8(body.get(skip..skip + digits)?).ok()?;
    let c = char::from_u32(u32::from_str_radix(text, radix).ok()?)?;
    let end = skip + digits;
    Some((c, 2 + end + usize::from(body.get(end) == Some(&b';'))))
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
        check(literal, r"\q\u12", r"\q\u12");
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
