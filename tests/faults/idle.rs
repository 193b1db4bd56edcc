//! N1, N11: those who ask for something and do not go on.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use crate::world::World;

/// Longer than the gateway waits.
const LONGER: Duration = Duration::from_secs(13);

#[test]
fn n1_a_head_that_dribbles_is_cut_off() {
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.serve(&[]);
    let at = world.status()["listen"].as_str().unwrap().to_owned();
    let began = Instant::now();
    let mut dribbling: Vec<_> = (0..50).map(|_| TcpStream::connect(&at).unwrap()).collect();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: {at}\r\nx: {}", "y".repeat(1000));
    let mut cut = 0;
    for byte in head.bytes() {
        dribbling.retain_mut(|stream| {
            stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            let over = stream.write_all(&[byte]).is_err() || matches!(stream.read(&mut [0; 512]), Ok(0));
            cut += usize::from(over);
            !over
        });
        if dribbling.is_empty() || began.elapsed() > LONGER {
            break;
        }
        thread::sleep(Duration::from_millis(200));
        world.run(&["status", "--json"]).expect(0);
    }
    let took = began.elapsed();
    assert_eq!(cut, 50, "{} are still there after {took:?}", dribbling.len());
    assert!(took > Duration::from_secs(8), "who is only slow has ten seconds: {took:?}");
}

#[test]
fn n11_a_reader_that_stalls_loses_its_seat_and_others_read_on() {
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.serve(&[]);
    let token = std::fs::read_to_string(world.home().join("token")).unwrap();
    let head = |path: &str, more: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{more}\r\n", token.trim())
    };
    let connect = || UnixStream::connect(world.home().join("run/gateway.sock")).unwrap();
    // More than fits between the two ends.
    for n in 0..100 {
        let body = serde_json::json!({"params": {"command": format!("echo {n} {}", "x".repeat(20_000))}}).to_string();
        let mut stream = connect();
        let more = format!("connection: close\r\ncontent-length: {}\r\n", body.len());
        stream.write_all((head("/v1/tool/exec", &more) + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let stream_head = head("/v1/events/stream", "last-event-id: 0\r\n").replace("POST", "GET");
    let (mut stalled, mut reading) = (connect(), connect());
    for stream in [&mut stalled, &mut reading] {
        stream.write_all(stream_head.as_bytes()).unwrap();
    }
    let began = Instant::now();
    let mut read = 0;
    reading.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    while began.elapsed() < LONGER {
        let count = reading.read(&mut [0; 16 << 10]).unwrap();
        assert_ne!(count, 0, "who reads is not cut off");
        read += count;
    }
    assert!(read > 700_000, "{read}");
    // What the other had before it was given up, and then the end instead of signs of life without end.
    stalled.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let (mut had, mut buffer) = (0, vec![0; 64 << 10]);
    loop {
        match stalled.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => had += count,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("{e} after {had} bytes"),
        }
        assert!(had < read, "it is still served");
    }
    world.run(&["audit", "verify"]).expect(0);
}
