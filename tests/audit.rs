//! The audit trail: one chain over all roads, readable, verifiable, and honest after a crash.

mod faults;
mod many;
mod retention;
mod tamper;
mod verbs;
mod witnesses;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::world::{Ran, World, have, root};

pub(crate) fn some_decisions(world: &mut World) {
    world.serve(&[]);
    for command in ["git status", "rm -rf /", "ls", "cat ~/.ssh/id_ed25519"] {
        let body = serde_json::json!({"hook_event_name":"PreToolUse","session_id":"s1","cwd":"/tmp","tool_name":"Bash","tool_input":{"command":command}});
        world.run_with(&["hook", "--format", "claude-code"], body.to_string().as_bytes());
    }
}

/// One command of an agent, by its hook.
pub(crate) fn hook(world: &World, session: &str, command: &str) -> Ran {
    let body = serde_json::json!({"hook_event_name":"PreToolUse","session_id":session,"cwd":"/tmp","tool_name":"Bash","tool_input":{"command":command}});
    world.run_with(&["hook", "--format", "claude-code"], body.to_string().as_bytes())
}

/// Whether the script agrees that the trail holds, or does not.
#[track_caller]
fn script_agrees(test: &str, world: &World, holds: bool) {
    if have(test, &["python3"]) {
        let mut python = world.command("python3");
        python.arg(root().join("docs/verify.py")).arg(world.home().join("audit"));
        Ran::from(python.output().unwrap()).expect(i32::from(!holds));
    }
}

#[test]
fn the_trail_is_shown_and_verified_and_the_script_agrees() {
    let mut world = World::new();
    some_decisions(&mut world);
    let tail = world.run(&["audit", "tail"]).expect(0);
    assert!(tail.stdout.contains("git status") && tail.stdout.contains("rm -rf /"), "{tail:?}");
    assert!(!tail.stdout.contains('\u{1b}'), "plain text in a pipe: {tail:?}");
    let denials = world.run(&["log", "--deny"]).expect(0);
    assert!(denials.stdout.contains("rm -rf /") && !denials.stdout.contains("git status"), "{denials:?}");
    let json = world.run(&["log", "--deny", "--json"]).expect(0);
    assert_eq!(json.stdout.lines().count(), 2, "{json:?}");
    world.run(&["serve", "stop"]).expect(0);
    let good = world.run(&["audit", "verify", "--json"]).expect(0).json();
    assert_eq!(good["ok"], true, "{good:#}");
    script_agrees("the_trail_is_shown_and_verified_and_the_script_agrees", &world, true);

    let folder = world.home().join("audit");
    let segment = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|x| x == "jsonl"))
        .unwrap();
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replace("rm -rf /", "rm -rf .")).unwrap();
    let bad = world.run(&["audit", "verify"]).expect(1);
    assert!((bad.stdout.clone() + &bad.stderr).contains("audit-"), "the place is named: {bad:?}");
    script_agrees("the_trail_is_shown_and_verified_and_the_script_agrees", &world, false);
}

#[test]
fn follow_shows_records_as_they_are_made() {
    let mut world = World::new();
    some_decisions(&mut world);
    let mut tail = crate::world::Talk::start(world.rampart(&["audit", "tail", "--follow", "-n", "1"]));
    let first = tail.hear();
    assert!(!first.is_empty());
    let body = serde_json::json!({"hook_event_name":"PreToolUse","session_id":"s2","cwd":"/tmp","tool_name":"Bash","tool_input":{"command":"echo followed"}});
    world.run_with(&["hook", "--format", "claude-code"], body.to_string().as_bytes());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !tail.hear().contains("echo followed") {
        assert!(Instant::now() < deadline);
    }
    tail.child().kill().unwrap();
}

#[test]
fn a_killed_gateway_leaves_a_trail_that_verifies_and_goes_on() {
    let mut world = World::new();
    some_decisions(&mut world);
    let before = world.decisions().len();
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    // What a crash in the middle of a write leaves behind.
    let segment = newest_segment(&world);
    let mut file = std::fs::OpenOptions::new().append(true).open(segment).unwrap();
    file.write_all(b"{\"v\":\"rampart.audit.v2\",\"seq\":99,\"ty").unwrap();
    world.serve(&[]);
    let body = br#"{"hook_event_name":"PreToolUse","session_id":"s","cwd":"/tmp","tool_name":"Bash","tool_input":{"command":"ls"}}"#;
    world.run_with(&["hook", "--format", "claude-code"], body).expect(0);
    world.run(&["audit", "verify"]).expect(0);
    script_agrees("a_killed_gateway_leaves_a_trail_that_verifies_and_goes_on", &world, true);
    let kinds: Vec<String> = std::fs::read_to_string(newest_segment(&world))
        .unwrap()
        .lines()
        .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok())
        .map(|r| r["type"].as_str().unwrap().to_owned())
        .collect();
    let all = all_text(&world);
    assert!(all.contains(r#""type":"recover""#), "{kinds:?}");
    assert_eq!(all.matches(r#""type":"decision""#).count(), before + 1);
}

pub(crate) fn newest_segment(world: &World) -> std::path::PathBuf {
    let folder = world.home().join("audit");
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|x| x == "jsonl"));
    all.sort();
    all.pop().unwrap()
}

pub(crate) fn all_text(world: &World) -> String {
    let folder = world.home().join("audit");
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|x| x == "jsonl"));
    all.sort();
    all.iter().map(|p| String::from_utf8_lossy(&std::fs::read(p).unwrap()).into_owned()).collect()
}

#[test]
fn secrets_do_not_stand_in_the_trail_and_equal_ones_look_equal() {
    let mut world = World::new();
    world.serve(&[]);
    // A token with a valid checksum, in pieces so that no scanner takes this file for a leak.
    let token = ["ghp_", "1B4a2e77838347a7E420", "ce178F2E7c", "05URMu"].concat();
    for _ in 0..2 {
        let command = format!("git clone https://{token}@github.com/a/b");
        let body = serde_json::json!({"hook_event_name":"PreToolUse","session_id":"s","cwd":"/tmp","tool_name":"Bash","tool_input":{"command":command}});
        world.run_with(&["hook", "--format", "claude-code"], body.to_string().as_bytes());
    }
    let text = all_text(&world);
    assert!(!text.contains(&token), "the secret stands in the trail");
    let marks: Vec<&str> = text.match_indices("hmac-sha256:").map(|(at, _)| &text[at..at + 28]).collect();
    assert!(marks.len() >= 2 && marks.iter().all(|m| *m == marks[0]), "{marks:?}");
}

#[test]
fn a_full_disk_denies_says_so_and_recovers_by_itself() {
    // A small file system needs a mount namespace of our own.
    if !have("a_full_disk_denies_says_so_and_recovers_by_itself", &["unshare", "mount", "dd", "curl"]) {
        return;
    }
    let probe = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !probe.is_ok_and(|o| o.status.success()) {
        crate::world::skip("a_full_disk_denies_says_so_and_recovers_by_itself", "unshare with user namespaces");
        return;
    }
    let world = World::new();
    let rampart = crate::world::bin("rampart");
    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hears = peer.local_addr().unwrap().port();
    let told = crate::notify::bodies(peer);
    let collector = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let collects = collector.local_addr().unwrap().port();
    let script = format!(
        r#"set -e
        mount -t tmpfs -o size=2m,mode=700 none "$RAMPART_HOME"
        printf '%s\n' 'listen: 127.0.0.1:0' 'egress: {{listen: "127.0.0.1:0"}}' 'syslog: {{address: "udp://127.0.0.1:{collects}"}}' \
          'notify: [{{url: "http://127.0.0.1:{hears}/", on: [deny], format: webhook}}]' > "$RAMPART_HOME/config.yaml"
        r={rampart}
        hook() {{ echo '{{"hook_event_name":"PreToolUse","session_id":"s","cwd":"/tmp","tool_name":"Bash","tool_input":{{"command":"ls"}}}}' | $r hook --format claude-code; }}
        hook; echo before=$?
        dd if=/dev/zero of="$RAMPART_HOME/fill" bs=4096 count=100000 2>/dev/null || true
        n=0; while hook 2>/dev/null >/dev/null && [ $n -lt 400 ]; do n=$((n+1)); done
        hook 2>&1 >/dev/null | grep -o audit_unavailable || true
        echo health=$(curl -s -o /dev/null -w '%{{http_code}}' --unix-socket "$RAMPART_HOME/run/gateway.sock" http://localhost/healthz)
        rm "$RAMPART_HOME/fill"
        n=0; until hook >/dev/null 2>&1 || [ $n -ge 100 ]; do n=$((n+1)); sleep 0.05; done
        hook; echo after=$?
        echo health=$(curl -s -o /dev/null -w '%{{http_code}}' --unix-socket "$RAMPART_HOME/run/gateway.sock" http://localhost/healthz)
        $r audit search --type gap --json --text disk_full >/dev/null; echo told=$?
        $r audit verify >/dev/null; echo verify=$?
        $r serve stop"#,
        rampart = rampart.display(),
    );
    let mut shell = world.command("unshare");
    let ran = Ran::from(shell.args(["-rm", "sh", "-c", &script]).stdin(Stdio::null()).output().unwrap());
    for expected in ["before=0", "audit_unavailable", "health=503", "after=0", "health=200", "told=0", "verify=0"] {
        assert!(ran.stdout.contains(expected), "{expected}: {ran:?}");
    }
    // Whoever is told of denials and whoever collects the trail hears of it.
    let mut notices = std::iter::from_fn(|| told.recv_timeout(std::time::Duration::from_secs(5)).ok());
    assert!(notices.any(|notice| notice["reason"] == "audit_unavailable"), "nobody was told");
    collector.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let mut datagram = [0; 8192];
    let mut heard = std::iter::from_fn(|| {
        let size = collector.recv(&mut datagram).ok()?;
        Some(String::from_utf8_lossy(&datagram[..size]).into_owned())
    });
    assert!(heard.any(|message| message.contains("disk_full")), "no collector was told");
}
