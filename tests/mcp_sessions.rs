//! Whose session of the gateway a call is that comes to `rampart mcp serve`: each client's own.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    mcp_http::{Listener, call, front_with},
    mcp_processes::{INITIALIZE, OldClient, Road, modern, until},
    world::{World, have, root, set_mode},
};

/// What one client has done says what is refused: it may know a secret, it has called too often, a call of it goes on.
const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: no-telling
    match: { tool: "mcp__fixture__tell" }
    rules: [{ action: deny, when: { label: [secret-read] }, message: It may know a secret }]
  - name: not-often
    match: { tool: "mcp__fixture__count" }
    rules: [{ action: deny, when: { call_count: { tool: mcp, gte: 6, window: 1h } }, message: Too often }]
  - name: reach
    match: { server: fixture, tool: [fetch, connect] }
    rules: [{ action: deny, when: { during_not_matches: [wait] } }]
"#;

/// Rampart in front of a server with a URL.
fn upstream(test: &str, flags: &[&str]) -> Option<(Road, Listener)> {
    upstream_that(test, &[], flags)
}

/// The same in front of a server that is started so.
fn upstream_that(test: &str, how: &[&str], flags: &[&str]) -> Option<(Road, Listener)> {
    if !have(test, &["python3", "curl"]) {
        return None;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let mut server = world.command("python3");
    server.arg(root().join("tests/clients/mcp_http.py")).arg(world.path("log")).args(how);
    let server = Listener::start(server);
    let front = front_with(&world, &format!("http://127.0.0.1:{}/mcp", server.1), "fixture", flags);
    Some((Road { world, front }, server))
}

fn look(id: u32) -> String {
    let arguments = json!({"path": "~/.ssh/id_ed25519"});
    let params = json!({"name": "look", "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

fn end(road: &Road, session: &str) {
    let ended = road.start(&["-X", "DELETE", "-H", &format!("mcp-session-id: {session}")]).answer();
    assert_eq!(ended.status, "200");
}

/// What refused the call of a tool in a session, if anything did.
fn refusal(road: &Road, session: &str, id: u32, tool: &str) -> Option<String> {
    refused(&road.ask(session, &call(id, tool)).json())
}

fn refused(answer: &Value) -> Option<String> {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (answer["result"]["isError"] == true).then_some(text)
}

/// The sessions on record of what holds of a decision.
fn sessions(world: &World, of: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let of = world.decisions().into_iter().filter(|decision| of(decision));
    of.map(|decision| decision["actor"]["session"].as_str().unwrap().to_owned()).collect()
}

/// What one client does, and what that is to another.
fn clients_are_apart(road: &Road) {
    let known = || usize::try_from(road.world.status()["sessions"].as_u64().unwrap()).unwrap();
    let before = known();
    let (one, two) = (road.session(), road.session());
    assert_eq!(road.ask(&one, &look(1)).status, "200");
    let told = refusal(road, &one, 2, "tell").expect("it has read a secret");
    assert!(told.contains("It may know a secret"), "{told}");
    assert_eq!(refusal(road, &two, 1, "tell"), None, "another has read none");
    for id in 3..5 {
        assert_eq!(refusal(road, &one, id, "count"), None);
    }
    assert_eq!(refusal(road, &two, 2, "count"), None, "what others call is not its count");
    assert!(refusal(road, &one, 5, "count").is_some_and(|text| text.contains("Too often")));
    // The trail tells them apart, and says what each calls itself.
    let all = sessions(&road.world, |_| true);
    let listeners: BTreeSet<&str> = all.iter().map(|session| session.split_once('~').expect("a client's").0).collect();
    assert_eq!((all.len(), listeners.len()), (2, 1), "{all:?}");
    let begins = |d: &Value| d["action"]["method"] == "initialize" && d.to_string().contains("clientInfo");
    assert_eq!(sessions(&road.world, begins), all);
    assert!(
        road.world.decisions().iter().all(|d| d["actor"]["agent"] == "mcp-client" && d["actor"]["claimed"].is_null())
    );
    assert_eq!(known(), before + 2);
    // Nothing of a client stays when its session has ended.
    end(road, &one);
    until("one is forgotten", || known() == before + 1);
    end(road, &two);
    until("the other is forgotten", || known() == before);
    road.world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn clients_of_a_server_that_is_started_are_apart() {
    let Some(road) = Road::with("clients_of_a_server_that_is_started_are_apart", POLICY, &[]) else { return };
    clients_are_apart(&road);
}

#[test]
fn clients_of_a_server_with_a_url_are_apart() {
    let Some((road, _server)) = upstream("clients_of_a_server_with_a_url_are_apart", &[]) else { return };
    clients_are_apart(&road);
}

#[test]
fn whoever_names_the_session_has_all_clients_in_it() {
    let name = "whoever_names_the_session_has_all_clients_in_it";
    let flags = ["--session-id", "ours", "--agent-id", "bot"];
    let Some((front, _server)) = upstream(name, &flags) else { return };
    let Some(process) = Road::with(name, POLICY, &flags) else { return };
    for road in [front, process] {
        let (one, two) = (road.session(), road.session());
        road.ask(&one, &look(1));
        assert!(refusal(&road, &two, 1, "tell").is_some(), "what one knows, all do");
        assert_eq!(sessions(&road.world, |d| d["actor"]["agent"] == "bot"), BTreeSet::from(["ours".to_owned()]));
    }
}

#[test]
fn clients_of_the_first_revision_are_apart_and_gone_with_their_stream() {
    let name = "clients_of_the_first_revision_are_apart_and_gone_with_their_stream";
    let Some((front, _server)) = upstream(name, &[]) else { return };
    let Some(process) = Road::with(name, POLICY, &[]) else { return };
    for road in [front, process] {
        let base = road.front.1.strip_suffix("/mcp").unwrap();
        let mut clients = [(); 2].map(|()| OldClient::open(&road, base, "/sse"));
        for client in &mut clients {
            assert_eq!(client.post(&road, INITIALIZE), "202");
            client.hear_json();
        }
        let [one, two] = &mut clients;
        one.post(&road, &look(1));
        one.hear_json();
        one.post(&road, &call(2, "tell"));
        assert!(refused(&one.hear_json()).is_some());
        two.post(&road, &call(1, "tell"));
        assert_eq!(refused(&two.hear_json()), None);
        assert_eq!(sessions(&road.world, |_| true).len(), 2);
        assert_eq!(road.world.status()["sessions"], 2);
        drop(clients);
        until("both are forgotten", || road.world.status()["sessions"] == 0);
    }
}

#[test]
fn a_server_that_gives_no_ids_has_its_clients_in_the_listeners_session() {
    let name = "a_server_that_gives_no_ids_has_its_clients_in_the_listeners_session";
    let Some((road, _server)) = upstream_that(name, &["", "stateless"], &[]) else { return };
    let ask = |body: &str| road.post(None, body).answer();
    assert_eq!(ask(INITIALIZE).session, None);
    ask(&look(1));
    assert!(refused(&ask(&call(2, "tell")).json()).is_some());
    let calls = sessions(&road.world, |d| d["action"].to_string().contains("tell"));
    assert!(calls.len() == 1 && calls.iter().all(|session| !session.contains('~')), "{calls:?}");
    // Those of HTTP+SSE are told apart by their streams.
    let base = road.front.1.strip_suffix("/mcp").unwrap();
    let mut old = OldClient::open(&road, base, "/sse");
    old.post(&road, INITIALIZE);
    old.hear_json();
    old.post(&road, &call(1, "tell"));
    assert_eq!(refused(&old.hear_json()), None);
    old.post(&road, &look(2));
    old.hear_json();
    old.post(&road, &call(3, "tell"));
    assert!(refused(&old.hear_json()).is_some(), "and its session goes on behind `initialize`");
}

#[test]
fn sessions_of_clients_are_watched_only_as_their_listeners_is() {
    let name = "sessions_of_clients_are_watched_only_as_their_listeners_is";
    let Some(road) = Road::with(name, POLICY, &["--mode", "monitor"]) else { return };
    let one = road.session();
    road.ask(&one, &look(1));
    assert_eq!(refusal(&road, &one, 2, "tell"), None);
    let told =
        road.world.decisions().into_iter().find(|d| d["outcome"] == "deny").expect("what policy says is on record");
    assert_eq!((&told["verdict"], &told["mode"]), (&json!("allow"), &json!("monitor")), "{told:#}");
}

#[test]
fn who_has_no_session_is_known_by_the_listeners_token() {
    let name = "who_has_no_session_is_known_by_the_listeners_token";
    let tokens = World::new();
    let file = tokens.write("tokens", "first-token-of-enough-length\nsecond-token-of-enough-length\n");
    set_mode(&file, 0o600);
    let flags = ["--token-file", file.to_str().unwrap()];
    let Some((front, _server)) = upstream(name, &flags) else { return };
    let Some(process) = Road::with(name, POLICY, &flags) else { return };
    for (road, started) in [(front, false), (process, true)] {
        let ask = |token: &str, tool: &str| {
            let body =
                modern(1, tool).replacen("\"name\"", "\"arguments\":{\"path\":\"~/.ssh/id_ed25519\"},\"name\"", 1);
            let headers = [
                format!("x-rampart-token: {token}-token-of-enough-length"),
                "mcp-protocol-version: 2026-07-28".to_owned(),
                "mcp-method: tools/call".to_owned(),
                format!("mcp-name: {tool}"),
            ];
            let headers = headers.iter().flat_map(|header| ["-H", header]);
            let args: Vec<&str> = headers.chain(["--data-binary", &body]).collect();
            let answer = road.start(&args).answer();
            assert_eq!(answer.status, "200", "{}", answer.body);
            answer
        };
        let (one, two) = (ask("first", "look"), ask("second", "count"));
        assert!(refused(&ask("first", "tell").json()).is_some());
        assert_eq!(refused(&one.json()).or(refused(&two.json())), None);
        let with = |tool: &'static str| {
            sessions(&road.world, move |d| d["action"]["tool"] == tool || d["action"].to_string().contains(tool))
        };
        let (first, second) = (with("look"), with("count"));
        assert!(first.len() == 1 && first.iter().all(|s| s.ends_with("~token-1")), "{first:?}");
        assert!(second.len() == 1 && second.iter().all(|s| s.ends_with("~token-2")), "{second:?}");
        assert_eq!(one.text() != two.text(), started, "each has a process of its own, where there are any");
        // A session that one has begun is nobody else's.
        let show = |token: &str| format!("x-rampart-token: {token}-token-of-enough-length");
        let begun = road.start(&["-H", &show("first"), "--data-binary", INITIALIZE]).answer().session.unwrap();
        let session = format!("mcp-session-id: {begun}");
        let in_it =
            |token: &str| road.start(&["-H", &show(token), "-H", &session, "--data-binary", &look(1)]).answer().status;
        assert_eq!(in_it("first"), "200");
        // Whose sessions those of a server with a URL are, that server says; here they are two.
        let (status, known) = if started { ("404", 2) } else { ("200", 3) };
        assert_eq!((in_it("second").as_str(), with("look").len()), (status, known));
    }
}

/// Has the server of a session reach out by itself; gives what became of it, and in which session.
fn reaches(road: &Road, session: &str, number: &mut u32) -> (String, String) {
    *number += 1;
    let url = format!("http://reached.invalid/{number}");
    let told = json!({"jsonrpc": "2.0", "method": "notifications/reach", "params": {"number": number}});
    assert_eq!(road.ask(session, &told.to_string()).status, "202");
    let mut found = None;
    until("its request is on record", || {
        found = road
            .world
            .decisions()
            .into_iter()
            .find(|d| d["actor"]["surface"] == "egress" && d["action"]["url"] == *url);
        found.is_some()
    });
    let found = found.unwrap();
    assert_eq!(found["actor"]["server"], "fixture", "{found:#}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&found["verdict"]), text(&found["actor"]["session"]))
}

#[test]
fn what_a_server_does_by_itself_is_judged_by_the_calls_of_its_session_as_long_as_they_go_on() {
    let name = "what_a_server_does_by_itself_is_judged_by_the_calls_of_its_session_as_long_as_they_go_on";
    let Some(road) = Road::with(name, POLICY, &["--timeout", "10"]) else { return };
    let (one, two) = (road.session(), road.session());
    let mut number = 0;
    let mut verdict = |session: &str| reaches(&road, session, &mut number);
    assert_eq!(verdict(&one).0, "deny", "nothing is called");
    let waits = |id: u32| {
        let before = road.got().matches("\"wait\"").count();
        let waiting = road.post(Some(&one), &call(id, "wait"));
        until("it waits", || road.got().matches("\"wait\"").count() > before);
        waiting
    };
    let waiting = waits(1);
    let ((allowed, of_one), (denied, of_two)) = (verdict(&one), verdict(&two));
    assert_eq!(
        (allowed.as_str(), denied.as_str()),
        ("allow", "deny"),
        "what one calls is nothing to the other's server"
    );
    let calls = |session: &str| {
        sessions(&road.world, |d| d["actor"]["session"] == session && d["action"]["method"].is_string())
    };
    assert!(of_one != of_two && !calls(&of_one).is_empty() && !calls(&of_two).is_empty(), "{of_one} {of_two}");
    let mut ended = |how: &str| {
        let since = Instant::now();
        until(how, || verdict(&one).0 == "deny");
        assert!(since.elapsed() < Duration::from_secs(6), "{how}, and not only for --timeout");
    };
    // The client cancels.
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(road.ask(&one, &cancel.to_string()).status, "202");
    ended("a cancelled call is over");
    waiting.leave();
    // The client leaves.
    waits(2).leave();
    ended("nobody can get its answer");
    // The server says nothing for too long.
    let silent = waits(3);
    let answer = silent.answer();
    assert!(answer.body.contains("--timeout"), "{}", answer.body);
    ended("a call that was given up is over");
}

#[test]
fn without_a_gateway_no_session_begins() {
    let name = "without_a_gateway_no_session_begins";
    let Some(mut process) = Road::with(name, POLICY, &[]) else { return };
    let Some((mut front, _server)) = upstream(name, &[]) else { return };
    for (road, status) in [(&mut process, "503"), (&mut front, "200")] {
        road.world.freeze();
        let answer = road.post(None, INITIALIZE).answer();
        road.world.thaw();
        let told = answer.json();
        assert_eq!((answer.status.as_str(), answer.session), (status, None), "{told}");
        assert!(told["error"]["message"].is_string() && told["id"] == 0, "{told}");
        assert_eq!(road.got(), "", "the server has heard nothing");
    }
}
