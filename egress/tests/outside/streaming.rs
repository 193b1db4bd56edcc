//! What streams goes on streaming, in constant memory, and ends when the client goes.

use std::{pin::Pin, task::Poll, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;

use crate::world::{Got, World, get, read_all, read_until};

#[tokio::test]
async fn the_first_event_arrives_before_the_second_is_sent() {
    let world = World::new().await;
    let mut h1 = world.h1("origin.test").await;
    let mut body = h1.send_request(get("origin.test", "/sse")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    world.stage.go.notify_one();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 2\n\n");
    assert!(body.frame().await.is_none());
    let mut h2 = world.h2("origin.test").await;
    let request = Request::get("https://origin.test/sse").body(Full::default()).unwrap();
    let mut body = h2.send_request(request).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
}

#[tokio::test]
async fn trailers_pass_both_ways_without_those_that_frame() {
    let world = World::new().await;
    let mut h2 = world.h2("origin.test").await;
    let request = Request::get("https://origin.test/trailers").header("te", "trailers").body(Full::default()).unwrap();
    let got = Got::from(h2.send_request(request).await.unwrap()).await;
    let trailers = got.trailers.unwrap();
    assert_eq!((got.text.as_str(), trailers["grpc-status"].as_bytes(), trailers.len()), ("payload", &b"0"[..], 1));
    let mut h1 = world.h1("origin.test").await;
    let request =
        Request::get("/trailers").header("host", "origin.test").header("te", "trailers").header("connection", "te");
    let got = Got::from(h1.send_request(request.body(Full::default()).unwrap()).await.unwrap()).await;
    assert_eq!(got.trailers.unwrap()["grpc-status"], "0");
    let tls = world.tls("origin.test:443", "origin.test", &["h2"]).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("42"));
    let body = Full::new(Bytes::from_static(b"up")).with_trailers(std::future::ready(Some(Ok(trailers))));
    let response = sender.send_request(Request::post("https://origin.test/echo").body(body).unwrap()).await.unwrap();
    let got = Got::from(response).await;
    assert_eq!((got.text.as_str(), got.header("x-got-trailer")), ("up", "42"));
}

#[tokio::test]
async fn trailers_of_a_short_upload_pass_over_http1() {
    let world = World::new().await;
    let request = "POST http://plain.test/echo HTTP/1.1\r\nHost: plain.test\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\
                   Connection: close\r\n\r\n2\r\nup\r\n0\r\nx-sum: 42\r\n\r\n";
    let answer = world.raw(request.as_bytes()).await;
    assert!(answer.contains("x-got-trailer: 42\r\n") && answer.ends_with("up"), "{answer}");
}

/// A body that is made as it is read.
struct Zeros(usize);

impl http_body::Body for Zeros {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        static CHUNK: [u8; 64 * 1024] = [0; 64 * 1024];
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// How much memory this process has.
pub(crate) fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn bodies_of_100_mb_pass_both_ways_in_constant_memory() {
    // In a process of its own: what other tests need meanwhile would count.
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let alone = alone.args(["--exact", "streaming::bodies_of_100_mb", "--ignored"]).output().unwrap();
    let told = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
#[ignore = "the test above runs it"]
async fn bodies_of_100_mb() {
    const CHUNKS: usize = 1600;
    let world = World::new().await;
    // Client, proxy and origin share this process.
    let before = resident_kib();
    let mut h1 = world.h1("origin.test").await;
    let mut body = h1.send_request(get("origin.test", &format!("/big?{CHUNKS}"))).await.unwrap().into_body();
    let (mut size, mut most) = (0, 0);
    while let Some(frame) = body.frame().await {
        size += frame.unwrap().into_data().unwrap().len();
        most = most.max(resident_kib());
    }
    assert_eq!(size, CHUNKS * 64 * 1024);
    for alpn in ["http/1.1", "h2"] {
        let tls = world.tls("origin.test:443", "origin.test", &[alpn]).await.unwrap();
        let io = TokioIo::new(tls);
        let response = if alpn == "h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(Request::post("https://origin.test/count").body(Zeros(CHUNKS)).unwrap()).await
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            let request = Request::post("/count").header("host", "origin.test");
            sender.send_request(request.body(Zeros(CHUNKS)).unwrap()).await
        };
        most = most.max(resident_kib());
        assert_eq!(Got::from(response.unwrap()).await.text, (CHUNKS * 64 * 1024).to_string(), "{alpn}");
    }
    assert!(most < before + 64 * 1024, "grew from {before} to {most} KiB");
    let (text, size) = world.judged_body();
    assert!(text.is_some_and(|t| t.len() >= 64 * 1024) && size.is_none(), "the beginning was judged");
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_request() {
    let world = World::new().await;
    let mut tls = world.tls("origin.test:443", "origin.test", &["http/1.1"]).await.unwrap();
    tls.write_all(b"GET /hang HTTP/1.1\r\nHost: origin.test\r\n\r\n").await.unwrap();
    world.stage.begun.notified().await;
    drop(tls);
    tokio::time::timeout(Duration::from_secs(5), world.stage.given_up.notified()).await.expect("HTTP/1.1");
    let h2 = world.h2("origin.test").await;
    let request = Request::get("https://origin.test/hang").body(Full::<Bytes>::default()).unwrap();
    let hang = tokio::spawn(h2.clone().send_request(request));
    world.stage.begun.notified().await;
    hang.abort();
    tokio::time::timeout(Duration::from_secs(5), world.stage.given_up.notified()).await.expect("HTTP/2");
    // Hanging up in the middle of an answer that streams.
    let mut h1 = world.h1("origin.test").await;
    let mut body = h1.send_request(get("origin.test", "/big?100000")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop((body, h1));
    assert_eq!(world.get("origin.test", "/").await.text, "hello");
}

#[tokio::test]
async fn a_declined_upgrade_leaves_a_connection_that_is_still_read_strictly() {
    let world = World::new().await;
    let mut tls = world.tls("origin.test:443", "origin.test", &["http/1.1"]).await.unwrap();
    tls.write_all(b"GET /nows HTTP/1.1\r\nHost: origin.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await
        .unwrap();
    assert!(read_until(&mut tls, "hello").await.starts_with("HTTP/1.1 200 "));
    tls.write_all(b"GET / HTTP/1.1\nHost: origin.test\n\n").await.unwrap();
    let answer = read_all(&mut tls).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    assert!(!world.judged().contains(&"before get https://origin.test/".to_owned()));
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_only_after_judgement() {
    let world = World::new().await;
    for (host, first) in [("plain.test", "HTTP/1.1 100 "), ("denied.test", "HTTP/1.1 403 ")] {
        let mut tcp = tokio::net::TcpStream::connect(world.proxy).await.unwrap();
        let head = format!(
            "POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        );
        tcp.write_all(head.as_bytes()).await.unwrap();
        let answer = read_until(&mut tcp, "\r\n\r\n").await;
        assert!(answer.starts_with(first), "{answer}");
        if host == "plain.test" {
            tcp.write_all(b"body").await.unwrap();
            let answer = read_all(&mut tcp).await;
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("body"), "{answer}");
            assert_eq!(world.judged_body().0.as_deref(), Some("body"));
        }
    }
}

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let world = World::new().await;
    let mut h1 = world.h1("origin.test").await;
    for _ in 0..2 {
        let request = Request::head("/").header("host", "origin.test").body(Full::default()).unwrap();
        let got = Got::from(h1.send_request(request).await.unwrap()).await;
        assert_eq!((got.status, got.text.as_str(), got.header("content-length")), (StatusCode::OK, "", "5"));
    }
}
