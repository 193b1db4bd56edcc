//! A2 to A4, D11, S6, S7: what outlives a gateway and a clock, and what does not.

use std::os::unix::{fs::PermissionsExt as _, net::UnixStream};

use serde_json::json;

use super::{holding::post, *};
use crate::world::skip;

fn stop(world: &mut World) {
    let began = Instant::now();
    world.run(&["serve", "stop"]).expect(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    world.gateway().wait().unwrap();
}

fn kill(world: &mut World) {
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
}

fn facts(question: &Value) -> [&Value; 4] {
    [&question["id"], &question["payload"], &question["expires"], &question["subject"]]
}

#[test]
fn questions_in_flight_survive_a_restart_and_whoever_asked_gets_the_answer() {
    let mut world = asking();
    world.serve(&[]);
    let mut held: Vec<_> = (0..3).map(|n| Some(Held::start(&world, "s1", &format!("f{n}")))).collect();
    let before = pending(&world, 3);
    let left = before[0]["expires_in_ms"].as_u64().unwrap();
    stop(&mut world);
    assert_eq!(world.records().last().unwrap()["type"], "checkpoint");
    assert!(world.records().iter().any(|r| r["type"] == "close"));
    world.serve(&[]);
    let after = pending(&world, 3);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(facts(before), facts(after));
    }
    assert!(after[0]["expires_in_ms"].as_u64().unwrap() < left, "the time goes on");
    for (n, question) in after.iter().enumerate() {
        let name = question["subject"].as_str().unwrap().strip_prefix("touch f").unwrap();
        let held = held[name.parse::<usize>().unwrap()].take().unwrap();
        let answer = if n == 0 { "deny" } else { "approve" };
        world.run(&[answer, &id(question)]).expect(0);
        assert_eq!(held.ran(), n != 0);
        let given = if n == 0 { "denied" } else { "granted" };
        let recorded = steps(&world, Some(&id(question)));
        assert_eq!(recorded[..2], ["asked", given], "asked once: {recorded:?}");
    }
    assert_eq!(kept(&world), 0);
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_gateway_that_ends_answers_what_it_took_and_leaves_what_it_held() {
    let mut world = asking();
    world.serve(&[]);
    let held: Vec<_> = (0..3).map(|n| Held::start(&world, "s1", &format!("f{n}"))).collect();
    let mut before: Vec<String> = pending(&world, 3).iter().map(id).collect();
    let socket = world.home().join("run/gateway.sock");
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).unwrap();
            let ls = json!({"command": "ls"});
            std::thread::spawn(move || std::iter::from_fn(|| post(&mut stream, "exec", "busy", &ls)).count())
        })
        .collect();
    until("they are busy", || world.decisions().len() > 100);
    stop(&mut world);
    let answered: usize = asking.into_iter().map(|asking| asking.join().unwrap()).sum();
    let recorded = world.decisions().iter().filter(|d| d["actor"]["agent"] == "busy").count();
    assert_eq!(recorded, answered, "each is answered, and each is on record");
    drop(held.into_iter().map(Held::kill).collect::<Vec<_>>());
    world.serve(&[]);
    let mut after: Vec<String> = pending(&world, 3).iter().map(id).collect();
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(before, after);
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_gateway_that_is_killed_loses_no_question() {
    let mut world = asking();
    world.serve(&[]);
    let held = Held::start(&world, "s1", "made");
    let before = pending(&world, 1);
    let file = world.home().join(format!("state/approvals/{}.json", id(&before[0])));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // Whoever is held hears of that.
    std::thread::sleep(Duration::from_millis(300));
    kill(&mut world);
    world.serve(&[]);
    assert_eq!(facts(&pending(&world, 1)[0]), facts(&before[0]));
    world.run(&["approve", &id(&before[0])]).expect(0);
    // Whoever was held has come back, or, where this machine was too slow for that, comes back for the answer.
    assert!(held.ran() || Held::start(&world, "s1", "made").ran());
    assert_eq!(steps(&world, None)[..2], ["asked", "granted"]);
}

#[test]
fn an_answer_to_somebody_who_is_away_goes_to_the_very_same_call_once() {
    let mut world = asking();
    world.serve(&[]);
    let held = Held::start(&world, "s1", "made");
    let question = only(&world);
    kill(&mut world);
    let file = held.kill();
    world.serve(&[]);
    world.run(&["approve", &question]).expect(0);
    let second = world.run(&["deny", &question]).expect(2);
    assert!(second.stderr.contains("was approved by"), "{second:?}");
    assert!(!file.exists(), "nobody was there to act on it");
    // Another restart changes nothing about that.
    kill(&mut world);
    world.serve(&[]);
    // Whatever else asks is asked about: another session, argument, working directory, environment.
    let held_by = |mut command: Command| Held { child: command.spawn().unwrap(), file: file.clone() };
    let mut elsewhere = shell(&world, "s1", "touch made");
    elsewhere.current_dir(world.project().join("sub"));
    let mut another = shell(&world, "s1", "touch made");
    another.env("RAMPART_AGENT", "another");
    std::fs::create_dir(world.project().join("sub")).unwrap();
    let others = [
        Held::start(&world, "s2", "made"),
        Held::start(&world, "s1", "other"),
        held_by(elsewhere),
        held_by(another),
        held_by(shell(&world, "s1", "X=1 touch made")),
    ];
    pending(&world, 5);
    drop(others.map(Held::kill));
    pending(&world, 0);
    assert!(!file.exists());
    // The same call takes it, of two at a time one.
    let two = [Held::start(&world, "s1", "made"), Held::start(&world, "s1", "made")];
    let third = only(&world);
    assert_ne!(third, question);
    until("one of them ran", || file.exists());
    world.run(&["deny", &third]).expect(0);
    let mut codes: Vec<_> = two.map(|held| held.child.wait_with_output().unwrap().status.success()).into();
    codes.sort_unstable();
    assert_eq!(codes, [false, true]);
    assert_eq!(steps(&world, Some(&question)), ["asked", "granted", "used"]);
    kill(&mut world);
    world.serve(&[]);
    assert_eq!(kept(&world), 0);
    let fourth = Held::start(&world, "s1", "made");
    assert_ne!(only(&world), question, "used is used, after a restart too");
    fourth.kill();
}

/// A hook that would write to a file, and is held for that: its path may be a link, and its content is part of what is asked.
#[test]
fn a3_an_answer_is_not_for_other_content_nor_for_where_a_link_leads_by_now() {
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: notes\n    match: { tool: write }\n    rules:\n      - action: ask\n        ask: { audit: true }\n        when: { path_matches: [\"**/notes.txt\"] }\n        message: A person looks\n";
    let mut world = World::with_policy(policy);
    world.serve(&[]);
    let link = world.project().join("notes.txt");
    let lead_to = |name: &str| {
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(link.with_file_name(name), &link).unwrap();
    };
    for name in ["harmless", "other"] {
        std::fs::write(world.project().join(name), "").unwrap();
    }
    let hook = |world: &World, content: &str| {
        let mut hook = world.rampart(&["hook", "--format", "claude-code", "--timeout", "30"]);
        hook.env("RAMPART_AUTOSTART", "0").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = hook.spawn().unwrap();
        let call = json!({"session_id": "s", "cwd": world.project(), "hook_event_name": "PreToolUse", "tool_name": "Write",
            "tool_input": {"file_path": link, "content": content}});
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), call.to_string().as_bytes()).unwrap();
        child
    };
    let away = |mut child: Child| {
        child.kill().unwrap();
        child.wait().unwrap();
    };
    lead_to("harmless");
    let asked = hook(&world, "fine");
    let question = only(&world);
    kill(&mut world);
    // Whoever asked is away when the answer comes.
    away(asked);
    world.serve(&[]);
    world.run(&["approve", &question]).expect(0);
    let other_content = hook(&world, "something else");
    assert_ne!(only(&world), question);
    away(other_content);
    pending(&world, 0);
    lead_to("other");
    let other_place = hook(&world, "fine");
    assert_ne!(only(&world), question);
    away(other_place);
    pending(&world, 0);
    // The very same goes through with the answer that was given.
    lead_to("harmless");
    let ran = Ran::from(hook(&world, "fine").wait_with_output().unwrap()).expect(0);
    assert!(!ran.stdout.contains("deny"), "{ran:?}");
    assert_eq!(steps(&world, Some(&question)), ["asked", "granted", "used"]);
}

/// Starts the gateway inside another program.
fn serve_inside(world: &mut World, wrapper: &[&str], env: &[(&str, &str)]) {
    let mut command = world.command(wrapper[0]);
    command.args(&wrapper[1..]).arg(bin("rampart")).arg("serve").envs(env.iter().copied());
    world.serve_as(command);
}

#[test]
fn what_expires_expires_while_the_machine_sleeps() {
    const TEST: &str = "what_expires_expires_while_the_machine_sleeps";
    // A clock namespace whose boot clock is ahead is what a machine looks like that has slept.
    let wrapper = ["unshare", "--user", "--map-root-user", "--time", "--boottime"];
    let mut world = asking();
    let probe = world.command(wrapper[0]).args(&wrapper[1..]).args(["600", "true"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return skip(TEST, "unshare and time namespaces");
    }
    world.serve(&[]);
    let held = Held::start(&world, "s1", "made");
    let question = only(&world);
    kill(&mut world);
    let file = held.kill();
    // A minute of sleep leaves it time, ten do not.
    serve_inside(&mut world, &[&wrapper[..], &["60", "--"]].concat(), &[]);
    let left = pending(&world, 1)[0]["expires_in_ms"].as_u64().unwrap();
    assert!(left < 60_000, "{left}");
    world.run(&["serve", "stop"]).expect(0);
    serve_inside(&mut world, &[&wrapper[..], &["600", "--"]].concat(), &[]);
    let late = world.run(&["approve", &question]).expect(2);
    assert!(late.stderr.contains("has expired"), "{late:?}");
    assert!(!file.exists());
    until("that is on record", || steps(&world, Some(&question)) == ["asked", "expired"]);
    until("it is not kept", || kept(&world) == 0);
}

/// A clock on the wall that can be set for the gateway alone. The boot clock stays as it is: nobody can set it.
pub(crate) struct Wall {
    file: PathBuf,
    env: [(&'static str, String); 4],
}

impl Wall {
    /// None where libfaketime is missing, which the test named `test` needs.
    pub(crate) fn new(world: &World, test: &str) -> Option<Self> {
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];
        let library = folders.map(|folder| format!("{folder}/faketime/libfaketime.so.1"));
        let Some(library) = library.into_iter().find(|path| std::path::Path::new(path).exists()) else {
            skip(test, "libfaketime");
            return None;
        };
        let file = world.write("clock", "+0");
        let env = [
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap().to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        Some(Self { file, env })
    }

    pub(crate) fn set(&self, offset: &str) {
        std::fs::write(&self.file, offset).unwrap();
    }

    pub(crate) fn serve(&self, world: &mut World, args: &[&str]) {
        world.serve_with(args, &self.env.each_ref().map(|(name, value)| (*name, value.as_str())));
    }
}

#[test]
fn a_temporary_rule_ends_in_its_time_whatever_the_clock_says() {
    let mut world = asking();
    let Some(wall) = Wall::new(&world, "a_temporary_rule_ends_in_its_time_whatever_the_clock_says") else { return };
    wall.serve(&mut world, &["--approval-timeout", "1s"]);
    let allows = |world: &World| world.run(&["allow", "touch made", "--for", "6s", "--yes"]).expect(0);
    // What is asked is refused soon, since nobody answers.
    let passes = |world: &World| {
        let _ = std::fs::remove_file(world.project().join("made"));
        Held::start(world, "s1", "made").ran()
    };
    let settle = |world: &World| until("it is asked again", || !passes(world));
    // Three days back: six seconds are six seconds, over a restart too.
    let began = Instant::now();
    allows(&world);
    wall.set("-3d");
    assert!(passes(&world));
    wall.set("-30m");
    kill(&mut world);
    wall.serve(&mut world, &["--approval-timeout", "1s"]);
    settle(&world);
    assert!(began.elapsed() > Duration::from_secs(3), "and not less: {:?}", began.elapsed());
    // Ten years ahead and back: what was seen to end stays ended.
    wall.set("+0");
    world.run(&["rules", "reset", "--yes"]).expect(0);
    allows(&world);
    wall.set("+3650d");
    settle(&world);
    wall.set("+0");
    assert!(!passes(&world));
}

#[test]
fn no_clock_that_is_set_back_or_ahead_gives_or_takes_time() {
    let mut world = asking();
    let Some(wall) = Wall::new(&world, "no_clock_that_is_set_back_or_ahead_gives_or_takes_time") else { return };
    wall.serve(&mut world, &["--approval-timeout", "3s"]);
    let held = Held::start(&world, "s1", "ahead");
    only(&world);
    // Ten years ahead: it waits on all the same.
    let asked = |question: &Value| question["asked"].as_str().unwrap().to_owned();
    let now = asked(&pending(&world, 1)[0]);
    wall.set("+3650d");
    world.run(&["approve", &only(&world)]).expect(0);
    assert!(held.ran());
    // Three days back: it expires after its three seconds, and a restart does not bring it back.
    let held = Held::start(&world, "s1", "back");
    let question = pending(&world, 1).remove(0);
    assert!(asked(&question)[..4] > now[..4], "the clock was set: {question}");
    let question = id(&question);
    wall.set("-3d");
    let began = Instant::now();
    assert!(!held.ran());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    wall.set("+0");
    let held = Held::start(&world, "s1", "again");
    let other = only(&world);
    kill(&mut world);
    held.kill();
    std::thread::sleep(Duration::from_secs(3));
    // Not three days: before it was made, the certificate authority lets no gateway start.
    wall.set("-30m");
    wall.serve(&mut world, &["--approval-timeout", "1h"]);
    for id in [&question, &other] {
        let late = world.run(&["approve", id]).expect(2);
        assert!(late.stderr.contains("has expired"), "{late:?}");
    }
    // A second or two to and fro, as clocks that are corrected go, costs a question nothing and gives it nothing.
    let held = Held::start(&world, "s1", "jitter");
    let question = only(&world);
    for offset in ["-30m -2s", "-30m +2s", "-30m -1s", "-30m"] {
        wall.set(offset);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(only(&world), question);
    }
    world.run(&["approve", &question]).expect(0);
    assert!(held.ran());
    // The trail shows what the wall clock did, and what went by meanwhile; no other clock orders it.
    let records = world.records();
    let boots: Vec<u64> = records.iter().map(|record| record["boot_ms"].as_u64().unwrap()).collect();
    assert!(
        boots.is_sorted() && !records.iter().map(|record| record["at"].as_str().unwrap()).is_sorted(),
        "{records:#?}"
    );
    world.run(&["serve", "stop"]).expect(0);
    world.run(&["audit", "verify"]).expect(0);
}
