//! MCP over HTTP: `rampart mcp serve --upstream URL` between real clients and servers.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::world::{Ran, World, bin, clients, have, memory, root};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: no-danger
    match: { tool: "mcp__fixture__danger*" }
    rules:
      - action: deny
        message: This tool is off limits
  - name: no-sampling
    match: { tool: mcp, method: "sampling/createMessage" }
    rules:
      - action: deny
        message: No model of ours for servers
  - name: no-secrets
    match: { tool: mcp, phase: after }
    rules:
      - action: redact
        when: { detects: [secret] }
"#;

/// Something that prints where it listens.
pub(crate) struct Listener(pub(crate) Child, pub(crate) String);

impl Listener {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        // It may say more.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        assert!(!line.trim().is_empty(), "it says where it listens");
        Self(child, line.trim().to_owned())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The fixture, and Rampart in front of it.
struct Road {
    world: World,
    _server: Listener,
    front: Listener,
    secret: String,
}

impl Road {
    fn open(test: &str) -> Option<Self> {
        if !have(test, &["python3", "curl"]) {
            return None;
        }
        let mut world = World::with_policy(POLICY);
        world.serve(&[]);
        let secret = ["ghp_", "1B4a2e77838347a7E420", "ce178F2E7c", "05URMu"].concat();
        let mut server = world.command("python3");
        server.arg(root().join("tests/clients/mcp_http.py")).arg(world.path("log")).arg(&secret);
        let server = Listener::start(server);
        let front = front(&world, &format!("http://127.0.0.1:{}/mcp", server.1), "fixture");
        Some(Self { world, _server: server, front, secret })
    }

    /// What comes back for a body: the status and the answer.
    fn post(&self, body: &str, more: &[&str]) -> (String, String) {
        let body = self.world.write("body", body);
        let mut curl = self.world.command("curl");
        curl.args(["-s", "-w", "\n%{http_code}", "--max-time", "20", "-H", "content-type: application/json"]);
        curl.args(["-H", "accept: application/json, text/event-stream"]).args(more);
        curl.arg("--data-binary").arg(format!("@{}", body.display())).arg(&self.front.1);
        let ran = Ran::from(curl.output().unwrap()).expect(0);
        let (answer, status) = ran.stdout.rsplit_once('\n').unwrap();
        (status.to_owned(), answer.to_owned())
    }

    fn call(&self, tool: &str) -> (String, Value) {
        let (status, answer) = self.post(&call(1, tool), &[]);
        (status, serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}")))
    }

    /// What the server got.
    fn got(&self) -> String {
        std::fs::read_to_string(self.world.path("log")).unwrap_or_default()
    }
}

/// What is on record of messages that went nowhere: of which side, and why.
fn dropped(world: &World) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let records = world.records().into_iter().filter(|r| r["action"]["method"] == "rampart/dropped");
    records.map(|r| (text(&r["action"]["arguments"]["from"]), text(&r["message"]))).collect()
}

fn front(world: &World, url: &str, name: &str) -> Listener {
    front_with(world, url, name, &[])
}

pub(crate) fn front_with(world: &World, url: &str, name: &str, flags: &[&str]) -> Listener {
    let mut rampart = world.command(bin("rampart"));
    rampart.args(["mcp", "serve", "--listen", "127.0.0.1:0", "--name", name, "--upstream", url]).args(flags);
    Listener::start(rampart)
}

pub(crate) fn call(id: u32, tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {}}}).to_string()
}

#[test]
fn what_is_allowed_goes_on_as_it_came_and_what_is_not_is_refused_as_a_result() {
    let Some(road) = Road::open("what_is_allowed_goes_on_as_it_came_and_what_is_not_is_refused_as_a_result") else {
        return;
    };
    let body = "{ \"params\": {\"name\":\"odd\",\"arguments\":{\"n\":1.50}},\n \"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\" }";
    let (status, answer) = road.post(body, &[]);
    assert_eq!(status, "200");
    assert_eq!(answer, " {\"result\" : {\"x\":1.50,\"content\":[ ]},\n \"id\":7,\"jsonrpc\":\"2.0\",\"vendor\":null}");
    assert_eq!(road.got(), format!("{body}\n"));

    let (status, answer) = road.call("dangerous");
    assert_eq!((status.as_str(), &answer["result"]["isError"]), ("200", &json!(true)), "{answer}");
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("This tool is off limits") && text.contains("no-danger"), "{text}");
    assert!(!road.got().contains("dangerous"), "the server never heard of it");

    let modern = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "dangerous",
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}});
    let (_, answer) = road.post(&modern.to_string(), &[]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");

    let denied = road.world.decisions().into_iter().filter(|d| d["outcome"] == "deny").count();
    assert_eq!(denied, 2);
    assert!(road.world.decisions().iter().all(|d| d["actor"]["surface"] == "mcp-http"));
    road.world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_large_message_is_held_twice_and_no_more() {
    let Some(road) = Road::open("a_large_message_is_held_twice_and_no_more") else { return };
    road.call("odd");
    let pid = road.front.0.id();
    let (before, _) = memory(pid);
    let text = "x".repeat(12 << 20);
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "odd", "arguments": {"text": text}}});
    assert_eq!(road.post(&large.to_string(), &[]).0, "200");
    // As it came, and as what it says; the question about it is written while it is sent.
    let held = (memory(pid).1 - before) * 1024 * 10 / u64::try_from(text.len()).unwrap();
    assert!(held < 25, "{held} tenths");
}

#[test]
fn answers_are_judged_and_what_is_no_answer_does_not_pass_for_one() {
    let Some(road) = Road::open("answers_are_judged_and_what_is_no_answer_does_not_pass_for_one") else { return };
    let (status, answer) = road.call("secret");
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(status == "200" && text.starts_with("the token is ") && !text.contains(&road.secret), "{answer}");
    let (_, answer) = road.call("other-id");
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(true)), "{answer}");
    assert!(!answer.to_string().contains("for somebody else"), "{answer}");
    // A server that breaks does so as it likes.
    assert_eq!(road.post(&call(1, "error"), &[]), ("500".into(), "<h1>it broke</h1>".into()));
}

#[test]
fn a_stream_is_judged_event_by_event_and_keeps_its_ids() {
    let Some(road) = Road::open("a_stream_is_judged_event_by_event_and_keeps_its_ids") else { return };
    let (status, answer) = road.post(&call(9, "stream"), &[]);
    assert_eq!(status, "200");
    let events: Vec<&str> = answer.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 7, "{answer}");
    assert_eq!(events[..2], [": hello", "id: 1\ndata: "]);
    assert!(events[2].contains("\"data\": \"fine\""), "what is allowed is as it came: {answer}");
    // The server's request, an answer to nothing and what is no message are gone; their ids are not.
    assert_eq!(events[3..6], [": withheld\nid: 3", ": withheld\nid: 4", ": withheld\nid: 5"]);
    assert!(events[6].starts_with("id: 6\ndata: ") && events[6].contains("the token is "), "{answer}");
    assert!(!answer.contains(&road.secret), "{answer}");
    let got = road.got();
    let refusal: Value = serde_json::from_str(got.lines().last().unwrap()).unwrap();
    assert_eq!(refusal["id"], 77, "the server hears that its request was refused: {got}");
    assert!(refusal["error"]["message"].as_str().unwrap().contains("No model of ours"), "{refusal}");
    // What was refused cannot be answered by the client as well.
    let late = json!({"jsonrpc": "2.0", "id": 77, "result": {"role": "assistant"}}).to_string();
    assert_eq!(road.post(&late, &[]).0, "400");
    // What went nowhere is on record, each by itself.
    let deadline = Instant::now() + Duration::from_secs(10);
    while dropped(&road.world).len() < 3 {
        assert!(Instant::now() < deadline, "{:?}", dropped(&road.world));
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut told = dropped(&road.world);
    told.sort();
    let expected = [
        ("client", "a response to no request"),
        ("server", "a response to no request"),
        ("server", "expected ident at line 1 column 2"),
    ];
    assert_eq!(told, expected.map(|(side, why)| (side.to_owned(), why.to_owned())));
}

#[test]
fn a_flood_that_goes_nowhere_makes_few_records_and_is_counted() {
    let Some(road) = Road::open("a_flood_that_goes_nowhere_makes_few_records_and_is_counted") else { return };
    let noise = r#"{"jsonrpc":"2.0","id":"nobody's","result":{}}"#;
    for _ in 0..13 {
        assert_eq!(road.post(noise, &[]).0, "400");
    }
    let Road { world, front, .. } = road;
    let pid = front.0.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(10);
    let why = "3 more messages went nowhere before the end";
    while !dropped(&world).iter().any(|(_, told)| told == why) {
        assert!(Instant::now() < deadline, "{:?}", dropped(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(dropped(&world).len(), 11);
}

#[test]
fn connections_to_the_server_are_used_again_and_never_by_another() {
    let Some(road) = Road::open("connections_to_the_server_are_used_again_and_never_by_another") else { return };
    for headers in [&[][..], &[], &["-H", "authorization: Bearer a"], &["-H", "authorization: Bearer b"], &[]] {
        assert_eq!(road.post(&call(1, "fine"), headers).0, "200");
    }
    let ports = std::fs::read_to_string(road.world.path("log.connections")).unwrap();
    let ports: Vec<&str> = ports.lines().collect();
    assert!(ports[0] == ports[1] && ports[1] == ports[4], "{ports:?}");
    assert!(ports[0] != ports[2] && ports[0] != ports[3] && ports[2] != ports[3], "{ports:?}");
}

#[test]
fn what_means_two_things_is_refused_before_anybody_hears_it() {
    let Some(road) = Road::open("what_means_two_things_is_refused_before_anybody_hears_it") else { return };
    let good = call(1, "fine");
    let twice = good.replacen("\"id\":1", "\"id\":1,\"id\":2", 1);
    let cased = good.replacen("\"method\"", "\"Method\"", 1);
    for (body, headers, status, code) in [
        ("{", &[][..], "400", -32_700),
        (twice.as_str(), &[], "400", -32_600),
        (cased.as_str(), &[], "400", -32_600),
        (&format!("[{good}]"), &[], "400", -32_600),
        (&good, &["-H", "mcp-method: tools/list"], "400", -32_020),
        (&good, &["-H", "mcp-name: other"], "400", -32_020),
        (&good, &["-H", "content-type: text/plain"], "415", -32_600),
        (&good, &["-H", "content-encoding: gzip"], "415", -32_600),
        (&good, &["-H", "host: evil.example"], "403", -32_600),
        (&good, &["-H", "origin: https://evil.example"], "403", -32_600),
        (&good, &["-H", "origin: null"], "403", -32_600),
    ] {
        let (told, answer) = road.post(body, headers);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((told.as_str(), &answer["error"]["code"]), (status, &json!(code)), "{body} {headers:?}: {answer}");
    }
    let long = call(1, &"x".repeat(17 << 20));
    assert_eq!(road.post(&long, &[]).0, "413");
    assert_eq!(road.got(), "");
    // The same from a page of this machine is heard.
    assert_eq!(road.post(&good, &["-H", "origin: http://localhost:6274"]).0, "200");
    // What the server says to other methods than POST is its own business, and no text of it is shown.
    let mut curl = road.world.command("curl");
    let got = Ran::from(curl.args(["-s", "-w", "%{http_code}", &road.front.1]).output().unwrap());
    assert_eq!(got.stdout, "405");
}

#[test]
fn without_a_server_or_a_gateway_a_request_gets_its_error() {
    let Some(mut road) = Road::open("without_a_server_or_a_gateway_a_request_gets_its_error") else { return };
    let nobody = front(&road.world, "http://127.0.0.1:9/mcp", "fixture");
    let own = std::mem::replace(&mut road.front, nobody);
    let (status, answer) = road.call("fine");
    assert_eq!((status.as_str(), &answer["id"], &answer["error"]["code"]), ("502", &json!(1), &json!(-32_603)));
    road.front = own;
    road.world.gateway().kill().unwrap();
    road.world.gateway().wait().unwrap();
    let begun = Instant::now();
    let (status, answer) = road.call("fine");
    assert_eq!((status.as_str(), &answer["result"]["isError"]), ("200", &json!(true)), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(road.got(), "");
}

#[test]
fn it_listens_to_this_machine_only_and_to_a_server_only() {
    let world = World::new();
    let refused = |args: &[&str]| world.run(&[&["mcp", "serve"], args].concat()).expect(2).stderr;
    assert!(
        refused(&["--upstream", "http://127.0.0.1:9/mcp", "--listen", "0.0.0.0:0"]).contains("listen on 127.0.0.1")
    );
    assert!(
        refused(&["--upstream", "ftp://127.0.0.1/mcp", "--listen", "127.0.0.1:0"]).contains("no URL of an MCP server")
    );
    assert!(refused(&["--upstream", "http://u:p@127.0.0.1/mcp", "--listen", "127.0.0.1:0"]).contains("no URL"));
    assert!(!world.home().join("run").exists(), "no gateway was started for what cannot be served");
}

/// The reference server with all features, listening on loopback.
pub(crate) fn everything(world: &World, clients: &std::path::Path) -> (Listener, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = world.command(clients.join("node_modules/.bin/node"));
    server.arg(clients.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
    server.arg("streamableHttp").env("PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Listener(server.spawn().unwrap(), String::new());
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "server-everything does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    (server, format!("http://127.0.0.1:{port}/mcp"))
}

#[test]
fn the_inspector_talks_over_http_to_a_real_server() {
    let Some(clients) = clients("the_inspector_talks_over_http_to_a_real_server") else { return };
    let mut world = World::with_policy(&POLICY.replace("danger*", "get-env"));
    world.serve(&[]);
    let (_server, url) = everything(&world, &clients);
    let front = front(&world, &url, "fixture");
    let inspect = |args: &[&str]| {
        let mut client = world.command(clients.join("node_modules/.bin/node"));
        client.arg(clients.join("node_modules/.bin/mcp-inspector")).args(["--cli", &front.1, "--transport", "http"]);
        Ran::from(client.args(args).stdin(Stdio::null()).output().unwrap())
    };
    assert!(inspect(&["--method", "tools/list"]).expect(0).stdout.contains("\"echo\""));
    let said = inspect(&["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hi"]).expect(0);
    assert!(said.stdout.contains("Echo: hi"), "{said:?}");
    assert!(inspect(&["--method", "resources/list"]).expect(0).stdout.contains("demo://"));
    // 5 is the inspector's code for a tool that returned isError.
    let refused = inspect(&["--method", "tools/call", "--tool-name", "get-env"]).expect(5);
    assert!(refused.stdout.contains("no-danger"), "{refused:?}");
}

/// What the official suite says of a server, by scenario: how many checks passed, and how many failed.
pub(crate) fn conformance(world: &World, clients: &std::path::Path, url: &str) -> BTreeMap<String, (u32, u32)> {
    let mut suite = world.command(clients.join("node_modules/.bin/node"));
    suite.arg(clients.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
    suite.args(["server", "--url", url, "--requirements", "2025-11-25", "-o"]).arg(world.path("conformance"));
    let ran = Ran::from(suite.stdin(Stdio::null()).output().unwrap());
    let scenario = |line: &str| {
        let (name, counts) = line.trim_start_matches(['✓', '✗', ' ']).split_once(": ")?;
        let (passed, failed) = counts.split_once(" passed, ").filter(|_| name != "Total")?;
        Some((name.to_owned(), (passed.parse().ok()?, failed.split(' ').next()?.parse().ok()?)))
    };
    let table: BTreeMap<_, _> = ran.stdout.lines().filter_map(scenario).collect();
    assert!(table.len() > 20, "{ran:?}");
    table
}

#[test]
fn the_conformance_suite_finds_no_difference_but_what_is_refused_to_other_sites() {
    let Some(clients) = clients("the_conformance_suite_finds_no_difference_but_what_is_refused_to_other_sites") else {
        return;
    };
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.serve(&[]);
    let (_server, url) = everything(&world, &clients);
    // The suite calls tools that this server does not have, which pins refuse.
    let front = front_with(&world, &url, "fixture", &["--pins", "off"]);
    let direct = conformance(&world, &clients, &url);
    let mut through = conformance(&world, &clients, &front.1);
    // That server answers whatever name it is asked by; Rampart does not.
    let names = "dns-rebinding-protection";
    assert_eq!((direct[names], through[names]), ((1, 1), (2, 0)));
    through.insert(names.to_owned(), direct[names]);
    assert_eq!(through, direct);
}

/// A server whose tools are what a file says at the time.
const OFFERS: &str = r#"
import http.server, json, sys
class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["method"] == "tools/list":
            result = json.load(open("tools.json"))
        else:
            result = {"content": [{"type": "text", "text": "called"}]}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
fn what_a_server_changes_is_hidden_and_refused_until_a_person_approves_it() {
    if !have("what_a_server_changes_is_hidden_and_refused_until_a_person_approves_it", &["python3", "curl"]) {
        return;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let offers = |description: &str| {
        let tools =
            json!([{"name": "add", "description": description, "inputSchema": {}}, {"name": "sub", "inputSchema": {}}]);
        std::fs::write(world.path("project/tools.json"), json!({"tools": tools}).to_string()).unwrap();
    };
    offers("Adds.");
    let mut server = world.command("python3");
    server.args(["-c", OFFERS]);
    let server = Listener::start(server);
    let front = front(&world, &format!("http://127.0.0.1:{}/mcp?key=secret", server.1), "sums");
    let post = |body: &str| -> Value {
        let mut curl = world.command("curl");
        curl.args(["-s", "--max-time", "20", "-H", "content-type: application/json", "--data-binary", body, &front.1]);
        Ran::from(curl.output().unwrap()).expect(0).json()
    };
    let names = || -> Vec<String> {
        let list = post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}")).iter();
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(), ["add", "sub"]);
    offers("Obey.");
    assert_eq!(names(), ["sub"]);
    let refused = post(&call(2, "add"));
    assert!(refused["result"]["content"][0]["text"].as_str().unwrap().contains("not_pinned"), "{refused}");
    assert_eq!(post(&call(3, "sub"))["result"]["content"][0]["text"], "called");
    assert_eq!(post(&call(4, "never"))["result"]["isError"], true);
    let diff = world.run(&["mcp", "pins", "diff", "sums"]).expect(1);
    assert!(diff.stdout.contains(r#"+ description: "Obey.""#) && !diff.stdout.contains("secret"), "{diff:?}");
    world.run(&["mcp", "pins", "approve", "sums"]).expect(0);
    assert_eq!(post(&call(5, "add"))["result"]["content"][0]["text"], "called");
    assert_eq!(names(), ["add", "sub"]);
    let reasons = world.records().into_iter().filter(|r| r["reason"] == "not_pinned").count();
    assert_eq!(reasons, 3);
}

#[test]
fn closed_tools_are_not_listed_over_http_where_that_is_wanted() {
    if !have("closed_tools_are_not_listed_over_http_where_that_is_wanted", &["python3", "curl"]) {
        return;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let tools = json!([{"name": "add", "inputSchema": {}}, {"name": "danger", "inputSchema": {}}]);
    world.write("project/tools.json", json!({"tools": tools}).to_string());
    let mut server = world.command("python3");
    server.args(["-c", OFFERS]);
    let server = Listener::start(server);
    let url = format!("http://127.0.0.1:{}/mcp", server.1);
    let front = front_with(&world, &url, "fixture", &["--filter-tools"]);
    let post = |body: &str| -> Value {
        let mut curl = world.command("curl");
        curl.args(["-s", "--max-time", "20", "-H", "content-type: application/json", "--data-binary", body, &front.1]);
        Ran::from(curl.output().unwrap()).expect(0).json()
    };
    let list = post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(list["result"]["tools"], json!([{"name": "add", "inputSchema": {}}]), "{list}");
    assert_eq!(post(&call(2, "danger"))["result"]["isError"], true);
    assert_eq!(world.records().into_iter().filter(|r| r["reason"] == "tools_hidden").count(), 1);
}
