//! An agent in the network namespace of the gateway, with a world outside that would answer everything: first without the
//! rules, so that each way is seen to be open, and then with them.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Engine;
use crate::world::root;

const POLICY: &str = r#"
version: "1"
default_action: deny
policies:
  - name: allowed
    match: { agent: coder }
    rules:
      - action: allow
        when: { domain_matches: ["allowed.test"] }
"#;

const CONFIG: &str = "
egress:
  dns: ['198.51.100.1']
  allow_private: ['203.0.113.0/24']
  upstream_ca: ['/etc/outside/origin-ca.pem']
  sources: [{ from: any, agent: coder }]
";

/// What an agent has: no capability, a user of its own, the public half of the certificates.
const AGENT: &str =
    "--network container:gateway --cap-drop all --security-opt no-new-privileges --volume certificates:/run/rampart:ro";

/// Every way past the proxy with where it leads before the rules and after.
const WAYS: [(&str, &str, &str); 17] = [
    ("tcp-80", "open", "proxied"),
    ("tcp-443", "open", "proxied"),
    ("tls-853", "open", "proxied"),
    ("udp-443", "open", "closed"),
    ("dns-53", "open", "proxied"),
    ("dns-tcp-53", "open", "proxied"),
    ("ipv6-tcp-443", "open", "proxied"),
    ("ipv6-udp-443", "open", "closed"),
    ("metadata", "open", "proxied"),
    ("icmp", "closed", "closed"),
    ("raw-ip", "closed", "closed"),
    ("raw-frame", "closed", "closed"),
    ("resolver", "open", "closed"),
    ("rules", "closed", "closed"),
    ("proxy-user", "closed", "closed"),
    ("set-user-id", "closed", "closed"),
    ("container-engine", "closed", "closed"),
];

/// A gateway in a container whose network leads to a world where every address answers.
struct Sidecar {
    engine: Engine,
    running: Vec<Child>,
}

impl Sidecar {
    fn new(test: &str) -> Option<Self> {
        let engine = Engine::new(test)?;
        let mut sidecar = Self { engine, running: Vec::new() };
        let outside = sidecar.start("unshare", &["-n", "sleep", "300"], "sleep.log");
        let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        while network(&outside.to_string()).is_none_or(|its| Some(its) == network("self")) {
            std::thread::sleep(Duration::from_millis(5));
        }
        sidecar.engine.world.write("outside/.keep", "");
        sidecar.engine.world.write("rules/agent.yaml", POLICY);
        let config = sidecar.engine.world.write("config.yaml", CONFIG);
        let at = |name: &str| sidecar.engine.world.path(name).display().to_string();
        let gateway = format!(
            "--detach --name gateway --network none --read-only --cap-drop all --security-opt no-new-privileges \
             --volume home:/var/lib/rampart --volume certificates:/run/rampart --volume {}:/etc/outside:ro \
             --volume {}:/var/lib/rampart/policies:ro --volume {}:/var/lib/rampart/config.yaml:ro rampart",
            at("outside"),
            at("rules"),
            config.display(),
        );
        let (folder, script) = (at("outside"), root().join("tests/docker/outside.py").display().to_string());
        sidecar.inside(outside, "ip link set lo up");
        sidecar.start_inside(outside, &["python3", &script, &folder], "outside.log");
        sidecar.engine.run(&gateway, &["serve", "--shared", "/run/rampart/gateway.sock", "--sidecar"]).expect(0);
        let pid = sidecar.engine.podman(&["inspect", "gateway", "--format", "{{.State.Pid}}"]).expect(0);
        let pid: u32 = pid.stdout.trim().parse().unwrap();
        sidecar.inside(outside, &format!("ip link add out type veth peer name eth0 netns {pid}"));
        sidecar.inside(
            outside,
            "ip addr add 198.51.100.1/24 dev out; ip -6 addr add 2001:db8:1::1/64 dev out nodad; ip link set out up
             for half in 0.0.0.0/1 128.0.0.0/1; do ip route add local $half dev lo; done; ip -6 route add local 2000::/3 dev lo table main",
        );
        sidecar.inside(
            pid,
            "ip addr add 198.51.100.2/24 dev eth0; ip -6 addr add 2001:db8:1::2/64 dev eth0 nodad; ip link set eth0 up
             ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:1::1",
        );
        // Docker's resolver: a rule at the usual priority, and a server at another port of its address.
        sidecar.inside(
            pid,
            "nft 'table ip docker { chain out { type nat hook output priority -100; ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:34567; }; }'",
        );
        sidecar.start_inside(pid, &["python3", &script, "--names", "127.0.0.11:34567"], "docker.log");
        Some(sidecar)
    }

    /// Starts a program that goes on; its process.
    fn start(&mut self, program: &str, args: &[&str], log: &str) -> u32 {
        let log = std::fs::File::create(self.engine.world.path(log)).unwrap();
        let child =
            self.engine.command(program).args(args).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.running.push(child);
        self.running.last().unwrap().id()
    }

    /// The same in the network of a process; it says when it is ready.
    fn start_inside(&mut self, pid: u32, words: &[&str], log: &str) {
        let pid = pid.to_string();
        self.start("nsenter", &[&["-t", &pid, "-n"], words].concat(), log);
        let until = Instant::now() + Duration::from_secs(10);
        while !self.said(log).contains(&"ready".to_owned()) {
            assert!(Instant::now() < until, "{log}: {:?}", self.said(log));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn inside(&self, pid: u32, script: &str) {
        let mut nsenter = self.engine.command("nsenter");
        nsenter.args(["-t", &pid.to_string(), "-n", "sh", "-ec", script]).stdout(Stdio::null());
        assert!(nsenter.status().unwrap().success(), "{script}");
    }

    fn said(&self, log: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.engine.world.path(log)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn agent(&self, more: &str, words: &[&str]) -> crate::world::Ran {
        let names = self.engine.world.write("resolv.conf", "nameserver 127.0.0.11\n");
        let options = format!("{AGENT} --volume {}:/etc/resolv.conf:ro {more} agent", names.display());
        self.engine.run(&options, words)
    }

    /// What `sidecar validate` says of each way, with this exit code.
    fn ways(&self, more: &[&str], code: i32) -> Vec<(String, String)> {
        let words = [&["rampart", "sidecar", "validate", "--json"], more].concat();
        let told = self.agent("", &words).expect(code).json();
        let word = |way: &Value, key: &str| way[key].as_str().unwrap().to_owned();
        told["ways"].as_array().unwrap().iter().map(|way| (word(way, "way"), word(way, "leads"))).collect()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn g8_each_way_past_the_sidecar_is_open_without_its_rules_and_leads_nowhere_with_them() {
    let Some(sidecar) =
        Sidecar::new("g8_each_way_past_the_sidecar_is_open_without_its_rules_and_leads_nowhere_with_them")
    else {
        return;
    };
    let owned = |leads: fn(&(&str, &str, &str)) -> String| WAYS.map(|way| (way.0.to_owned(), leads(&way))).to_vec();
    // As long as nothing brings it anything, the proxy is known by its own address only, and nothing is started.
    let early =
        sidecar.agent("", &["rampart", "sidecar", "validate", "--wait", "1s", "--", "sh", "-c", "echo started"]);
    assert!(
        early.code == Some(2) && early.stdout.is_empty() && early.stderr.contains("nothing is started"),
        "{early:?}"
    );
    assert_eq!(sidecar.ways(&["--proxy", "127.0.0.1:9091"], 1), owned(|way| way.1.to_owned()));
    let direct = sidecar.agent("", &["curl", "-sS", "http://198.51.100.1/"]).expect(0);
    assert_eq!(direct.stdout, "the open internet\n");
    assert!(sidecar.said("docker.log").contains(&"dns example.com".to_owned()), "Docker's resolver was asked");

    let roads = || {
        let words = ["rampart", "doctor", "--probe", "--json"];
        super::roads(&sidecar.agent("", &words).expect(1)).into_iter().map(|(_, word)| word).collect::<Vec<_>>()
    };
    assert_eq!(
        roads(),
        ["open", "open", "open", "enforced", "open", "advisory"],
        "http, names, packets, way back, exec, files"
    );

    let init = "--network container:gateway --cap-drop all --cap-add NET_ADMIN --user 0:0 --read-only rampart";
    sidecar.engine.run(init, &["sidecar", "init"]).expect(0);
    let (outside, docker) = (sidecar.said("outside.log").len(), sidecar.said("docker.log").len());
    assert_eq!(sidecar.ways(&[], 0), owned(|way| way.2.to_owned()));
    assert_eq!(roads(), ["enforced", "enforced", "enforced", "enforced", "open", "advisory"]);
    let started = sidecar.agent("", &["rampart", "sidecar", "validate", "--", "sh", "-c", "echo started"]).expect(0);
    assert_eq!(started.stdout, "started\n");

    let get = ["curl", "-sS", "--cacert", "/run/rampart/ca.pem", "-w", " %{http_code}"];
    let allowed = sidecar.agent("", &[&get[..], &["https://allowed.test/"]].concat()).expect(0);
    assert_eq!(allowed.stdout, "the open internet\n 200");
    let by_address = ["--resolve", "denied.test:443:203.0.113.80", "https://denied.test/"];
    let denied = sidecar.agent("", &[&get[..], &by_address].concat()).expect(0);
    assert!(denied.stdout.contains("blocked_by_rampart") && denied.stdout.ends_with(" 403"), "{denied:?}");
    let page = sidecar.agent("", &[&get[..], &["-H", "Accept: text/html"], &by_address].concat()).expect(0);
    assert!(page.stdout.contains("<html") && page.stdout.ends_with(" 403"), "{page:?}");
    let metadata = sidecar.agent("", &[&get[..], &["http://169.254.169.254/latest/meta-data/"]].concat()).expect(0);
    assert!(metadata.stdout.ends_with(" 403"), "{metadata:?}");
    // A name that may not be contacted tells nobody anything, by whatever road it comes.
    let name = "c2VjcmV0.denied.test";
    assert_eq!(sidecar.agent("", &["curl", "-sS", &format!("https://{name}/")]).code, Some(6), "it has no address");
    for url in ["https", "http"].map(|scheme| format!("{scheme}://{name}/")) {
        let ends =
            ["--resolve", &format!("{name}:443:203.0.113.80"), "--resolve", &format!("{name}:80:203.0.113.80"), &url];
        assert!(sidecar.agent("", &[&get[..], &ends].concat()).stdout.ends_with(" 403"), "{url}");
        let proxied = ["--proxy", "http://127.0.0.1:9091", &url];
        assert!(!sidecar.agent("", &[&get[..], &proxied].concat()).stdout.ends_with(" 200"), "{url}");
    }
    // With every program of this machine at hand: Docker's resolver at its other port, and the rules themselves.
    let host = "--volume /usr:/usr:ro --volume /lib:/lib:ro";
    let ask = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.sendto(b'x' * 20, ('127.0.0.11', 34567)); s.recv(9)";
    let asked = sidecar.agent(host, &["/usr/bin/python3", "-c", ask]);
    assert!(asked.stderr.contains("PermissionError"), "{asked:?}");
    for words in [["/usr/sbin/nft", "flush", "ruleset"], ["/usr/bin/setpriv", "--reuid=1337", "true"]] {
        let ran = sidecar.agent(host, &words);
        assert!(ran.code != Some(0) && ran.stderr.contains("not permitted"), "{ran:?}");
    }
    let mut reached = sidecar.said("outside.log").split_off(outside);
    reached.dedup();
    assert_eq!(reached, ["dns allowed.test", "tcp 443", "tls allowed.test"]);
    assert_eq!(sidecar.said("docker.log").len(), docker, "Docker's resolver is asked by nobody any more");
    unfit_agents(&sidecar);
    rules_are_taken_over(&sidecar);
    let verified = sidecar.engine.podman(&["exec", "gateway", "/usr/bin/rampart", "audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// Whoever could get past the rules is not started.
fn unfit_agents(sidecar: &Sidecar) {
    let table = [
        ("--user 1337:1337", "proxy-user"),
        ("--user 0:0 --cap-add NET_RAW --security-opt no-new-privileges", "raw-frame"),
        ("--user 0:0 --cap-add NET_ADMIN", "rules"),
        ("--user 0:0 --cap-add SETUID", "proxy-user"),
    ];
    for (more, way) in table {
        let ran = sidecar.agent(more, &["rampart", "sidecar", "validate", "--", "sh", "-c", "echo started"]);
        assert!(ran.code == Some(1) && !ran.stdout.contains("started"), "{more}: {ran:?}");
        let last = ran.stderr.lines().last().unwrap();
        assert!(last.contains(way) && last.contains("nothing is started"), "{more}: {last}");
    }
}

/// The rules are mounted read-only and belong to somebody else, and a change of them counts at once.
fn rules_are_taken_over(sidecar: &Sidecar) {
    let refused = sidecar.engine.podman(&["exec", "gateway", "/usr/bin/rampart", "allow", "*", "--yes"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("Read-only"), "{refused:?}");
    let get = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "--resolve", "denied.test:80:203.0.113.80"];
    let status = || sidecar.agent("", &[&get[..], &["http://denied.test/"]].concat()).stdout;
    assert_eq!(status(), "403");
    sidecar
        .engine
        .world
        .write("rules/agent.yaml", POLICY.replace("\"allowed.test\"", "\"allowed.test\", \"denied.test\""));
    let until = Instant::now() + Duration::from_secs(10);
    while status() != "200" {
        assert!(Instant::now() < until, "the rules are still the old ones");
    }
}

#[test]
fn the_image_is_nobodys_shell_and_says_whether_it_is_well() {
    let Some(engine) = Engine::new("the_image_is_nobodys_shell_and_says_whether_it_is_well") else { return };
    let about = engine.podman(&["image", "inspect", "rampart"]).expect(0).json();
    let config = &about[0]["Config"];
    assert_eq!(config["User"], "1337:1337");
    assert_eq!(config["Labels"]["org.opencontainers.image.title"], "rampart");
    let shell = engine.run("--network none --entrypoint /bin/sh rampart", &["-c", "true"]);
    assert!(shell.code == Some(127) && shell.stderr.contains("no such file"), "{shell:?}");
    let version = engine.run("--network none --read-only rampart", &["--version"]).expect(0);
    assert!(version.stdout.starts_with("rampart "), "{version:?}");
    engine.run("--detach --name gateway --network none --read-only --cap-drop all rampart", &[]).expect(0);
    let until = Instant::now() + Duration::from_secs(10);
    while engine.podman(&["healthcheck", "run", "gateway"]).code != Some(0) {
        assert!(Instant::now() < until, "{:?}", engine.podman(&["logs", "gateway"]));
        std::thread::sleep(Duration::from_millis(100));
    }
    engine.podman(&["exec", "gateway", "/usr/bin/rampart", "serve", "stop"]);
    let unwell = engine.run("--network none rampart", &["status", "--json"]);
    assert_eq!(unwell.code, Some(1), "no gateway runs there: {unwell:?}");
}
