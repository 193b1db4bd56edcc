//! A gateway for every user of the machine: one user's processes ask that of another, which root says is the one.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::world::{Ran, World, bin, have, run_with, set_mode, skip};

/// The gateway's user, and one who asks.
const GATEWAY: u32 = 64001;
const USER: u32 = 64002;

/// A machine whose `/etc` is the test's own: a mount namespace that a process holds open.
struct Machine {
    world: World,
    holder: Child,
    gateway: Option<Child>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        for child in self.gateway.iter_mut().chain([&mut self.holder]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Machine {
    /// None where there is no root, or no such namespace.
    fn new(test: &str) -> Option<Self> {
        if !have(test, &["unshare", "nsenter", "setpriv", "mount"]) {
            return None;
        }
        let probe = Command::new("unshare").args(["-m", "setpriv", "--reuid", "64001", "true"]).output();
        if !probe.is_ok_and(|ran| ran.status.success()) {
            skip(test, "root, who may mount in a namespace of its own");
            return None;
        }
        let world = World::new();
        set_mode(&world.path(""), 0o755);
        for (folder, owner, mode) in
            [("bin", 0, 0o755), ("var", GATEWAY, 0o700), ("run", GATEWAY, 0o755), ("user", USER, 0o700)]
        {
            std::fs::create_dir_all(world.path(folder)).unwrap();
            std::os::unix::fs::chown(world.path(folder), Some(owner), Some(owner)).unwrap();
            set_mode(&world.path(folder), mode);
        }
        for name in ["rampart", "rampart-shim"] {
            // By another process, so that none which a test forks at this moment holds it open for writing.
            let copied = Command::new("cp").arg(bin(name)).arg(world.path("bin").join(name)).status();
            assert!(copied.unwrap().success());
        }
        let config = world.write("var/config.yaml", "listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0'}\n");
        std::os::unix::fs::chown(config, Some(GATEWAY), Some(GATEWAY)).unwrap();
        let said = serde_json::json!({"socket": world.path("run/gateway.sock"), "user": "guard"});
        let said = world.write("said.json", said.to_string());
        let script = "mount -t tmpfs -o mode=755 none /etc && mkdir -m 755 /etc/rampart && cp \"$0\" /etc/rampart/gateway.json && \
                      chmod 644 /etc/rampart/gateway.json && echo guard:x:64001:64001::/:/bin/false > /etc/passwd && echo ready && exec sleep 600";
        let mut unshare = Command::new("unshare");
        let mut holder = unshare.args(["-m", "sh", "-c", script]).arg(said).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Some(Self { world, holder, gateway: None })
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    /// A command on this machine as some user, whose home is `home`.
    fn command(&self, uid: u32, home: &str, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["-m", "-t", &self.holder.id().to_string(), "setpriv", "--reuid", &uid.to_string()]);
        command.args(["--regid", &uid.to_string(), "--clear-groups", "env"]);
        command.arg(format!("HOME={}", self.folder(home).display()));
        let (program, rest) = words.split_first().unwrap();
        command.arg(self.folder("bin").join(program)).args(rest).current_dir("/").stdin(Stdio::null());
        command
    }

    fn user(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(USER, "user", words).output().unwrap())
    }

    fn root(&self, script: &str) {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-m", "-t", &self.holder.id().to_string(), "sh", "-c", script]);
        assert!(nsenter.status().unwrap().success(), "{script}");
    }

    fn hook(&self, extra: &[(&str, &str)], command: &str) -> Ran {
        let mut hook = self.command(USER, "user", &["rampart", "hook", "--format", "claude-code"]);
        hook.envs(extra.iter().copied());
        let input = serde_json::json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp",
            "tool_name": "Bash", "tool_input": {"command": command}});
        run_with(hook, input.to_string().as_bytes())
    }

    fn serve(&mut self) {
        let socket = self.folder("run/gateway.sock");
        let mut serve = self.command(GATEWAY, "var", &["rampart", "serve", "--shared", socket.to_str().unwrap()]);
        serve.env("RAMPART_HOME", self.folder("var")).env("RAMPART_NO_PROJECT_POLICY", "1");
        let log = std::fs::File::create(self.folder("log")).unwrap();
        self.gateway = Some(serve.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !socket.exists() {
            let log = std::fs::read_to_string(self.folder("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn every_users_surfaces_ask_the_machines_gateway_and_only_its_administrator_answers() {
    let test = "every_users_surfaces_ask_the_machines_gateway_and_only_its_administrator_answers";
    let Some(mut machine) = Machine::new(test) else { return };

    // Before it runs nothing passes, and nobody starts another.
    let refused = machine.hook(&[], "git status").expect(2);
    assert!(refused.stderr.contains("gateway_unreachable"), "{refused:?}");
    assert!(!machine.folder("user/.rampart/run").exists());

    machine.serve();
    machine.hook(&[], "git status").expect(0);
    for extra in [&[][..], &[("RAMPART_HOME", "/tmp/of-my-own")]] {
        let refused = machine.hook(extra, "rm -rf /").expect(2);
        assert!(refused.stderr.contains("Rule:"), "by a rule of that gateway: {refused:?}");
    }
    let shell = machine.user(&["rampart-shim", "--shell", "sh", "-c", "echo ran"]).expect(0);
    assert_eq!(shell.stdout, "ran\n");
    machine.user(&["rampart-shim", "--shell", "sh", "-c", "rm -rf /"]).expect(126);
    let wrapped = machine.user(&[
        "rampart",
        "wrap",
        "--",
        "sh",
        "-c",
        "sh -c 'cat \"$SSL_CERT_FILE\" >/dev/null && echo wrapped'",
    ]);
    assert_eq!(wrapped.expect(0).stdout, "wrapped\n");
    let env = machine.user(&["rampart", "env"]).expect(0).stdout;
    assert!(env.contains(&machine.folder("run/bundle.pem").display().to_string()), "{env}");
    let server = r#"read l; echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; read l"#;
    let mut talk =
        crate::world::Talk::start(machine.command(USER, "user", &["rampart", "mcp", "--", "sh", "-c", server]));
    talk.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{}}}"#);
    assert!(talk.hear_json()["result"]["content"].is_array());
    talk.finish();

    // What is for people is for the administrator.
    for words in [&["rampart", "status"][..], &["rampart", "pending"], &["rampart", "serve", "stop"]] {
        let ran = machine.user(words);
        assert!(ran.code != Some(0) && ran.stderr.contains("is not yours"), "{words:?}: {ran:?}");
    }
    let own = machine.user(&["rampart", "serve"]).expect(2);
    assert!(own.stderr.contains("a gateway for everybody"), "{own:?}");
    let status =
        Ran::from(machine.command(0, "user", &["rampart", "status", "--json"]).output().unwrap()).expect(0).json();
    assert_eq!((status["mode"].as_str(), status["home"].as_str()), (Some("enforce"), machine.folder("var").to_str()));
    let trail: String = std::fs::read_dir(machine.folder("var/audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(trail.contains("\"uid\":64002"), "the kernel says whose calls they were");

    // Whoever could change what root says, or listens without being named, is not believed.
    machine.root("chmod 666 /etc/rampart/gateway.json");
    let refused = machine.hook(&[], "git status").expect(2);
    assert!(refused.stderr.contains("gateway_untrusted") && refused.stderr.contains("other than root"), "{refused:?}");
    machine.root("chmod 644 /etc/rampart/gateway.json && echo guard:x:64003:64003::/:/bin/false > /etc/passwd");
    let refused = machine.hook(&[], "git status").expect(2);
    assert!(refused.stderr.contains("gateway_untrusted") && refused.stderr.contains("user 64001"), "{refused:?}");
}

#[test]
fn a_shared_socket_wants_a_folder_that_nobody_else_can_write_to() {
    let world = World::new();
    set_mode(&world.project(), 0o777);
    let socket = world.project().join("s");
    let ran = world.run(&["serve", "--shared", socket.to_str().unwrap()]).expect(2);
    assert!(ran.stderr.contains("nobody else can write to"), "{ran:?}");
}
