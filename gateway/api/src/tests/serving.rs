use std::os::unix::fs::PermissionsExt;

use rampart_call::{Gate, Reason, Verdict};
use rampart_gateway::{HomeError, OpenError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::ListenError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_gateway_on_the_same_home_refuses_and_names_the_first() {
    let world = World::new().await;
    let settings =
        Settings { home: world.home.clone(), config: Config::default(), project_policies: true, outside: None };
    let error = Gateway::open(settings).await.unwrap_err();
    assert!(matches!(&error, OpenError::Home(HomeError::Taken { pid: Some(pid), .. }) if *pid == std::process::id()));
    assert!(matches!(world.client().judge(read("/tmp/x")).await, Verdict::Allow(_)), "the first goes on");
    world.end().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_a_way_out() {
    let taken = bind_tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = bind_tcp(address).await.unwrap_err();
    assert!(matches!(error, ListenError::InUse(_)));
    let text = error.to_string();
    assert!(text.contains(&address.port().to_string()) && text.contains("--port"), "{text}");
}

#[tokio::test]
async fn the_socket_is_private_and_takes_the_place_of_a_dead_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.sock");
    drop(bind_socket(&path).unwrap());
    let _listener = bind_socket(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    tokio::net::UnixStream::connect(&path).await.unwrap();
    let long = dir.path().join("x".repeat(200)).join("gateway.sock");
    fs::create_dir(long.parent().unwrap()).unwrap();
    assert!(bind_socket(&long).unwrap_err().to_string().contains("cannot make the socket"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_lets_requests_in_flight_finish_and_takes_no_new_ones() {
    let world = World::new().await;
    let client = world.client();
    assert!(matches!(client.judge(read("/tmp/x")).await, Verdict::Allow(_)));
    let waiting = tokio::spawn({
        let client = world.client();
        async move { client.judge(read("/deploy/now")).await }
    });
    until("it waits", || world.gateway.pending().len() == 1).await;
    world.stop.cancel();
    until("no new ones", || {
        let fresh = std::os::unix::net::UnixStream::connect(world.home.socket());
        fresh.is_err()
    })
    .await;
    let id = world.gateway.pending().remove(0).id;
    let reply = rampart_gateway::Reply {
        approve: true,
        by: "me".into(),
        person: None,
        from: "cli",
        reason: String::new(),
        payload: None,
        scope: "once".into(),
    };
    world.gateway.resolve(&id, reply).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Verdict::Allow(_)));
    let Verdict::Deny(refusal) = client.judge(read("/tmp/x")).await else { panic!("let through") };
    assert_eq!(refusal.judgement.reason, Reason::GatewayUnreachable);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_call_is_judged_and_one_that_is_too_long_is_refused() {
    let world = World::new().await;
    let client = world.client();
    let writing =
        |size: usize| call(Action::Write { paths: vec![Located::written("/tmp/x")], content: Some("x".repeat(size)) });
    assert!(matches!(client.judge(writing(3 << 20)).await, Verdict::Allow(_)));
    assert_eq!(world.decisions().len(), 1);
    let endless = writing(17 << 20);
    let same = endless.clone();
    for verdict in [client.judge(same).await, world.blocking(move |client| client.judge(&endless)).await] {
        let Verdict::Deny(refusal) = verdict else { panic!("let through") };
        assert_eq!(refusal.judgement.reason, Reason::LimitExceeded, "{}", refusal.judgement.message);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_on_the_port_is_answered_or_dropped_and_harms_nobody() {
    let world = World::new().await;
    let endless = "A".repeat(70_000);
    for junk in [&b"\x16\x03\x01\x00\xee"[..], b"GET / HTTP/1.1\r\nhost: x\r\nhost", endless.as_bytes()] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let _ = stream.write_all(junk).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    assert!(matches!(world.client().judge(read("/tmp/x")).await, Verdict::Allow(_)));
    world.end().await;
}
