//! The units under a real systemd: the first process of a machine that is made for the test, with a root, processes, control
//! groups and a loopback of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::world::{Ran, bin, cannot, have, run_with, set_mode};

const USER: &str = "64002";

struct Machine {
    dir: tempfile::TempDir,
    group: PathBuf,
    init: Child,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With its first process all others of the machine end.
        let _ = self.init.kill();
        let _ = self.init.wait();
        let deadline = Instant::now() + Duration::from_secs(5);
        while !remove_groups(&self.group) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Removes a control group with those below it.
fn remove_groups(group: &Path) -> bool {
    let below = std::fs::read_dir(group).into_iter().flatten().filter_map(Result::ok);
    for folder in below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_groups(&folder.path());
    }
    std::fs::remove_dir(group).is_ok()
}

impl Machine {
    /// None where the kernel or our rights do not allow one; says why.
    fn boot(test: &str) -> Option<Self> {
        if !have(test, &["unshare", "nsenter", "setpriv", "mount", "pivot_root", "ip", "systemctl"]) {
            return None;
        }
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mut groups =
            mounts.lines().filter_map(|line| line.split(' ').nth(1).filter(|_| line.contains(" cgroup2 ")));
        let Some(groups) = groups.next() else {
            cannot(test, "no hierarchy of control groups (version 2) is mounted");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("rampart-test-").tempdir().unwrap();
        let group = Path::new(groups).join(dir.path().file_name().unwrap());
        if let Err(e) = std::fs::create_dir(&group) {
            cannot(test, &format!("a control group cannot be made: {e}"));
            return None;
        }
        set_mode(dir.path(), 0o755);
        for folder in ["root", "bin"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for name in ["rampart", "rampart-shim"] {
            // By another process, so that none which a test forks at this moment holds it open for writing.
            assert!(Command::new("cp").arg(bin(name)).arg(dir.path().join("bin")).status().unwrap().success());
        }
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let script = "echo $$ > \"$0/cgroup.procs\" && exec unshare --fork --kill-child --propagation private --mount --pid --cgroup --uts \
                      --ipc --net sh -c \"$1\" sh \"$2\"";
        let mut boot = Command::new("sh");
        boot.args(["-c", script]).arg(&group).arg(include_str!("boot.sh")).arg(dir.path());
        let init = boot.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut machine = Self { dir, group, init };
        let deadline = Instant::now() + Duration::from_secs(20);
        while machine.root(&["systemctl", "is-active", "manager"]).stdout != "active\n" {
            let ended = machine.init.try_wait().unwrap().is_some();
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(machine.dir.path().join("log")).unwrap();
                cannot(test, &format!("systemd does not start in namespaces of its own: {log}"));
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(machine)
    }

    /// A command on this machine.
    fn command(&self, words: &[&str]) -> Command {
        // The first process of the namespace is the only child of `unshare`.
        let children = format!("/proc/{0}/task/{0}/children", self.init.id());
        let first = std::fs::read_to_string(children).unwrap_or_default();
        let mut command = Command::new("nsenter");
        command.args(["-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w", "-t", first.trim(), "env", "-i"]);
        command.args(["HOME=/root", "PATH=/opt/rampart:/usr/sbin:/usr/bin"]).args(words).stdin(Stdio::null());
        command
    }

    fn root(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(words).output().unwrap())
    }

    /// The same as a user whose own service manager runs.
    fn user(&self, words: &[&str]) -> Command {
        let become_user = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "env", "HOME=/home/user"];
        self.command(&[&become_user[..], &["XDG_RUNTIME_DIR=/run/user/64002"], words].concat())
    }

    fn hook(&self) -> Ran {
        let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "Bash",
            "tool_input": {"command": "rm -rf /"}});
        let hook = self.user(&["RAMPART_AUTOSTART=0", "rampart", "hook", "--format", "claude-code"]);
        run_with(hook, input.to_string().as_bytes())
    }
}

/// Waits until a command prints this.
fn comes(what: &str, mut asked: impl FnMut() -> Ran) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let ran = asked();
        if ran.stdout.contains(what) {
            return;
        }
        assert!(Instant::now() < deadline, "`{what}` does not come: {ran:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_machines_service_runs_under_systemd_from_install_to_uninstall() {
    let Some(machine) = Machine::boot("the_machines_service_runs_under_systemd_from_install_to_uninstall") else {
        return;
    };
    let installed = machine.root(&["rampart", "serve", "install", "--system"]).expect(0);
    assert!(installed.stderr.contains("the gateway is a service now"), "{installed:?}");
    comes("active", || machine.root(&["systemctl", "is-active", "rampart"]));
    comes("/var/lib/rampart", || machine.root(&["rampart", "status"]));
    let hook = machine.hook().expect(2);
    assert!(hook.stderr.contains("block-destruction"), "a user's hook is answered: {hook:?}");
    // What the unit takes away from it is taken away.
    let state = machine.root(&["sh", "-c", "cat /proc/$(systemctl show -p MainPID --value rampart)/status"]).stdout;
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"] {
        assert!(state.contains(line), "{line}: {state}");
    }
    let other = Ran::from(machine.user(&["cat", "/var/lib/rampart/token"]).output().unwrap());
    assert!(!other.success() && other.stderr.contains("Permission denied"), "{other:?}");

    // It comes back from a crash, and its trail says what happened.
    machine.root(&["systemctl", "kill", "-s", "KILL", "rampart"]).expect(0);
    comes("NRestarts=1", || machine.root(&["systemctl", "show", "-p", "NRestarts", "rampart"]));
    comes("/var/lib/rampart", || machine.root(&["rampart", "status"]));
    let as_gateway = ["setpriv", "--reuid", "rampart", "--regid", "rampart", "--clear-groups", "env"];
    let verify = [&as_gateway[..], &["RAMPART_HOME=/var/lib/rampart", "rampart", "audit", "verify"]].concat();
    assert!(machine.root(&verify).expect(0).stdout.starts_with("verified"));

    // It stops in order and stays so; nobody is told that a hook would start one.
    machine.root(&["rampart", "serve", "stop"]).expect(0);
    comes("inactive", || machine.root(&["systemctl", "is-active", "rampart"]));
    let stopped = machine.root(&["rampart", "status"]).expect(1);
    let said = format!("{}{}", stopped.stdout, stopped.stderr);
    assert!(said.contains("/run/rampart/gateway.sock") && said.contains("systemctl start rampart"), "{stopped:?}");
    assert!(machine.hook().expect(2).stderr.contains("/run/rampart/gateway.sock"));
    let doctor = machine.root(&["rampart", "doctor"]);
    assert!(doctor.code == Some(1) && doctor.stdout.contains("systemctl start rampart"), "{doctor:?}");

    machine.root(&["systemctl", "start", "rampart"]).expect(0);
    comes("/var/lib/rampart", || machine.root(&["rampart", "status"]));
    machine.root(&["rampart", "serve", "uninstall", "--system"]).expect(0);
    let gone = machine.root(&["systemctl", "status", "rampart"]);
    assert!(gone.stderr.contains("could not be found"), "{gone:?}");
    let left =
        machine.root(&["ls", "/etc/rampart", "/etc/systemd/system", "/etc/sysusers.d", "/var/lib/rampart"]).stdout;
    assert!(!left.contains("rampart.") && left.contains("audit"), "only its home is left: {left}");
}

#[test]
fn a_users_service_runs_under_that_users_systemd() {
    let Some(machine) = Machine::boot("a_users_service_runs_under_that_users_systemd") else { return };
    let user = |words: &[&str]| Ran::from(machine.user(words).output().unwrap());
    user(&["rampart", "init"]).expect(0);
    user(&["rampart", "serve", "install"]).expect(0);
    comes("active", || user(&["systemctl", "--user", "is-active", "rampart"]));
    comes("home      /home/user/.rampart", || user(&["rampart", "status"]));
    machine.hook().expect(2);
    user(&["systemctl", "--user", "kill", "-s", "KILL", "rampart"]).expect(0);
    comes("NRestarts=1", || user(&["systemctl", "--user", "show", "-p", "NRestarts", "rampart"]));
    comes("home      /home/user/.rampart", || user(&["rampart", "status"]));
    user(&["rampart", "serve", "stop"]).expect(0);
    comes("inactive", || user(&["systemctl", "--user", "is-active", "rampart"]));
    user(&["rampart", "serve", "uninstall"]).expect(0);
    let gone = user(&["systemctl", "--user", "status", "rampart"]);
    assert!(gone.stderr.contains("could not be found"), "{gone:?}");
}
