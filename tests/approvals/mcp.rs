//! An MCP call that is held: a sign of life for a client that asked for it, and no answer after it was cancelled.

use serde_json::json;

use super::*;
use crate::{
    mcp_http::{Listener, front_with},
    mcp_processes::Road,
    world::{Talk, root},
};

const ASK: &str = r#"
version: "1"
default_action: allow
policies:
  - name: deploys
    match: { tool: deploy }
    rules: [{ action: ask, when: { default: true }, message: A human decides }]
"#;

/// A server that says what reached it.
fn session(world: &World) -> Talk {
    let mut command = world.rampart(&["mcp", "--agent-id", "bot", "--", "sh", "-c"]);
    command
        .arg(format!("while read -r line; do printf '%s\\n' \"$line\" >> {}; done", world.path("reached").display()));
    Talk::start(command)
}

fn reached(world: &World) -> String {
    std::fs::read_to_string(world.path("reached")).unwrap_or_default()
}

fn call(id: u32, meta: &Value) -> String {
    let params = json!({"name": "deploy", "arguments": {"to": "production"}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

#[test]
fn a_client_that_asked_for_progress_hears_of_it_while_a_human_thinks() {
    let mut world = World::with_policy(ASK);
    world.serve(&[]);
    let mut talk = session(&world);
    talk.say(&call(1, &json!({})));
    talk.say(&call(2, &json!({"progressToken": "t-2"})));
    let waiting = pending(&world, 2);
    assert_eq!(waiting[0]["details"][1], json!({"name": "arguments", "text": "{\n  \"to\": \"production\"\n}"}));
    for _ in 0..2 {
        let sign = talk.hear_json();
        assert_eq!(sign["method"], "notifications/progress", "{sign}");
        assert_eq!(sign["params"]["progressToken"], "t-2", "and nothing for the one that did not ask: {sign}");
    }
    for question in &waiting {
        world.run(&["approve", &id(question)]).expect(0);
    }
    until("both reach the server", || reached(&world).lines().count() == 2);
    talk.finish();
}

#[test]
fn a_call_that_was_cancelled_is_not_made_whatever_is_answered_then() {
    let mut world = World::with_policy(ASK);
    world.serve(&[]);
    let mut talk = session(&world);
    talk.say(&call(1, &json!({})));
    let question = only(&world);
    talk.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    pending(&world, 0);
    let late = world.run(&["approve", &question]).expect(2);
    assert!(late.stderr.contains("withdrawn"), "{late:?}");
    // The session goes on, and the server has never heard of it.
    talk.say(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#);
    until("the next reaches the server", || reached(&world).contains("ping"));
    assert!(!reached(&world).contains("deploy"), "{}", reached(&world));
    assert_eq!(steps(&world, Some(&question)), ["asked", "cancelled"]);
    talk.finish();
}

#[test]
fn a_call_that_is_held_survives_a_restart_of_the_gateway() {
    let mut world = World::with_policy(ASK);
    world.serve(&[]);
    let mut talk = session(&world);
    talk.say(&call(1, &json!({})));
    let question = only(&world);
    world.run(&["serve", "stop"]).expect(0);
    world.serve(&[]);
    assert_eq!(only(&world), question);
    world.run(&["approve", &question]).expect(0);
    until("it reaches the server", || reached(&world).contains("deploy"));
    talk.finish();
}

/// The same over HTTP: in front of a server that has a URL, and of one that is started.
fn over_http(test: &str) -> Option<[(Road, Option<Listener>); 2]> {
    let started = Road::with(test, ASK, &[])?;
    let mut world = World::with_policy(ASK);
    world.serve(&[]);
    let mut server = world.command("python3");
    server.arg(root().join("tests/clients/mcp_http.py")).arg(world.path("log"));
    let server = Listener::start(server);
    let front = front_with(&world, &format!("http://127.0.0.1:{}/mcp", server.1), "fixture", &[]);
    Some([(started, None), (Road { world, front }, Some(server))])
}

#[test]
fn over_http_a_client_hears_of_it_and_its_call_is_made_once() {
    let Some(roads) = over_http("over_http_a_client_hears_of_it_and_its_call_is_made_once") else { return };
    for (road, _server) in roads {
        let session = road.session();
        let held = road.post(Some(&session), &call(1, &json!({"progressToken": "t-1"})));
        let question = only(&road.world);
        // What comes behind it is not held up.
        let ping = road.ask(&session, r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#);
        assert_eq!((ping.status.as_str(), &ping.json()["id"]), ("200", &json!(2)));
        assert_eq!(road.ask(&session, &call(1, &json!({}))).status, "400", "the id is taken");
        std::thread::sleep(std::time::Duration::from_secs(12));
        assert!(!road.got().contains("deploy"), "{}", road.got());
        road.world.run(&["approve", &question]).expect(0);
        let events = held.answer().events();
        let (answer, signs) = events.split_last().unwrap();
        assert!(!signs.is_empty() && signs.iter().all(|sign| sign["params"]["progressToken"] == "t-1"), "{events:?}");
        assert!(answer["id"] == 1 && answer["result"]["content"].is_array(), "{events:?}");
        assert_eq!(road.got().matches("deploy").count(), 1, "{}", road.got());
    }
}

#[test]
fn over_http_a_call_that_was_cancelled_is_not_made() {
    let Some(roads) = over_http("over_http_a_call_that_was_cancelled_is_not_made") else { return };
    for (road, _server) in roads {
        let session = road.session();
        let held = road.post(Some(&session), &call(1, &json!({})));
        let question = only(&road.world);
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        assert_eq!(road.ask(&session, cancel).status, "202");
        pending(&road.world, 0);
        assert_eq!(steps(&road.world, Some(&question)), ["asked", "cancelled"]);
        assert!(!road.got().contains("deploy") && !road.got().contains("cancelled"), "{}", road.got());
        // Another may have its id.
        let again = road.post(Some(&session), &call(1, &json!({})));
        let question = only(&road.world);
        road.world.run(&["approve", &question]).expect(0);
        assert_eq!(again.answer().status, "200");
        drop(held);
    }
}
