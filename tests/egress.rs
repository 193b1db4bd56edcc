//! The HTTP road: real clients through the intercepting proxy to a local TLS origin.

mod aws;
mod browser;
mod clients;
mod conversations;
mod languages;
mod large;
mod outlook;
mod packages;
mod reach;
mod redirected;
mod rules;
mod secrets;

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

pub(crate) use self::clients::make_registry;
use crate::world::{Ran, World, clients, have, root};

/// A gateway with its proxy in front of a TLS origin; `origin.test` and `denied.test` lead to it.
pub(crate) struct Road {
    pub(crate) world: World,
    origin: Child,
    pub(crate) port: u16,
}

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: no-denied-test
    match: { tool: fetch }
    rules:
      - action: deny
        when: { domain_matches: ["denied.test"] }
        message: This host is off limits
"#;

impl Road {
    /// None where a program is missing that the test named `test` needs.
    fn open(test: &str) -> Option<Self> {
        Self::with(test, POLICY, "")
    }

    /// The same with other rules, and more of the configuration of the proxy.
    pub(crate) fn with(test: &str, policy: &str, more: &str) -> Option<Self> {
        Self::with_variables(test, policy, more, &[])
    }

    /// The same, with variables in the gateway's environment.
    fn with_variables(test: &str, policy: &str, more: &str, variables: &[(&str, &str)]) -> Option<Self> {
        if !have(test, &["python3", "openssl", "curl", "git"]) {
            return None;
        }
        let mut world = World::with_policy(policy);
        std::fs::create_dir_all(world.path("origin/web")).unwrap();
        let mut origin = world
            .command("python3")
            .arg(root().join("tests/clients/origin.py"))
            .arg(world.path("origin"))
            .arg(world.path("origin/web"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut line = String::new();
        BufReader::new(origin.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().expect("the origin prints its port");
        world.config(&format!(
            "listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n  resolve: ['origin.test:127.0.0.1', 'denied.test:127.0.0.1']\n  upstream_ca: ['{}']\n{more}",
            world.path("origin/origin-ca.pem").display(),
        ));
        world.serve_with(&[], variables);
        Some(Self { world, origin, port })
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.port)
    }

    /// A shell that did `eval "$(rampart env)"`, as a user does.
    fn shell(&self, script: &str) -> Ran {
        let mut sh = self.world.command("sh");
        let bin = crate::world::bin("rampart");
        sh.arg("-c").arg(format!("set -e\nenv=$({} env)\neval \"$env\"\n{script}", bin.display()));
        Ran::from(sh.output().unwrap())
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        let _ = self.origin.kill();
        let _ = self.origin.wait();
    }
}

#[test]
fn curl_goes_through_and_is_refused_over_the_intercepted_tls() {
    let Some(road) = Road::open("curl_goes_through_and_is_refused_over_the_intercepted_tls") else { return };
    let ran = road.shell(&format!("curl -sS {}", road.url("origin.test", "/1k"))).expect(0);
    assert_eq!(ran.stdout.len(), 1024);
    let ran = road.shell(&format!("curl -sS -w '\\n%{{http_code}}' {}", road.url("denied.test", "/secret"))).expect(0);
    let (body, status) = ran.stdout.rsplit_once('\n').unwrap();
    assert_eq!(status, "403", "{ran:?}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(body.to_string().contains("no-denied-test"), "the rule is named: {body:#}");
    assert!(body.to_string().contains("off limits"), "{body:#}");
    let ran = road.shell(&format!("curl -sS --http2 -d hello {}", road.url("origin.test", "/post"))).expect(0);
    assert_eq!(ran.stdout, "5 bytes");
    let denials: Vec<_> = road.world.decisions().into_iter().filter(|d| d["outcome"] == "deny").collect();
    assert!(!denials.is_empty() && denials.iter().all(|d| d["actor"]["surface"] == "egress"), "{denials:#?}");
    road.world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn nothing_of_the_proxys_own_reaches_the_origin() {
    let Some(road) = Road::open("nothing_of_the_proxys_own_reaches_the_origin") else { return };
    let ran = road.shell(&format!("curl -sS {}", road.url("origin.test", "/headers"))).expect(0);
    let headers = ran.stdout.to_lowercase();
    assert!(!headers.contains("proxy-") && !headers.contains("x-rampart"), "{headers}");
}

#[test]
fn python_requests_goes_through() {
    let Some(clients) = clients("python_requests_goes_through") else { return };
    let Some(road) = Road::open("python_requests_goes_through") else { return };
    let script = "import requests,sys\nfor u in sys.argv[1:]:\n  r=requests.get(u)\n  print(r.status_code, len(r.content), r.headers.get('x-rampart-rule'))";
    let python = clients.join("python/bin/python");
    let ran = road
        .shell(&format!(
            "{} -c \"{script}\" {} {}",
            python.display(),
            road.url("origin.test", "/1k"),
            road.url("denied.test", "/")
        ))
        .expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "200 1024 None");
    assert!(lines[1].starts_with("403 ") && lines[1].contains("no-denied-test"), "{ran:?}");
}

#[test]
fn node_fetch_goes_through() {
    let Some(clients) = clients("node_fetch_goes_through") else { return };
    let Some(road) = Road::open("node_fetch_goes_through") else { return };
    let script = "for (const u of process.argv.slice(1)) { const r = await fetch(u); console.log(r.status, (await r.text()).length, r.headers.get('x-rampart-rule')); }";
    let node: PathBuf = clients.join("node_modules/.bin/node");
    let ran = road
        .shell(&format!(
            "{} --input-type=module -e \"{script}\" {} {}",
            node.display(),
            road.url("origin.test", "/1k"),
            road.url("denied.test", "/")
        ))
        .expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "200 1024 null");
    assert!(lines[1].starts_with("403 ") && lines[1].contains("no-denied-test"), "{ran:?}");
    assert!(road.world.decisions().iter().any(|d| d["outcome"] == "deny"), "it really went through the proxy");
}

/// Before 22.21 it goes by what `rampart env` has it load, whatever of it comes to be used first; after that a package that
/// brings an agent of its own does.
#[test]
fn what_a_node_has_its_requests_made_by_goes_through() {
    let Some(clients) = clients("what_a_node_has_its_requests_made_by_goes_through") else { return };
    let Some(road) = Road::open("what_a_node_has_its_requests_made_by_goes_through") else { return };
    std::os::unix::fs::symlink(clients.join("node_modules"), road.world.path("node_modules")).unwrap();
    let nodes = ["older/node_modules/.bin/node", "node_modules/.bin/node"].map(|node| clients.join(node));
    let tell = "const tell = async (r) => console.log(r.status ?? r.statusCode, (await (r.body.text?.() ?? r.text())).length);";
    for script in [
        "tell(await fetch(url));",
        "new Headers(); tell(await fetch(url));",
        "tell(await fetch(new Request(url)));",
        "const { request } = await import('undici'); tell(await request(url));",
        "new Headers(); const { request } = await import('undici'); tell(await request(url));",
        "await import('undici'); tell(await fetch(url));",
        "const { get } = await import('node:https'); get(url, (r) => r.setEncoding('latin1').once('data', (d) => console.log(r.statusCode, d.length)));",
        "const ws = new WebSocket(url.replace('https:', 'wss:').replace('1k', 'ws')); ws.onopen = () => ws.send('hello'); ws.onmessage = () => { console.log('200 1024'); process.exit(); };",
    ] {
        let file = road.world.write("first.mjs", format!("const url = process.argv[2];\n{tell}\n{script}"));
        for node in &nodes {
            let before = road.world.decisions().len();
            let ran = road
                .shell(&format!("{} {} {}", node.display(), file.display(), road.url("origin.test", "/1k")))
                .expect(0);
            assert_eq!(ran.stdout, "200 1024\n", "{} {script}: {ran:?}", node.display());
            assert!(road.world.decisions().len() > before, "{} {script}: it went through the proxy", node.display());
        }
    }
    // A program that asks for nothing does not pay for it.
    let loaded = "process.moduleLoadList.filter((m) => m.includes('undici')).length";
    let ran = road.shell(&format!("{} -p \"{loaded}\"", nodes[0].display())).expect(0);
    assert_eq!(ran.stdout, "0\n", "{ran:?}");
}

#[test]
fn git_clones_over_https() {
    let Some(road) = Road::open("git_clones_over_https") else { return };
    let make = format!(
        "git init -q -b main w && cd w && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m one && cd .. && git clone -q --bare w {0}/repo.git && git -C {0}/repo.git update-server-info",
        road.world.path("origin/web").display()
    );
    assert!(road.world.command("sh").args(["-c", &make]).status().unwrap().success());
    road.shell(&format!(
        "git clone -q {} cloned && git -C cloned log --oneline | grep -q one",
        road.url("origin.test", "/repo.git")
    ))
    .expect(0);
    let refused = road.shell(&format!("git clone -q {} nothing", road.url("denied.test", "/repo.git")));
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(refused.stderr.contains("403"), "{refused:?}");
    assert!(refused.stderr.contains("remote: Rampart refused this: This host is off limits. Rule:"), "{refused:?}");
}

#[test]
fn events_arrive_as_they_are_sent() {
    let Some(road) = Road::open("events_arrive_as_they_are_sent") else { return };
    let mut sh = road.world.command("sh");
    let bin = crate::world::bin("rampart");
    let url = road.url("origin.test", "/events");
    sh.arg("-c").arg(format!("eval \"$({} env)\"; exec curl -sSN {url}", bin.display()));
    let mut child = sh.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "data: 0");
    let first = Instant::now();
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    assert!(rest.contains(&"data: 2".to_owned()), "{rest:?}");
    assert!(first.elapsed() > Duration::from_millis(300), "the first event came before the last was sent");
    child.wait().unwrap();
}

#[test]
fn an_origin_that_cannot_show_its_certificate_is_a_502_that_says_why() {
    let Some(mut road) = Road::open("an_origin_that_cannot_show_its_certificate_is_a_502_that_says_why") else {
        return;
    };
    road.world.run(&["serve", "stop"]).expect(0);
    road.world.gateway().wait().unwrap();
    road.world.config(&format!(
        "listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n  resolve: ['origin.test:{}:127.0.0.1']\n",
        road.port
    ));
    road.world.serve(&[]);
    let ran = road.shell(&format!("curl -sS -w '\\n%{{http_code}}' {}", road.url("origin.test", "/1k"))).expect(0);
    assert!(ran.stdout.ends_with("502"), "{ran:?}");
    assert!(ran.stdout.contains("certificate"), "{ran:?}");
}

#[test]
fn addresses_of_this_machine_and_its_network_are_refused_however_they_are_spelled() {
    let Some(road) = Road::open("addresses_of_this_machine_and_its_network_are_refused_however_they_are_spelled")
    else {
        return;
    };
    for target in [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0x7f.1:1/",
        "http://2130706433:1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://10.0.0.1/",
        "http://0/",
        "http://0251.0376.0251.0376/",
        "http://127.1:1/",
        "http://[::ffff:a9fe:a9fe]/",
    ] {
        let ran = road.shell(&format!("NO_PROXY= no_proxy= curl -g -sS -o /dev/null -w '%{{http_code}}' '{target}'"));
        assert_eq!(ran.stdout, "403", "{target}: {ran:?}");
    }
}

#[test]
fn the_browser_like_client_gets_a_page() {
    let Some(road) = Road::open("the_browser_like_client_gets_a_page") else { return };
    let ran = road.shell(&format!("curl -sS -H 'Accept: text/html' {}", road.url("denied.test", "/"))).expect(0);
    assert!(ran.stdout.contains("<html") && ran.stdout.contains("no-denied-test"), "{ran:?}");
}
