//! The escapes of `$'..'`, `echo -e` and `printf`.

/// Resolves backslash escapes as `$'..'` does (bash manual, ANSI-C Quoting).
pub(crate) fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escape) = bytes.next() else {
            out.push(b'\\');
            break;
        };
        let mut number = |first: u32, radix: u32, most: usize| {
            let mut value = first;
            for _ in 0..most {
                let Some(digit) = bytes.peek().and_then(|b| char::from(*b).to_digit(radix)) else { break };
                value = value.wrapping_mul(radix).wrapping_add(digit);
                bytes.next();
            }
            value
        };
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'x' => out.push(number(0, 16, 2) as u8),
            b'0'..=b'7' => out.push(number(u32::from(escape - b'0'), 8, 2 + usize::from(escape == b'0')) as u8),
            b'u' | b'U' => {
                let point = number(0, 16, if escape == b'u' { 4 } else { 8 });
                let mut buffer = [0; 4];
                let c = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            }
            b'c' => out.extend(bytes.next().map(|b| b & 0x1f)),
            b'\\' | b'\'' | b'"' | b'?' => out.push(escape),
            other => out.extend([b'\\', other]),
        }
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_are_resolved() {
        for (text, want) in [
            (r"\x72m", "rm"),
            (r"\162\155", "rm"),
            (r"\u0072m", "rm"),
            (r"a\tb\n", "a\tb\n"),
            (r"\\x", r"\x"),
            (r"\q", r"\q"),
            ("tail\\", "tail\\"),
            (r"\U110000", "\u{fffd}"),
            (r"\0162m", "rm"),
        ] {
            assert_eq!(unescape(text), want, "{text}");
        }
    }
}
