//! Requests that two servers would frame differently, byte for byte, against the proxy and inside its tunnels.

use tokio::io::AsyncWriteExt as _;

use crate::world::{World, read_all, read_until};

const SHAPES: &[&str] = &[
    "POST @/echo HTTP/1.1\r\nHost: #\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nG",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nContent-Length: 5,5\r\n\r\nhello",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nContent-Length: +5\r\n\r\nhello",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nContent-Length: 0x5\r\n\r\nhello",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nContent-Length : 5\r\n\r\nhello",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "POST @/echo HTTP/1.1\r\nHost: #\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST @/echo HTTP/1.0\r\nHost: #\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET @/ HTTP/1.1\r\nHost: #\r\nHost: #\r\n\r\n",
    "GET @/ HTTP/1.1\r\nHost: #\r\nHost: evil.test\r\n\r\n",
    "GET @/ HTTP/1.1\r\nX: y\r\n\r\n",
    "GET @/ HTTP/1.1\nHost: #\n\n",
    "GET @/ HTTP/1.1\r\nHost: #\r\nX: a\nY: b\r\n\r\n",
    "GET @/ HTTP/1.1\r\nHost: #\r\nX: a\rY: b\r\n\r\n",
    "GET @/ HTTP/1.1\r\nHost: #\r\nX: a\0b\r\n\r\n",
    "GET @/ HTTP/1.1\r\nHost: #\r\nX: a\r\n folded\r\n\r\n",
    "GET @/ HTTP/1.1\r\n Host: #\r\n\r\n",
    "GET @/ HTTP/1.1\r\nHost : #\r\n\r\n",
    "GET @/ http/1.1\r\nHost: #\r\n\r\n",
    "GET @/ HTTP/1.2\r\nHost: #\r\n\r\n",
    "GET  @/ HTTP/1.1\r\nHost: #\r\n\r\n",
    "GET @/ HTTP/1.1 \r\nHost: #\r\n\r\n",
    "GET @/a b HTTP/1.1\r\nHost: #\r\n\r\n",
    "GET @/\r\nHost: #\r\n\r\n",
];

#[tokio::test]
async fn n13_ambiguous_requests_get_a_400_and_reach_nobody() {
    let world = World::new().await;
    for shape in SHAPES {
        let forward = shape.replace('@', "http://plain.test").replace('#', "plain.test");
        let answer = world.raw(forward.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{forward:?}\n{answer}");
        assert_eq!(answer.matches("x-rampart-decision").count(), 1, "nothing after it is answered: {answer}");
        let inside = shape.replace('@', "").replace('#', "origin.test");
        let mut tls = world.tls("origin.test:443", "origin.test", &["http/1.1"]).await.unwrap();
        tls.write_all(inside.as_bytes()).await.unwrap();
        let answer = read_all(&mut tls).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{inside:?}\n{answer}");
    }
    assert!(world.judged().iter().all(|j| j == "before origin.test:443"), "{:?}", world.judged());
}

#[tokio::test]
async fn n13_bodies_that_are_framed_wrongly_reach_no_judgement() {
    let world = World::new().await;
    for chunks in [
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "-1\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
    ] {
        let head = "POST http://plain.test/echo HTTP/1.1\r\nHost: plain.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = world.raw(format!("{head}{chunks}").as_bytes()).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{chunks:?}: {answer}");
    }
    assert!(world.judged().is_empty(), "{:?}", world.judged());
}

#[tokio::test]
async fn n3_heads_that_are_too_long_get_a_431() {
    let world = World::new().await;
    for bomb in [
        format!("GET http://plain.test/{} HTTP/1.1\r\nHost: plain.test\r\n\r\n", "x".repeat(70_000)),
        format!("GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)),
        format!("GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\n{}\r\n", "X: y\r\n".repeat(10_000)),
        format!("GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\n{}\r\n", "X: y\r\n".repeat(300)),
    ] {
        let mut tcp = tokio::net::TcpStream::connect(world.proxy).await.unwrap();
        let (mut read, mut write) = tcp.split();
        // The proxy may stop listening before all is sent.
        let (_, answer) = tokio::join!(write.write_all(bomb.as_bytes()), read_all(&mut read));
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    }
    assert!(world.judged().is_empty());
}

#[tokio::test]
async fn n13_a_bad_request_after_a_good_one_is_told_so() {
    let world = World::new().await;
    let mut tcp = tokio::net::TcpStream::connect(world.proxy).await.unwrap();
    tcp.write_all(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\n\r\n").await.unwrap();
    assert!(read_until(&mut tcp, "hello").await.starts_with("HTTP/1.1 200 "));
    tcp.write_all(b"GET http://plain.test/ HTTP/1.1\nHost: plain.test\n\n").await.unwrap();
    let answer = read_all(&mut tcp).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
