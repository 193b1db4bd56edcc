//! `rampart mcp serve -- SERVER`: a server on standard input and output behind HTTP.

use std::{
    io::Read as _,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    mcp_http::{Listener, call, conformance, everything},
    world::{World, bin, clients, have, root},
};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: no-danger
    match: { tool: "mcp__fixture__danger*" }
    rules: [{ action: deny, message: This tool is off limits }]
  - name: no-phishing
    match: { tool: mcp, method: "elicitation/create" }
    rules: [{ action: deny, when: { domain_matches: ["*.evil.example"] }, message: Not that site }]
"#;

pub(crate) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

/// A server on standard input and output, and Rampart in front of it.
pub(crate) struct Road {
    pub(crate) world: World,
    pub(crate) front: Listener,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) session: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let session = head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).map(str::to_owned);
        Self { status: head.split(' ').nth(1).unwrap().to_owned(), session, body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub(crate) fn text(&self) -> String {
        self.json()["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{}", self.body)).to_owned()
    }

    /// The messages of a stream of events.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}

/// A request that is on its way.
pub(crate) struct Waiting(Child);

impl Waiting {
    pub(crate) fn answer(mut self) -> Answer {
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.0.wait().unwrap();
        Answer::read(&text)
    }

    pub(crate) fn leave(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Road {
    fn open(test: &str, flags: &[&str]) -> Option<Self> {
        Self::with(test, POLICY, flags)
    }

    pub(crate) fn with(test: &str, policy: &str, flags: &[&str]) -> Option<Self> {
        if !have(test, &["python3", "curl"]) {
            return None;
        }
        let mut world = World::with_policy(policy);
        world.serve(&[]);
        let mut rampart = world.command(bin("rampart"));
        rampart.args(["mcp", "serve", "--listen", "127.0.0.1:0", "--name", "fixture"]).args(flags);
        rampart.arg("--").arg("python3").arg(root().join("tests/clients/mcp_stdio.py")).arg(world.path("log"));
        let front = Listener::start(rampart);
        Some(Self { world, front })
    }

    pub(crate) fn start(&self, args: &[&str]) -> Waiting {
        let mut curl = self.world.command("curl");
        curl.args(["-sNi", "--max-time", "30", "-H", "accept: application/json, text/event-stream"]);
        curl.args(["-H", "content-type: application/json"]).args(args).arg(&self.front.1);
        Waiting(curl.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn post(&self, session: Option<&str>, body: &str) -> Waiting {
        let session = session.map(|session| format!("mcp-session-id: {session}")).unwrap_or_default();
        let mut args = vec!["-H".to_owned(), session, "--data-binary".to_owned(), body.to_owned()];
        args.extend(repeated(body).into_iter().flat_map(|header| ["-H".to_owned(), header]));
        self.start(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(crate) fn ask(&self, session: &str, body: &str) -> Answer {
        self.post(Some(session), body).answer()
    }

    pub(crate) fn session(&self) -> String {
        let answer = self.post(None, INITIALIZE).answer();
        assert_eq!((answer.status.as_str(), &answer.json()["id"]), ("200", &json!(0)), "{}", answer.body);
        answer.session.unwrap()
    }

    /// The lines that servers got.
    pub(crate) fn got(&self) -> String {
        std::fs::read_to_string(self.world.path("log")).unwrap_or_default()
    }
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// The headers that a request of the stateless era bears.
fn repeated(body: &str) -> Vec<String> {
    let message: Value = serde_json::from_str(body).unwrap_or_default();
    let version = &message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
    let told = [("protocol-version", version), ("method", &message["method"]), ("name", &message["params"]["name"])];
    let told = told.into_iter().filter(|_| version.is_string());
    told.filter_map(|(name, value)| Some(format!("mcp-{name}: {}", value.as_str()?))).collect()
}

/// A call of the stateless era.
pub(crate) fn modern(id: u32, tool: &str) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 1,
    });
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "_meta": meta}}).to_string()
}

#[test]
fn each_session_has_a_process_of_its_own_that_ends_with_it() {
    let Some(road) = Road::open("each_session_has_a_process_of_its_own_that_ends_with_it", &[]) else { return };
    let (one, two) = (road.session(), road.session());
    let (first, second) = (road.ask(&one, &call(1, "pid")).text(), road.ask(&two, &call(1, "pid")).text());
    assert!(first != second && runs(&first) && runs(&second));
    let odd = road.ask(&one, &call(2, "odd"));
    assert_eq!(odd.body.trim_end(), r#"{"result" : {"x":1.50,"content":[ ]}, "id":2,"jsonrpc":"2.0","vendor":null}"#);
    let refused = road.ask(&one, &call(3, "dangerous"));
    assert!(refused.text().contains("no-danger") && !road.got().contains("dangerous"), "{}", refused.body);
    assert_eq!(road.start(&["-X", "DELETE", "-H", &format!("mcp-session-id: {one}")]).answer().status, "200");
    until("its process ends", || !runs(&first));
    assert_eq!(road.ask(&one, &call(4, "pid")).status, "404");
    assert_eq!(road.ask(&two, &call(4, "pid")).text(), second);
    // What belongs to no session, or to somebody else's, is answered by nobody.
    for (args, status) in [
        (&["--data-binary", &call(1, "pid")][..], "400"),
        (&["-H", "mcp-session-id: guessed", "--data-binary", &call(1, "pid")], "404"),
        (
            &[
                "-H",
                &format!("mcp-session-id: {two}"),
                "-H",
                "authorization: Bearer x",
                "--data-binary",
                &call(1, "pid"),
            ],
            "404",
        ),
        (
            &[
                "-H",
                &format!("mcp-session-id: {two}"),
                "-H",
                "mcp-method: tools/list",
                "--data-binary",
                &call(1, "pid"),
            ],
            "400",
        ),
        (
            &["-H", &format!("mcp-session-id: {two}"), "-H", "host: evil.example", "--data-binary", &call(1, "pid")],
            "403",
        ),
        (&["-H", &format!("mcp-session-id: {two}"), "--data-binary", "{"], "400"),
        (&["-X", "DELETE"], "400"),
        (&[], "400"),
    ] {
        assert_eq!(road.start(args).answer().status, status, "{args:?}");
    }
    assert!(road.world.decisions().iter().all(|d| d["actor"]["surface"] == "mcp-http"));
    // With the listener all end.
    let mut front = road.front;
    assert!(std::process::Command::new("kill").arg(front.0.id().to_string()).status().unwrap().success());
    assert!(front.0.wait().unwrap().success());
    assert!(!runs(&second));
}

#[test]
fn what_a_server_says_meanwhile_comes_on_the_stream_of_the_request() {
    let Some(road) = Road::open("what_a_server_says_meanwhile_comes_on_the_stream_of_the_request", &[]) else { return };
    let session = road.session();
    let progress = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "progress", "_meta": {"progressToken": "p"}}});
    let events = road.ask(&session, &progress.to_string()).events();
    let kinds: Vec<_> = events.iter().map(|e| (e["params"]["progressToken"].clone(), e["id"].clone())).collect();
    assert_eq!(kinds, [(json!("p"), json!(null)), (json!("p"), json!(null)), (json!(null), json!(1))]);
    // A question to the client, whose answer is a message of its own.
    let asks = road.post(Some(&session), &call(2, "ask"));
    until("it was asked", || road.got().contains("\"ask\""));
    let answer = r#"{"jsonrpc":"2.0","id":"question-2","result":{"role":"assistant","text":"forty-two"}}"#;
    until("the question has gone out", || {
        let told = road.ask(&session, answer);
        assert_eq!(told.status, "202");
        road.got().contains("forty-two")
    });
    let events = asks.answer().events();
    assert_eq!(events[0]["method"], "sampling/createMessage", "{events:?}");
    assert!(events[1]["result"]["content"][0]["text"].as_str().unwrap().contains("forty-two"), "{events:?}");
    // What belongs to no request comes on the stream that the client has opened; before that, it waits.
    let open = ["-H", &format!("mcp-session-id: {session}")];
    assert_eq!(road.ask(&session, &call(3, "pid")).status, "200");
    let listening = road.start(&open);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(road.start(&open).answer().status, "409");
    assert_eq!(road.ask(&session, &call(4, "changed")).text(), "done");
    road.ask(&session, &call(5, "crash"));
    let events = listening.answer().events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["method"], "notifications/tools/list_changed");
}

#[test]
fn a_daemon_of_one_session_ends_with_it_and_those_of_others_stay() {
    let Some(road) = Road::open("a_daemon_of_one_session_ends_with_it_and_those_of_others_stay", &[]) else { return };
    let sessions = [road.session(), road.session()];
    let daemons = sessions.each_ref().map(|session| road.ask(session, &call(1, "daemon")).text());
    assert!(daemons.iter().all(|pid| runs(pid)));
    let ended = road.start(&["-X", "DELETE", "-H", &format!("mcp-session-id: {}", sessions[0])]).answer();
    assert_eq!(ended.status, "200");
    until("the daemon of the session that was ended", || !runs(&daemons[0]));
    until("is no zombie", || !std::path::Path::new(&format!("/proc/{}", daemons[0])).exists());
    assert!(runs(&daemons[1]), "the other session goes on");
    // A crash is an end, too.
    let crashed = road.ask(&sessions[1], &call(2, "crash"));
    assert!(crashed.body.contains("error"), "{}", crashed.body);
    until("the daemon of the server that crashed", || !runs(&daemons[1]));
    let Road { mut front, .. } = road;
    assert!(front.0.try_wait().unwrap().is_none(), "Rampart itself goes on");
}

#[test]
fn a_server_that_crashes_leaves_no_request_without_an_answer() {
    let Some(road) = Road::open("a_server_that_crashes_leaves_no_request_without_an_answer", &[]) else { return };
    let (session, other) = (road.session(), road.session());
    let waiting: Vec<Waiting> = (1..=3).map(|id| road.post(Some(&session), &call(id, "wait"))).collect();
    until("they wait", || road.got().matches("\"wait\"").count() == 3);
    let crashed = road.ask(&session, &call(9, "crash"));
    for (id, answer) in [(9, crashed)].into_iter().chain((1..).zip(waiting.into_iter().map(Waiting::answer))) {
        let answer = answer.json();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32_603)), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("exit code 3"), "{answer}");
    }
    until("the session is over", || road.ask(&session, &call(4, "pid")).status == "404");
    assert_eq!(road.ask(&other, &call(4, "pid")).status, "200");
    assert_ne!(road.session(), session);
    // One that does not even start says why.
    let mut rampart = road.world.command(bin("rampart"));
    rampart.args(["mcp", "serve", "--listen", "127.0.0.1:0", "--", "no-such-server"]);
    let road = Road { front: Listener::start(rampart), world: road.world };
    let answer = road.post(None, INITIALIZE).answer();
    assert_eq!((answer.status.as_str(), answer.session.as_deref()), ("502", None));
    assert!(answer.body.contains("cannot start the server `no-such-server`: no such program"), "{}", answer.body);
}

#[test]
fn clients_without_a_session_share_a_process_and_hear_nothing_of_each_other() {
    let Some(road) = Road::open("clients_without_a_session_share_a_process_and_hear_nothing_of_each_other", &[]) else {
        return;
    };
    let pids: Vec<String> = (0..2).map(|_| road.post(None, &modern(1, "pid")).answer().text()).collect();
    assert_eq!(pids[0], pids[1]);
    let waiting = road.post(None, &modern(1, "wait"));
    until("it waits", || road.got().contains("\"wait\""));
    // The same id and the same token, while the first is still waiting.
    let events = road.post(None, &modern(1, "progress")).answer().events();
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!((&events[0]["params"]["progressToken"], &events[2]["id"]), (&json!(1), &json!(1)));
    let left = road.post(None, &modern(1, "wait"));
    until("both wait", || road.got().matches("\"wait\"").count() == 2);
    left.leave();
    until("who leaves has cancelled", || road.got().contains("notifications/cancelled"));
    assert_eq!(road.post(None, &modern(2, "release")).answer().text(), "done");
    let waited = waiting.answer();
    assert_eq!((waited.text().as_str(), &waited.json()["id"]), ("waited", &json!(1)));
    // Errors have the status of that era.
    let version = "io.modelcontextprotocol/protocolVersion";
    let meta = json!({version: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let discover = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}});
    let answer = road.post(None, &discover.to_string()).answer();
    assert_eq!((answer.status.as_str(), &answer.json()["error"]["code"]), ("404", &json!(-32_601)));
}

#[test]
fn sessions_are_bounded_and_what_nobody_uses_is_ended() {
    let flags = ["--sessions", "2", "--idle-timeout", "1"];
    let Some(road) = Road::open("sessions_are_bounded_and_what_nobody_uses_is_ended", &flags) else { return };
    let (one, two) = (road.session(), road.session());
    let pid = road.ask(&one, &call(1, "pid")).text();
    let waiting = [&one, &two].map(|session| road.post(Some(session), &call(2, "wait")));
    until("they wait", || road.got().matches("\"wait\"").count() == 2);
    assert_eq!(road.post(None, INITIALIZE).answer().status, "503");
    road.ask(&one, &call(3, "release"));
    let [waited, other] = waiting;
    assert_eq!(waited.answer().text(), "waited");
    // The one that nobody waits for makes room.
    let three = road.session();
    assert_eq!(road.ask(&one, &call(4, "pid")).status, "404");
    until("its process ends", || !runs(&pid));
    let pid = road.ask(&three, &call(1, "pid")).text();
    until("and in time the others", || !runs(&pid));
    other.leave();
}

#[test]
fn a_server_behind_the_bridge_conforms_as_it_does_by_itself() {
    let Some(clients) = clients("a_server_behind_the_bridge_conforms_as_it_does_by_itself") else { return };
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.serve(&[]);
    let (_server, url) = everything(&world, &clients);
    let direct = conformance(&world, &clients, &url);
    let mut rampart = world.command(bin("rampart"));
    rampart.args(["mcp", "serve", "--listen", "127.0.0.1:0", "--pins", "off", "--"]);
    rampart.arg(clients.join("node_modules/.bin/node"));
    rampart.arg(clients.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js")).arg("stdio");
    let front = Listener::start(rampart);
    let mut through = conformance(&world, &clients, &front.1);
    // What is HTTP is Rampart's own here: it checks names, ends sessions, answers in JSON where one message is all there
    // is to say, and has no event ids, since standard output has none.
    for (ours, counts) in [
        ("dns-rebinding-protection", (2, 0)),
        ("server-session-lifecycle", (3, 0)),
        ("server-sse-multiple-streams", (1, 0)),
        ("server-sse-polling", (0, 0)),
    ] {
        assert_eq!(through.insert(ours.to_owned(), direct[ours]), Some(counts), "{ours}");
    }
    assert_eq!(through, direct);
}

#[test]
fn servers_of_the_configuration_stand_behind_one_listener() {
    if !have("servers_of_the_configuration_stand_behind_one_listener", &["python3", "curl"]) {
        return;
    }
    let mut world = World::with_policy(&POLICY.replace("mcp__fixture__danger*", "mcp__two__pid"));
    let server = root().join("tests/clients/mcp_stdio.py");
    let config = format!(
        "listen: 127.0.0.1:0\negress: {{listen: '127.0.0.1:0'}}\nmcp:\n  listen: 127.0.0.1:0\n  servers:\n    \
         one: {{command: [python3, '{server}', '{log}', pid]}}\n    two: {{command: [python3, '{server}', '{log}', pid], filter_tools: true}}\n",
        server = server.display(),
        log = world.path("log").display()
    );
    world.config(&config);
    world.serve(&[]);
    assert!(world.run(&["config", "show"]).expect(0).stdout.contains("one, two"));
    let mut rampart = world.command(bin("rampart"));
    rampart.args(["mcp", "serve"]);
    let front = Listener::start(rampart);
    let base = front.1.strip_suffix("/mcp/one").unwrap().to_owned();
    let mut road = Road { world, front };
    let mut asked = |name: &str, what: &str| {
        road.front.1 = format!("{base}/mcp/{name}");
        let begun = road.post(None, INITIALIZE).answer();
        match begun.session {
            Some(session) => road.ask(&session, what).body,
            None => begun.body,
        }
    };
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let mut listed = |name: &str| -> Value {
        let answer: Value = serde_json::from_str(&asked(name, list)).unwrap();
        answer["result"]["tools"].clone()
    };
    assert_eq!(listed("one"), json!([{"name": "pid", "inputSchema": {"type": "object"}}]));
    assert_eq!(listed("two"), json!([]), "no call of it gets through there, and it is left out");
    let mut tell = |name: &str| asked(name, &call(1, "pid"));
    let one: Value = serde_json::from_str(&tell("one")).unwrap();
    assert!(one["result"]["content"][0]["text"].as_str().is_some_and(runs), "{one}");
    assert!(tell("two").contains("no-danger"));
    assert!(tell("three").contains("there is nothing here"));
    let nothing = road.post(None, INITIALIZE).answer();
    assert!(nothing.status == "404" && nothing.body.contains("/mcp/one, /mcp/two"), "{}", nothing.body);
    let foreign = road.world.run(&["mcp", "serve", "--name", "x"]).expect(2);
    assert!(foreign.stderr.contains("about one server"), "{foreign:?}");
    let nobody = World::new().run(&["mcp", "serve"]).expect(2);
    assert!(nobody.stderr.contains("no server was named"), "{nobody:?}");
}

/// A client of HTTP+SSE: what comes on its stream, and where it posts.
pub(crate) struct OldClient {
    stream: Child,
    events: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
    messages: String,
}

impl OldClient {
    pub(crate) fn open(road: &Road, base: &str, stream: &str) -> Self {
        use std::io::BufRead as _;
        let mut curl = road.world.command("curl");
        curl.args(["-sN", "--max-time", "60"]).arg(format!("{base}{stream}"));
        let mut stream = curl.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let events = std::io::BufReader::new(stream.stdout.take().unwrap()).lines();
        let mut client = Self { stream, events, messages: String::new() };
        let (kind, place) = client.hear();
        assert!(kind == "endpoint" && place.starts_with('/'), "{kind} {place}");
        client.messages = format!("{base}{place}");
        client
    }

    /// The next event: its kind, and its data.
    fn hear(&mut self) -> (String, String) {
        let mut next = || self.events.next().expect("the stream goes on").unwrap();
        let (kind, data, end) = (next(), next(), next());
        assert_eq!(end, "");
        let value = |line: &str, field: &str| line.strip_prefix(field).unwrap_or_else(|| panic!("{line}")).to_owned();
        (value(&kind, "event: "), value(&data, "data: "))
    }

    pub(crate) fn hear_json(&mut self) -> Value {
        let (kind, data) = self.hear();
        assert_eq!(kind, "message");
        serde_json::from_str(&data).unwrap()
    }

    pub(crate) fn post(&self, road: &Road, body: &str) -> String {
        let mut curl = road.world.command("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20"]);
        curl.args(["-H", "content-type: application/json", "--data-binary", body, &self.messages]);
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    }
}

impl Drop for OldClient {
    fn drop(&mut self) {
        let _ = self.stream.kill();
        let _ = self.stream.wait();
    }
}

#[test]
fn clients_of_the_first_revision_get_every_answer_on_their_one_stream() {
    let Some(road) = Road::open("clients_of_the_first_revision_get_every_answer_on_their_one_stream", &[]) else {
        return;
    };
    let base = road.front.1.strip_suffix("/mcp").unwrap();
    let mut client = OldClient::open(&road, base, "/sse");
    assert_eq!(client.post(&road, INITIALIZE), "202");
    assert_eq!(client.hear_json()["result"]["serverInfo"]["name"], "fixture");
    assert_eq!(client.post(&road, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#), "202");
    assert_eq!(client.post(&road, &call(1, "pid")), "202");
    let told = client.hear_json();
    let pid = told["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(runs(&pid) && told["id"] == 1, "{told}");
    // What is refused, what the server asks meanwhile, and what it says by itself.
    client.post(&road, &call(2, "dangerous"));
    assert!(client.hear_json().to_string().contains("no-danger"));
    client.post(&road, &call(3, "ask"));
    let question = client.hear_json();
    assert_eq!(question["method"], "sampling/createMessage", "{question}");
    client.post(&road, &json!({"jsonrpc": "2.0", "id": question["id"], "result": {"text": "forty-two"}}).to_string());
    assert!(client.hear_json().to_string().contains("forty-two"));
    client.post(&road, &call(4, "changed"));
    let methods: Vec<Value> = (0..2).map(|_| client.hear_json()["method"].clone()).collect();
    assert!(methods.contains(&json!("notifications/tools/list_changed")), "{methods:?}");
    assert_eq!(client.post(&road, "{"), "400");
    // Another has a process of its own, and a crash is told.
    let mut other = OldClient::open(&road, base, "/mcp/sse");
    assert!(other.messages.starts_with(&format!("{base}/mcp/messages?")), "{}", other.messages);
    other.post(&road, INITIALIZE);
    other.hear_json();
    other.post(&road, &call(1, "crash"));
    assert!(other.hear_json()["error"]["message"].as_str().unwrap().contains("exit code 3"));
    // With the stream the session ends.
    let gone = client.messages.clone();
    drop(client);
    until("its process ends", || !runs(&pid));
    other.messages = gone;
    assert_eq!(other.post(&road, &call(5, "pid")), "404");
}

#[test]
fn what_a_server_asks_of_people_is_neither_a_secret_nor_on_a_blocked_site() {
    let Some(road) = Road::open("what_a_server_asks_of_people_is_neither_a_secret_nor_on_a_blocked_site", &[]) else {
        return;
    };
    let session = road.session();
    let form = |field: &str| json!({"message": "?", "requestedSchema": {"type": "object", "properties": {field: {"type": "string"}}}});
    let page = |host: &str| json!({"mode": "url", "message": "?", "elicitationId": "e", "url": format!("https://{host}/login")});
    for (tool, arguments, told) in [
        ("elicit", form("api_key"), Some("a form must not ask for secrets")),
        ("elicit-inside", form("api_key"), Some("a form must not ask for secrets")),
        ("elicit", page("login.evil.example"), Some("Not that site")),
        ("elicit-inside", page("login.evil.example"), Some("Not that site")),
        ("elicit-first", page("login.evil.example"), Some("Not that site")),
        ("elicit-inside", form("city"), None),
        ("elicit-inside", page("login.example"), None),
    ] {
        let params = json!({"name": tool, "arguments": arguments});
        let asks = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
        let answer = road.ask(&session, &asks);
        match told {
            Some(why) => assert!(answer.body.contains(why), "{tool} {arguments}: {}", answer.body),
            None => assert_eq!(answer.json()["result"]["resultType"], "input_required", "{}", answer.body),
        }
    }
    // Nobody was shown what was refused; the server was told why.
    assert_eq!(road.world.decisions().iter().filter(|d| d["reason"] == "malformed").count(), 2);
}
