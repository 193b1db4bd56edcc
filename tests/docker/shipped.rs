//! The compose files and the manifest, run as they are.

use std::time::{Duration, Instant};

use super::{Engine, tool};
use crate::world::{Ran, root};

/// `podman-compose` on these files of `docker/`, with the images of this build.
struct Compose {
    engine: Engine,
    program: std::path::PathBuf,
    files: Vec<String>,
    /// Where the dashboard is published: 9090 may be a gateway's of this machine.
    port: u16,
}

impl Compose {
    fn new(test: &str, files: &[&str]) -> Option<Self> {
        let program = tool(test, "podman-compose")?;
        let engine = Engine::new(test)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Some(Self { engine, program, files: files.iter().map(|file| format!("docker/{file}")).collect(), port })
    }

    fn run(&self, words: &[&str]) -> Ran {
        let (out, err) = (self.engine.world.path("compose.out"), self.engine.world.path("compose.err"));
        let file = |path| std::fs::File::create(path).unwrap();
        let mut compose = self.engine.bounded(&self.program);
        compose.args(self.files.iter().flat_map(|file| ["-f", file.as_str()])).args(words).current_dir(root());
        compose.env("RAMPART_IMAGE", "localhost/rampart").env("AGENT_IMAGE", "localhost/agent");
        compose.env("RAMPART_PORT", self.port.to_string());
        compose.env("MCP_IMAGE", "localhost/agent").env("PROJECT", self.engine.world.project());
        let status = compose.stdout(file(&out)).stderr(file(&err)).status().unwrap();
        let text = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        Ran { code: status.code(), stdout: text(out), stderr: super::without_noise(&text(err)) }
    }

    /// A command in the agent's container. Podman of this age cannot start what depends on a container that has ended.
    fn agent(&self, words: &[&str]) -> Ran {
        self.run(&[&["run", "--rm", "-T", "--no-deps", "agent"], words].concat())
    }
}

#[test]
fn an_agent_in_a_network_that_leads_nowhere_reaches_others_through_the_proxy() {
    let test = "an_agent_in_a_network_that_leads_nowhere_reaches_others_through_the_proxy";
    let Some(compose) = Compose::new(test, &["compose.yaml"]) else { return };
    compose.run(&["up", "-d", "rampart"]).expect(0);
    let validated = compose.run(&["run", "--rm", "-T", "--no-deps", "validate"]).expect(0);
    assert!(validated.stderr.contains("nothing leads past the proxy"), "{validated:?}");
    let past = compose.agent(&["curl", "-sS", "--noproxy", "*", "http://203.0.113.1/"]);
    assert!(past.code != Some(0) && past.stderr.contains("Couldn't connect"), "{past:?}");
    let denied = compose.agent(&["curl", "-sS", "https://example.com/"]).expect(0);
    assert!(denied.stdout.contains("blocked_by_rampart"), "through TLS that it trusts: {denied:?}");
    let roads = super::roads(&compose.agent(&["rampart", "doctor", "--probe", "--json"]).expect(1));
    let [names, packets, back] = ["names", "packets", "way back"].map(|name| (name, "enforced"));
    let held = [("http", "enforced"), names, packets, back, ("exec", "open"), ("files", "advisory")];
    assert_eq!(roads, held.map(|(name, word)| (name.to_owned(), word.to_owned())));
    // The dashboard is published, answers to one name, and wants to know who asks.
    let status = |path: &str, host: &str| {
        let url = format!("http://127.0.0.1:{}{path}", compose.port);
        let mut curl = compose.engine.command("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", &format!("Host: {host}"), &url]);
        Ran::from(curl.output().unwrap()).stdout
    };
    assert_eq!(status("/healthz", "localhost:9090"), "200");
    assert_eq!(status("/healthz", "rampart:9090"), "421");
    assert_eq!(status("/v1/status", "localhost:9090"), "401");
    let link =
        compose.engine.podman(&["exec", "-t", "rampart_rampart_1", "rampart", "dashboard", "--no-open"]).expect(0);
    let link = link.stdout.lines().next().unwrap().trim().to_owned();
    let mut browser = compose.engine.command("curl");
    let published = format!("::127.0.0.1:{}", compose.port);
    browser.args(["-sS", "-L", "--connect-to", &published, "-c", "jar", "-b", "jar", "-w", " %{http_code}", &link]);
    let page = Ran::from(browser.output().unwrap());
    assert!(page.stdout.ends_with(" 200"), "{link}: {page:?}");
}

#[test]
fn an_agent_that_knows_nothing_is_redirected_and_mcp_servers_stand_behind_the_sidecar() {
    let test = "an_agent_that_knows_nothing_is_redirected_and_mcp_servers_stand_behind_the_sidecar";
    let Some(mut compose) = Compose::new(test, &["compose.transparent.yaml", "compose.mcp.yaml"]) else { return };
    // A server for the image that is named, which has none: with the programs of this machine.
    let server = root().join("tests/docker/mcp.py");
    let more = format!(
        "services:\n  files:\n    command: [/usr/bin/python3, /server.py]\n    volumes: ['/usr:/usr:ro', '/lib:/lib:ro', '/lib64:/lib64:ro', '{}:/server.py:ro']\n",
        server.display()
    );
    let more = compose.engine.world.write("more.yaml", more).display().to_string();
    compose.files.push(more);
    compose.run(&["up", "-d", "init", "files"]).expect(0);
    let denied = compose.agent(&["curl", "-sS", "http://203.0.113.1/"]).expect(0);
    assert!(denied.stdout.contains("blocked_by_rampart"), "{denied:?}");
    compose.run(&["up", "-d", "--no-deps", "mcp"]).expect(0);
    let call = |method: &str, params: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let words = [
            "curl",
            "-sS",
            "--retry",
            "10",
            "--retry-connrefused",
            "--retry-delay",
            "1",
            "-H",
            "Content-Type: application/json",
        ];
        let ends =
            ["-H", "Accept: application/json, text/event-stream", "-d", &body, "http://127.0.0.1:9092/mcp/files"];
        compose.agent(&[&words[..], &ends].concat()).expect(0).stdout
    };
    let hello = r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}"#;
    let said = call("initialize", hello);
    assert!(said.contains("serverInfo"), "{said}");
    let past = compose.agent(&["curl", "-sS", "-d", "{}", "http://files:8000/mcp"]);
    assert!(!past.stdout.contains("jsonrpc"), "not past Rampart: {past:?}");
}

#[test]
fn the_pod_of_the_manifest_starts_its_agent_behind_the_rules() {
    let test = "the_pod_of_the_manifest_starts_its_agent_behind_the_rules";
    let Some(engine) = Engine::new(test) else { return };
    engine.podman(&["tag", "agent", "docker.io/library/debian:bookworm-slim"]).expect(0);
    let manifest = root().join("docker/kubernetes.yaml").display().to_string();
    engine.podman(&["kube", "play", "--build=false", &manifest]).expect(0);
    let until = Instant::now() + Duration::from_secs(20);
    let get = ["exec", "agent-agent", "curl", "-sS", "--max-time", "5", "http://203.0.113.1/"];
    loop {
        let ran = engine.podman(&get);
        if ran.stdout.contains("blocked_by_rampart") {
            break;
        }
        assert!(
            Instant::now() < until,
            "{ran:?} {:?} {:?}",
            engine.podman(&["logs", "agent-rampart"]),
            engine.podman(&["logs", "agent-agent"])
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let name = engine.podman(&["exec", "agent-agent", "curl", "-sS", "https://denied.test/"]);
    assert_eq!(name.code, Some(6), "a name that may not be contacted has no address: {name:?}");
    let agent = engine.podman(&["logs", "agent-agent"]);
    assert!(agent.stderr.contains("nothing leads past") || agent.stderr.contains("closed"), "{agent:?}");
}
