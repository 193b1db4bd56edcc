//! A1, A2, A5: who wins, what comes too late, and who fills only their own share.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    sync::{Arc, Barrier},
};

use serde_json::json;

use super::*;

#[test]
fn of_64_answers_at_once_one_wins_and_the_others_learn_whose() {
    let mut world = asking();
    world.serve(&[]);
    let held = Held::start(&world, "s1", "made");
    let id = only(&world);
    let start = Arc::new(Barrier::new(64));
    let answers: Vec<_> = (0..64)
        .map(|n| {
            let mut command = world.rampart(&[if n % 2 == 0 { "approve" } else { "deny" }, &id[..8]]);
            let start = Arc::clone(&start);
            std::thread::spawn(move || {
                start.wait();
                (n % 2 == 0, Ran::from(command.stdin(Stdio::null()).output().unwrap()))
            })
        })
        .collect();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.join().unwrap()).collect();
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, ran)| ran.success());
    assert_eq!(won.len(), 1, "{won:?}");
    let verb = if won[0].0 { "approved" } else { "denied" };
    for (_, ran) in &lost {
        assert!(ran.stderr.contains(&format!("{id} was {verb} by user ")), "{ran:?}");
    }
    assert_eq!(held.ran(), won[0].0);
    assert_eq!(steps(&world, Some(&id)), ["asked", if won[0].0 { "granted" } else { "denied" }]);
    assert_eq!(kept(&world), 0, "what is over is not kept");
}

#[test]
fn what_comes_too_late_releases_nothing() {
    let mut world = asking();
    world.serve(&["--approval-timeout", "1s"]);
    let held = Held::start(&world, "s1", "expired");
    let expired = only(&world);
    assert!(!held.ran());
    let late = world.run(&["approve", &expired]).expect(2);
    assert!(late.stderr.contains("has expired"), "{late:?}");

    let held = Held::start(&world, "s1", "cancelled");
    let cancelled = only(&world);
    let file = held.kill();
    pending(&world, 0);
    let late = world.run(&["approve", &cancelled]).expect(2);
    assert!(late.stderr.contains("withdrawn"), "{late:?}");
    assert!(!file.exists());
    until("both ends are on record", || steps(&world, None) == ["asked", "expired", "asked", "cancelled"]);
    assert_eq!(kept(&world), 0);

    // And a restart forgets neither.
    world.run(&["serve", "stop"]).expect(0);
    world.serve(&[]);
    for (id, why) in [(&expired, "has expired"), (&cancelled, "withdrawn")] {
        let late = world.run(&["approve", &id[..6]]).expect(2);
        assert!(late.stderr.contains(why), "{late:?}");
    }
}

#[test]
fn an_id_is_known_by_any_unique_beginning_and_nothing_is_answered_by_a_guess() {
    let mut world = asking();
    world.serve(&[]);
    // Seventeen ids of hex digits: two begin alike.
    let held: Vec<_> = (0..17).map(|n| Held::start(&world, "s1", &format!("f{n}"))).collect();
    let ids: Vec<String> = pending(&world, 17).iter().map(id).collect();
    let shared = ids.iter().map(|id| &id[..1]).find(|first| ids.iter().filter(|id| id.starts_with(first)).count() > 1);
    let shared = shared.unwrap();
    let many = world.run(&["approve", shared]).expect(2);
    for id in ids.iter().filter(|id| id.starts_with(shared)) {
        assert!(many.stderr.contains(id.as_str()), "the candidates are listed: {many:?}");
    }
    world.run(&["deny", "zzz"]).expect(2);
    world.run(&["deny", ""]).expect(2);
    assert_eq!(pending(&world, 17).len(), 17);
    let unique = (1..12).map(|n| &ids[0][..n]).find(|p| ids.iter().filter(|id| id.starts_with(p)).count() == 1);
    world.run(&["deny", unique.unwrap(), "--reason", "not today"]).expect(0);
    let denied = world.records().into_iter().find(|r| r["event"] == "denied").unwrap();
    assert_eq!((denied["id"].as_str(), denied["message"].as_str()), (Some(ids[0].as_str()), Some("not today")));
    drop(held.into_iter().map(Held::kill).collect::<Vec<_>>());
}

/// One request to the gateway's socket, on a connection that is kept. None when the gateway went away before it took it.
pub(super) fn post(stream: &mut UnixStream, tool: &str, agent: &str, params: &Value) -> Option<Value> {
    send(stream, tool, agent, params).ok()?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut byte).unwrap_or(0);
        if read == 0 {
            assert!(answer.is_empty(), "half an answer: {}", String::from_utf8_lossy(&answer));
            return None;
        }
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Some(serde_json::from_slice(&body).unwrap())
}

fn send(stream: &mut UnixStream, tool: &str, agent: &str, params: &Value) -> std::io::Result<()> {
    let body = json!({"agent": agent, "session": "s", "params": params}).to_string();
    let head = format!("POST /v1/tool/{tool} HTTP/1.1\r\nhost: rampart\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes())
}

#[test]
fn an_agent_that_floods_fills_its_own_share_and_disturbs_nobody() {
    let mut world = asking();
    world.serve(&[]);
    let socket = world.home().join("run/gateway.sock");
    let connect = || UnixStream::connect(&socket).unwrap();
    let touch = json!({"command": "touch flood"});
    let held: Vec<UnixStream> = (0..32)
        .map(|_| {
            let mut stream = connect();
            send(&mut stream, "exec", "flood", &touch).unwrap();
            stream
        })
        .collect();
    pending(&world, 32);
    let flooding: Vec<_> = (0..16)
        .map(|_| {
            let (mut stream, touch) = (connect(), touch.clone());
            std::thread::spawn(move || {
                for _ in 0..625 {
                    let answer = post(&mut stream, "exec", "flood", &touch).unwrap();
                    assert_eq!((&answer["allowed"], &answer["reason"]), (&json!(false), &json!("too_many_pending")));
                }
            })
        })
        .collect();
    // Meanwhile the others go on as ever, and are asked as ever.
    let mut other = connect();
    let began = Instant::now();
    assert_eq!(post(&mut other, "exec", "calm", &json!({"command": "ls"})).unwrap()["allowed"], true);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    send(&mut other, "exec", "calm", &json!({"command": "touch calm"})).unwrap();
    pending(&world, 33);
    for flood in flooding {
        flood.join().unwrap();
    }
    assert_eq!(pending(&world, 33).len(), 33, "the flood took nobody's place");
    let listed = world.run(&["pending"]).expect(0);
    assert!(listed.stdout.contains("and 31 more of the same: "), "{listed:?}");
    assert_eq!(listed.stdout.matches("touch flood").count(), 1, "{listed:?}");
    drop(held);
    pending(&world, 1);
}

#[test]
fn what_a_rule_says_about_asking_holds() {
    let policy =
        |options: &str| POLICY.replace("- action: ask\n", &format!("- action: ask\n        ask: {{ {options} }}\n"));
    let hook = |world: &World| {
        let call = json!({"hook_event_name":"PreToolUse","session_id":"s1","cwd":"/tmp","tool_name":"Bash","tool_input":{"command":"touch x"}});
        world.run_with(&["hook", "--format", "claude-code", "--timeout", "4"], call.to_string().as_bytes())
    };
    // A host with a prompt of its own is handed the question, unless the answer is to be on record here.
    let mut world = asking();
    world.serve(&[]);
    assert!(hook(&world).stdout.contains(r#""permissionDecision":"ask""#));
    let mut world = World::with_policy(&policy("audit: true"));
    world.serve(&[]);
    let answering = std::thread::scope(|scope| {
        let asked = scope.spawn(|| hook(&world));
        world.run(&["approve", &only(&world)]).expect(0);
        asked.join().unwrap()
    });
    assert!(!answering.stdout.contains(r#""ask""#) && answering.success(), "{answering:?}");
    assert_eq!(steps(&world, None), ["asked", "granted"]);
    // With a person there it only records; without, it asks, and there is nobody.
    for (flags, passes, reason) in [(&[][..], true, "rule"), (&["--headless"], false, "nobody_to_ask")] {
        let mut world = World::with_policy(&policy("headless_only: true"));
        world.serve(flags);
        assert_eq!(Held::start(&world, "s1", "made").ran(), passes);
        assert_eq!(world.decisions()[0]["reason"], reason);
        assert!(steps(&world, None).is_empty());
    }
}
