//! The ways in besides CONNECT over HTTP/1.1, and the ways out besides the straight one.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rampart_call::{Action, Phase};
use rampart_egress::ClientCertificate;
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::ServerName, server::WebPkiClientVerifier};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use crate::{
    origin::{Pki, Stage, plain, secure},
    world::{Setting, World, get, read_all},
};

/// TLS with whoever is at the other end, believing only this root.
async fn tls<IO>(io: IO, root: &rustls::pki_types::CertificateDer<'static>, name: &str, alpn: &str) -> TlsStream<IO>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, io).await.unwrap()
}

/// One GET, and everything that comes back.
async fn ask(mut io: impl AsyncRead + AsyncWrite + Unpin, target: &str, host: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
    read_all(&mut io).await
}

/// A connection by SOCKS 5 as a user, or as nobody, and the code of the reply.
async fn socks(world: &World, user: Option<(&str, &str)>, host: &str, port: u16) -> (TcpStream, u8) {
    let mut tcp = TcpStream::connect(world.proxy).await.unwrap();
    let mut two = [0; 2];
    match user {
        None => tcp.write_all(&[5, 1, 0]).await.unwrap(),
        Some((user, password)) => {
            tcp.write_all(&[5, 2, 0, 2]).await.unwrap();
            tcp.read_exact(&mut two).await.unwrap();
            assert_eq!(two, [5, 2]);
            let counted = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
            tcp.write_all(&[&[1][..], &counted(user), &counted(password)].concat()).await.unwrap();
        }
    }
    tcp.read_exact(&mut two).await.unwrap();
    if two[1] != 0 {
        return (tcp, two[1]);
    }
    let name = [&[5, 1, 0, 3, host.len() as u8], host.as_bytes(), &port.to_be_bytes()].concat();
    tcp.write_all(&name).await.unwrap();
    let mut reply = [0; 10];
    tcp.read_exact(&mut reply).await.unwrap();
    (tcp, reply[1])
}

#[tokio::test]
async fn socks_leads_into_the_same_interception() {
    let world = World::new().await;
    let (tcp, reply) = socks(&world, Some(("s1", "t0ken")), "ORIGIN.test", 443).await;
    assert_eq!(reply, 0);
    let answer =
        ask(tls(tcp, world.authority.certificate(), "origin.test", "http/1.1").await, "/", "origin.test").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
    assert!(world.calls().iter().all(|call| call.origin.session == "s1"));
    let (tcp, reply) = socks(&world, None, "denied.test", 443).await;
    assert_eq!(reply, 0);
    let answer =
        ask(tls(tcp, world.authority.certificate(), "denied.test", "http/1.1").await, "/", "denied.test").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("no-denied-hosts"), "{answer}");
    let (tcp, reply) = socks(&world, None, "plain.test", 80).await;
    assert_eq!(reply, 0);
    assert!(ask(tcp, "/", "plain.test:80").await.ends_with("hello"));
    let (_, status) = socks(&world, Some(("s1", "wrong")), "origin.test", 443).await;
    assert_eq!(status, 1, "wrong credentials are turned away");
    let (mut tcp, _) = socks(&world, None, "127.0.0.1", 22).await;
    tcp.write_all(b"SSH-2.0-x\r\n").await.unwrap();
    assert!(read_all(&mut tcp).await.starts_with("HTTP/1.1 400 "), "what is neither TLS nor HTTP goes nowhere");
    let (mut tcp, _) = socks(&world, None, "origin.test", 443).await;
    tcp.write_all(b"\x00\x01").await.unwrap();
    assert_eq!(read_all(&mut tcp).await, "");
}

#[tokio::test]
async fn socks_4_is_declined() {
    let world = World::new().await;
    let answer = world.raw(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00").await;
    assert_eq!(answer.as_bytes(), [0, 0x5b, 0, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn connect_is_also_a_stream_of_http2() {
    let world = World::new().await;
    for inside_tls in [false, true] {
        let tcp = TcpStream::connect(world.proxy).await.unwrap();
        let io: Box<dyn Io> = if inside_tls {
            Box::new(tls(tcp, world.authority.certificate(), "127.0.0.1", "h2").await)
        } else {
            Box::new(tcp)
        };
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
        tokio::spawn(connection);
        for host in ["origin.test", "denied.test"] {
            let request = Request::builder().method(Method::CONNECT).uri(format!("{host}:443"));
            let request = request.body(Full::<Bytes>::default()).unwrap();
            let mut response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let upgraded = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
            let answer = ask(tls(upgraded, world.authority.certificate(), host, "http/1.1").await, "/", host).await;
            let expected = if host == "origin.test" { "HTTP/1.1 200 " } else { "HTTP/1.1 403 " };
            assert!(answer.starts_with(expected), "{answer}");
        }
    }
}

/// Any connection.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

#[tokio::test]
async fn the_proxy_itself_is_reached_over_tls() {
    let world = World::new().await;
    let tcp = TcpStream::connect(world.proxy).await.unwrap();
    let outer = tls(tcp, world.authority.certificate(), "127.0.0.1", "http/1.1").await;
    assert!(ask(outer, "http://plain.test/", "plain.test").await.ends_with("hello"));
    let tcp = TcpStream::connect(world.proxy).await.unwrap();
    let mut outer = tls(tcp, world.authority.certificate(), "localhost", "http/1.1").await;
    outer.write_all(b"CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n").await.unwrap();
    let head = crate::world::read_until(&mut outer, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let answer =
        ask(tls(outer, world.authority.certificate(), "origin.test", "http/1.1").await, "/", "origin.test").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_redirected_client_is_served_by_the_name_it_says() {
    let transparent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = transparent.local_addr().unwrap();
    let world = World::with(Setting { transparent: Some(transparent), ..Setting::default() }).await;
    for (host, expected) in [("origin.test", "HTTP/1.1 200 "), ("denied.test", "HTTP/1.1 403 ")] {
        let tcp = TcpStream::connect(address).await.unwrap();
        let inner = tls(tcp, world.authority.certificate(), host, "http/1.1").await;
        let answer = ask(inner, "/", &format!("{host}:{}", address.port())).await;
        assert!(answer.starts_with(expected), "{answer}");
    }
    let plain = format!("plain.test:{}", address.port());
    assert!(ask(TcpStream::connect(address).await.unwrap(), "/", &plain).await.ends_with("hello"));
    // Another port than the one that was reached, and nothing that names a place but our own address.
    for (host, status) in [("plain.test:1", "421"), ("127.0.0.1:1", "421")] {
        let answer = ask(TcpStream::connect(address).await.unwrap(), "/", host).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let own = address.to_string();
    let answer = ask(TcpStream::connect(address).await.unwrap(), "/", &own).await;
    assert!(answer.starts_with("HTTP/1.1 508 "), "{answer}");
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(b"\x00\x01binary").await.unwrap();
    assert_eq!(read_all(&mut tcp).await, "");
}

#[tokio::test]
async fn what_is_left_alone_is_judged_and_recorded_as_unseen() {
    let pki = Pki::new();
    let root = pki.root();
    let world = World::with(Setting { pki, passthrough: vec!["origin.test:443"], ..Setting::default() }).await;
    let (tcp, head) = world.tunnel("origin.test:443", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let answer = ask(tls(tcp, &root, "origin.test", "http/1.1").await, "/", "origin.test").await;
    assert!(answer.ends_with("hello"), "the client sees the origin's own certificate: {answer}");
    for _ in 0..50 {
        if world.calls().iter().any(|call| call.phase == Phase::After) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let calls = world.calls();
    let last = calls.last().unwrap();
    assert!(matches!(&last.action, Action::Connect { host, port: 443, .. } if host == "origin.test"));
    assert!(last.response.as_ref().unwrap().uninspected.is_some_and(|bytes| bytes > 1000), "{last:?}");
    assert_eq!(calls.len(), 2, "{calls:?}");
}

#[tokio::test]
async fn another_proxy_leads_out() {
    let (pki, stage) = (Pki::new(), Stage::default());
    let far = secure(pki.issue(&["far.test"], |_| {}), &["h2", "http/1.1"], stage.clone()).await;
    let clear = plain(stage).await;
    let resolve = vec![format!("far.test={far}"), format!("clear.test={clear}")];
    let other = World::with(Setting { resolve, passthrough: vec!["far.test"], ..Setting::default() }).await;
    let address = format!("http://s1:t0ken@{}", other.proxy);
    let world =
        World::with(Setting { pki, upstream_proxy: Some(address.parse().unwrap()), ..Setting::default() }).await;
    assert_eq!(world.get("far.test", "/").await.text, "hello");
    let mut h2 = world.h2("far.test").await;
    let request = Request::get("https://far.test/").body(Full::default()).unwrap();
    assert_eq!(h2.send_request(request).await.unwrap().status(), 200);
    let answer =
        world.raw(b"GET http://clear.test/headers HTTP/1.1\r\nHost: clear.test\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("proxy-authorization"), "{answer}");
    assert!(other.judged().contains(&"before get http://clear.test/headers".to_owned()), "{:?}", other.judged());
    assert!(other.calls().iter().all(|call| call.origin.session == "s1"));
    // Its names are not ours to resolve, but addresses are judged all the same.
    for host in ["127.0.0.1:1", "localhost:1", "169.254.169.254"] {
        let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("private_address"), "{answer}");
    }
    let gone = world.get("nowhere.test", "/").await;
    assert_eq!(gone.status, 502, "{}", gone.text);
}

#[tokio::test]
async fn socks_leads_out_too_and_some_are_near() {
    let (pki, stage) = (Pki::new(), Stage::default());
    let far = secure(pki.issue(&["far.test"], |_| {}), &["http/1.1"], stage).await;
    let resolve = vec![format!("far.test={far}")];
    let other = World::with(Setting { resolve, passthrough: vec!["far.test"], ..Setting::default() }).await;
    let proxy: rampart_egress::UpstreamProxy = format!("socks5://s1:t0ken@{}", other.proxy).parse().unwrap();
    let proxy = proxy.without(vec!["*.near.test".parse().unwrap()]);
    let world = World::with(Setting { pki, upstream_proxy: Some(proxy), ..Setting::default() }).await;
    assert_eq!(world.get("far.test", "/").await.text, "hello");
    assert_eq!(world.get("a.near.test", "/").await.header("x-rampart-rule"), "unresolved");
    assert_eq!(other.judged().len(), 1, "{:?}", other.judged());
}

#[tokio::test]
async fn an_origin_that_wants_to_know_us_is_shown_the_certificate_for_it() {
    let pki = Pki::new();
    let address = asking(&pki).await;
    let us = pki.issue(&["us.test"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let shown = ClientCertificate { host: "mutual.test".parse().unwrap(), chain: us.chain, key: us.key };
    let resolve = vec![format!("mutual.test={address}"), format!("stranger.test={address}")];
    let world = World::with(Setting { pki, resolve, client_certificates: vec![shown], ..Setting::default() }).await;
    assert_eq!(world.get("mutual.test", "/").await.text, "ok");
    assert_eq!(world.get("stranger.test", "/").await.status, 502);
    let mut h1 = world.h1("mutual.test").await;
    assert_eq!(h1.send_request(get("mutual.test", "/")).await.unwrap().status(), 200);
}

/// An origin that serves only those who show a certificate.
async fn asking(pki: &Pki) -> SocketAddr {
    let mut roots = RootCertStore::empty();
    roots.add(pki.root()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let own = pki.issue(&["mutual.test", "stranger.test"], |_| {});
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier).with_single_cert(own.chain, own.key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let _ = tls.read(&mut [0; 4096]).await;
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
            }
        }
    });
    address
}
