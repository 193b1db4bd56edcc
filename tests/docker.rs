//! Containers in which Rampart is the only way out: the image, the compose files and the manifest as they are shipped, run
//! by Podman without a registry. The image holds the program of this build; the stage of the Dockerfile that builds one from
//! source begins with an image of a registry, and is not run here.

mod files;
mod shipped;
mod sidecar;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::world::{Ran, World, bin, cannot, have, root, skip};

/// Networks and published ports are the machine's, so one test at a time has containers.
static ONE: Mutex<()> = Mutex::new(());

/// Where containers run, with two images: `rampart`, and `agent` with a shell, curl and nothing else of use.
struct Engine {
    world: World,
    _one: MutexGuard<'static, ()>,
}

impl Engine {
    /// None where a program is missing that the test named `test` needs, or the machine does not let us.
    fn new(test: &str) -> Option<Self> {
        let programs = [
            "buildah", "podman", "runc", "ip", "iptables", "nft", "nsenter", "unshare", "strip", "curl", "python3",
            "openssl",
        ];
        if !have(test, &programs) {
            return None;
        }
        if !Path::new("/usr/lib/podman/netavark").exists() {
            skip(test, "netavark and aardvark-dns");
            return None;
        }
        if !Command::new("unshare").args(["-nm", "true"]).status().is_ok_and(|status| status.success()) {
            cannot(test, "namespaces cannot be made");
            return None;
        }
        let engine = Self { _one: ONE.lock().unwrap_or_else(PoisonError::into_inner), world: World::new() };
        let at = |name: &str| engine.world.path(name).display().to_string();
        // What is not the machine's own, and limits that need no privilege to be set.
        engine.world.write(
            "containers.conf",
            format!(
                "[containers]\ndefault_ulimits = ['nofile=1024:1024', 'nproc=1024:1024']\n\
                 [engine]\nruntime = 'runc'\ncgroup_manager = 'cgroupfs'\nevents_logger = 'file'\ntmp_dir = '{}'\n\
                 [network]\nnetwork_backend = 'netavark'\nnetwork_config_dir = '{}'\n",
                at("libpod"),
                at("networks")
            ),
        );
        engine.world.write(
            "storage.conf",
            format!("[storage]\ndriver = 'vfs'\ngraphroot = '{}'\nrunroot = '{}'\n", at("store"), at("run")),
        );
        engine.build();
        Some(engine)
    }

    /// A program in the surroundings of these containers that may wait for one which never comes.
    fn bounded(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.command("timeout");
        command.args(["--kill-after=5", "240"]).arg(program);
        command
    }

    /// A program in the surroundings of these containers.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.world.command(program);
        command
            .env("CONTAINERS_CONF", self.world.path("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", self.world.path("storage.conf"))
            .env("BUILDAH_ISOLATION", "chroot")
            .stdin(Stdio::null());
        command
    }

    /// Runs `podman` to its end.
    fn podman(&self, args: &[&str]) -> Ran {
        let (out, err) = (self.world.path("podman.out"), self.world.path("podman.err"));
        let file = |path: &Path| std::fs::File::create(path).unwrap();
        // Into files: what it leaves running in the background would keep a pipe open.
        let status = self.bounded("podman").args(args).stdout(file(&out)).stderr(file(&err)).status().unwrap();
        let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        Ran { code: status.code(), stdout: text(&out), stderr: without_noise(&text(&err)) }
    }

    /// `podman run` to its end, with the words of `options` and then `rest`.
    fn run(&self, options: &str, rest: &[&str]) -> Ran {
        let words: Vec<&str> = ["run", "--rm"].into_iter().chain(options.split_whitespace()).collect();
        self.podman(&[&words, rest].concat())
    }

    fn build(&self) {
        let program = self.world.path("rampart");
        let stripped = self.command("strip").arg("-o").arg(&program).arg(bin("rampart")).status().unwrap();
        assert!(stripped.success());
        self.lay_out(&program, "image");
        self.lay_out(&program, "agent");
        for tool in ["curl", "dash", "sleep"] {
            let found = Path::new("/usr/bin").join(tool);
            self.lay_out(&found, "tool");
            let from = self.world.path("tool/root");
            std::fs::rename(from.join("usr/bin/rampart"), from.join("usr/bin").join(tool)).unwrap();
            let copied = self.command("cp").arg("-r").arg(from.join(".")).arg(self.world.path("agent/root")).status();
            assert!(copied.unwrap().success());
        }
        self.world.write("agent/root/tmp/.keep", "");
        std::fs::create_dir_all(self.world.path("agent/root/bin")).unwrap();
        std::os::unix::fs::symlink("/usr/bin/dash", self.world.path("agent/root/bin/sh")).unwrap();
        let agent = self.world.write(
            "agent.Dockerfile",
            "FROM scratch\nCOPY root/ /\nENV PATH=/usr/bin:/bin HOME=/tmp\nUSER 1000:1000\n",
        );
        let ours = root().join("docker/Dockerfile");
        for (file, context, name) in [(&ours, "image", "rampart"), (&agent, "agent", "agent")] {
            let mut build = self.command("buildah");
            build.args(["bud", "--format", "docker", "--tag", name, "--file"]).arg(file);
            if name == "rampart" {
                build.args(["--target", "prebuilt"]);
            }
            let ran = Ran::from(build.arg(self.world.path(context)).output().unwrap());
            assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
        }
    }

    fn lay_out(&self, program: &Path, folder: &str) {
        let mut lay_out = self.command(root().join("docker/lay-out"));
        let ran = Ran::from(lay_out.arg(program).arg(self.world.path(folder)).output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for words in ["pod rm --all --force --time 0", "rm --all --force --volumes --time 0", "volume rm --all --force"]
        {
            self.podman(&words.split(' ').collect::<Vec<_>>());
        }
        let networks = self.podman(&["network", "ls", "--quiet"]);
        for network in networks.stdout.lines().filter(|name| *name != "podman") {
            self.podman(&["network", "rm", "--force", network]);
        }
    }
}

/// How much each road holds, by `rampart doctor --probe --json`.
fn roads(ran: &Ran) -> Vec<(String, String)> {
    let report: serde_json::Value = serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|_| panic!("{ran:?}"));
    let word = |road: &serde_json::Value, key: &str| road[key].as_str().unwrap().to_owned();
    report["roads"].as_array().unwrap().iter().map(|road| (word(road, "road"), word(road, "protection"))).collect()
}

/// Podman complains where there is no systemd and no syslog.
fn without_noise(text: &str) -> String {
    let noise = |line: &&str| !line.contains("systemd") && !line.contains("connect to syslog");
    text.lines().filter(noise).flat_map(|line| [line, "\n"]).collect()
}

/// A program of `tests/clients/install`, or else the machine's own.
fn tool(test: &str, name: &str) -> Option<PathBuf> {
    let installed = root().join("target/clients/python/bin").join(name);
    if installed.exists() {
        return Some(installed);
    }
    have(test, &[name]).then(|| PathBuf::from(name))
}
