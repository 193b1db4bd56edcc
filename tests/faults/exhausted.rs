//! The gateway runs out of something (rows D9 and D10).

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
    process::Command,
    time::{Duration, Instant},
};

use super::{HOOK, bash};
use crate::world::{World, bin, have, memory};

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

#[test]
fn d9_large_bodies_at_once_in_little_memory_are_refused_and_the_process_lives() {
    if !have("d9_large_bodies_at_once_in_little_memory_are_refused_and_the_process_lives", &["prlimit"]) {
        return;
    }
    let mut world = World::new();
    let mut limited = world.command("prlimit");
    // 128 MiB, and room for the text of a program that was not optimised, which counts as well. So would the 64 MiB of
    // addresses that glibc sets aside for each thread (mallopt(3), M_ARENA_MAX), which is no memory. With 192 MiB the gateway's
    // allocator sets aside so many that no thread has room for its stack.
    let limit: u64 = if cfg!(debug_assertions) { 172 } else { 128 };
    limited.arg(format!("--as={}", limit << 20)).arg(bin("rampart")).arg("serve").env("MALLOC_ARENA_MAX", "1");
    world.serve_as(limited);
    let pid = world.gateway().id();
    let socket = world.home().join("run/gateway.sock");
    let content = "x".repeat(10 << 20);
    let body = format!(
        r#"{{"origin":{{"surface":"hook"}},"action":{{"type":"write","paths":[{{"path":"/tmp/x"}}],"content":"{content}"}}}}"#
    );
    let head = format!(
        "POST /v1/judge HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let post = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        // Who is refused early is not read to the end.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    };
    let answers: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..64).map(|_| scope.spawn(post)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(world.gateway().try_wait().unwrap().is_none(), "it ended: {}", world.gateway_log());
    let judged = answers.iter().filter(|answer| answer.contains(" 200 ")).count();
    // Who was refused while they still sent may not have got to read it.
    let refused = answers.iter().filter(|answer| answer.contains(" 503 ") || answer.is_empty()).count();
    assert!(judged + refused == 64 && answers.iter().any(|answer| answer.contains(" 503 ")), "{answers:?}");
    assert!(memory(pid).0 < limit * 1024, "{} kB", memory(pid).0);
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
        .filter_map(|_| TcpStream::connect_timeout(&api.parse().unwrap(), Duration::from_millis(20)).ok())
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
    let pid = world.gateway().id();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")).unwrap();
    assert!(own.parse::<u64>().unwrap() < 20 * 1024, "{own} kB besides its code");
    // The code of a build that is not optimised takes 15 MiB more.
    let (resident, most) = (memory(pid).0, if cfg!(debug_assertions) { 55 } else { 40 });
    assert!(resident < most * 1024, "{resident} kB");
}
