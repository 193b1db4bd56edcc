//! HTTP/2 said wrongly, by a client and by an origin (RFC 9113; the cases are those that any conformance suite has).

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    origin::{Pki, tls_of},
    world::{Got, Setting, World},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PROTOCOL: u32 = 1;
const FLOW: u32 = 3;
const CLOSED: u32 = 5;
const SIZE: u32 = 6;
const COMPRESSION: u32 = 9;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":authority", "plain.test"), (":path", "/")];
const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":authority", "plain.test"), (":path", "/echo")];

fn with(fields: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<u8> {
    head(&[fields, more].concat())
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// What is wrong, its bytes, and the codes with which it may be refused.
fn wrongs() -> Vec<(&'static str, Vec<u8>, &'static [u32])> {
    let get = head(&GET);
    let post = head(&POST);
    let one = |kind, flags, stream, payload: &[u8]| frame(kind, flags, stream, payload);
    vec![
        ("DATA on stream 0", one(0, 0, 0, b"x"), &[PROTOCOL]),
        ("HEADERS on stream 0", one(1, 5, 0, &get), &[PROTOCOL]),
        ("PRIORITY on stream 0", one(2, 0, 0, &[0, 0, 0, 1, 1]), &[PROTOCOL]),
        ("RST_STREAM on stream 0", one(3, 0, 0, &[0, 0, 0, 8]), &[PROTOCOL]),
        ("RST_STREAM on an idle stream", one(3, 0, 1, &[0, 0, 0, 8]), &[PROTOCOL]),
        ("RST_STREAM of the wrong size", [one(1, 4, 1, &post), one(3, 0, 1, &[0, 0, 8])].concat(), &[SIZE]),
        ("SETTINGS on a stream", one(4, 0, 1, &[]), &[PROTOCOL]),
        ("SETTINGS that answers and says more", one(4, 1, 0, &setting(3, 1)), &[SIZE]),
        ("SETTINGS of an odd size", one(4, 0, 0, &[0, 3, 0]), &[SIZE]),
        ("ENABLE_PUSH of 2", one(4, 0, 0, &setting(2, 2)), &[PROTOCOL]),
        ("a window beyond 2^31-1", one(4, 0, 0, &setting(4, 1 << 31)), &[FLOW]),
        ("frames of less than 16 KB", one(4, 0, 0, &setting(5, 100)), &[PROTOCOL]),
        ("frames of more than 16 MB", one(4, 0, 0, &setting(5, 1 << 24)), &[PROTOCOL]),
        (
            "a promise by a client",
            [one(1, 4, 1, &post), one(5, 4, 1, &[&[0, 0, 0, 2][..], &get].concat())].concat(),
            &[PROTOCOL],
        ),
        ("PING on a stream", one(6, 0, 1, &[0; 8]), &[PROTOCOL]),
        ("PING of the wrong size", one(6, 0, 0, &[0; 6]), &[SIZE]),
        ("GOAWAY on a stream", one(7, 0, 1, &[0; 8]), &[PROTOCOL]),
        ("WINDOW_UPDATE of nothing", one(8, 0, 0, &[0; 4]), &[PROTOCOL]),
        ("WINDOW_UPDATE of the wrong size", one(8, 0, 0, &[0; 3]), &[SIZE]),
        ("WINDOW_UPDATE beyond 2^31-1", one(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2), &[FLOW]),
        ("WINDOW_UPDATE of an idle stream", one(8, 0, 1, &[0, 0, 0, 1]), &[PROTOCOL]),
        ("CONTINUATION of nothing", one(9, 4, 1, &get), &[PROTOCOL]),
        ("DATA inside of a head", [one(1, 0, 1, &get), one(0, 1, 1, b"x")].concat(), &[PROTOCOL]),
        ("another head inside of a head", [one(1, 0, 1, &get), one(1, 5, 3, &get)].concat(), &[PROTOCOL]),
        ("an unknown frame inside of a head", [one(1, 0, 1, &get), one(0x16, 0, 1, b"x")].concat(), &[PROTOCOL]),
        ("a stream of an even number", one(1, 5, 2, &get), &[PROTOCOL]),
        ("a stream of a lower number", [one(1, 5, 5, &get), one(1, 5, 3, &get)].concat(), &[PROTOCOL, CLOSED]),
        ("DATA on an idle stream", one(0, 1, 1, b"x"), &[PROTOCOL]),
        ("DATA after the end", [one(1, 5, 1, &get), one(0, 1, 1, b"x")].concat(), &[CLOSED, PROTOCOL]),
        ("a frame of 17 KB", one(0, 0, 1, &[0; 17_000]), &[SIZE]),
        ("more padding than there is", [one(1, 4, 1, &post), one(0, 9, 1, &[9, 1])].concat(), &[PROTOCOL]),
        ("an index of no table", one(1, 5, 1, &[0xff, 0x80, 0x01]), &[COMPRESSION]),
        ("a block that is cut off", one(1, 5, 1, &get[..get.len() - 1]), &[COMPRESSION]),
        (
            "a table that grows beyond its limit",
            one(1, 5, 1, &[&[0x3f, 0xff, 0xff, 0xff, 0x7f][..], &get].concat()),
            &[COMPRESSION],
        ),
        ("a name in upper case", one(1, 5, 1, &with(&GET, &[("X-Up", "1")])), &[PROTOCOL]),
        ("an unknown pseudo-field", one(1, 5, 1, &with(&[(":what", "x")], &GET)), &[PROTOCOL]),
        ("a pseudo-field of answers", one(1, 5, 1, &with(&[(":status", "200")], &GET)), &[PROTOCOL]),
        ("a pseudo-field after a field", one(1, 5, 1, &with(&[("x", "y")], &GET)), &[PROTOCOL]),
        ("Connection", one(1, 5, 1, &with(&GET, &[("connection", "keep-alive")])), &[PROTOCOL]),
        ("TE of more than trailers", one(1, 5, 1, &with(&GET, &[("te", "trailers, deflate")])), &[PROTOCOL]),
        ("no method", one(1, 5, 1, &head(&GET[1..])), &[PROTOCOL]),
        ("no scheme", one(1, 5, 1, &head(&[GET[0], GET[2], GET[3]])), &[PROTOCOL]),
        ("no path", one(1, 5, 1, &head(&GET[..3])), &[PROTOCOL]),
        ("two methods", one(1, 5, 1, &with(&[GET[0]], &GET)), &[PROTOCOL]),
        (
            "less body than announced",
            [one(1, 4, 1, &with(&POST, &[("content-length", "5")])), one(0, 1, 1, b"x")].concat(),
            &[PROTOCOL],
        ),
        (
            "more body than announced",
            [one(1, 4, 1, &with(&POST, &[("content-length", "1")])), one(0, 1, 1, b"xyz")].concat(),
            &[PROTOCOL],
        ),
        ("trailers that do not end", [one(1, 4, 1, &post), one(1, 4, 1, &head(&[("x", "y")]))].concat(), &[PROTOCOL]),
    ]
}

/// The codes with which streams and the connection were ended, and whether it was closed.
async fn refusals(tcp: &mut TcpStream) -> (Vec<u32>, bool, Vec<u8>) {
    let (mut got, mut buf, mut closed) = (Vec::new(), [0; 8192], false);
    loop {
        match tokio::time::timeout(Duration::from_millis(300), tcp.read(&mut buf)).await {
            Ok(Ok(n @ 1..)) => got.extend_from_slice(&buf[..n]),
            Ok(_) => closed = true,
            Err(_) => {}
        }
        let codes = codes(&got);
        if closed || !codes.is_empty() || got.len() > 1 << 20 {
            return (codes, closed, got);
        }
        if buf[0] == 0 && got.is_empty() {
            return (codes, closed, got);
        }
        if tokio::time::timeout(Duration::from_millis(300), tcp.peek(&mut [0; 1])).await.is_err() {
            return (codes, closed, got);
        }
    }
}

fn codes(mut frames: &[u8]) -> Vec<u32> {
    let mut codes = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = frames {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let payload = rest.get(..length).unwrap_or_default();
        let at = if *kind == 7 { 4 } else { 0 };
        if let (3 | 7, Some(code)) = (*kind, payload.get(at..at + 4)) {
            codes.push(u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
        }
        frames = rest.get(length..).unwrap_or_default();
    }
    codes
}

/// Whether the head of a request is among these frames.
fn has_head(mut frames: &[u8]) -> bool {
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = frames {
        if *kind == 1 {
            return true;
        }
        frames = rest.get(u32::from_be_bytes([0, *a, *b, *c]) as usize..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn n3_what_a_client_says_wrongly_in_http2_is_refused_by_its_code() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for (what, bytes, expected) in wrongs() {
        let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
        let bytes = [PREFACE, &frame(4, 0, 0, &[]), &bytes].concat();
        let _ = tcp.write_all(&bytes).await;
        let (codes, closed, _) = refusals(&mut tcp).await;
        // Closing without a word is allowed anywhere (section 5.4.1), and the library is content with PROTOCOL_ERROR where
        // another code would tell more.
        let told = codes.iter().any(|code| *code == PROTOCOL || expected.contains(code));
        let fine = told || (closed && codes.is_empty());
        if !fine {
            wrong.push(format!("{what}: {codes:?}, closed: {closed}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // And what is unknown or harmless is passed over.
    let harmless = [
        frame(0x16, 0, 0, b"x"),
        frame(4, 0, 0, &setting(0x99, 1)),
        frame(6, 0, 0, &[7; 8]),
        frame(1, 5, 1, &head(&GET)),
    ];
    let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
    tcp.write_all(&[PREFACE, &frame(4, 0, 0, &[]), &harmless.concat()].concat()).await.unwrap();
    let (codes, closed, got) = refusals(&mut tcp).await;
    assert!(codes.is_empty() && !closed, "{codes:?}");
    assert!(
        got.windows(8).any(|w| w == [7; 8]) && got.windows(5).any(|w| w == b"hello"),
        "the ping and the request are answered"
    );
}

/// A head that goes on in so many frames.
fn endless(mut frames: Vec<u8>, count: usize, ends: bool) -> Vec<u8> {
    frames[4] &= !4;
    let block = [&[0x40, 1, b'x', 0x7f, 0x81, 0x1f][..], &[b'y'; 4096]].concat();
    for n in 0..count {
        frames.extend(frame(9, if ends && n + 1 == count { 4 } else { 0 }, 1, &block));
    }
    frames
}

/// A proxy before an origin of HTTP/2 that says these bytes, whatever it is asked.
async fn saying(bytes: Vec<u8>) -> World {
    let pki = Pki::new();
    let acceptor = TlsAcceptor::from(tls_of(pki.issue(&["wrong.test"], |_| {}), &["h2"]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            tls.write_all(&frame(4, 0, 0, &[])).await.unwrap();
            let (mut got, mut buf) = (Vec::new(), [0; 4096]);
            while !has_head(got.get(PREFACE.len()..).unwrap_or_default()) {
                match tls.read(&mut buf).await {
                    Ok(n @ 1..) => got.extend_from_slice(&buf[..n]),
                    _ => break,
                }
            }
            let _ = tls.write_all(&bytes).await;
            let _ = tls.flush().await;
            let _ = tokio::time::timeout(Duration::from_secs(1), tls.read(&mut buf)).await;
        }
    });
    World::with(Setting { pki, resolve: vec![format!("wrong.test={address}")], ..Setting::default() }).await
}

/// What origins do wrongly; the client is told, or its stream ends, and it is never told that all is well.
#[tokio::test]
async fn n7_an_origin_that_speaks_http2_wrongly_is_a_502_or_the_end_of_the_answer() {
    let ok = |more: &[(&str, &str)]| head(&[&[(":status", "200")], more].concat());
    let cases = [
        ("DATA on stream 0", frame(0, 0, 0, b"x")),
        ("a promise", frame(5, 4, 1, &[&[0, 0, 0, 2][..], &head(&GET)].concat())),
        ("a name in upper case", frame(1, 5, 1, &ok(&[("X-Up", "1")]))),
        ("no status", frame(1, 5, 1, &head(&[("x", "y")]))),
        ("an index of no table", frame(1, 5, 1, &[0xff, 0x80, 0x01])),
        ("a frame of 17 KB", frame(0, 0, 1, &vec![0; 17_000])),
        ("a reset stream", frame(3, 0, 1, &[0, 0, 0, 2])),
        ("GOAWAY", frame(7, 0, 0, &[0; 8])),
        ("less body than announced", [frame(1, 4, 1, &ok(&[("content-length", "5")])), frame(0, 1, 1, b"x")].concat()),
        (
            "half of a body",
            [frame(1, 4, 1, &ok(&[("content-length", "5")])), frame(0, 0, 1, b"x"), frame(3, 0, 1, &[0, 0, 0, 2])]
                .concat(),
        ),
        ("SETTINGS of an odd size", frame(4, 0, 0, &[0, 3, 0])),
        ("a window beyond 2^31-1", frame(4, 0, 0, &setting(4, 1 << 31))),
        ("WINDOW_UPDATE beyond 2^31-1", frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2)),
        ("WINDOW_UPDATE of nothing", frame(8, 0, 0, &[0; 4])),
        ("PING of the wrong size", frame(6, 0, 0, &[0; 6])),
        ("DATA before a head", frame(0, 1, 1, b"x")),
        ("Connection", frame(1, 5, 1, &ok(&[("connection", "keep-alive")]))),
        ("a stream that nobody opened", frame(1, 5, 7, &ok(&[]))),
        ("a head of 1 MB", endless(frame(1, 1, 1, &ok(&[])), 256, true)),
        ("a head that does not end", endless(frame(1, 1, 1, &ok(&[])), 2000, false)),
        ("an empty head that does not end", [frame(1, 0, 1, &ok(&[])), frame(9, 0, 1, &[]).repeat(100_000)].concat()),
        ("early hints without end", frame(1, 4, 1, &head(&[(":status", "103")])).repeat(20_000)),
        ("promises without end", frame(5, 4, 1, &[&[0, 0, 0, 2][..], &head(&GET)].concat()).repeat(20_000)),
        ("resets without end", frame(3, 0, 1, &[0, 0, 0, 2]).repeat(50_000)),
        ("SETTINGS without end", frame(4, 0, 0, &setting(3, 1)).repeat(50_000)),
        ("PINGs without end", frame(6, 0, 0, &[0; 8]).repeat(50_000)),
    ];
    for (what, bytes) in cases {
        let world = saying(bytes).await;
        let mut h2 = world.h2_only("wrong.test").await;
        let request = Request::get("https://wrong.test/").body(Full::default()).unwrap();
        let asked = tokio::time::timeout(Duration::from_secs(10), h2.send_request(request)).await;
        let well = match asked.unwrap_or_else(|_| panic!("{what}: it waits")) {
            Err(_) => false,
            Ok(response) if response.status() == StatusCode::BAD_GATEWAY => false,
            Ok(response) => {
                let whole = tokio::time::timeout(Duration::from_secs(10), response.into_body().collect()).await;
                whole.unwrap_or_else(|_| panic!("{what}: it waits for the body")).is_ok()
            }
        };
        assert!(!well, "{what} is told as if all were well");
        assert_eq!(world.get("origin.test", "/").await.text, "hello", "{what}: others are served");
    }
}

/// Hints and the like are between the proxy and the origin (RFC 9110 section 15.2): the HTTP library of our side towards
/// clients can send none but `100 Continue`.
#[tokio::test]
async fn informational_answers_are_left_out_and_the_answer_follows() {
    let hints = [("100", ""), ("102", ""), ("103", "</style.css>; rel=preload"), ("199", "x")];
    let hint = |(code, link): &(&str, &str)| format!("HTTP/1.1 {code} Hint\r\nlink: {link}\r\n\r\n");
    let h1 = format!(
        "{}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        hints.iter().map(hint).collect::<Vec<_>>().concat()
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            crate::world::read_until(&mut tcp, "\r\n\r\n").await;
            tcp.write_all(h1.as_bytes()).await.unwrap();
        }
    });
    let world = World::with(Setting { resolve: vec![format!("hints.test={address}")], ..Setting::default() }).await;
    let answer = world.raw(b"GET http://hints.test/ HTTP/1.1\r\nHost: hints.test\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello") && !answer.contains("link"), "{answer}");
    let hint = |(code, link): &(&str, &str)| frame(1, 4, 1, &head(&[(":status", code), ("link", link)]));
    let h2: Vec<u8> = hints.iter().flat_map(hint).collect();
    let answer = [frame(1, 4, 1, &head(&[(":status", "200")])), frame(0, 1, 1, b"hello")].concat();
    let world = saying([h2, answer].concat()).await;
    let mut sender = world.h2_only("wrong.test").await;
    let request = Request::get("https://wrong.test/").body(Full::default()).unwrap();
    let got = Got::from(sender.send_request(request).await.unwrap()).await;
    assert_eq!((got.status, got.text.as_str(), got.header("link")), (StatusCode::OK, "hello", ""));
}
