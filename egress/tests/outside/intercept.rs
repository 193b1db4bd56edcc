//! What happens inside tunnels.

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Got, World, get, post, read_all};

#[tokio::test]
async fn every_request_of_a_tunnel_is_judged_and_passes_unchanged() {
    let world = World::new().await;
    let mut sender = world.h1("origin.test").await;
    let first = Got::from(sender.send_request(get("origin.test", "/one?x=1")).await.unwrap()).await;
    let second = Got::from(sender.send_request(post("origin.test", "/echo", "body")).await.unwrap()).await;
    assert_eq!((first.status, first.text.as_str(), second.text.as_str()), (StatusCode::OK, "hello", "body"));
    assert_eq!(
        world.judged(),
        [
            "before origin.test:443",
            "before get https://origin.test/one?x=1",
            "after get https://origin.test/one?x=1",
            "before post https://origin.test/echo",
            "after post https://origin.test/echo",
        ]
    );
    assert_eq!(world.judged_body(), (Some("body".into()), Some(4)));
}

#[tokio::test]
async fn the_origins_choice_of_protocol_is_the_clients() {
    let world = World::new().await;
    let mut h2 = world.h2("origin.test").await;
    for path in ["/headers", "/headers?2"] {
        let request = Request::get(format!("https://origin.test{path}")).body(Full::default()).unwrap();
        let got = Got::from(h2.send_request(request).await.unwrap()).await;
        assert!(got.text.starts_with(&format!("GET https://origin.test{path} HTTP/2.0\n")), "{}", got.text);
    }
    let tls = world.tls("old.test:443", "old.test", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut h2 = world.h2_only("old.test").await;
    let got =
        Got::from(h2.send_request(Request::get("https://old.test/").body(Full::default()).unwrap()).await.unwrap());
    assert_eq!(got.await.status, StatusCode::BAD_GATEWAY, "HTTP/2 is not pretended");
    let tls = world.tls("origin.test:443", "origin.test", &[]).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), None);
    let got = world.get("origin.test", "/headers").await;
    assert!(got.text.starts_with("GET /headers HTTP/1.1\n"), "{}", got.text);
}

#[tokio::test]
async fn streams_of_one_connection_run_side_by_side() {
    let world = World::new().await;
    let h2 = world.h2("origin.test").await;
    let request =
        |path: &str| Request::get(format!("https://origin.test{path}")).body(Full::<Bytes>::default()).unwrap();
    let hang = tokio::spawn(h2.clone().send_request(request("/hang")));
    world.stage.begun.notified().await;
    let got = Got::from(h2.clone().send_request(request("/quick")).await.unwrap()).await;
    assert_eq!(got.text, "hello");
    hang.abort();
}

#[tokio::test]
async fn a_denied_tunnel_tells_the_reason_inside() {
    let world = World::new().await;
    for alpn in [&["http/1.1"][..], &[]] {
        let mut tls = world.tls("denied.test:443", "denied.test", alpn).await.unwrap();
        tls.write_all(b"GET /x HTTP/1.1\r\nHost: denied.test\r\nConnection: close\r\n\r\n").await.unwrap();
        let answer = read_all(&mut tls).await;
        assert!(
            answer.starts_with("HTTP/1.1 403 Forbidden: `denied.test` is denied (Rampart: no-denied-hosts)\r\n"),
            "{answer}"
        );
        assert!(
            answer.contains("x-rampart-decision: deny\r\n") && answer.contains("x-rampart-rule: no-denied-hosts\r\n")
        );
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(body).unwrap(),
            serde_json::json!({
                "error": "blocked_by_rampart", "rule": "no-denied-hosts", "message": "`denied.test` is denied",
                "reason": "rule", "allow": "rampart allow --tool fetch denied.test",
            })
        );
    }
    let mut h2 = world.h2_only("denied.test").await;
    let request = Request::get("https://denied.test/").body(Full::default()).unwrap();
    assert_eq!(Got::from(h2.send_request(request).await.unwrap()).await.status, StatusCode::FORBIDDEN);
    assert!(world.judged().iter().all(|j| j == "before denied.test:443"), "{:?}", world.judged());
}

#[tokio::test]
async fn browsers_get_a_page() {
    let world = World::new().await;
    let mut sender = world.h1("denied.test").await;
    let request = Request::get("/").header("host", "denied.test").header("accept", "text/html,*/*;q=0.8");
    let got = Got::from(sender.send_request(request.body(Full::default()).unwrap()).await.unwrap()).await;
    assert_eq!((got.status, got.header("content-type")), (StatusCode::FORBIDDEN, "text/html; charset=utf-8"));
    assert!(got.text.contains("Blocked by Rampart") && got.text.contains("no-denied-hosts"), "{}", got.text);
}

#[tokio::test]
async fn names_that_disagree_with_the_tunnel_are_refused() {
    let world = World::new().await;
    let mut sender = world.h1("origin.test").await;
    let got = Got::from(sender.send_request(get("other.test", "/")).await.unwrap()).await;
    assert_eq!((got.status, got.header("x-rampart-rule")), (StatusCode::MISDIRECTED_REQUEST, "host_mismatch"));
    let mut sender = world.h1("origin.test").await;
    let got = Got::from(sender.send_request(get("origin.test:8443", "/")).await.unwrap()).await;
    assert_eq!(got.status, StatusCode::MISDIRECTED_REQUEST);
    // Stream 3 of an HTTP/2 connection changes its mind.
    let mut h2 = world.h2("origin.test").await;
    for (authority, status) in [("origin.test", StatusCode::OK), ("other.test", StatusCode::MISDIRECTED_REQUEST)] {
        let request = Request::get(format!("https://{authority}/")).version(Version::HTTP_2);
        let got = Got::from(h2.send_request(request.body(Full::default()).unwrap()).await.unwrap()).await;
        assert_eq!(got.status, status, "{authority}");
    }
    // SNI names another host than CONNECT; the client can read why.
    let mut tls = world.tls("origin.test:443", "other.test", &["http/1.1"]).await.unwrap();
    tls.write_all(b"GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n").await.unwrap();
    let answer = read_all(&mut tls).await;
    assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("host_mismatch"), "{answer}");
    // No SNI for a name. Rustls sends none for an address.
    assert!(world.tls("origin.test:443", "127.0.0.1", &[]).await.is_err());
    assert!(world.judged().iter().all(|j| !j.contains("https://other.test")), "{:?}", world.judged());
}

#[tokio::test]
async fn names_of_a_tunnel_are_folded() {
    let world = World::new().await;
    let mut tls = world.tls("ORIGIN.test.:443", "origin.TEST", &["http/1.1"]).await.unwrap();
    tls.write_all(b"GET /headers HTTP/1.1\r\nHost: Origin.Test:443\r\nConnection: close\r\n\r\n").await.unwrap();
    let answer = read_all(&mut tls).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("host: origin.test\n"), "{answer}");
    assert!(world.judged().contains(&"before get https://origin.test/headers".to_owned()));
}

#[tokio::test]
async fn only_tls_and_http_pass_through_a_tunnel() {
    let world = World::new().await;
    for opening in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"\x00\x01\x02\x03",
        b"\x16\x03\x01\x00\x05hello",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let (mut tcp, head) = world.tunnel("origin.test:443", "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        tcp.write_all(opening).await.unwrap();
        let answer = read_all(&mut tcp).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 ") || answer.starts_with('\u{15}'), "{answer:?}");
        assert_eq!(tcp.read(&mut [0; 1]).await.unwrap_or(0), 0, "the tunnel is closed");
    }
    assert!(world.judged().iter().all(|j| j == "before origin.test:443"));
}

#[tokio::test]
async fn http_without_tls_in_a_tunnel_is_judged_like_any_other() {
    let world = World::new().await;
    for (host, status) in [("plain.test", "200"), ("denied.test", "403"), ("other.test", "421")] {
        let to = if host == "denied.test" { "denied.test:80" } else { "plain.test:80" };
        let (mut tcp, _) = world.tunnel(to, "").await;
        let request = format!("GET /p HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(&mut tcp).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
    assert!(world.judged().contains(&"before get http://plain.test/p".to_owned()));
}

#[tokio::test]
async fn a_hello_in_small_pieces_is_understood() {
    let world = World::new().await;
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let name = "origin.test".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    assert!(hello.len() > 1000, "a key share for the post-quantum exchange makes it large: {}", hello.len());
    let (mut tcp, _) = world.tunnel("origin.test:443", "").await;
    tcp.set_nodelay(true).unwrap();
    for piece in hello.chunks(97) {
        tcp.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(tcp.read_u8().await.unwrap(), 0x16, "the server answers with its handshake");
}
