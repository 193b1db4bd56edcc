use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

/// A gateway as far as starting goes: takes a lock, listens, and leaves a line in its home for each start. Python, as
/// the shell cannot listen.
const GATEWAY: &str = r#"
import fcntl, os, signal, socket, sys
home = sys.argv[1]
lock = open(home + "/run/gateway.lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit("another gateway runs")
with open(home + "/starts", "a") as starts:
    starts.write("%d %s\n" % (os.getpid(), ",".join(sorted(os.environ))))
os.umask(0o177)
listener = socket.socket(socket.AF_UNIX)
listener.bind(home + "/run/gateway.sock")
listener.listen(64)
signal.alarm(20)
while True:
    listener.accept()
"#;

fn start(home: &Path, script: &str) -> Start {
    Start {
        home: home.join("home"),
        program: "/usr/bin/env".into(),
        args: ["python3", "-c", script].iter().map(OsString::from).chain([home.join("home").into()]).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("LC_ALL".into(), "C.UTF-8".into())],
        patience: Duration::from_secs(10),
    }
}

/// Whether the gateway that these tests start can run here; says so by name where it cannot.
fn python(test: &str) -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok();
    assert!(there || option_env!("CI").is_none(), "{test} needs python3, and in CI nothing is skipped");
    if !there {
        println!("skipped: {test} needs python3");
    }
    there
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn ten_hooks_that_start_at_once_get_one_gateway() {
    if !python("ten_hooks_that_start_at_once_get_one_gateway") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let start = start(dir.path(), GATEWAY);
    let done: Vec<Started> = thread::scope(|scope| {
        let hooks: Vec<_> = (0..10).map(|_| scope.spawn(|| ensure(&start).unwrap())).collect();
        hooks.into_iter().map(|hook| hook.join().unwrap()).collect()
    });
    let pids: Vec<u32> = done
        .iter()
        .filter_map(|started| match started {
            Started::Here(pid) => Some(*pid),
            Started::Running => None,
        })
        .collect();
    let starts = fs::read_to_string(start.home.join("starts")).unwrap();
    assert_eq!(ensure(&start).unwrap(), Started::Running);
    for pid in &pids {
        kill(*pid);
    }
    assert_eq!(pids.len(), 1);
    assert_eq!(starts, format!("{} LC_ALL,PATH\n", pids[0]), "one start, and nothing of our environment");
    for path in ["", "run", "state"] {
        assert_eq!(fs::metadata(start.home.join(path)).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_gateway_that_cannot_start_tells_why() {
    if !python("a_gateway_that_cannot_start_tells_why") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let error = ensure(&start(dir.path(), "import sys; sys.exit('policy.yaml:3: no such thing')")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("exit status: 1") && text.contains("policy.yaml:3: no such thing"), "{text}");

    let mut missing = start(dir.path(), "");
    missing.program = dir.path().join("nothing");
    assert!(ensure(&missing).unwrap_err().to_string().contains("cannot run"));

    let mut slow = start(dir.path(), "import time; time.sleep(3)");
    slow.patience = Duration::from_millis(50);
    assert!(ensure(&slow).unwrap_err().to_string().contains("did not answer within 50ms"));
}

#[test]
fn a_home_that_cannot_be_made_is_named() {
    if !python("a_home_that_cannot_be_made_is_named") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("home"), "a file").unwrap();
    let text = ensure(&start(dir.path(), GATEWAY)).unwrap_err().to_string();
    assert!(text.contains("home"), "{text}");
}
