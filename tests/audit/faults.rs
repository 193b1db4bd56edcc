//! Kills at full rate, kills at every step, disks that fail: what was acknowledged stays, and the trail goes on.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::hook;
use crate::world::{Ran, World, have, skip};

/// A connection to the gateway's socket.
struct Caller(BufReader<UnixStream>);

impl Caller {
    fn new(world_home: &Path) -> Option<Self> {
        let stream = UnixStream::connect(world_home.join("run/gateway.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// Method, path and body; status and answer. None when the connection breaks.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.0.get_mut().write_all((head + body).as_bytes()).ok()?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3)?.parse().ok()?;
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// The number under which a command is on record.
    fn decide(&mut self, command: &str) -> Option<u64> {
        let body = json!({"agent": "a", "session": "s", "params": {"command": command}}).to_string();
        self.ask("POST", "/v1/tool/exec", &body)?.1["seq"].as_u64()
    }
}

fn health(world: &World) -> Option<(u16, Value)> {
    Caller::new(&world.home())?.ask("GET", "/healthz", "")
}

#[track_caller]
fn wait_until(what: &str, world: &World, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "{what}: {}", world.gateway_log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The records that decisions were acknowledged with, killed at full rate so many times.
#[test]
fn kills_at_full_rate_lose_no_acknowledged_denial() {
    let kills: usize = std::env::var("RAMPART_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let mut world = World::new();
    let acknowledged: Arc<Mutex<BTreeMap<u64, String>>> = Arc::default();
    for kill in 0..kills {
        world.serve(&[]);
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..16)
            .map(|caller| {
                let (stop, acknowledged, home) = (Arc::clone(&stop), Arc::clone(&acknowledged), world.home());
                std::thread::spawn(move || {
                    let mut gateway = Caller::new(&home)?;
                    for n in 0.. {
                        let command = format!("rm -rf / # {kill} {caller} {n}");
                        let seq = gateway.decide(&command)?;
                        acknowledged.lock().unwrap().insert(seq, command);
                        if stop.load(SeqCst) {
                            break;
                        }
                    }
                    Some(())
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(120 + (kill as u64 * 37) % 200));
        world.gateway().kill().unwrap();
        world.gateway().wait().unwrap();
        stop.store(true, SeqCst);
        for caller in callers {
            let _ = caller.join().unwrap();
        }
    }
    world.serve(&[]);
    world.run(&["serve", "stop"]).expect(0);
    let report = world.run(&["audit", "verify", "--json"]).expect(0).json();
    let torn = report["notes"].as_array().unwrap().iter().filter(|n| n["what"] == "torn").count();
    assert!(torn <= kills, "at most one torn line a kill: {report:#}");
    let text = super::all_text(&world);
    assert_eq!(text.matches(r#""type":"recover""#).count(), torn, "each is recorded");
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() > kills * 10, "{} decisions", acknowledged.len());
    let lines: BTreeMap<u64, &str> = text
        .lines()
        .filter(|line| line.contains(r#""type":"decision""#) && line.ends_with(r#""}"#))
        .filter_map(|line| Some((line.split(r#""seq":"#).nth(1)?.split(',').next()?.parse().ok()?, line)))
        .collect();
    for (seq, command) in acknowledged.iter() {
        let line = lines.get(seq).unwrap_or_else(|| panic!("record {seq} was acknowledged and is gone"));
        assert!(line.contains(command.as_str()), "record {seq} is not that of {command}");
    }
    println!("{} acknowledged denials, {kills} kills, {torn} torn lines", acknowledged.len());
}

/// Ends the gateway at the nth call of a system call on the audit folder, while it starts and while it rotates.
#[test]
fn a_kill_at_any_step_leaves_the_state_before_or_after() {
    let test = "a_kill_at_any_step_leaves_the_state_before_or_after";
    if !have(test, &["strace"]) || !may_trace(test) {
        return;
    }
    let world = World::new();
    world.config("listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\naudit:\n  segment: {size: 64kb}\n");
    let folder = world.home().join("audit");
    let mut killed = 0;
    let steps = [("openat", 9), ("write", 6), ("fsync", 5), ("fdatasync", 4), ("renameat", 3), ("unlinkat", 4)];
    for (call, most) in steps {
        for nth in (1..=most).step_by(if option_env!("RAMPART_ALL_CRASHES").is_some() { 1 } else { 2 }) {
            let mut strace = world.command("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(&folder).args(["-e", &format!("trace={call}")]);
            strace.args(["-e", &format!("inject={call}:signal=KILL:when={nth}")]);
            strace.arg(crate::world::bin("rampart")).arg("serve");
            let mut gateway = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut caller = None;
            while gateway.try_wait().unwrap().is_none() && Instant::now() < deadline {
                caller = caller.or_else(|| Caller::new(&world.home()));
                let Some(open) = &mut caller else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                if open.decide(&format!("rm -rf / # {}", "x".repeat(4000))).is_none() {
                    caller = None;
                }
                // so much that it rotated twice
                if segments(&folder) > 40 {
                    break;
                }
            }
            killed += usize::from(gateway.try_wait().unwrap().is_some());
            world.run(&["serve", "stop"]);
            let _ = gateway.kill();
            let _ = gateway.wait();
            let ran = hook(&world, "s", "ls").expect(0);
            world.run(&["serve", "stop"]).expect(0);
            let report = world.run(&["audit", "verify", "--json"]);
            assert_eq!(report.code, Some(0), "{call} {nth}: {report:?} {ran:?}");
            if segments(&folder) > 30 {
                std::fs::remove_dir_all(&folder).unwrap();
            }
        }
    }
    assert!(killed >= 8, "only {killed} were killed");
}

fn segments(folder: &Path) -> usize {
    let paths = std::fs::read_dir(folder).map(|dir| dir.filter_map(|e| Some(e.ok()?.path())));
    paths.map_or(0, |paths| paths.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).count())
}

/// Whether strace works here.
fn may_trace(test: &str) -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let may = traced.is_ok_and(|o| o.status.success());
    if !may {
        skip(test, "a strace that may trace");
    }
    may
}

/// Whether every thread of a process has a tracer.
fn is_traced(pid: &str) -> bool {
    let status =
        |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.unwrap().path().join("status"));
    let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    // A thread that ended meanwhile needs none.
    tasks.all(|task| status(task).map_or(true, |status| !status.contains("TracerPid:\t0\n")))
}

#[test]
fn a_disk_that_does_not_confirm_is_not_asked_again() {
    let test = "a_disk_that_does_not_confirm_is_not_asked_again";
    if !have(test, &["strace"]) || !may_trace(test) {
        return;
    }
    let world = World::new();
    let trace = world.path("trace");
    let mut strace = world.command("strace");
    strace.args(["-f", "-y", "-qq", "-o"]).arg(&trace).args(["-e", "trace=fdatasync"]);
    strace.args(["-e", "inject=fdatasync:error=EIO:when=3"]);
    strace.arg(crate::world::bin("rampart")).arg("serve");
    let mut gateway = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it answers", &world, || health(&world).is_some_and(|(status, _)| status == 200));
    for n in 0..6 {
        assert_eq!(hook(&world, "s", &format!("rm -rf / # {n}")).code, Some(2), "refused by its rule");
    }
    world.run(&["serve", "stop"]).expect(0);
    let _ = gateway.wait();
    let text = std::fs::read_to_string(&trace).unwrap();
    let mut failed: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| line.contains("fdatasync(")) {
        let file = line.split(['<', '>']).nth(1).unwrap();
        assert!(!failed.contains(&file), "{file} was synced again after it had failed:\n{text}");
        if line.contains("EIO") {
            failed.push(file);
        }
    }
    assert!(!failed.is_empty(), "{text}");
    let all = super::all_text(&world);
    assert_eq!(all.matches(r#""type":"lost""#).count(), failed.len(), "{text}\n{all}");
    let report = world.run(&["audit", "verify", "--json"]).expect(0).json();
    assert!(report["notes"].as_array().unwrap().iter().any(|note| note["what"] == "lost"), "{report:#}");
    for n in 0..6 {
        assert!(all.contains(&format!("rm -rf / # {n}")), "decision {n} is on record");
    }
}

#[test]
fn interrupted_writes_tear_no_line() {
    let test = "interrupted_writes_tear_no_line";
    if !have(test, &["strace"]) || !may_trace(test) {
        return;
    }
    let world = World::new();
    let mut strace = world.command("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=write,read"]);
    strace.args(["-e", "inject=write:error=EINTR:when=2+2", "-e", "inject=read:error=EINTR:when=3+3"]);
    for name in ["audit-0000000000000001.jsonl", "audit-0000000000000001.jsonl.new", "checkpoint.new", "reserve"] {
        strace.arg("-P").arg(world.home().join("audit").join(name));
    }
    strace.arg(crate::world::bin("rampart")).arg("serve");
    let mut gateway = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it answers", &world, || health(&world).is_some_and(|(status, _)| status == 200));
    for n in 0..10 {
        hook(&world, "s", &format!("echo {n}")).expect(0);
    }
    world.run(&["serve", "stop"]).expect(0);
    let _ = gateway.wait();
    let report = world.run(&["audit", "verify", "--json"]).expect(0).json();
    assert_eq!(report["notes"], json!([]), "{report:#}");
    assert_eq!(world.decisions().len(), 10);
}

/// A folder that lets itself be read and not written to, for a while: strace answers for the kernel.
#[test]
fn a_disk_that_became_read_only_denies_and_everything_else_goes_on() {
    let test = "a_disk_that_became_read_only_denies_and_everything_else_goes_on";
    if !have(test, &["strace"]) || !may_trace(test) {
        return;
    }
    let mut world = World::new();
    world.serve(&[]);
    hook(&world, "s", "echo before").expect(0);
    let folder = world.home().join("audit");
    let pid = world.gateway().id().to_string();
    let mut strace = world.command("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &pid, "-P"]).arg(&folder).arg("-P");
    strace.arg(super::newest_segment(&world)).args(["-e", "trace=write,renameat,unlinkat"]);
    strace.args(["-e", "inject=write,renameat,unlinkat:error=EROFS"]);
    let mut strace = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It takes one thread after the other, and a call that comes before the last one is still on record.
    wait_until("all of it is traced", &world, || strace.try_wait().unwrap().is_some() || is_traced(&pid));
    if strace.try_wait().unwrap().is_some() {
        return skip(test, "a strace that may trace what runs already");
    }
    let denied = hook(&world, "s", "echo during").expect(2);
    assert!((denied.stdout.clone() + &denied.stderr).contains("audit_unavailable"), "{denied:?}");
    let (status, said) = health(&world).unwrap();
    assert_eq!((status, &said["audit"]), (503, &"degraded".into()), "{said}");
    let mut reader = Caller::new(&world.home()).unwrap();
    let (status, found) = reader.ask("GET", "/v1/audit/events?text=before", "").unwrap();
    assert_eq!((status, found["events"].as_array().unwrap().len()), (200, 1), "reading goes on");
    let (status, _) = reader.ask("GET", "/dashboard/", "").unwrap();
    assert_eq!(status, 200, "the dashboard goes on");
    let problem = world.status()["audit"]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("Read-only file system"), "{problem}");
    world.run(&["audit", "search", "before"]).expect(0);
    assert!(Command::new("kill").arg(strace.id().to_string()).status().unwrap().success());
    strace.wait().unwrap();
    wait_until("it goes on by itself", &world, || hook(&world, "s", "echo after").code == Some(0));
    assert_eq!(health(&world).unwrap().0, 200);
    world.run(&["serve", "stop"]).expect(0);
    world.run(&["audit", "verify"]).expect(0);
    let all = super::all_text(&world);
    assert!(all.contains(r#""type":"gap""#) && !all.contains("echo during"), "{all}");
}

#[test]
fn a_second_gateway_names_the_first_and_touches_nothing() {
    let mut world = World::new();
    world.serve(&[]);
    hook(&world, "s", "ls").expect(0);
    let before = super::all_text(&world);
    let pid = world.gateway().id();
    let second = world.run(&["serve"]);
    assert_ne!(second.code, Some(0), "{second:?}");
    assert!(second.stderr.contains(&format!("process {pid}")), "{second:?}");
    assert!(super::all_text(&world).starts_with(&before));
    world.run(&["serve", "stop"]).expect(0);
    world.run(&["audit", "verify"]).expect(0);
    assert_eq!(super::all_text(&world).matches(r#""type":"open""#).count(), 1, "one chain");
}

type Spoil = fn(&World);

/// Each thing that is not ours alone is refused in its own words, and nothing is followed or overwritten.
#[test]
fn files_that_others_could_reach_are_refused_each_in_its_own_words() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    fn segment(world: &World) -> std::path::PathBuf {
        super::newest_segment(world)
    }
    fn swap_for_link(path: &Path, to: &str) {
        std::fs::rename(path, path.with_extension("real")).unwrap();
        symlink(to, path).unwrap();
    }
    fn anothers(path: &Path) {
        std::os::unix::fs::chown(path, Some(65534), None).unwrap();
    }
    let mut table: Vec<(&str, Spoil, &str)> = vec![
        ("a home for everybody", |w| mode(&w.home(), 0o777), ".rampart (mode 0777)"),
        ("an audit folder for everybody", |w| mode(&w.home().join("audit"), 0o777), "audit (mode 0777)"),
        ("an audit folder for a group", |w| mode(&w.home().join("audit"), 0o750), "audit has mode 0750"),
        ("a readable token", |w| mode(&w.home().join("token"), 0o644), "token (mode 0644)"),
        (
            "a home that is a link",
            |w| {
                std::fs::rename(w.home(), w.path("elsewhere")).unwrap();
                symlink(w.path("elsewhere"), w.home()).unwrap();
            },
            ".rampart is a symbolic link",
        ),
        (
            "an audit folder that is a link",
            |w| {
                std::fs::rename(w.home().join("audit"), w.path("elsewhere")).unwrap();
                symlink(w.path("elsewhere"), w.home().join("audit")).unwrap();
            },
            "audit is a symbolic link",
        ),
        ("a segment that is a link", |w| swap_for_link(&segment(w), "/etc/passwd"), ".jsonl is a symbolic link"),
        (
            "a segment with two names",
            |w| std::fs::hard_link(segment(w), w.path("other")).unwrap(),
            ".jsonl has 2 names",
        ),
        (
            "a segment that is a pipe",
            |w| {
                std::fs::remove_file(segment(w)).unwrap();
                let path = w.home().join("audit/audit-0000000000000001.jsonl");
                assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
            },
            ".jsonl is not a regular file",
        ),
        (
            "a policy that is a pipe",
            |w| {
                let path = w.home().join("policies/custom.yaml");
                assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
            },
            "custom.yaml",
        ),
        (
            "a readable redaction key",
            |w| mode(&w.home().join("audit/redaction.key"), 0o640),
            "redaction.key has mode 0640",
        ),
    ];
    // Only root can give files away.
    let probe = tempfile::NamedTempFile::new().unwrap();
    if std::os::unix::fs::chown(probe.path(), Some(65534), None).is_ok() {
        table.extend([
            (
                "a redaction key of another user",
                (|w| anothers(&w.home().join("audit/redaction.key"))) as Spoil,
                "redaction.key belongs to user 65534",
            ),
            ("a token of another user", |w| anothers(&w.home().join("token")), "token belongs to user 65534"),
            (
                "an authority of another user",
                |w| anothers(&w.home().join("ca/authority.pem")),
                "authority.pem` belongs to user id 65534",
            ),
            (
                "a policy of another user",
                |w| anothers(&w.write("home/.rampart/policies/custom.yaml", "x")),
                "custom.yaml",
            ),
        ]);
    } else {
        skip("files_that_others_could_reach_are_refused_each_in_its_own_words", "root for files of another user");
    }
    let mut said = std::collections::BTreeSet::new();
    for (name, spoil, words) in table {
        let mut world = World::new();
        world.serve(&[]);
        world.run(&["serve", "stop"]).expect(0);
        spoil(&world);
        let passwd = std::fs::read("/etc/passwd").unwrap();
        let mut serve = world.rampart(&["serve"]);
        let mut serve =
            serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let deadline = Instant::now() + Duration::from_secs(10);
        while serve.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = serve.kill();
                panic!("{name}: it runs");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let ran = Ran::from(serve.wait_with_output().unwrap());
        assert!(ran.code != Some(0) && ran.stderr.contains(words), "{name}: {ran:?}");
        assert!(said.insert((name, words)), "{name}");
        assert_eq!(std::fs::read("/etc/passwd").unwrap(), passwd);
    }
}

/// An older program finds what a newer one left: it refuses, and leaves all of it as it is.
#[test]
fn s13_what_a_newer_version_left_is_refused_and_left_alone() {
    type Newer = fn(&World) -> std::path::PathBuf;
    let table: [(&str, Newer, &str); 3] = [
        (
            "a trail",
            |world| {
                let path = super::newest_segment(world);
                let text = std::fs::read_to_string(&path).unwrap().replace("rampart.audit.v2", "rampart.audit.v3");
                std::fs::write(&path, text).unwrap();
                path
            },
            "another version of Rampart wrote it",
        ),
        (
            "tokens",
            |world| {
                let path = world.home().join("state/tokens.json");
                let text = std::fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":2");
                std::fs::write(&path, text).unwrap();
                path
            },
            "tokens.json",
        ),
        (
            "a policy",
            |world| world.write("home/.rampart/policies/custom.yaml", "version: \"2\"\npolicies: []\n"),
            "custom.yaml:1:10",
        ),
    ];
    for (what, newer, words) in table {
        let mut world = World::new();
        world.serve(&[]);
        hook(&world, "s", "ls").expect(0);
        world.run(&["token", "create", "--scope", "decide"]).expect(0);
        world.run(&["serve", "stop"]).expect(0);
        let path = newer(&world);
        let before = std::fs::read(&path).unwrap();
        let files = || {
            let names = std::fs::read_dir(world.home().join("audit")).unwrap().map(|entry| entry.unwrap().file_name());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let listed = files();
        let refused = world.run(&["serve"]).expect(2);
        assert!(refused.stderr.contains(words), "{what}: {refused:?}");
        assert!(std::fs::read(&path).unwrap() == before, "{what}");
        assert!(what != "a trail" || files() == listed, "{what}: {:?}", files());
    }
}
