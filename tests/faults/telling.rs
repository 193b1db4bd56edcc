//! Whoever is told hangs, fails or cannot be found (row N15).

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use super::{HOOK, TOKEN, bash};
use crate::{
    telemetry::metric,
    world::{World, have},
};

/// A listener whose connections are taken and never answered.
fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let held: Vec<_> = listener.incoming().map_while(Result::ok).collect();
        drop(held);
    });
    address
}

fn configured(targets: &str) -> World {
    let mut world = World::new();
    world.config(&format!("listen: 127.0.0.1:0\negress: {{listen: '127.0.0.1:0'}}\nnotify: [{targets}]\n"));
    world.serve_with(&[], &[("RAMPART_TOKEN", TOKEN)]);
    world
}

#[test]
fn n15_a_storm_fills_its_queue_and_no_more_and_what_found_no_place_is_counted() {
    if !have("n15_a_storm_fills_its_queue_and_no_more_and_what_found_no_place_is_counted", &["curl"]) {
        return;
    }
    const STORM: usize = 600;
    let world = configured(&format!("{{url: 'http://{}/'}}", hanging()));
    let api = world.status()["listen"].as_str().unwrap().to_owned();
    let body = r#"{"agent":"a","session":"s","params":{"command":"rm -rf /"}}"#;
    let request = format!(
        "POST /v1/tool/exec HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let begun = Instant::now();
    for _ in 0..STORM {
        let mut stream = TcpStream::connect(&api).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"allowed\":false"), "{answer}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "decisions waited: {:?}", begun.elapsed());
    let dropped = metric(&world, &api, "rampart_notices_dropped_total");
    // 256 wait and one is on its way.
    assert!(dropped >= (STORM - 257) as f64, "{dropped} of {STORM}");
    world.run(&["serve", "stop"]).expect(0);
    let told: u64 = world
        .records()
        .iter()
        .filter(|r| r["type"] == "gap" && r["reason"] == "notify")
        .filter_map(|r| r["dropped"].as_u64())
        .sum();
    assert_eq!(told, STORM as u64, "each loss is on record");
}

#[test]
fn n15_names_that_are_not_there_and_certificates_that_do_not_hold_are_losses_on_record() {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tls = hanging();
    let targets = format!("{{url: 'https://nobody.invalid/'}}, {{url: 'https://{tls}/'}}, {{url: 'http://{plain}/'}}");
    let world = configured(&targets);
    let begun = Instant::now();
    assert_eq!(world.run_with(HOOK, &bash("rm -rf /")).code, Some(2));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    world.run(&["serve", "stop"]).expect(0);
    let gaps: Vec<_> = world.records().into_iter().filter(|r| r["reason"] == "notify").collect();
    assert_eq!(gaps.len(), 3, "one of each target: {gaps:#?}");
    assert!(gaps.iter().all(|gap| gap["dropped"] == 1 && !gap["cause"].as_str().unwrap().is_empty()), "{gaps:#?}");
}
