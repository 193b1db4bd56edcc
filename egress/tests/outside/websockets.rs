//! Messages of WebSockets are judged one by one, in both directions.

use rampart_call::{Action, Call, Edit, Judgement, Outcome, Phase, Reason, Span};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::world::{Setting, World, denial};

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

pub(crate) async fn hear(tls: &mut TlsStream<TcpStream>) -> (u8, Vec<u8>) {
    let first = tls.read_u8().await.unwrap();
    let mut payload = vec![0; usize::from(tls.read_u8().await.unwrap())];
    tls.read_exact(&mut payload).await.unwrap();
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

#[tokio::test]
async fn n12_what_breaks_the_protocol_ends_the_conversation() {
    let world = World::new().await;
    for bytes in [&b"\x81\x05hello"[..], b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", b"\xc1\x80\0\0\0\0"] {
        let mut tls = conversation(&world).await;
        tls.write_all(bytes).await.unwrap();
        let (first, payload) = hear(&mut tls).await;
        assert_eq!((first, &payload[..2]), (0x88, &1002u16.to_be_bytes()[..]), "{bytes:?}");
    }
}
