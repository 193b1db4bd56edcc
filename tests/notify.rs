//! Who is told, who is asked and who is fed, with real peers that answer, hang, refuse, and come back.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::{Ran, World};

const PATIENCE: Duration = Duration::from_secs(20);

/// One request that a peer got: its headers in lower case, and its body.
#[derive(Debug)]
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What a peer does with a request.
type Behaviour = fn(&mut TcpStream);

fn says(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n{body}");
}

/// A web server that tells what it gets.
struct Peer {
    port: u16,
    got: Receiver<Got>,
}

impl Peer {
    fn new(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { port, got: requests(listener, behaviour) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    #[track_caller]
    fn next(&self) -> Got {
        self.got.recv_timeout(PATIENCE).expect("a request comes")
    }
}

/// What comes to a listener that answers so.
fn requests(listener: TcpListener, behaviour: Behaviour) -> Receiver<Got> {
    let (tell, got) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, tell) = (stream.unwrap(), tell.clone());
            thread::spawn(move || serve(stream, behaviour, &tell));
        }
    });
    got
}

/// The JSON that comes to a listener that takes all.
pub(crate) fn bodies(listener: TcpListener) -> Receiver<Value> {
    let (tell, bodies) = channel();
    let got = requests(listener, ok);
    thread::spawn(move || got.iter().try_for_each(|got| tell.send(got.json())));
    bodies
}

/// Head and JSON of what comes to a listener that answers this, after a while.
pub(crate) fn answering(
    listener: TcpListener,
    status: &'static str,
    body: String,
    delay: Duration,
) -> Receiver<(String, Value)> {
    let (tell, heard) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                head.push_str(&line);
                line.clear();
            }
            let length = head
                .to_ascii_lowercase()
                .split("content-length: ")
                .nth(1)
                .map(|rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            let mut sent = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut sent).unwrap();
            let _ = tell.send((head, serde_json::from_slice(&sent).unwrap_or(Value::Null)));
            thread::sleep(delay);
            says(&mut stream, status, "content-type: application/json\r\n", &body);
        }
    });
    heard
}

fn serve(mut stream: TcpStream, behaviour: Behaviour, tell: &Sender<Got>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        let (name, value) = line.trim_end().split_once(':').unwrap_or((line.trim_end(), ""));
        head.push_str(&format!("{}: {}\n", name.to_ascii_lowercase(), value.trim()));
        line.clear();
    }
    let mut got = Got { head, body: Vec::new() };
    let length = got.header("content-length").map_or(0, |digits| digits.parse().unwrap());
    got.body.resize(length, 0);
    if reader.read_exact(&mut got.body).is_ok() {
        let _ = tell.send(got);
        behaviour(&mut stream);
    }
}

fn ok(stream: &mut TcpStream) {
    says(stream, "200 OK", "", "");
}

fn hangs(stream: &mut TcpStream) {
    // Until the other side gives up.
    let _ = stream.read(&mut [0]);
}

fn runs(world: &World, command: &str) -> Ran {
    let body = json!({"hook_event_name":"PreToolUse","session_id":"s1","cwd":"/tmp","tool_name":"Bash","tool_input":{"command":command}});
    world.run_with(&["hook", "--format", "claude-code"], body.to_string().as_bytes())
}

const LISTEN: &str = "listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n";

/// Waits until the trail holds such a record.
fn recorded(world: &World, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = world.records().into_iter().find(|record| wanted(record)) {
            return found;
        }
        assert!(Instant::now() < deadline, "{:#?}", world.records());
        thread::sleep(Duration::from_millis(50));
    }
}

/// HMAC (RFC 2104), so that the signature is checked by other code than that which made it.
fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    let pad = |byte: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ byte).collect() };
    let inner = Sha256::digest([&pad(0x36), text].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    outer.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn a_denial_reaches_a_webhook_signed_and_without_secrets() {
    let mut world = World::new();
    let peer = Peer::new(ok);
    world.config(&format!("{LISTEN}notify:\n  - {{url: '{}', on: [deny], secret: sesame}}\n", peer.url("/hook?a=b")));
    world.serve(&[]);
    let token = ["ghp_", "1B4a2e77838347a7E420", "ce178F2E7c", "05URMu"].concat();
    runs(&world, "ls").expect(0);
    runs(&world, &format!("rm -rf / # {token} \u{202e}\u{1b}[2K"));
    let got = peer.next();
    assert!(got.head.starts_with("post /hook?a=b http/1.1"), "{got:?}");
    let signature = format!("sha256={}", hmac_sha256(b"sesame", &got.body));
    assert_eq!(got.header("x-rampart-signature"), Some(&*signature));
    let told = got.json();
    assert_eq!((&told["event"], &told["tool"], &told["session"]), (&json!("deny"), &json!("exec"), &json!("s1")));
    let subject = told["subject"].as_str().unwrap();
    assert!(subject.starts_with("rm -rf / # hmac-sha256:") && subject.ends_with(r"\u{202e}\u{1b}[2K"), "{subject}");
    assert_eq!(world.decisions()[1]["seq"], told["seq"]);
    assert!(peer.got.try_recv().is_err(), "an allowance is not told");
}

#[test]
fn a_policy_may_name_whom_to_tell_and_a_question_names_its_answer() {
    let peer = Peer::new(ok);
    let policy = format!(
        "version: \"1\"\nnotify:\n  url: {}\n  on: [ask]\npolicies:\n  - name: careful\n    rules:\n      - action: ask\n        when: {{command_matches: ['deploy *']}}\n",
        peer.url("/")
    );
    let mut world = World::with_policy(&policy);
    world.serve(&["--approval-timeout", "1s"]);
    // The API has no prompt of its own, so the question waits at the gateway.
    let address = world.status()["listen"].as_str().unwrap().to_owned();
    let token = std::fs::read_to_string(world.home().join("token")).unwrap();
    let body = json!({"agent": "a", "session": "s", "params": {"command": "deploy now"}}).to_string();
    let mut asking = TcpStream::connect(&address).unwrap();
    let head = format!("POST /v1/tool/exec HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n", token.trim());
    let length = body.len();
    write!(
        asking,
        "{head}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let told = peer.next().json();
    assert_eq!(
        (&told["event"], &told["subject"], &told["policy"]),
        (&json!("ask"), &json!("deploy now"), &json!("careful"))
    );
    assert_eq!(told["question"].as_str().map(str::len), Some(12));
    let mut answer = String::new();
    asking.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("nobody answered"), "{answer}");
}

#[test]
fn a_webhook_that_hangs_holds_no_decision_and_its_losses_are_on_record() {
    let mut world = World::new();
    let (hanging, answering) = (Peer::new(hangs), Peer::new(ok));
    let (a, b) = (hanging.url("/"), answering.url("/"));
    world.config(&format!("{LISTEN}notify: [{{url: '{a}'}}, {{url: '{b}'}}]\n"));
    world.serve(&[]);
    let began = Instant::now();
    for _ in 0..5 {
        runs(&world, "rm -rf /");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for _ in 0..5 {
        assert_eq!(answering.next().json()["event"], "deny");
    }
    hanging.next();
    world.run(&["serve", "stop"]).expect(0);
    let gap = recorded(&world, |record| record["type"] == "gap");
    assert_eq!((&gap["reason"], &gap["dropped"]), (&json!("notify"), &json!(5)), "{gap:#}");
    assert!(!gap.to_string().contains(&a), "an address may be a secret: {gap:#}");
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_redirect_is_not_followed_an_error_is_tried_again_and_an_endless_answer_is_cut() {
    let mut world = World::new();
    let inside = Peer::new(ok);
    static INSIDE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    INSIDE.set(inside.url("/")).unwrap();
    let redirecting = Peer::new(|stream| {
        let location = format!("location: {}\r\n", INSIDE.get().unwrap());
        says(stream, "307 Temporary Redirect", &location, "");
    });
    let failing = Peer::new(|stream| says(stream, "500 Internal Server Error", "", "no"));
    let endless = Peer::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let urls = [&redirecting, &failing, &endless].map(|peer| format!("{{url: '{}'}}", peer.url("/"))).join(", ");
    world.config(&format!("{LISTEN}notify: [{urls}]\n"));
    world.serve(&[]);
    runs(&world, "rm -rf /");
    redirecting.next();
    endless.next();
    let (first, second) = (failing.next(), failing.next());
    assert_eq!(first.body, second.body, "the same event again");
    let gap = recorded(&world, |record| record["type"] == "gap" && record["cause"].to_string().contains("307"));
    assert_eq!(gap["dropped"], 1);
    assert!(inside.got.try_recv().is_err(), "nobody followed it");
}

fn verifier(rule: &str, peer: &Peer) -> World {
    let policy = format!(
        "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: production\n    rules:\n      - action: webhook\n        when: {{command_matches: ['*production*']}}\n        message: Touches production\n        webhook: {{url: '{}', timeout: 1s{rule}}}\n",
        peer.url("/verify")
    );
    let mut world = World::with_policy(&policy);
    world.serve(&[]);
    world
}

#[track_caller]
fn decided(world: &World, command: &str, outcome: &str, words: &str) {
    let ran = runs(world, command);
    assert_eq!(ran.code, Some(if outcome == "allow" { 0 } else { 2 }), "{ran:?}");
    let last = world.decisions().pop().unwrap();
    assert_eq!((&last["outcome"], &last["reason"]), (&json!(outcome), &json!("webhook")), "{last:#}");
    let message = last["message"].as_str().unwrap();
    assert!(
        message.starts_with("Touches production (the service at localhost") && message.contains(words),
        "{message}"
    );
    assert_eq!(last["rule"]["policy"], "production");
}

#[test]
fn a_service_decides_what_a_rule_leaves_to_it() {
    let peer = Peer::new(|stream| says(stream, "200 OK", "", r#"{"decision":"allow","message":"looks\nfine"}"#));
    let world = verifier("", &peer);
    let token = ["ghp_", "1B4a2e77838347a7E420", "ce178F2E7c", "05URMu"].concat();
    decided(&world, &format!("echo production {token}"), "allow", "allowed it: looks⏎fine");
    let asked = peer.next().json();
    assert_eq!((&asked["policy"], &asked["call"]["action"]["type"]), (&json!("production"), &json!("exec")));
    assert!(
        asked["call"]["action"]["command"].as_str().unwrap().starts_with("echo production hmac-sha256:"),
        "{asked:#}"
    );
    assert_eq!(asked["call"]["origin"]["agent"], "claude-code");

    let peer = Peer::new(|stream| says(stream, "200 OK", "", r#"{"decision":"deny","message":"not today"}"#));
    decided(&verifier(", fail_open: true", &peer), "echo production", "deny", "denied it: not today");
}

#[test]
fn a_service_that_gives_no_clear_answer_refuses_unless_it_may_fail_open() {
    let nobody =
        Peer { port: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(), got: channel().1 };
    for (peer, words) in [
        (Peer::new(hangs), "longer than 1000 ms"),
        (Peer::new(|stream| says(stream, "503 Service Unavailable", "", r#"{"decision":"allow"}"#)), "503"),
        (Peer::new(|stream| says(stream, "200 OK", "", r#"{"decision":"yes"}"#)), "its answer is not"),
        (Peer::new(|stream| says(stream, "302 Found", "location: http://127.0.0.1:1/\r\n", "")), "302"),
        (nobody, "could not reach"),
    ] {
        decided(&verifier("", &peer), "echo production", "deny", words);
        decided(&verifier(", fail_open: true", &peer), "echo production", "allow", words);
    }
}

/// Takes an RFC 5424 message apart: priority, message id, structured data, text.
#[track_caller]
fn rfc5424(line: &str) -> (u8, String, Vec<(String, String)>, String) {
    let (priority, rest) = line.strip_prefix('<').unwrap().split_once('>').unwrap();
    let fields: Vec<&str> = rest.splitn(7, ' ').collect();
    let [version, at, _host, app, pid, id, rest] = fields[..] else { panic!("{line}") };
    assert_eq!((version, app), ("1", "rampart"));
    assert!(at.len() == 24 && at.ends_with('Z') && pid.parse::<u32>().is_ok(), "{line}");
    let mut params = Vec::new();
    let mut rest = rest.strip_prefix("[rampart@32473").unwrap();
    while let Some(param) = rest.strip_prefix(' ') {
        let (name, value) = param.split_once("=\"").unwrap();
        assert!(name.len() <= 32 && name.bytes().all(|b| b.is_ascii_graphic() && !b"=\"]".contains(&b)), "{name}");
        let (mut text, mut chars) = (String::new(), value.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (_, '\\') => text.push(chars.next().unwrap().1),
                (at, '"') => break at,
                (_, ']') => panic!("not escaped: {line}"),
                (_, c) => text.push(c),
            }
        };
        params.push((name.to_owned(), text));
        rest = &value[end + 1..];
    }
    let text = rest.strip_prefix("] ").unwrap();
    assert!(text.is_ascii() || text.starts_with('\u{feff}'), "{line}");
    (priority.parse().unwrap(), id.to_owned(), params, text.to_owned())
}

fn value<'a>(params: &'a [(String, String)], name: &str) -> &'a str {
    params.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
}

/// Reads datagrams until one says so.
#[track_caller]
fn datagram(socket: &UdpSocket, wanted: &str) -> String {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 8192];
    loop {
        let length = socket.recv(&mut buffer).expect("a datagram comes");
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        if text.contains(wanted) {
            return text.to_owned();
        }
    }
}

#[test]
fn records_go_to_syslog_over_udp_as_rfc_5424_or_cef() {
    let mut world = World::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", socket.local_addr().unwrap().port());
    world.serve(&["--syslog", &address]);
    runs(&world, "rm -rf / # \"]\\ \u{202e}ü");
    let (priority, id, params, text) = rfc5424(&datagram(&socket, "rm -rf"));
    assert_eq!((priority, &*id), (108, "decision"));
    let record = world.decisions().pop().unwrap();
    assert_eq!(value(&params, "seq"), record["seq"].to_string());
    assert_eq!(value(&params, "h"), record["h"].as_str().unwrap());
    assert_eq!((value(&params, "verdict"), value(&params, "agent")), ("deny", "claude-code"));
    assert!(text.contains(r#"deny exec by claude-code: rm -rf / # "]\ \u{202e}ü"#), "{text}");
    world.run(&["serve", "stop"]).expect(0);

    world.serve(&["--syslog", &address, "--cef"]);
    runs(&world, "rm -rf / # a=b|c\\d");
    let line = datagram(&socket, "CEF:0|");
    assert!(line.contains(" - CEF:0|Rampart|rampart|"), "{line}");
    let line = datagram(&socket, "rm -rf");
    assert!(line.contains(r"|decision:deny|Call denied|8|rt=") && line.contains(r"cs4=rm -rf / # a\=b|c\\d"), "{line}");
}

/// Reads octet-counted messages (RFC 6587) of one connection.
fn frames(stream: TcpStream, tell: Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut length = Vec::new();
    while reader.read_until(b' ', &mut length).is_ok_and(|read| read > 1) {
        let digits = std::str::from_utf8(&length).unwrap().trim_end().parse().unwrap();
        let mut message = vec![0; digits];
        if reader.read_exact(&mut message).is_err() || tell.send(String::from_utf8(message).unwrap()).is_err() {
            return;
        }
        length.clear();
    }
}

#[test]
fn a_collector_that_was_down_gets_every_record_in_order() {
    let mut world = World::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.config(&format!("{LISTEN}syslog: {{address: 'tcp://127.0.0.1:{port}'}}\n"));
    world.serve(&[]);
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..2 {
        // Nobody listens.
        runs(&world, "echo away");
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (tell, heard) = channel();
        let stream = listener.accept().unwrap().0;
        let ending = stream.try_clone().unwrap();
        thread::spawn(move || frames(stream, tell));
        runs(&world, "echo there");
        let last = world.decisions().pop().unwrap()["seq"].as_u64().unwrap();
        loop {
            let line = heard.recv_timeout(PATIENCE).expect("it goes on");
            let seq = value(&rfc5424(&line).2, "seq").parse().unwrap();
            seen.push(seq);
            if seq == last {
                break;
            }
        }
        // It goes away without a word, and with it what it may not have read.
        ending.shutdown(std::net::Shutdown::Both).unwrap();
    }
    let first_of_second = seen.windows(2).position(|pair| pair[1] <= pair[0]).map_or(seen.len(), |at| at + 1);
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    let whole: Vec<u64> = (unique[0]..=*unique.last().unwrap()).collect();
    assert_eq!(unique, whole, "none is missing: {seen:?}");
    assert!(seen[..first_of_second].is_sorted() && seen[first_of_second..].is_sorted(), "{seen:?}");
}

#[test]
fn a_collector_that_hangs_holds_no_decision() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    world.serve(&["--syslog", &address]);
    // It is connected to, and nobody reads.
    let _silent = listener.accept().unwrap();
    let began = Instant::now();
    for _ in 0..10 {
        runs(&world, "ls").expect(0);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    world.run(&["serve", "stop"]).expect(0);
}
