//! Clients and origins that mean no good, each within bounds.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    streaming::resident_kib,
    websockets,
    world::{Setting, World, read_all, read_until},
};

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

/// The first message of a TLS client with these bytes in the place of the name.
fn hello(name: &[u8]) -> Vec<u8> {
    const USUAL: &[u8] = b"origin.test";
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), "origin.test".try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    let at = bytes.windows(USUAL.len()).position(|w| w == USUAL).unwrap();
    bytes.splice(at..at + USUAL.len(), name.iter().copied());
    // Before the extensions: record, message, version and random, then three lists (RFC 8446 section 4.1.2).
    let mut extensions = 5 + 4 + 2 + 32;
    extensions += 1 + usize::from(bytes[extensions]);
    extensions += 2 + usize::from(u16::from_be_bytes([bytes[extensions], bytes[extensions + 1]]));
    extensions += 1 + usize::from(bytes[extensions]);
    // The record, the message, all extensions, the one with the name, its list, the name: each says how long it is.
    for place in [3, 7, extensions, at - 7, at - 5, at - 2] {
        let said = u16::from_be_bytes([bytes[place], bytes[place + 1]]);
        let longer = (usize::from(said) + name.len() - USUAL.len()) as u16;
        bytes[place..place + 2].copy_from_slice(&longer.to_be_bytes());
    }
    bytes
}

#[tokio::test]
async fn n9_names_that_are_none_lead_nowhere() {
    let world = World::new().await;
    let long = [&b"a".repeat(60)[..], b"."].concat().repeat(5);
    let names: [&[u8]; 12] = [
        b"",
        b".",
        b"*",
        b"*.test",
        b"origin.test\0.evil.test",
        b"127.0.0.1",
        b"[::1]",
        "\u{fc}rigin.test".as_bytes(),
        b"\xff\xfe",
        b"origin.test/",
        b"origin .test",
        &long,
    ];
    for name in names {
        let (mut tcp, _) = world.tunnel("origin.test:443", "").await;
        tcp.write_all(&hello(name)).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_millis(200), tcp.read(&mut [0; 1])).await;
        // An alert, the end, or a handshake in which a client will read that the names disagree.
        assert!(answer.is_ok(), "{}: it waits", name.escape_ascii());
    }
    assert!(
        world.judged().iter().all(|j| j == "before origin.test:443" || j == "after origin.test:443"),
        "{:?}",
        world.judged()
    );
    for name in [&b"origin.test"[..], b"ORIGIN.test"] {
        let (mut tcp, _) = world.tunnel("origin.test:443", "").await;
        let hello = hello(name);
        for piece in hello.chunks(100) {
            tcp.write_all(piece).await.unwrap();
        }
        let mut answer = [0; 6];
        tcp.read_exact(&mut answer).await.unwrap();
        assert_eq!((answer[0], answer[5]), (22, 2), "a hello of the server: {answer:?}");
    }
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

#[tokio::test]
async fn n1_a_body_that_dribbles_is_cut_off_and_one_that_waits_for_the_origin_is_not() {
    let mut setting = Setting::default();
    setting.limits.body_time = Duration::from_millis(300);
    let world = World::with(setting).await;
    let head = |length: usize| {
        format!(
            "POST http://plain.test/count HTTP/1.1\r\nHost: plain.test\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    };
    let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
    tcp.write_all(head(1 << 20).as_bytes()).await.unwrap();
    let (mut read, mut write) = tcp.split();
    let dribble = async {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let began = Instant::now();
    let told = tokio::select! {
        () = dribble => String::new(),
        told = read_all(&mut read) => told,
    };
    assert!(!told.starts_with("HTTP/1.1 200") && began.elapsed() < Duration::from_secs(10), "{told}");
    assert!(world.judged().is_empty(), "{:?}", world.judged());
    // Slowly, but at the pace.
    let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
    tcp.write_all(head(200 * 1024).as_bytes()).await.unwrap();
    for _ in 0..20 {
        tcp.write_all(&[b'x'; 10 * 1024]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(read_all(&mut tcp).await.ends_with("204800"));
}

#[tokio::test]
async fn n2_who_holds_connections_or_opens_and_closes_them_shuts_nobody_else_out() {
    let mut setting = Setting::default();
    setting.limits.connections_per_source = 100;
    let world = World::with(setting).await;
    let before = resident_kib();
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(TcpStream::connect(world.proxy).await.unwrap());
    }
    // From another address.
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut tcp = other.connect(world.proxy).await.unwrap();
    tcp.write_all(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_all(&mut tcp).await.ends_with("hello"));
    drop(held);
    for _ in 0..3000 {
        drop(TcpStream::connect(world.proxy).await.unwrap());
    }
    let began = Instant::now();
    while !world
        .raw(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n")
        .await
        .ends_with("hello")
    {
        assert!(began.elapsed() < Duration::from_secs(2), "it does not recover");
    }
    assert!(resident_kib() < before + 96 * 1024, "{before} KiB became {}", resident_kib());
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn n3_what_is_small_on_the_wire_stays_small_in_memory() {
    let world = World::new().await;
    let before = resident_kib();
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0x10, 0]).repeat(20_000);
    // One long value put into the table once, and then named by one byte thousands of times.
    let mut block = vec![0x82, 0x86, 0x84, 0x41, 10];
    block.extend_from_slice(b"plain.test\x40\x01x\x7f\xa1\x1e");
    block.extend(vec![b'y'; 4000]);
    block.extend(vec![0xbe; 10_000]);
    let bomb = frame(1, 5, 1, &block);
    let mut nothing = frame(1, 4, 1, &[0x83, 0x86, 0x84, 0x41, 10]);
    nothing[2] += 10;
    nothing.extend_from_slice(b"plain.test");
    nothing.extend(frame(0, 0, 1, &[]).repeat(100_000));
    let cookies = [&[0x82, 0x86, 0x84, 0x41, 10][..], b"plain.test", &[0x60, 1, b'a'].repeat(10_000)].concat();
    let cookies = frame(1, 5, 1, &cookies);
    for (name, flood) in [("settings", settings), ("table", bomb), ("empty data", nothing), ("cookies", cookies)] {
        let tcp = TcpStream::connect(world.proxy).await.unwrap();
        let (mut read, mut write) = tcp.into_split();
        let reading = tokio::spawn(async move {
            let mut told = Vec::new();
            let _ = tokio::time::timeout(Duration::from_secs(2), read.read_to_end(&mut told)).await;
            told
        });
        let _ = write.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        let _ = tokio::time::timeout(Duration::from_secs(5), write.write_all(&flood)).await;
        let told = reading.await.unwrap();
        assert!(!String::from_utf8_lossy(&told).contains("hello"), "{name} was answered");
        let grown = resident_kib().saturating_sub(before);
        assert!(grown < 96 * 1024, "{name}: {grown} KiB");
    }
    let got = world.get("origin.test", "/").await;
    assert_eq!(got.text, "hello", "others are served");
}

#[tokio::test]
async fn n3_a_reader_that_opens_no_window_holds_only_its_own_stream() {
    let world = World::new().await;
    let before = resident_kib();
    let tls = world.tls("origin.test:443", "origin.test", &["h2"]).await.unwrap();
    let (mut read, mut write) = tokio::io::split(tls);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    let path = b"/big?100000";
    let head = [&[0x82, 0x87, 0x04, path.len() as u8][..], path, &[0x41, 11], b"origin.test"].concat();
    for n in 0..50 {
        bytes.extend(frame(1, 5, 2 * n + 1, &head));
    }
    write.write_all(&bytes).await.unwrap();
    let mut told = [0; 4096];
    let _ =
        tokio::time::timeout(Duration::from_secs(1), async { while let Ok(1..) = read.read(&mut told).await {} }).await;
    assert!(resident_kib() < before + 96 * 1024, "{before} KiB became {}", resident_kib());
    assert_eq!(world.get("origin.test", "/").await.text, "hello");
}

#[tokio::test]
async fn n7_an_origin_that_breaks_off_is_never_told_as_whole() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut got = [0; 1024];
                let n = tcp.read(&mut got).await.unwrap();
                let request = String::from_utf8_lossy(&got[..n]).into_owned();
                let head = match request.split(' ').nth(1).unwrap() {
                    "/nothing" => "",
                    "/head" => "HTTP/1.1 200 OK\r\ncontent-le",
                    "/afterhead" | "/rst" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
                    "/mid" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
                    "/chunk" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
                    "/both" => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\nhalf",
                    other => panic!("{other}"),
                };
                tcp.write_all(head.as_bytes()).await.unwrap();
                if request.contains("/rst") {
                    tcp.set_zero_linger().unwrap();
                }
            });
        }
    });
    let world = World::with(Setting { resolve: vec![format!("broken.test={address}")], ..Setting::default() }).await;
    for path in ["nothing", "head", "afterhead", "rst", "mid", "chunk", "both"] {
        let answer = world
            .raw(
                format!("GET http://broken.test/{path} HTTP/1.1\r\nHost: broken.test\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .await;
        let whole = answer.starts_with("HTTP/1.1 200 ")
            && (answer.ends_with("\r\n0\r\n\r\n")
                || !answer.contains("content-length: 10") && !answer.contains("chunked"));
        assert!(!whole, "{path}: {answer}");
        assert!(!answer.starts_with("HTTP/1.1 200 ") || answer.contains("200 OK"), "{path}: {answer}");
    }
    let began = Instant::now();
    world.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "no task is left: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_page_of_ones_own_is_shown_to_browsers_and_the_proxy_says_how_to_use_it() {
    let page = Some("<html>Stop: {{message}} ({{rule}})</html>".to_owned());
    let world = World::with(Setting { block_page: page, ..Setting::default() }).await;
    let ask = |accept: &str| {
        format!(
            "GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        )
    };
    let answer = world.raw(ask("text/html").as_bytes()).await;
    assert!(answer.contains("<html>Stop: `denied.test` is denied (no-denied-hosts)</html>"), "{answer}");
    assert!(world.raw(ask("*/*").as_bytes()).await.contains("\"error\""));
    let answer = world.raw(b"GET /proxy.pac HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("application/x-ns-proxy-autoconfig"), "{answer}");
    assert!(answer.contains(&format!("PROXY {}", world.proxy)), "{answer}");
}

/// How often something is on record with this code.
fn recorded(world: &World, code: &str) -> usize {
    let calls = world.calls();
    let told = calls.iter().filter_map(|call| call.response.as_ref());
    told.filter(|response| response.text.starts_with(code)).count()
}

/// What a client that has been given up is on record with.
fn stalls(world: &World) -> usize {
    recorded(world, "client_stalled")
}

#[tokio::test]
async fn n11_what_brings_nothing_for_too_long_is_ended_and_that_is_on_record() {
    let mut setting = Setting { passthrough: vec!["plain.test"], ..Setting::default() };
    let limit = Duration::from_secs(1);
    setting.limits.idle_time = Some(limit);
    let world = World::with(setting).await;
    let mut answers = Vec::new();
    let mut h1 = world.h1("origin.test").await;
    answers.push(h1.send_request(crate::world::get("origin.test", "/sse")).await.unwrap().into_body());
    let mut h2 = world.h2("origin.test").await;
    answers.push(h2.send_request(crate::world::get("origin.test", "/sse")).await.unwrap().into_body());
    let mut talk = websockets::conversation(&world).await;
    let (mut tunnel, _) = world.tunnel("plain.test:80", "").await;
    let began = Instant::now();
    // Who says something now and then goes on.
    while began.elapsed() < 2 * limit {
        websockets::say(&mut talk, 0x81, "hello").await;
        assert_eq!(websockets::hear(&mut talk).await, (0x81, b"hello".to_vec()));
        tokio::time::sleep(limit / 4).await;
    }
    for answer in &mut answers {
        let first = http_body_util::BodyExt::frame(answer).await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
        let end = tokio::time::timeout(3 * limit, http_body_util::BodyExt::frame(answer)).await.unwrap();
        assert!(end.is_some_and(|frame| frame.is_err()), "cut off, and not ended as if it were whole");
    }
    let (first, goodbye) = tokio::time::timeout(4 * limit, websockets::hear(&mut talk)).await.unwrap();
    assert!(first == 0x88 && String::from_utf8_lossy(&goodbye).contains("nothing came for 1s"), "{goodbye:?}");
    let ended = tokio::time::timeout(4 * limit, crate::world::read_all(&mut tunnel)).await;
    assert_eq!(ended.unwrap(), "", "the tunnel is shut");
    while recorded(&world, "idle: ") < 4 {
        assert!(began.elapsed() < Duration::from_secs(15), "{} of 4 on record", recorded(&world, "idle: "));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.get("origin.test", "/").await.text, "hello");
}

#[tokio::test]
async fn n1_a_client_that_reads_nothing_loses_its_connection_and_that_is_on_record() {
    let mut setting = Setting::default();
    setting.limits.answer_time = Duration::from_secs(1);
    let world = World::with(setting).await;
    let before = resident_kib();
    // Over HTTP/1.1 in a tunnel, without one, and over HTTP/2: with a window that is shut, and with one that is open.
    let mut tls = world.tls("origin.test:443", "origin.test", &["http/1.1"]).await.unwrap();
    tls.write_all(b"GET /big?100000 HTTP/1.1\r\nHost: origin.test\r\n\r\n").await.unwrap();
    let mut plain = TcpStream::connect(world.proxy).await.unwrap();
    plain.write_all(b"GET http://plain.test/big?100000 HTTP/1.1\r\nHost: plain.test\r\n\r\n").await.unwrap();
    let path = b"/big?100000";
    let head = [&[0x82, 0x87, 0x04, path.len() as u8][..], path, &[0x41, 11], b"origin.test"].concat();
    let mut streams = Vec::new();
    for window in [0, 0x7fff_ffffu32] {
        let mut tls = world.tls("origin.test:443", "origin.test", &["h2"]).await.unwrap();
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, 0, &[&[0, 4][..], &window.to_be_bytes()].concat()));
        if window > 0 {
            bytes.extend(frame(8, 0, 0, &0x7fff_0000u32.to_be_bytes()));
        }
        bytes.extend(frame(1, 5, 1, &head));
        tls.write_all(&bytes).await.unwrap();
        streams.push(tls);
    }
    let began = Instant::now();
    while stalls(&world) < 4 {
        assert!(began.elapsed() < Duration::from_secs(15), "{} of 4 ended", stalls(&world));
        assert_eq!(world.get("origin.test", "/").await.text, "hello", "others are served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(resident_kib() < before + 96 * 1024, "{before} KiB became {}", resident_kib());
    // Who reads, however slowly, is waited for; and who has nothing to read is not in arrears.
    let mut h1 = world.h1("origin.test").await;
    let mut idle = world.h1("origin.test").await;
    let mut body = h1.send_request(crate::world::get("origin.test", "/big?64")).await.unwrap().into_body();
    let mut size = 0;
    while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
        size += frame.unwrap().into_data().unwrap().len();
        if size < 3 << 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(size, 64 * 64 * 1024);
    assert_eq!(idle.send_request(crate::world::get("origin.test", "/")).await.unwrap().status(), 200);
    assert_eq!(stalls(&world), 4);
}

#[tokio::test]
async fn n1_a_client_that_takes_no_messages_of_a_websocket_loses_it_and_that_is_on_record() {
    let mut setting = Setting::default();
    setting.limits.answer_time = Duration::from_secs(1);
    let world = World::with(setting).await;
    let talk = websockets::conversation(&world).await;
    socket2::SockRef::from(talk.get_ref().0).set_recv_buffer_size(4096).unwrap();
    let (_unread, mut say) = tokio::io::split(talk);
    let messages = websockets::said(0x82, &"x".repeat(125)).repeat(500);
    let saying = tokio::spawn(async move { while say.write_all(&messages).await.is_ok() {} });
    tokio::time::timeout(Duration::from_secs(30), saying).await.expect("its connection ends").unwrap();
    let began = Instant::now();
    while stalls(&world) == 0 {
        assert!(began.elapsed() < Duration::from_secs(5), "nothing is on record");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nor is the origin held, which waits to be read while we wait for it to read.
    tokio::time::timeout(Duration::from_secs(5), world.stage.given_up.notified())
        .await
        .expect("the origin's ends as well");
}
