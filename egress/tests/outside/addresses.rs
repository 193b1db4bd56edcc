//! No spelling of a private address is reached unless the configuration says so.

use std::net::Ipv4Addr;

use tokio::io::AsyncWriteExt as _;

use crate::{
    origin::{Pki, Stage, secure},
    world::{Setting, World, read_all},
};

/// Ways to write an IPv4 address that some client or resolver understands.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let whole = u32::from(address);
    let (low24, low16) = (whole & 0x00ff_ffff, whole & 0xffff);
    let mut all = vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{whole}"),
        format!("0x{whole:x}"),
        format!("0X{whole:X}"),
        format!("0{whole:o}"),
        format!("{a}.{low24}"),
        format!("{a}.{b}.{low16}"),
        format!("0x{a:x}.{low24}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.000{b:o}.{c}.{d}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0x000{a:x}.{b}.0{c:o}.0x{d:x}"),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::FFFF:{:x}:{:x}]", whole >> 16, low16),
        format!("[0:0:0:0:0:ffff:{:04x}:{:04x}]", whole >> 16, low16),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b:1::{:x}:{:x}]", whole >> 16, low16),
        format!("[2002:{:x}:{:x}::1]", whole >> 16, low16),
        format!("[::ffff:0:{a}.{b}.{c}.{d}]"),
        format!("%3{}.%2e{b}", a % 10),
    ];
    // Each part in each of three bases, each dot plain or encoded.
    for bases in 0..81u32 {
        let parts: Vec<String> = [a, b, c, d]
            .iter()
            .enumerate()
            .map(|(i, part)| match bases / 3u32.pow(i as u32) % 3 {
                0 => format!("{part}"),
                1 => format!("0{part:o}"),
                _ => format!("0x{part:02X}"),
            })
            .collect();
        all.push(parts.join("."));
        all.push(parts.join("%2E"));
        all.push(format!("{}.", parts.join(".")));
    }
    all
}

#[tokio::test]
async fn n10_no_spelling_reaches_a_private_address() {
    let world = World::new().await;
    let mut tried = 0;
    for address in [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 0, 0, 1)] {
        for spelling in spellings(address) {
            let url = format!(
                "GET http://{spelling}:{}/ HTTP/1.1\r\nHost: {spelling}:{}\r\nConnection: close\r\n\r\n",
                world.origin.port(),
                world.origin.port()
            );
            let answer = world.raw(url.as_bytes()).await;
            let refused = answer.starts_with("HTTP/1.1 403 ") && answer.contains("private_address");
            assert!(refused || answer.starts_with("HTTP/1.1 400 "), "{spelling}: {answer}");
            tried += 1;
        }
    }
    assert!(tried > 700, "{tried}");
    for to in [
        "169.254.169.254:80",
        "127.0.0.1:443",
        "[::1]:443",
        "[fd00:ec2::254]:80",
        "[fe80::1]:80",
        "0.0.0.0:80",
        "localhost:443",
    ] {
        let (mut tcp, head) = world.tunnel(to, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "the reason is told inside: {head}");
        tcp.write_all(format!("GET / HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let answer = read_all(&mut tcp).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("private_address"), "{to}: {answer}");
    }
}

#[tokio::test]
async fn what_the_configuration_allows_is_reached_under_a_certificate_for_the_address() {
    let pki = Pki::new();
    let origin = secure(pki.issue(&["127.0.0.1"], |_| {}), &["http/1.1"], Stage::default()).await;
    let world = World::with(Setting { pki, allow_private: vec!["127.0.0.1"], ..Setting::default() }).await;
    let mut tls = world.tls(&origin.to_string(), "127.0.0.1", &["http/1.1"]).await.unwrap();
    tls.write_all(format!("GET / HTTP/1.1\r\nHost: {origin}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let answer = read_all(&mut tls).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn the_gate_sees_the_address_and_the_record_the_failure() {
    let world = World::new().await;
    world.raw(b"GET http://0x7f.1/ HTTP/1.1\r\nHost: 0x7f.1\r\nConnection: close\r\n\r\n").await;
    let calls = world.calls();
    let rampart_call::Action::Fetch { url, addresses, .. } = &calls[0].action else { panic!("{calls:?}") };
    assert_eq!((url.as_str(), addresses.as_slice()), ("http://127.0.0.1/", &[Ipv4Addr::LOCALHOST.into()][..]));
    let told = calls[1].response.as_ref().unwrap();
    assert!(told.status == Some(403) && told.text.starts_with("private_address"), "{told:?}");
}

#[tokio::test]
async fn n10_a_name_without_an_address_is_judged_and_then_fails() {
    let world = World::new().await;
    let answer =
        world.raw(b"GET http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("unresolved"), "{answer}");
    assert_eq!(world.judged()[0], "before get http://nowhere.invalid/");
}
