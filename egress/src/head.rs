//! The head of an HTTP/1 request, read strictly before the HTTP library sees it. What two servers could frame in two
//! ways is the material of request smuggling (RFC 9112 section 11.2), so only the plain shape passes. Pure.

/// How the body that follows a head is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes, often none.
    Length(u64),
    /// Chunks.
    Chunked,
    /// No body, and what follows depends on the answer: CONNECT, or an upgrade.
    Waits,
}

/// Reads a head that ends with an empty line.
pub(crate) fn check(head: &[u8]) -> Result<Framing, &'static str> {
    if has_lone_line_ends(None, head) {
        return Err("a line ends with something other than CR LF");
    }
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = text.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    let (method, old) = request_line(lines.next().unwrap_or_default())?;
    let mut seen = Seen::default();
    for line in lines {
        field(line, &mut seen)?;
    }
    if seen.hosts > 1 {
        return Err("Host stands more than once");
    }
    // Some clients leave it out of a CONNECT, whose target says the same (RFC 9110 section 9.3.6) and is all that is read.
    if seen.hosts == 0 && !old && method != b"CONNECT" {
        return Err("Host is missing");
    }
    match (seen.length, seen.chunked) {
        (Some(_), true) => Err("Content-Length and Transfer-Encoding stand together"),
        (None, true) if old => Err("Transfer-Encoding in an HTTP/1.0 request"),
        (None, true) => Ok(Framing::Chunked),
        (Some(length), false) if length > 0 => Ok(Framing::Length(length)),
        _ if method == b"CONNECT" || seen.upgrade => Ok(Framing::Waits),
        _ => Ok(Framing::Length(0)),
    }
}

/// Looks at what has just come of a head that is not complete: its first line, if that ended now, and the `fresh` bytes
/// after `last`.
pub(crate) fn check_begun(first_line: Option<&[u8]>, last: Option<u8>, fresh: &[u8]) -> Result<(), &'static str> {
    if has_lone_line_ends(last, fresh) {
        return Err("a line ends with something other than CR LF");
    }
    first_line.map_or(Ok(()), |line| request_line(line.trim_ascii_end()).map(|_| ()))
}

/// Whether a line feed stands without its carriage return before it, or the other way round. The last byte may be a
/// carriage return that waits for its other half.
fn has_lone_line_ends(mut last: Option<u8>, bytes: &[u8]) -> bool {
    for &byte in bytes {
        if (byte == b'\n') != (last == Some(b'\r')) {
            return true;
        }
        last = Some(byte);
    }
    false
}

#[derive(Default)]
struct Seen {
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

fn request_line(line: &[u8]) -> Result<(&[u8], bool), &'static str> {
    let mut parts = line.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("the request line is not `METHOD target HTTP/1.1`");
    };
    if method.is_empty() || !method.iter().all(|b| is_token(*b)) {
        return Err("the method is not a word");
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err("the request target has characters that URLs do not have");
    }
    match version {
        b"HTTP/1.1" => Ok((method, false)),
        b"HTTP/1.0" => Ok((method, true)),
        _ => Err("the version is neither HTTP/1.1 nor HTTP/1.0"),
    }
}

fn field(line: &[u8], seen: &mut Seen) -> Result<(), &'static str> {
    let colon = line.iter().position(|b| *b == b':').ok_or("a header line has no colon")?;
    let (name, value) = line.split_at(colon);
    let value = trimmed(value.get(1..).unwrap_or_default());
    if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
        return Err("a header name is not a word (a space before the colon, or a folded line)");
    }
    if value.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
        return Err("a header value has control characters");
    }
    match name.to_ascii_lowercase().as_slice() {
        b"host" => seen.hosts += 1,
        b"upgrade" => seen.upgrade = true,
        b"content-length" => {
            if seen.length.is_some() {
                return Err("Content-Length stands more than once");
            }
            if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                return Err("Content-Length is not a number");
            }
            let digits = std::str::from_utf8(value).unwrap_or_default();
            seen.length = Some(digits.parse().map_err(|_| "Content-Length is too large")?);
        }
        b"transfer-encoding" => {
            if seen.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err("Transfer-Encoding is anything but `chunked`");
            }
            seen.chunked = true;
        }
        other if nearly_frames(other) => return Err("the name of a framing header is spelled oddly"),
        _ => {}
    }
    Ok(())
}

/// A value without the spaces and tabs around it (RFC 9110 section 5.5), and no other white space.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether a name in lower case is one that frames a body but for what stands between its words: some servers read an
/// underscore as a hyphen, or two as one.
fn nearly_frames(name: &[u8]) -> bool {
    let letters = || name.iter().filter(|b| b.is_ascii_alphanumeric());
    letters().eq(b"contentlength") || letters().eq(b"transferencoding")
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The size in a chunk's first line, without its line end (RFC 9112 section 7.1).
pub(crate) fn chunk_size(line: &[u8]) -> Result<u64, &'static str> {
    let digits = line.split(|b| *b == b';').next().unwrap_or_default();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err("a chunk size is not a hexadecimal number");
    }
    if line.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
        return Err("a chunk extension has control characters");
    }
    u64::from_str_radix(std::str::from_utf8(digits).unwrap_or_default(), 16).map_err(|_| "a chunk size is too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Result<Framing, &'static str> {
        check(format!("{lines}\r\n\r\n").as_bytes())
    }

    #[test]
    fn plain_heads_pass() {
        for (lines, framing) in [
            ("GET / HTTP/1.1\r\nHost: a", Framing::Length(0)),
            ("GET http://a/ HTTP/1.0", Framing::Length(0)),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5", Framing::Length(5)),
            ("POST / HTTP/1.1\r\nhost:a\r\ncontent-length:0", Framing::Length(0)),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked", Framing::Chunked),
            ("CONNECT a:443 HTTP/1.1\r\nHost: a:443", Framing::Waits),
            ("CONNECT a:443 HTTP/1.1\r\nUser-Agent: x", Framing::Waits),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket", Framing::Waits),
            ("POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nContent-Length: 3", Framing::Length(3)),
            ("GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Tab: a\tb\r\nX-Latin: \u{e9}", Framing::Length(0)),
        ] {
            assert_eq!(head(lines), Ok(framing), "{lines}");
        }
    }

    #[test]
    fn heads_with_two_readings_are_refused() {
        for lines in [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999",
            "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer--Encoding: chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer.Encoding: chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\u{c}chunked",
            "GET / HTTP/1.1\r\nHost: a\r\nX: y\u{c}",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked",
            "POST http://a/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1\r\nHost: a\r\n folded",
            "GET / HTTP/1.1\r\n Host: a",
            "GET / HTTP/1.1\nHost: a",
            "GET / HTTP/1.1\r\nHost: a\nX: b",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c",
            "GET / HTTP/1.1\r\nHost: a\r\nnocolon",
            "GET / HTTP/1.1\r\nHost: a\r\n: empty",
            "GET / http/1.1\r\nHost: a",
            "GET / HTTP/1.2\r\nHost: a",
            "GET / HTTP/2.0\r\nHost: a",
            "GET  / HTTP/1.1\r\nHost: a",
            "GET / x HTTP/1.1\r\nHost: a",
            "GET /\u{e9} HTTP/1.1\r\nHost: a",
            "G@T / HTTP/1.1\r\nHost: a",
            "GET /",
            "PRI * HTTP/2.0",
            "",
        ] {
            assert!(head(lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn chunk_sizes_are_plain_hexadecimal() {
        assert_eq!(chunk_size(b"1aF"), Ok(0x1af));
        assert_eq!(chunk_size(b"0;name=value"), Ok(0));
        for line in [&b""[..], b"0x3", b"+3", b" 3", b"3 ", b"-1", b"ffffffffffffffff", b"3;a\nb", b"3;a\rb", b"g"] {
            assert!(chunk_size(line).is_err(), "{line:?}");
        }
    }
}
