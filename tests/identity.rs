//! Who may do what: tokens, sessions, and an agent that tries to be a person.

mod browser;
mod control;
mod dashboard;
mod markup;
mod users;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::world::{Ran, World, bin, have};

const OPEN: &str = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: people-decide\n    match: { tool: read }\n    rules:\n      - action: ask\n        when: { path_matches: [\"/deploy/**\"] }\n        message: A human decides that\n";

/// A gateway whose policy allows everything but a question, so that only authority can refuse.
fn served() -> World {
    let mut world = World::with_policy(OPEN);
    world.serve(&[]);
    world
}

fn token(world: &World, args: &[&str]) -> String {
    world.run(&[&["token", "create"], args].concat()).expect(0).stdout.trim().to_owned()
}

/// Records of type `auth`: event, who, and what is said.
fn auth(world: &World) -> Vec<(String, String, String)> {
    let word = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let records = world.records().into_iter().filter(|r| r["type"] == "auth");
    records.map(|r| (word(&r, "event"), word(&r, "by"), word(&r, "message"))).collect()
}

fn address(world: &World) -> String {
    world.status()["listen"].as_str().unwrap().to_owned()
}

/// One exchange on a connection of its own: status and body.
fn exchange(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        text.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// What an agent tries, each as a Python program that `rampart wrap` runs.
const TRIES: [(&str, &str); 9] = [
    ("by its path", "run([rampart, 'approve', id])"),
    ("with a copy under another name", "shutil.copy(rampart, 'tool'); run(['./tool', 'approve', id])"),
    ("without its environment", "run(['env', '-i', 'RAMPART_HOME=' + home, rampart, 'approve', id])"),
    ("with a token it read", "run([rampart, 'approve', id], env={'RAMPART_HOME': home, 'RAMPART_TOKEN': token})"),
    ("in its own place", "os.execve(rampart, ['ls', 'approve', id], {'RAMPART_HOME': home})"),
    (
        "as a daemon",
        "run(['setsid', '-f', 'env', '-i', 'RAMPART_HOME=' + home, 'RAMPART_TOKEN=' + token, '/bin/sh', '-c', 'sleep 0.3; ' + rampart + ' approve ' + id + ' > said 2>&1; mv said done'])\nend = time.time() + 30\nwhile not os.path.exists('done') and time.time() < end: time.sleep(0.05)\nprint(open('done').read())",
    ),
    (
        "with curl on the socket",
        "run(['curl', '-s', '--unix-socket', home + '/run/gateway.sock', '-H', 'Authorization: Bearer ' + token, '-d', '{\"approve\":true}', 'http://x/v1/approvals/' + id + '/resolve'])",
    ),
    (
        "with curl on the port",
        "run(['curl', '-s', '--noproxy', '*', '-H', 'Authorization: Bearer ' + token, '-d', '{\"approve\":true}', 'http://' + port + '/v1/approvals/' + id + '/resolve'])",
    ),
    (
        "by making a token",
        "run([rampart, 'token', 'create', '--scope', 'admin'], env={'RAMPART_HOME': home, 'RAMPART_TOKEN': token})",
    ),
];

#[test]
fn an_agent_cannot_answer_its_own_question_however_it_tries() {
    if !have("an_agent_cannot_answer_its_own_question_however_it_tries", &["python3", "curl", "setsid"]) {
        return;
    }
    let mut world = World::with_policy(OPEN);
    world.serve(&["--approval-timeout", "20m"]);
    let url = format!("http://{}/v1/tool/read", address(&world));
    let decide = token(&world, &["--scope", "decide"]);
    let body = json!({"agent": "bot", "session": "s", "params": {"path": "/deploy/now"}}).to_string();
    let mut waiting = world
        .command("curl")
        .args(["-s", &url, "-H", &format!("Authorization: Bearer {decide}"), "-d", &body])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let id = loop {
        let pending = world.run(&["pending", "--json"]).expect(0).stdout;
        if let Some(line) = pending.lines().next() {
            break serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline, "the question waits");
    };
    let head = format!(
        "import os, shutil, subprocess, time\nrampart, home, port, id = {:?}, {:?}, {:?}, {id:?}\ntoken = open(home + '/token').read().strip()\ndef run(args, **more): print(subprocess.run(args, capture_output=True, text=True, **more), flush=True)\n",
        bin("rampart"),
        world.home(),
        address(&world),
    );
    let mut heard = 0;
    for (how, body) in TRIES {
        let ran = world.run(&["wrap", "--agent", "bot", "--", "python3", "-c", &format!("{head}{body}")]);
        let said = ran.stdout + &ran.stderr;
        // The program itself refuses early where it sees the session; the gateway does in any case.
        let told = ["this comes from a session of `bot`", "this runs inside a session of"];
        assert!(told.iter().any(|told| said.contains(told)), "{how}: {said}");
        heard += usize::from(said.contains(told[0]));
        assert_eq!(world.run(&["pending", "--json"]).expect(0).stdout.lines().count(), 1, "{how}: {said}");
    }
    let refused: Vec<_> = auth(&world).into_iter().filter(|(event, ..)| event == "refused").collect();
    assert!(heard >= 2 && refused.len() == heard, "{heard}: {refused:#?}");
    // A person's process, which has no terminal here but the token, can.
    world.run(&["approve", &id]).expect(0);
    let mut answer = String::new();
    waiting.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    waiting.wait().unwrap();
    assert!(answer.contains("\"allowed\":true"), "{answer}");
}

#[test]
fn without_a_terminal_a_process_can_look_and_not_touch() {
    if !have("without_a_terminal_a_process_can_look_and_not_touch", &["script", "setsid"]) {
        return;
    }
    let world = served();
    let rampart = bin("rampart");
    let detached =
        |args: &[&str]| Ran::from(world.command("setsid").arg("-w").arg(&rampart).args(args).output().unwrap());
    detached(&["pending"]).expect(0);
    let ran = detached(&["token", "create", "--scope", "approve"]).expect(2);
    assert!(
        ran.stderr.contains("no terminal belongs to this process") && ran.stderr.contains("RAMPART_TOKEN"),
        "{ran:?}"
    );
    // script(1) gives it one.
    let line = format!("{} token create --scope approve --name typed", rampart.display());
    let ran = Ran::from(world.command("script").args(["-qec", &line, "/dev/null"]).output().unwrap()).expect(0);
    assert!(ran.stdout.contains("rampart_"), "{ran:?}");
    assert!(auth(&world).iter().any(|(event, _, text)| event == "created" && text == "approve, named typed"));
}

#[test]
fn a_token_does_what_its_scopes_say_until_it_ends() {
    let world = served();
    let at = address(&world);
    let ask =
        |token: &str, path: &str| exchange(&at, "GET", path, &[("authorization", &format!("Bearer {token}"))], "").0;
    let decide = token(&world, &["--scope", "decide", "--name", "surface"]);
    let approve = token(&world, &["--scope", "approve", "--name", "chat", "--expires", "1h"]);
    let admin = token(&world, &["--scope", "admin", "--name", "ops"]);
    for (token, sees) in [(&decide, [403, 403, 403]), (&approve, [200, 403, 403]), (&admin, [200, 200, 200])] {
        let got = ["/v1/status", "/v1/policies", "/v1/tokens"].map(|path| ask(token, path));
        assert_eq!(got, sees, "{token}");
    }
    let listed = world.run(&["token", "list", "--json"]).expect(0).stdout;
    let kept = std::fs::read_to_string(world.home().join("state/tokens.json")).unwrap();
    for token in [&decide, &approve, &admin] {
        let secret = token.rsplit_once('_').unwrap().1;
        let trail = world.records().iter().map(ToString::to_string).collect::<String>();
        assert!(![&listed, &kept, &trail, &world.gateway_log()].iter().any(|text| text.contains(secret)));
    }
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap_or("home")).collect();
    assert_eq!(names, ["home", "surface", "chat", "ops"]);
    world.run(&["token", "revoke", "ops"]).expect(0);
    assert_eq!(ask(&admin, "/v1/status"), 401);
    let fresh = world.run(&["token", "rotate", "chat"]).expect(0).stdout;
    assert_eq!((ask(&approve, "/v1/status"), ask(fresh.trim(), "/v1/status")), (401, 200));
    let old = std::fs::read_to_string(world.home().join("token")).unwrap();
    world.run(&["token", "rotate", "home"]).expect(0);
    let new = std::fs::read_to_string(world.home().join("token")).unwrap();
    assert_eq!((ask(old.trim(), "/v1/status"), ask(new.trim(), "/v1/tokens")), (401, 200));
    world.run(&["token", "revoke", "home"]).expect(2);
    let events: Vec<_> = auth(&world).into_iter().map(|(event, ..)| event).filter(|e| e != "refused").collect();
    assert_eq!(events, ["created", "created", "created", "revoked", "rotated", "rotated"]);
}

#[test]
fn a_token_that_is_bound_decides_and_answers_for_its_own_only() {
    let world = served();
    let at = address(&world);
    let bound = format!("Bearer {}", token(&world, &["--scope", "decide", "--agent", "bot"]));
    let ask = |agent: &str| {
        let body = json!({"agent": agent, "params": {"command": "ls"}}).to_string();
        exchange(
            &at,
            "POST",
            "/v1/tool/exec",
            &[("authorization", &bound), ("content-type", "application/json")],
            &body,
        )
    };
    assert_eq!(ask("bot").0, 200);
    assert_eq!(ask("").0, 200);
    let (status, answer) = ask("other");
    assert_eq!((status, answer["error"]["code"].as_str()), (403, Some("other_agent")));
    let agents: Vec<_> = world.decisions().iter().map(|d| d["actor"]["agent"].as_str().unwrap().to_owned()).collect();
    assert_eq!(agents, ["bot", "bot"]);
    world.run(&["token", "create", "--scope", "admin", "--agent", "bot"]).expect(2);
}

#[test]
fn what_a_token_has_open_ends_within_a_second_of_it() {
    let world = served();
    let at = address(&world);
    let approve = token(&world, &["--scope", "approve", "--name", "stream"]);
    let open = |path: &str, accept: &str| {
        let mut stream = TcpStream::connect(&at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {approve}\r\naccept: {accept}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        reader
    };
    let (events, idle) = (open("/v1/events/stream", "text/event-stream"), open("/v1/status", "*/*"));
    let ended = [events, idle].map(|mut reader| {
        std::thread::spawn(move || {
            let _ = reader.read_to_end(&mut Vec::new());
            Instant::now()
        })
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(ended.iter().all(|thread| !thread.is_finished()), "both are open");
    let revoked = Instant::now();
    world.run(&["token", "revoke", "stream"]).expect(0);
    let allowed = Duration::from_secs(1) + revoked.elapsed();
    for thread in ended {
        let after = thread.join().unwrap().duration_since(revoked);
        assert!(after < allowed, "{after:?}");
    }
}

#[test]
fn the_proxy_knows_whose_request_it_is() {
    if !have("the_proxy_knows_whose_request_it_is", &["curl"]) {
        return;
    }
    let mut world = served();
    let proxy = world.status()["egress"].as_str().unwrap().to_owned();
    let dead = "http://203.0.113.1/";
    let through = |world: &World, proxy: &str| {
        let args = ["-s", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}", "-x", proxy, dead];
        Ran::from(world.command("curl").args(args).output().unwrap()).stdout
    };
    let curl = format!("curl -s -m 3 -o /dev/null {dead} || true");
    world.run(&["wrap", "--agent", "bot", "--", "env", "sh", "-c", &curl]).expect(0);
    through(&world, &format!("http://{proxy}"));
    through(&world, &format!("http://someone:guess@{proxy}"));
    let seen: Vec<_> = world.decisions().into_iter().filter(|d| d["actor"]["surface"] == "egress").collect();
    let actor = |n: usize, key: &str| seen[n]["actor"][key].as_str().unwrap().to_owned();
    assert_eq!(seen.len(), 3, "{seen:#?}");
    assert_eq!(actor(0, "agent"), "bot");
    let session = actor(0, "session");
    assert!(world.records().iter().any(|r| r["type"] == "auth" && r["message"].as_str().unwrap().contains(&session)));
    assert_eq!([actor(1, "session"), actor(2, "session")], ["unidentified", "unidentified"]);

    world.run(&["serve", "stop"]).expect(0);
    world.gateway().wait().unwrap();
    world.config("listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n  require_credentials: true\n");
    world.serve(&[]);
    let proxy = world.status()["egress"].as_str().unwrap().to_owned();
    for proxy in [format!("http://{proxy}"), format!("http://someone:guess@{proxy}")] {
        assert_eq!(through(&world, &proxy), "407", "{proxy}");
    }
    let ran = world.run(&["wrap", "--", "env", "curl", "-s", "-m", "3", "-w", "%{http_code}", dead]);
    assert!(!ran.stdout.contains("407"), "{ran:?}");
}

#[test]
fn an_agents_environment_holds_no_token_of_a_person() {
    let world = served();
    let token = std::fs::read_to_string(world.home().join("token")).unwrap();
    let mut wrap = world.rampart(&["wrap", "--", "env"]);
    let ran = Ran::from(wrap.env("RAMPART_TOKEN", token.trim()).output().unwrap()).expect(0);
    assert!(!ran.stdout.contains(token.trim()) && !ran.stdout.contains("RAMPART_TOKEN"), "{ran:?}");
    assert!(ran.stdout.contains("RAMPART_CREDENTIAL=rampart_"), "{ran:?}");
}
