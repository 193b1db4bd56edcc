//! The gateway runs out of something (rows D9 and D10).

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
    process::Command,
    time::{Duration, Instant},
};

use super::{HOOK, TOKEN, bash};
use crate::world::{World, have};

/// Sets a limit of the running gateway.
fn limit(world: &mut World, what: &str) {
    let pid = world.gateway().id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &pid, what]).status().unwrap().success());
}

/// Clock ticks of processor time so far (`proc(5)`: utime and stime).
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Kilobytes of memory in use.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn d9_many_large_bodies_at_once_are_refused_and_the_process_lives() {
    if !have("d9_many_large_bodies_at_once_are_refused_and_the_process_lives", &["prlimit"]) {
        return;
    }
    let mut world = World::new();
    world.serve_with(&[], &[("RAMPART_TOKEN", TOKEN)]);
    let pid = world.gateway().id();
    let before = resident(pid);
    let api = world.status()["listen"].as_str().unwrap().to_owned();
    let body = vec![b' '; 10 << 20];
    let head = format!(
        "POST /v1/tool/exec HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let post = || {
        let mut stream = TcpStream::connect(&api).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let answers: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..64).map(|_| scope.spawn(post)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // One whose connection was reset while it still sent did not get its answer, but it was not let in.
    assert!(answers.iter().all(|answer| answer.is_empty() || answer.starts_with("HTTP/1.1 413")), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.starts_with("HTTP/1.1 413")), "{answers:?}");
    let grown = resident(pid).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} kB more than before");
    assert_eq!(world.run_with(HOOK, &bash("git status")).code, Some(0));
}

#[test]
fn d10_without_file_descriptors_it_waits_quietly_and_goes_on_when_there_are_some() {
    if !have("d10_without_file_descriptors_it_waits_quietly_and_goes_on_when_there_are_some", &["prlimit"]) {
        return;
    }
    let mut world = World::new();
    world.serve(&[]);
    limit(&mut world, "--nofile=64:64");
    let pid = world.gateway().id();
    let api = world.status()["listen"].as_str().unwrap().to_owned();
    let held: Vec<_> = (0..500)
        .filter_map(|_| TcpStream::connect_timeout(&api.parse().unwrap(), Duration::from_millis(200)).ok())
        .collect();
    assert!(held.len() > 100, "{} connections", held.len());
    std::thread::sleep(Duration::from_millis(500));
    let (before, begun) = (ticks(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(3));
    let used = (ticks(pid) - before) as f64 / 100.0 / begun.elapsed().as_secs_f64();
    assert!(used < 0.10, "{:.0} % of a processor", used * 100.0);
    drop(held);
    let begun = Instant::now();
    while !world.run(&["status"]).success() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it does not come back");
    }
    let socket = world.home().join("run/gateway.sock");
    assert!(UnixStream::connect(socket).is_ok());
    assert!(world.gateway().try_wait().unwrap().is_none());
}

#[test]
fn an_idle_gateway_needs_less_than_forty_megabytes() {
    let mut world = World::new();
    world.serve(&[]);
    world.run_with(HOOK, &bash("git status"));
    let resident = resident(world.gateway().id());
    assert!(resident < 40 * 1024, "{resident} kB");
}
