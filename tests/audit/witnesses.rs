//! Checkpoints that others keep, and what they find out.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use super::{hook, newest_segment};
use crate::world::World;

/// A web server that hands out the bodies it is sent, or none if it never answers.
fn web(answers: bool) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, bodies) = channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            if answers {
                let send = send.clone();
                std::thread::spawn(move || serve(stream, &send));
            } else {
                kept.push(stream);
            }
        }
    });
    (port, bodies)
}

fn serve(stream: TcpStream, send: &std::sync::mpsc::Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        (&stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
        send.send(String::from_utf8(body).unwrap()).ok()?;
    }
}

fn world_with(witnesses: &str) -> World {
    let world = World::new();
    world.config(&format!("listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\naudit:\n  witnesses: [{witnesses}]\n"));
    world
}

fn verify(world: &World, witness: &Path) -> crate::world::Ran {
    world.run(&["audit", "verify", "--json", "--witness", witness.to_str().unwrap()])
}

#[test]
fn checkpoints_reach_witnesses_and_betray_what_the_folder_alone_cannot() {
    let (port, bodies) = web(true);
    let syslog = TcpListener::bind("127.0.0.1:0").unwrap();
    let collector = syslog.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut world = world_with(&format!("'{}', 'http://127.0.0.1:{port}/w', 'tcp://{collector}'", folder.display()));
    let collected = std::thread::spawn(move || {
        let mut text = String::new();
        syslog.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    world.serve(&[]);
    hook(&world, "s1", "rm -rf /");
    hook(&world, "s1", "ls");
    world.run(&["serve", "stop"]).expect(0);
    let file = folder.join("rampart-checkpoints.jsonl");
    let posted = world.write("posted.json", bodies.try_iter().last().unwrap());
    let logged = world.write("collector.log", collected.join().unwrap());
    let kept = [&file, &posted, &logged];
    for witness in kept {
        let report = verify(&world, witness).expect(0).json();
        assert_eq!(report["ok"], true, "{}: {report:#}", witness.display());
    }

    // Cut off behind the last decision, with the checkpoint file: the folder alone knows of nothing.
    let segment = newest_segment(&world);
    let sound = std::fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = sound.lines().collect();
    std::fs::write(&segment, lines[..lines.len() - 2].join("\n") + "\n").unwrap();
    std::fs::remove_file(world.home().join("audit/checkpoint")).unwrap();
    world.run(&["audit", "verify"]).expect(0);
    for witness in kept {
        let report = verify(&world, witness).expect(1).json();
        assert_eq!(report["problems"][0]["what"], "truncated", "{}: {report:#}", witness.display());
    }
    std::fs::write(&segment, &sound).unwrap();

    // Everything written anew, with keys of its own, by our own program.
    let mut forged = World::new();
    forged.serve(&[]);
    hook(&forged, "s1", "ls -la /");
    hook(&forged, "s1", "ls");
    hook(&forged, "s1", "ls");
    forged.run(&["serve", "stop"]).expect(0);
    forged.run(&["audit", "verify"]).expect(0);
    for witness in kept {
        let report = verify(&forged, witness).expect(1).json();
        assert_eq!(report["problems"][0]["what"], "rewritten", "{}: {report:#}", witness.display());
        assert!(report["problems"][0]["message"].as_str().unwrap().contains("the witness saw"), "{report:#}");
    }
    let head = world.run(&["audit", "verify", "--json"]).json()["head"].as_str().unwrap().to_owned();
    world.run(&["audit", "verify", "--expect-head", &head]).expect(0);
    forged.run(&["audit", "verify", "--expect-head", &head]).expect(1);
    let nothing = world.write("nothing.json", "{}");
    let ran = verify(&world, &nothing).expect(2);
    assert!(ran.stderr.contains("holds no checkpoint"), "{ran:?}");
}

#[test]
fn a_witness_that_hangs_or_is_gone_holds_nobody_up_and_is_on_record() {
    let (port, _bodies) = web(false);
    let mut world = world_with(&format!("'http://127.0.0.1:{port}/w', /nowhere/at/all"));
    world.serve(&[]);
    let began = Instant::now();
    for _ in 0..5 {
        hook(&world, "s1", "rm -rf /");
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let deadline = Instant::now() + Duration::from_secs(15);
    let told = |world: &World| -> Vec<String> {
        let gaps = world.records().into_iter().filter(|r| r["type"] == "gap" && r["reason"] == "witness");
        gaps.map(|r| r["cause"].as_str().unwrap().to_owned()).collect()
    };
    while told(&world).len() < 2 {
        assert!(Instant::now() < deadline, "{:?} {}", told(&world), world.gateway_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let causes = told(&world).join("\n");
    assert!(causes.contains("webhook at 127.0.0.1 takes no checkpoints: it took longer than 5 s"), "{causes}");
    assert!(causes.contains("/nowhere/at/all takes no checkpoints") && !causes.contains("/w "), "{causes}");
    let status = world.status();
    assert!(status["audit"]["witnesses"][0]["problem"].is_string(), "{status:#}");
    let people = world.run(&["status"]).stdout;
    assert!(people.contains("/nowhere/at/all takes no checkpoints"), "{people}");
    let began = Instant::now();
    world.run(&["serve", "stop"]).expect(0);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
