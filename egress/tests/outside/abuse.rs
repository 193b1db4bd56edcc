//! Clients and origins that mean no good, each within bounds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::{World, read_all, read_until};

#[tokio::test]
async fn n1_slow_heads_are_cut_off_while_others_are_served() {
    let world = World::new().await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
        tcp.write_all(b"GET http://plain.test/ HTTP/1.1\r\nX: ").await.unwrap();
        slow.push(tcp);
    }
    let began = Instant::now();
    for _ in 0..20 {
        let answer =
            world.raw(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n").await;
        assert!(answer.ends_with("hello"), "{answer}");
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    for mut tcp in slow {
        assert!(read_all(&mut tcp).await.starts_with("HTTP/1.1 408 "));
    }
}

#[tokio::test]
async fn n3_floods_of_http2_end_the_connection_and_nothing_else() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let world = World::new().await;
    // Streams that are opened and reset at once (CVE-2023-44487), and headers that never end (CVE-2024-27316).
    let reset = |stream: u32| {
        let mut frames = vec![0, 0, 4, 1, 5];
        frames.extend_from_slice(&stream.to_be_bytes());
        frames.extend_from_slice(&[0x82, 0x87, 0x84, 0x81, 0, 0, 4, 3, 0]);
        frames.extend_from_slice(&stream.to_be_bytes());
        frames.extend_from_slice(&[0, 0, 0, 8]);
        frames
    };
    let resets: Vec<u8> = (0..20_000u32).flat_map(|n| reset(2 * n + 1)).collect();
    let mut endless = vec![0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    for _ in 0..2000 {
        endless.extend_from_slice(&[0, 0x10, 0, 9, 0, 0, 0, 0, 1]);
        endless.extend(std::iter::repeat_n([0x40, 1, b'x', 1, b'y'], 0x1000 / 5).flatten());
        endless.extend(std::iter::repeat_n(0x82, 0x1000 % 5));
    }
    let pings: Vec<u8> =
        std::iter::repeat_n([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], 50_000).flatten().collect();
    for (name, flood) in [("resets", resets), ("endless headers", endless)] {
        let tls = world.tls("origin.test:443", "origin.test", &["h2"]).await.unwrap();
        let (mut read, mut write) = tokio::io::split(tls);
        let writing = tokio::spawn(async move {
            let _ = write.write_all(PREFACE).await;
            let _ = write.write_all(&flood).await;
            let _ = write.flush().await;
        });
        let mut told = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(15), read.read_to_end(&mut told)).await;
        assert!(ended.is_ok(), "{name}: the connection goes on");
        writing.abort();
    }
    // Pings are answered, but not kept.
    let tls = world.tls("origin.test:443", "origin.test", &["h2"]).await.unwrap();
    let (mut read, mut write) = tokio::io::split(tls);
    let reading = tokio::spawn(async move { while let Ok(1..) = read.read(&mut [0; 4096]).await {} });
    let _ = write.write_all(PREFACE).await;
    let _ = tokio::time::timeout(Duration::from_secs(10), write.write_all(&pings)).await;
    reading.abort();
    let mut h2 = world.h2("origin.test").await;
    let request = Request::get("https://origin.test/").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(h2.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn n7_half_closed_connections_leave_nothing_behind() {
    let world = World::new().await;
    let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
    tcp.write_all(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n").await.unwrap();
    tcp.shutdown().await.unwrap();
    let _ = read_all(&mut tcp).await;
    for part in [
        &b"GET http://pl"[..],
        b"POST http://plain.test/echo HTTP/1.1\r\nHost: plain.test\r\nContent-Length: 9\r\n\r\nhal",
    ] {
        let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
        tcp.write_all(part).await.unwrap();
        tcp.shutdown().await.unwrap();
        assert!(!read_all(&mut tcp).await.starts_with("HTTP/1.1 200"));
    }
    let (tcp, _) = world.tunnel("origin.test:443", "").await;
    drop(tcp);
    // Stopping waits for whatever is left.
    let began = Instant::now();
    world.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn n9_odd_names_in_tls_get_no_further() {
    let world = World::new().await;
    for name in ["other.test", "denied.test", "192.0.2.1", "a.origin.test"] {
        let Ok(mut tls) = world.tls("origin.test:443", name, &["http/1.1"]).await else { continue };
        tls.write_all(b"GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n").await.unwrap();
        let answer = read_until(&mut tls, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{name}: {answer}");
    }
    let began = Instant::now();
    for n in 0..1000 {
        world.authority.leaf(&format!("host-{n}.example")).unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn n14_what_connect_must_not_reach_is_refused() {
    let world = World::new().await;
    for target in ["169.254.169.254:80", "[::ffff:169.254.169.254]:80", "10.0.0.1:22", "localhost:443"] {
        let (mut tcp, head) = world.tunnel(target, "").await;
        assert!(head.contains("x-rampart-decision: deny"), "{target}: {head}");
        let request = format!("GET / HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(&mut tcp).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") || answer.starts_with("HTTP/1.1 502 "), "{target}: {answer}");
    }
    for target in ["origin.test:0", "origin.test:65536", "user@origin.test:443", "origin.test", "/", "*"] {
        let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
        tcp.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let answer = read_until(&mut tcp, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
    }
    let (mut tcp, _) = world.tunnel("origin.test:22", "").await;
    tcp.write_all(b"\0\0\0\x0cbinary").await.unwrap();
    assert_eq!(read_all(&mut tcp).await, "");
}
