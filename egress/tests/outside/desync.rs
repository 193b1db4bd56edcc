//! Request smuggling, from the only side that counts: an origin that writes down what it got. Whatever a client sends, the
//! origin sees the requests that the gate judged, byte for byte and in one reading, or nothing.

use std::time::Duration;

use rampart_call::{Action, Call, Phase};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use crate::{
    origin::Pki,
    recorder::{self, Log, Request},
    world::{Setting, World},
};

const GUARDIAN: &str = include_str!("corpora/desync-guardian.tsv");
/// What an attacker would have another client's connection begin with.
const AFTER: &[u8] = b"0\r\n\r\nGET <at>/smuggled HTTP/1.1\r\nHost: <host>\r\nConnection: close\r\n\r\n";
/// A server that waits for the rest of a body says nothing.
const SILENCE: Duration = Duration::from_millis(400);

/// How requests get into the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Whole,
    InTls,
}

/// The proxy, and what its origins wrote down.
struct Bench {
    world: World,
    log: Log,
}

impl Bench {
    async fn new() -> Self {
        let (pki, log) = (Pki::new(), Log::default());
        let open = recorder::plain(Log::clone(&log)).await;
        let closed = recorder::secure(pki.issue(&["tls.test"], |_| {}), Log::clone(&log)).await;
        let resolve = vec![format!("echo.test={open}"), format!("tls.test={closed}")];
        Self { world: World::with(Setting { pki, resolve, ..Setting::default() }).await, log }
    }

    /// Sends a shape, with `<at>` before each path and `<host>` for the name of the origin. What the client is told.
    async fn send(&self, way: Way, shape: &[u8]) -> String {
        let (before, name) = match way {
            Way::Whole => (&b"http://echo.test"[..], "echo.test"),
            Way::InTls => (&b""[..], "tls.test"),
        };
        let bytes = replaced(&replaced(shape, b"<at>", before), b"<host>", name.as_bytes());
        match way {
            Way::Whole => conversation(TcpStream::connect(self.world.proxy).await.unwrap(), &bytes).await,
            Way::InTls => {
                conversation(self.world.tls("tls.test:443", name, &["http/1.1"]).await.unwrap(), &bytes).await
            }
        }
    }

    /// Fails unless the origin has what was judged since the last time, and nothing else. How many requests that were.
    #[track_caller]
    fn settle(&self, shape: &[u8]) -> usize {
        let calls = std::mem::take(&mut *self.world.calls_mut());
        let judged: Vec<_> = calls.iter().filter_map(judged).collect();
        let got = std::mem::take(&mut *self.log.lock().unwrap());
        let garbage: Vec<_> = got.iter().filter_map(|r| r.as_ref().err()).collect();
        assert!(garbage.is_empty(), "`{}` reached the origin as garbage: {garbage:?}", shape.escape_ascii());
        let got: Vec<_> = got.into_iter().flatten().map(seen).collect();
        assert_eq!(got, judged, "`{}`: the origin's requests against those judged", shape.escape_ascii());
        got.len()
    }
}

/// Method, place, header fields, body.
type Parts = (String, String, Vec<(String, String)>, String);

fn judged(call: &Call) -> Option<Parts> {
    let Action::Fetch { method, url, headers, body, .. } = &call.action else { return None };
    if call.phase != Phase::Before {
        return None;
    }
    let url = Url::parse(url).unwrap();
    let place = url[url::Position::BeforePath..].to_owned();
    let framing = ["host", "content-length", "transfer-encoding"];
    let mut fields: Vec<_> = headers.iter().filter(|(n, _)| !framing.contains(&n.as_str())).cloned().collect();
    fields.sort();
    Some((method.clone(), place, fields, body.clone().unwrap_or_default()))
}

fn seen(request: Request) -> Parts {
    let url = Url::parse(&format!("http://echo.test{}", request.target)).unwrap();
    let mut fields = request.fields;
    fields.sort();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    (request.method, url[url::Position::BeforePath..].to_owned(), fields, body)
}

fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(what) {
            out.extend_from_slice(with);
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

async fn conversation(io: impl AsyncRead + AsyncWrite, bytes: &[u8]) -> String {
    let (mut read, mut write) = tokio::io::split(io);
    let (mut out, mut buf) = (Vec::new(), [0; 8192]);
    let _ = write.write_all(bytes).await;
    let _ = write.flush().await;
    while let Ok(Ok(n @ 1..)) = tokio::time::timeout(SILENCE, read.read(&mut buf)).await {
        out.extend_from_slice(&buf[..n]);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The escapes of the corpus.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('r')) => out.push(b'\r'),
            ('\\', Some('n')) => out.push(b'\n'),
            ('\\', Some('t')) => out.push(b'\t'),
            ('\\', Some('x')) => {
                let digits: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            ('\\', Some(other)) => out.extend(other.to_string().bytes()),
            _ => out.extend(c.to_string().bytes()),
        }
    }
    out
}

/// A head of the corpus with the name of our origin.
fn addressed(head: &[u8]) -> Vec<u8> {
    let mut shape = match head.iter().position(|b| *b == b' ') {
        Some(space) if head.get(space + 1) == Some(&b'/') => {
            let (method, target) = head.split_at(space + 1);
            [&b"GET"[..0], method, b"<at>", target].concat()
        }
        _ => head.to_vec(),
    };
    if !head.to_ascii_lowercase().windows(5).any(|w| w == b"host:") {
        shape.extend_from_slice(b"Host: <host>\r\n");
    }
    shape
}

/// What follows a request, so that the connection ends soon.
const LAST: &[u8] = b"GET <at>/last HTTP/1.1\r\nHost: <host>\r\nConnection: close\r\n\r\n";

/// Fine by the corpus and refused all the same: bodies in another coding, which nobody could judge, and targets that are
/// no URLs (RFC 9112 section 3.2).
fn is_refused_though_fine(head: &str) -> bool {
    let codings: Vec<&str> =
        head.split("\r\n").filter_map(|l| l.strip_prefix("transfer-encoding:")).map(str::trim).collect();
    let target = head.split(' ').nth(1).unwrap_or_default();
    (!codings.is_empty() && codings != ["chunked"]) || !target.is_ascii() || target.is_empty()
}

/// A body may come with any method; it is framed and judged like others.
fn is_a_body_nobody_expects(head: &str) -> bool {
    (head.starts_with("get ") || head.starts_with("head "))
        && (head.contains("content-length: ") || head.contains("chunked"))
}

#[tokio::test]
async fn n13_what_is_classed_as_dangerous_is_a_400_and_what_is_fine_arrives_as_it_was_judged() {
    let bench = Bench::new().await;
    let mut wrong = Vec::new();
    for line in GUARDIAN.lines().filter(|l| !l.starts_with('#')) {
        let [class, name, head] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let head = addressed(&unescaped(head));
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let passes = match class {
            "Compliant" => !is_refused_though_fine(&text),
            "Ambiguous" => is_a_body_nobody_expects(&text),
            _ => false,
        };
        let length: Option<usize> =
            text.split("content-length: ").nth(1).and_then(|l| l.split("\r\n").next()?.trim().parse().ok());
        for way in [Way::Whole, Way::InTls] {
            let mut shape = head.clone();
            shape.extend_from_slice(b"\r\n");
            match length {
                _ if !passes => shape.extend_from_slice(AFTER),
                Some(length) => shape.resize(shape.len() + length, b'x'),
                None if !text.contains("transfer-encoding") => {}
                None => shape.extend_from_slice(b"5\r\nhello\r\n0\r\n\r\n"),
            }
            shape.extend_from_slice(LAST);
            let told = bench.send(way, &shape).await;
            let reached = bench.settle(&shape);
            let answered = told.starts_with("HTTP/1.1 200 ") && reached == 2;
            // Nothing after it is answered either: the connection is closed.
            let refused =
                told.starts_with("HTTP/1.1 400 ") && told.matches("x-rampart-decision").count() <= 1 && reached == 0;
            let expected = match class {
                "Compliant" => answered == passes && refused != passes,
                "Ambiguous" => refused || (passes && answered),
                "Severe" => refused,
                _ => true,
            };
            if !expected {
                wrong.push(format!("{class} {way:?} {name}: {:?} {reached}", told.lines().next()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every byte in every place around the fields that frame a body, each with a body that ends at different places for those
/// who read the field and those who do not.
#[tokio::test]
async fn n13_no_byte_beside_a_framing_field_makes_the_origin_see_what_was_not_judged() {
    let bench = Bench::new().await;
    for byte in 0..=255u8 {
        for field in [&b"Transfer-Encoding: chunked"[..], b"Content-Length: 5"] {
            let colon = field.iter().position(|b| *b == b':').unwrap();
            for at in [0, 4, colon, colon + 1, colon + 2, field.len() - 1, field.len()] {
                let other = if field[0] == b'T' { &b"Content-Length: 44\r\n"[..] } else { b"" };
                let (before, after) = field.split_at(at);
                for field in
                    [[before, &[byte], after].concat(), [before, &[byte], after.get(1..).unwrap_or_default()].concat()]
                {
                    let head = [b"POST <at>/ HTTP/1.1\r\nHost: <host>\r\n", other, &field, b"\r\n\r\n"].concat();
                    let shape = [&head[..], AFTER, LAST].concat();
                    bench.send(Way::Whole, &shape).await;
                    bench.settle(&shape);
                }
            }
        }
    }
}

/// A field as HPACK writes it out (RFC 7541 section 6.2.2).
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        match text.len() {
            n @ ..127 => out.push(n as u8),
            n => out.extend([127, ((n - 127) & 0x7f | 0x80) as u8, ((n - 127) >> 7) as u8]),
        }
        out.extend_from_slice(text);
    }
    out
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

impl Bench {
    /// Sends one request of HTTP/2 to the proxy itself, which goes on as HTTP/1.1.
    async fn send2(&self, fields: &Fields<'_>, data: &[u8], trailers: Option<&Fields<'_>>) {
        let block = |fields: &Fields<'_>| fields.iter().flat_map(|(n, v)| literal(n, v)).collect::<Vec<u8>>();
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        let last = data.is_empty() && trailers.is_none();
        bytes.extend(frame(1, if last { 5 } else { 4 }, &block(fields)));
        if !data.is_empty() {
            bytes.extend(frame(0, u8::from(trailers.is_none()), data));
        }
        if let Some(trailers) = trailers {
            bytes.extend(frame(1, 5, &block(trailers)));
        }
        let mut tcp = TcpStream::connect(self.world.proxy).await.unwrap();
        let _ = tcp.write_all(&bytes).await;
        // The answer ends with a frame that ends or resets the stream, or the connection.
        let (mut got, mut buf) = (Vec::new(), [0; 8192]);
        while let Ok(Ok(n @ 1..)) = tokio::time::timeout(SILENCE, tcp.read(&mut buf)).await {
            got.extend_from_slice(&buf[..n]);
            if is_answered(&got) {
                break;
            }
        }
    }
}

fn is_answered(mut frames: &[u8]) -> bool {
    while let [a, b, c, kind, flags, rest @ ..] = frames {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == 3 || *kind == 7 || (*kind <= 1 && flags & 1 == 1) {
            return true;
        }
        frames = rest.get(4 + length..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn n13_what_http2_can_say_and_http1_cannot_does_not_reach_an_origin_of_http1() {
    const SMUGGLED: &[u8] = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: echo.test\r\n\r\n";
    let bench = Bench::new().await;
    let plain: Fields<'_> =
        vec![(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"echo.test"), (b":path", b"/a?b")];
    let with = |more: &[(&'static [u8], &'static [u8])]| {
        let mut fields = plain.clone();
        for (name, value) in more {
            match fields.iter_mut().find(|(n, _)| n == name && name.starts_with(b":")) {
                Some(field) => field.1 = value,
                None => fields.push((name, value)),
            }
        }
        fields
    };
    bench.send2(&plain, b"hello", Some(&vec![(b"x-sum", b"1")])).await;
    bench.send2(&plain, SMUGGLED, None).await;
    assert_eq!(bench.settle(b"what is plain"), 2);
    let shapes: &[&[(&[u8], &[u8])]] = &[
        &[(b"transfer-encoding", b"chunked")],
        &[(b"Transfer-Encoding", b"chunked")],
        &[(b"content-length", b"0")],
        &[(b"content-length", b"5")],
        &[(b"content-length", b"5"), (b"content-length", b"6")],
        &[(b"content-length", b"+53")],
        &[(b"content-length", b"53, 53")],
        &[(b"x", b"y\r\ntransfer-encoding: chunked")],
        &[(b"x", b"y\ntransfer-encoding: chunked")],
        &[(b"x: y\r\ntransfer-encoding", b"chunked")],
        &[(b"transfer-encoding: chunked\r\nx", b"y")],
        &[(b"transfer_encoding", b"chunked")],
        &[(b":path", b"/ HTTP/1.1\r\nHost: evil.test\r\n\r\nGET /smuggled")],
        &[(b":path", b"/ HTTP/1.1\nX: y")],
        &[(b":path", b"/a b")],
        &[(b":path", b"a")],
        &[(b":path", b"")],
        &[(b":path", b"*")],
        &[(b":path", b"//evil.test/x")],
        &[(b":path", b"http://evil.test/")],
        &[(b":path", b"/x#y")],
        &[(b":path", b"/..%2f..%5ca")],
        &[(b":method", b"GET / HTTP/1.1\r\nX: y\r\n\r\nGET")],
        &[(b":method", b"GET /x")],
        &[(b":method", b"")],
        &[(b":method", b"get")],
        &[(b":method", b"CONNECT")],
        &[(b":method", b"connect")],
        &[(b":authority", b"echo.test\r\nX: y")],
        &[(b":authority", b"echo.test/x")],
        &[(b":authority", b"user@echo.test")],
        &[(b":authority", b"echo.test:80:80")],
        &[(b":authority", b"")],
        &[(b":authority", b"evil.test"), (b"host", b"echo.test")],
        &[(b"host", b"evil.test")],
        &[(b"host", b"echo.test"), (b"host", b"evil.test")],
        &[(b":scheme", b"http://evil.test/?")],
        &[(b":protocol", b"websocket")],
        &[(b":unknown", b"x")],
        &[(b"connection", b"upgrade"), (b"upgrade", b"websocket")],
        &[(b"connection", b"content-length"), (b"content-length", b"53")],
        &[(b"te", b"chunked")],
        &[(b"te", b"trailers")],
        &[(b"proxy-connection", b"keep-alive"), (b"keep-alive", b"1")],
    ];
    for shape in shapes {
        bench.send2(&with(shape), SMUGGLED, None).await;
        let shown: Vec<_> = shape.iter().map(|(n, v)| [n, &b": "[..], v].concat()).collect();
        bench.settle(&shown.concat());
    }
    let twice = [plain.clone(), vec![(&b":path"[..], &b"/other"[..])]].concat();
    bench.send2(&twice, b"", None).await;
    assert_eq!(bench.settle(b":path twice"), 0);
    for trailer in [&b"transfer-encoding"[..], b"content-length", b":path", b"host", b"a: b\r\nc", b"UP"] {
        bench.send2(&plain, b"hello", Some(&vec![(trailer, b"chunked")])).await;
        bench.settle(trailer);
    }
    for byte in 0..=255u8 {
        let odd = [b'a', byte, b'b'];
        for place in [&b":path"[..], b":method", b"", b"x"] {
            let mut fields = plain.clone();
            match (place, fields.iter().position(|(n, _)| *n == place)) {
                (b"", _) => fields.push((&odd, b"x")),
                (_, Some(at)) => fields[at].1 = &odd,
                _ => fields.push((b"x", &odd)),
            }
            bench.send2(&fields, b"", None).await;
            bench.settle(&[place, b" ", &odd].concat());
        }
    }
}
