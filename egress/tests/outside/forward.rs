//! Requests in absolute form, identity, and what belongs to the hop.

use std::sync::{Arc, atomic::Ordering};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};

use crate::world::{Setting, World, read_all};

#[tokio::test]
async fn a_request_with_a_whole_url_is_judged_and_sent() {
    let world = World::new().await;
    let answer = world
        .raw(b"GET http://Plain.test./headers HTTP/1.1\r\nHost: plain.test\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nProxy-Connection: close\r\nTE: gzip\r\nAccept: */*\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!(lines[..3], ["GET /headers HTTP/1.1", "accept: */*", "host: plain.test"]);
    assert!(lines[3].starts_with("via: 1.1 rampart-") && lines.len() == 4, "{lines:?}");
    assert_eq!(world.judged(), ["before get http://plain.test/headers", "after get http://plain.test/headers"]);
}

#[tokio::test]
async fn a_whole_url_may_be_one_of_https() {
    let world = World::new().await;
    let answer = world.raw(b"GET https://old.test/x HTTP/1.1\r\nHost: old.test\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
    assert_eq!(world.judged()[0], "before get https://old.test/x");
}

#[tokio::test]
async fn a_denied_url_is_refused_on_a_connection_that_lives_on() {
    let world = World::new().await;
    let answer = world
        .raw(
            b"GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\nGET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn credentials_name_the_session_and_stay_here() {
    let world = World::new().await;
    let request = |credentials: &str| {
        format!("GET http://plain.test/headers HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n{credentials}\r\n")
    };
    // alice:t0ken
    let answer = world.raw(request("Proxy-Authorization: Basic YWxpY2U6dDBrZW4=\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("authorization"), "{answer}");
    assert_eq!(world.calls()[0].origin.session, "alice");
    let answer = world.raw(request("").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(world.calls()[2].origin.session, "");
    // alice:wrong, no colon, not base64, another scheme
    for wrong in ["Basic YWxpY2U6d3Jvbmc=", "Basic YWxpY2U=", "Basic !!!", "Bearer t0ken", ""] {
        let answer = world.raw(request(&format!("Proxy-Authorization: {wrong}\r\n")).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 407 ") && answer.contains("proxy-authenticate: Basic"), "{answer}");
    }
    let (_, head) = world.tunnel("origin.test:443", "Proxy-Authorization: Basic YWxpY2U6d3Jvbmc=\r\n").await;
    assert!(head.starts_with("HTTP/1.1 407 "), "{head}");
    assert_eq!(world.calls().len(), 4, "strangers are not judged at all");
}

#[tokio::test]
async fn what_is_no_request_for_a_proxy_says_so() {
    let world = World::new().await;
    for (request, status, says) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "this is a proxy"),
        ("GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "not `ftp`"),
        ("GET http://u:p@plain.test/ HTTP/1.1\r\nHost: plain.test\r\n\r\n", 400, "user names"),
        ("GET http://plain.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n", 421, "host_mismatch"),
        ("GET http://plain.test:0/ HTTP/1.1\r\nHost: plain.test:0\r\n\r\n", 400, "out of range"),
        ("CONNECT plain.test HTTP/1.1\r\nHost: plain.test\r\n\r\n", 400, "names no port"),
        ("CONNECT plain.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n", 421, "host_mismatch"),
        ("CONNECT plain.test:443 HTTP/1.1\r\nHost: plain.test:444\r\n\r\n", 421, "host_mismatch"),
        ("GET http://plain.test/..%2fx HTTP/1.1\r\nHost: plain.test\r\n\r\n", 400, "servers disagree"),
        (
            "GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: upgrade\r\nUpgrade: spdy\r\n\r\n",
            400,
            "only WebSockets",
        ),
    ] {
        let request = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(says), "{request}{answer}");
    }
    let calls = world.calls();
    assert!(calls.iter().all(|c| c.phase == rampart_call::Phase::After), "only failures are on record: {calls:?}");
}

#[tokio::test]
async fn what_is_judged_is_what_the_origin_sees() {
    let world = World::new().await;
    for (sent, judged, seen) in [
        ("/a/../headers", "/headers", "/headers"),
        ("/a/%2e%2E/headers?x=/../", "/headers?x=/../", "/headers?x=/../"),
        ("/headers?q='{}'", "/headers?q=%27{}%27", "/headers?q='{}'"),
        ("/headers?a%2fb", "/headers?a%2fb", "/headers?a%2fb"),
    ] {
        let request = format!("GET http://plain.test{sent} HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n");
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.contains(&format!("GET {seen} HTTP/1.1\n")), "{answer}");
        let calls = world.judged();
        assert_eq!(calls.last().unwrap(), &format!("after get http://plain.test{judged}"));
    }
}

#[tokio::test]
async fn n14_a_loop_is_noticed() {
    let world = World::new().await;
    let first =
        world.raw(b"GET http://plain.test/headers HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n").await;
    let via = first.lines().find(|l| l.starts_with("via: ")).unwrap();
    let again = format!("GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\n{via}\r\nConnection: close\r\n\r\n");
    assert!(world.raw(again.as_bytes()).await.starts_with("HTTP/1.1 508 "));
    let world = World::with(Setting { allow_private: vec!["127.0.0.0/8"], ..Setting::default() }).await;
    let own = format!("GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", world.proxy);
    assert!(world.raw(own.as_bytes()).await.starts_with("HTTP/1.1 508 "));
}

#[tokio::test]
async fn n2_one_address_cannot_take_every_connection() {
    let mut setting = Setting::default();
    setting.limits.connections_per_source = 2;
    let world = World::with(setting).await;
    let (first, _) = world.tunnel("origin.test:443", "").await;
    let (_second, head) = world.tunnel("origin.test:443", "").await;
    assert!(head.starts_with("HTTP/1.1 200"));
    let mut third = tokio::net::TcpStream::connect(world.proxy).await.unwrap();
    let _ = third.write_all(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\n\r\n").await;
    assert_eq!(third.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed without an answer");
    drop(first);
    // The place is free as soon as the tunnel's task has noticed.
    for _ in 0..200 {
        let answer =
            world.raw(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n").await;
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
    }
    panic!("the place of the closed connection was not given back");
}

fn as_session(credentials: &str) -> String {
    format!(
        "GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nProxy-Authorization: Basic {credentials}\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn an_idle_connection_is_used_again_by_its_session_only() {
    let world = World::new().await;
    // alice:t0ken, alice:t0ken, bob:t0ken
    for (credentials, opened) in [("YWxpY2U6dDBrZW4=", 1), ("YWxpY2U6dDBrZW4=", 1), ("Ym9iOnQwa2Vu", 2)] {
        assert!(world.raw(as_session(credentials).as_bytes()).await.ends_with("hello"));
        assert_eq!(world.stage.opened.load(Ordering::SeqCst), opened);
    }
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced() {
    let curt = crate::origin::curt().await;
    let world = World::with(Setting { resolve: vec![format!("curt.test={curt}")], ..Setting::default() }).await;
    for _ in 0..3 {
        let answer = world.raw(b"GET http://curt.test/ HTTP/1.1\r\nHost: curt.test\r\nConnection: close\r\n\r\n").await;
        assert!(answer.ends_with("curt"), "{answer}");
    }
}

#[tokio::test]
async fn a_question_holds_the_request() {
    let hold = Arc::new(Notify::new());
    let world = World::with(Setting { hold: Some(Arc::clone(&hold)), ..Setting::default() }).await;
    let mut tcp = tokio::net::TcpStream::connect(world.proxy).await.unwrap();
    tcp.write_all(b"GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n").await.unwrap();
    while world.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.stage.opened.load(Ordering::SeqCst), 0, "nothing is opened before the answer");
    hold.notify_one();
    assert!(read_all(&mut tcp).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn the_proxy_stops_when_it_is_told_to() {
    let world = World::new().await;
    let mut idle = world.h1("origin.test").await;
    crate::world::Got::from(idle.send_request(crate::world::get("origin.test", "/")).await.unwrap()).await;
    tokio::time::timeout(std::time::Duration::from_secs(2), world.stop())
        .await
        .expect("idle connections do not hold it");
    assert!(idle.send_request(crate::world::get("origin.test", "/")).await.is_err());
}
