//! The laws that the fuzz targets hold what reads foreign bytes to. The files under attack are taken in by their paths: they
//! need neither sockets nor the rest of the proxy, and so an instrumented build is small.
#![expect(dead_code, reason = "only what is attacked is used of the files that are taken in")]

#[path = "../../src/decode.rs"]
mod decode;
#[path = "../../src/destination.rs"]
mod destination;
#[path = "../../src/echo.rs"]
mod echo;
#[path = "../../src/head.rs"]
mod head;
#[path = "../../src/inspect/edits.rs"]
mod edits;
#[path = "../../src/entrance/socks/words.rs"]
mod words;
#[path = "../../src/websocket/frame.rs"]
mod frame;

use std::{io::Write as _, sync::Arc};

use destination::{Destination, Host, Scheme};
use echo::{Echo, Replacing};
use frame::{Frames, Message, Side};
use head::Framing;
use http::{HeaderMap, header};
use rampart_call::{Edit, Span};
use rustls::server::Acceptor;

/// Splits off the first byte: how the others are cut.
fn cut(bytes: &[u8]) -> Option<(usize, &[u8])> {
    bytes.split_first().map(|(size, rest)| (usize::from(*size) + 1, rest))
}

/// A head that passes is read by another parser in the same way, and has one framing.
pub fn head(bytes: &[u8]) {
    let whole = [bytes, b"\r\n\r\n"].concat();
    let Ok(framing) = head::check(&whole) else { return };
    let mut fields = vec![httparse::EMPTY_HEADER; 1 + bytes.len()];
    let mut other = httparse::Request::new(&mut fields);
    let read = other.parse(&whole);
    assert!(matches!(read, Ok(httparse::Status::Complete(n)) if n == whole.len()), "{read:?}");
    let line = whole.split(|b| *b == b'\r').next().unwrap_or_default();
    let version = if other.version == Some(1) { "HTTP/1.1" } else { "HTTP/1.0" };
    let told = format!("{} {} {version}", other.method.unwrap_or_default(), other.path.unwrap_or_default());
    assert_eq!(line, told.as_bytes());
    let named = |name: &str| other.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name)).collect::<Vec<_>>();
    let (lengths, codings) = (named("content-length"), named("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "framed twice");
    match framing {
        Framing::Length(n) if n > 0 => {
            assert_eq!(std::str::from_utf8(lengths[0].value).ok().and_then(|v| v.trim().parse().ok()), Some(n));
        }
        Framing::Chunked => assert!(codings[0].value.trim_ascii().eq_ignore_ascii_case(b"chunked")),
        Framing::Length(_) | Framing::Waits => assert!(codings.is_empty()),
    }
    // What is refused of a beginning is refused of the whole.
    let (old, fresh) = whole.split_at(whole.len() / 2);
    assert!(head::check_begun(None, old.last().copied(), fresh).is_ok());
}

/// A destination is read again from its own text, and a URL with it has that host.
pub fn target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for scheme in [Scheme::Http, Scheme::Https] {
        let Ok(to) = Destination::parse(scheme, text) else { continue };
        assert_eq!(Destination::parse(scheme, &to.authority()), Ok(to.clone()), "{text:?}");
        assert_eq!(Destination::parse_connect(&to.to_string()).map(|d| (d.host, d.port)), Ok((to.host.clone(), to.port)));
        let url = url::Url::parse(&format!("{}://{}/", scheme.as_str(), to.authority())).expect("it is a URL");
        assert_eq!(url.host_str().map(|h| h.trim_end_matches('.')), Some(to.host.to_string().as_str()), "{text:?}");
        assert_eq!(url.port_or_known_default(), Some(to.port));
        // As browsers read what was written.
        if let Ok(url) = url::Url::parse(&format!("{}://{text}/", scheme.as_str())) {
            let host = url.host_str().unwrap_or_default();
            assert_eq!(Host::parse(host), Ok(to.host.clone()), "{text:?} against {url}");
        }
    }
    let _ = (destination::path_is_ambiguous(text), destination::path_has_steps(text));
}

/// The first message of a TLS client names the same host however it is cut, or none.
pub fn hello(bytes: &[u8]) {
    let Some((size, bytes)) = cut(bytes) else { return };
    let name = |size: usize| -> Option<Option<String>> {
        let mut acceptor = Acceptor::default();
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                acceptor.read_tls(&mut piece).ok()?;
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => return Some(accepted.client_hello().server_name().map(str::to_owned)),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
        None
    };
    let whole = name(bytes.len().max(1));
    if let Some(Some(name)) = &whole {
        let _ = Host::parse(name);
    }
    // In pieces it may be known before garbage that follows it is seen.
    let pieces = name(size);
    assert!(whole.is_none() || whole == pieces, "{whole:?} against {pieces:?}");
}

/// What a SOCKS client says is read without more than was sent.
pub fn socks(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, mut server) = tokio::io::duplex(1 << 16);
        tokio::io::AsyncWriteExt::write_all(&mut client, bytes.get(..1 << 15).unwrap_or(bytes)).await.expect("it fits");
        tokio::io::AsyncWriteExt::shutdown(&mut client).await.expect("it is open");
        let known = |user: &str, password: &str| (user == password).then_some(());
        if words::greet(&mut server, known).await.is_ok()
            && let Ok(Ok(to)) = words::ask(&mut server).await
        {
            assert!(to.port > 0);
            assert_eq!(Destination::parse(Scheme::Https, &to.authority()), Ok(to));
        }
    });
}

/// Messages of WebSockets are the same however their frames come, and no byte is lost.
pub fn frames(bytes: &[u8]) {
    let Some((size, bytes)) = cut(bytes) else { return };
    for side in [Side::Client, Side::Origin] {
        let read = |size: usize| {
            let mut frames = Frames::new(side);
            let (mut payload, mut raw, mut controls) = (Vec::new(), 0, 0);
            for piece in bytes.chunks(size) {
                let (messages, fed) = frames.feed(piece);
                for message in messages {
                    match message {
                        Message::Control(frame) => controls += frame.len(),
                        Message::Data { raw: frame, payload: text, .. } => {
                            raw += frame.len();
                            payload.extend_from_slice(&text);
                        }
                    }
                }
                if fed.is_err() {
                    return (payload, raw, controls, fed);
                }
            }
            (payload, raw, controls, Ok(()))
        };
        let (whole, pieces) = (read(bytes.len().max(1)), read(size));
        assert!(whole.1 + whole.2 <= bytes.len());
        if whole.3.is_ok() {
            assert_eq!((&whole.0, whole.2, whole.3), (&pieces.0, pieces.2, pieces.3));
        } else {
            assert_eq!(whole.3, pieces.3);
        }
    }
}

/// What is unpacked is the same however it is cut, and within bounds.
pub fn decode(bytes: &[u8]) {
    const CODINGS: [&str; 8] = ["gzip", "deflate", "br", "zstd", "gzip, br", "zstd, gzip", "deflate, deflate, gzip", "br, br"];
    let Some((size, bytes)) = cut(bytes) else { return };
    let Some((coding, bytes)) = cut(bytes) else { return };
    let mut headers = HeaderMap::new();
    let coding = CODINGS[coding % CODINGS.len()];
    headers.insert(header::CONTENT_ENCODING, coding.parse().expect("a value"));
    let unpacked = |size: usize| {
        let mut decoder = decode::Decoder::of(&headers).expect("we know it");
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            out.extend(decoder.feed(piece).map_err(|e| e.to_string())?);
            assert!(out.len() <= (1 << 20).max(bytes.len() * 100) * 2, "{}", out.len());
        }
        out.extend(decoder.finish().map_err(|e| e.to_string())?);
        Ok::<_, String>(out)
    };
    let (whole, pieces) = (unpacked(bytes.len().max(1)), unpacked(size));
    if let (Ok(whole), Ok(pieces)) = (&whole, &pieces) {
        assert_eq!(whole, pieces, "{coding} in pieces of {size}");
    }
    // And what we pack comes out again.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("to memory");
    let packed = gzip.finish().expect("to memory");
    headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    let mut decoder = decode::Decoder::of(&headers);
    if bytes.len() < 1 << 20 {
        assert_eq!(decode::whole(decoder.as_mut(), &packed, true).expect("it is gzip"), bytes);
    }
}

/// Edits leave whole characters and, where they must, the length; a cut never falls into a character.
pub fn edits(bytes: &[u8]) {
    let Some((count, rest)) = cut(bytes) else { return };
    let Some((numbers, text)) = rest.split_at_checked((count % 8) * 4) else { return };
    let Ok(text) = std::str::from_utf8(text) else {
        let cut = edits::complete(text);
        assert!(cut <= text.len());
        return;
    };
    let edits: Vec<Edit> = numbers
        .chunks_exact(4)
        .map(|n| Edit {
            span: Span { start: usize::from(u16::from_le_bytes([n[0], n[1]])), end: usize::from(u16::from_le_bytes([n[2], n[3]])) },
            with: "[\u{e9}]".to_owned(),
        })
        .collect();
    let _ = edits::edited(text.to_owned(), &edits, false);
    assert_eq!(edits::edited(text.to_owned(), &edits, true).len(), text.len());
    assert!(text.is_char_boundary(edits::complete(text.as_bytes())), "{text:?}");
}

/// Of a stream of events no value is left however it is cut, and an event waits only where it ends as a value begins.
pub fn events(bytes: &[u8]) {
    const PAIRS: [(&str, &str); 4] = [("secret-a", "XXXXXXXX"), ("a-secret", "YYYYYYYY"), ("aaab", "----"), ("data: s3", "data: ..")];
    let Some((size, bytes)) = cut(bytes) else { return };
    let echo = Arc::new(Echo::new(PAIRS.map(|(from, to)| (from.into(), to.into())).to_vec()));
    let passed = |size: usize| {
        let mut replacing = Replacing::new(Arc::clone(&echo), None);
        let mut out = Vec::new();
        for (at, piece) in bytes.chunks(size).enumerate() {
            out.extend(replacing.feed(piece).expect("it is not packed"));
            let waits = (at * size + piece.len()).saturating_sub(out.len());
            assert_eq!(waits as u64, replacing.held());
            assert!(waits < 8 && PAIRS.iter().any(|(from, _)| waits == 0 || from.as_bytes().starts_with(&tail(bytes, at * size + piece.len(), waits))));
        }
        out.extend(replacing.finish().expect("it is not packed"));
        out
    };
    let (whole, pieces) = (passed(bytes.len().max(1)), passed(size));
    assert_eq!(whole, pieces, "in pieces of {size}");
    assert_eq!(whole.len(), bytes.len());
    for (from, _) in PAIRS {
        assert!(!whole.windows(from.len()).any(|w| w == from.as_bytes()), "{from} is left");
    }
}

/// The last bytes before `end`.
fn tail(bytes: &[u8], end: usize, count: usize) -> Vec<u8> {
    bytes.get(end - count..end).unwrap_or_default().to_vec()
}
