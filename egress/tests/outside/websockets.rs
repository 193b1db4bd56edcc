//! Messages of WebSockets are judged one by one, in both directions.

use rampart_call::{Action, Call, Edit, Judgement, Outcome, Phase, Reason, Span};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::client::TlsStream;

use crate::world::{Setting, World, denial, read_until};

/// A conversation that has begun.
pub(crate) async fn conversation(world: &World) -> TlsStream<TcpStream> {
    let mut tls = world.tls("origin.test:443", "origin.test", &["http/1.1"]).await.unwrap();
    tls.write_all(
        b"GET /ws HTTP/1.1\r\nHost: origin.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    )
    .await
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tls.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    tls
}

/// A short frame of a client.
pub(crate) fn said(first: u8, text: &str) -> Vec<u8> {
    let mask = [7, 8, 9, 10];
    let masked = text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [first, 0x80 | text.len() as u8].into_iter().chain(mask).chain(masked).collect()
}

pub(crate) async fn say(tls: &mut TlsStream<TcpStream>, first: u8, text: &str) {
    tls.write_all(&said(first, text)).await.unwrap();
}

pub(crate) async fn hear(io: &mut (impl AsyncRead + Unpin)) -> (u8, Vec<u8>) {
    let first = io.read_u8().await.unwrap();
    let length = io.read_u8().await.unwrap();
    let mut mask = [0; 4];
    if length & 0x80 != 0 {
        io.read_exact(&mut mask).await.unwrap();
    }
    let mut payload = vec![0; usize::from(length & 0x7f)];
    io.read_exact(&mut payload).await.unwrap();
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    (first, payload)
}

#[tokio::test]
async fn a_websocket_passes_in_both_directions() {
    let world = World::new().await;
    let mut tls = conversation(&world).await;
    for (first, text) in [(0x81, "hello"), (0x82, "GET / HTTP/1.1"), (0x89, "ping"), (0x01, "frag"), (0x80, "ment")] {
        say(&mut tls, first, text).await;
        if first == 0x01 {
            continue;
        }
        if first == 0x80 {
            assert_eq!(hear(&mut tls).await, (0x01, b"frag".to_vec()));
        }
        assert_eq!(hear(&mut tls).await, (first, text.as_bytes().to_vec()));
    }
    assert!(world.judged().contains(&"after get https://origin.test/ws".to_owned()));
    assert_eq!(world.judged().len(), 3, "messages that change nothing leave no record: {:?}", world.judged());
}

/// Denies what the client says of `f0rbidden`, and cuts `s3cret` out of what the origin says.
async fn judging() -> World {
    let judge = Box::new(|call: &Call| match (&call.response, &call.action) {
        (Some(response), _) => {
            let start = response.text.find("s3cret")?;
            let mut judgement = Judgement::allowed(Reason::Default);
            judgement.edits = vec![Edit { span: Span { start, end: start + 6 }, with: "[cut]".into() }];
            Some((Outcome::Allow, judgement))
        }
        (None, Action::Fetch { body: Some(body), .. }) if body.contains("f0rbidden") => Some(denial("not that word")),
        _ => None,
    });
    World::with(Setting { judge, ..Setting::default() }).await
}

#[tokio::test]
async fn n12_a_message_is_denied_or_edited_also_in_fragments() {
    let world = judging().await;
    let mut tls = conversation(&world).await;
    say(&mut tls, 0x81, "the secret is out").await;
    assert_eq!(hear(&mut tls).await, (0x81, b"the [cut] is out".to_vec()));
    say(&mut tls, 0x01, "f0rb").await;
    say(&mut tls, 0x80, "idden").await;
    let (first, payload) = hear(&mut tls).await;
    assert_eq!((first, &payload[..2]), (0x88, &1008u16.to_be_bytes()[..]));
    assert_eq!(&payload[2..], b"not that word");
    assert_eq!(tls.read(&mut [0; 10]).await.unwrap_or(0), 0, "nothing follows");
    let denied = world.calls().iter().filter(|c| c.phase == Phase::Before).count();
    assert_eq!(denied, 3, "the tunnel, the request, the message");
}

/// An origin that says `frames` and tells the head of the request and the frames that come until one closes.
async fn saying(frames: Vec<u8>) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<(u8, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let head = read_until(&mut tcp, "\r\n\r\n").await;
        let _ = tell.send((0, head.into_bytes()));
        let switched = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Extensions: x-none\r\n\r\n";
        tcp.write_all(&[&switched[..], &frames].concat()).await.unwrap();
        loop {
            let frame = hear(&mut tcp).await;
            let closes = frame.0 == 0x88;
            let _ = tell.send(frame);
            if closes {
                return;
            }
        }
    });
    (address, told)
}

/// A conversation without TLS, and the head of its answer.
async fn with(world: &World, host: &str) -> (TcpStream, String) {
    let (mut tcp, _) = world.tunnel(&format!("{host}:80"), "").await;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    (tcp, String::from_utf8(head).unwrap())
}

/// What a side must not say, and the code that it is told (RFC 6455 sections 5 and 8.1).
fn wrongs() -> Vec<(&'static str, Vec<u8>, u16)> {
    let mut wrongs: Vec<(&str, Vec<u8>, u16)> = vec![
        ("a text that is no UTF-8", b"\x81\x02\xc3\x28".to_vec(), 1007),
        ("a text that ends within a character", b"\x81\x02a\xc3".to_vec(), 1007),
        ("the same over fragments", b"\x01\x01\xc3\x00\x00\x80\x01(".to_vec(), 1007),
        ("a surrogate", b"\x81\x03\xed\xa0\x80".to_vec(), 1007),
        ("a ping of 126 bytes", [&b"\x89\x7e\x00\x7e"[..], &[0; 126]].concat(), 1002),
        ("a close in fragments", b"\x08\x00".to_vec(), 1002),
        ("a fragment of nothing", b"\x80\x01x".to_vec(), 1002),
        ("a message within a message", b"\x01\x01x\x81\x01y".to_vec(), 1002),
        ("a length that is longer than it must be", b"\x81\x7e\x00\x01x".to_vec(), 1002),
        ("a length with its first bit set", b"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x01".to_vec(), 1002),
    ];
    for (first, what) in [(0xc1, "the first reserved bit"), (0xa1, "the second"), (0x91, "the third")] {
        wrongs.push((what, vec![first, 1, b'x'], 1002));
    }
    for kind in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        wrongs.push(("a kind that nobody knows", vec![0x80 | kind, 0], 1002));
    }
    wrongs
}

/// The same frames as a client says them.
fn masked(mut frames: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [first, length, rest @ ..] = frames {
        let more = match length {
            0x7e => 2,
            0x7f => 8,
            _ => 0,
        };
        let size = if more > 0 { rest.len() - more } else { usize::from(*length).min(rest.len()) };
        out.extend_from_slice(&[*first, 0x80 | length]);
        out.extend_from_slice(&rest[..more]);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&rest[more..more + size]);
        frames = &rest[more + size..];
    }
    out
}

fn closing((first, payload): (u8, Vec<u8>)) -> Option<u16> {
    (first == 0x88).then(|| u16::from_be_bytes([payload[0], payload[1]]))
}

#[tokio::test]
async fn n12_what_a_client_says_wrongly_ends_the_conversation_and_what_came_before_passes() {
    let world = World::new().await;
    let more = [
        ("an unmasked frame", b"\x81\x05hello".to_vec(), 1002),
        ("a length without end", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(), 1002),
    ];
    let wrongs = wrongs().into_iter().map(|(what, bytes, code)| (what, masked(&bytes), code)).chain(more);
    for (what, bytes, code) in wrongs {
        let mut tls = conversation(&world).await;
        say(&mut tls, 0x81, "before").await;
        assert_eq!(hear(&mut tls).await, (0x81, b"before".to_vec()), "{what}");
        tls.write_all(&bytes).await.unwrap();
        assert_eq!(closing(hear(&mut tls).await), Some(code), "{what}");
        assert_eq!(tls.read(&mut [0; 10]).await.unwrap_or(0), 0, "{what}: nothing follows");
    }
}

#[tokio::test]
async fn n12_what_an_origin_says_wrongly_ends_the_conversation_for_both() {
    let masked_by_origin = ("a masked frame", b"\x81\x81\0\0\0\0x".to_vec(), 1002);
    for (what, bytes, code) in wrongs().into_iter().chain([masked_by_origin]) {
        let (address, mut told) = saying([&b"\x82\x06before"[..], &bytes].concat()).await;
        let world = World::with(Setting { resolve: vec![format!("say.test={address}")], ..Setting::default() }).await;
        let (mut client, _) = with(&world, "say.test").await;
        assert_eq!(hear(&mut client).await, (0x82, b"before".to_vec()), "{what}");
        assert_eq!(closing(hear(&mut client).await), Some(code), "{what}: the client");
        told.recv().await.unwrap();
        assert_eq!(closing(told.recv().await.unwrap()), Some(code), "{what}: the origin");
    }
}

#[tokio::test]
async fn what_ends_a_conversation_and_what_keeps_it_alive_pass_as_they_are_and_no_extension_does() {
    for close in [&b"\x03\xe8"[..], b"\x03\xe8over and out", b"\x0b\xb8", b"\x13\x87reason", b""] {
        let said = [&b"\x8a\x00\x89\x02hi\x88"[..], &[close.len() as u8], close].concat();
        let (address, mut told) = saying(said).await;
        let world = World::with(Setting { resolve: vec![format!("say.test={address}")], ..Setting::default() }).await;
        let (mut client, head) = with(&world, "say.test").await;
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.to_lowercase().contains("extensions"), "{head}");
        for (first, payload) in [(0x8a, &b""[..]), (0x89, b"hi"), (0x88, close)] {
            assert_eq!(hear(&mut client).await, (first, payload.to_vec()));
        }
        client.write_all(&said_back(close)).await.unwrap();
        let head = String::from_utf8(told.recv().await.unwrap().1).unwrap();
        assert!(!head.to_lowercase().contains("extensions"), "{head}");
        assert_eq!(told.recv().await.unwrap(), (0x88, close.to_vec()));
    }
}

fn said_back(close: &[u8]) -> Vec<u8> {
    masked(&[&[0x88, close.len() as u8], close].concat())
}
