//! What is allowed goes on as it came, and nothing waits for anything else.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use rampart_call::{Call, Phase, Surface};
use rampart_mcp::stdio::Limits;
use serde_json::json;

use crate::world::{FIXTURE, World, allow, holding, options};

/// Odd but legal lines, and what goes with them.
const TRANSCRIPT: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}}"#,
    "\n",
    r#"{"method":"notifications/initialized","jsonrpc":"2.0"}"#,
    "\n",
    r#"  {"id": "a\u0062c", "jsonrpc":"2.0","method":"tools/call" ,"params":{"name":"echo","arguments":{"text":"\u0041\n\\é😀","n":1.0}},"x":null}"#,
    "\r\n",
    r#"{"jsonrpc":"2.0","id":-5,"method":"vendor/unknown","params":{"deep":[[[{"k":1e3}]]]}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"big","arguments":{"size":300000}}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#,
    "\n",
);

fn direct(transcript: &str) -> String {
    let mut server =
        Command::new(FIXTURE).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    server.stdin.take().unwrap().write_all(transcript.as_bytes()).unwrap();
    String::from_utf8(server.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_transcript_is_the_same_direct_and_through() {
    let expected = direct(TRANSCRIPT);
    let mut world = World::new(|_: Call| allow());
    world.write(TRANSCRIPT).await;
    let mut through = String::new();
    for _ in expected.lines() {
        through += &world.line().await.unwrap();
        through.push('\n');
    }
    assert_eq!(through, expected);
    let outcome = world.close().await;
    assert_eq!(outcome.exit_code, 0);
    assert_eq!((outcome.summary.client_lines, outcome.summary.server_lines, outcome.summary.dropped), (6, 5, 0));
}

#[tokio::test]
async fn a_call_is_described_to_the_gate() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let gate = {
        let seen = seen.clone();
        move |call: Call| {
            seen.lock().unwrap().push(call);
            allow()
        }
    };
    let mut world = World::new(gate);
    world.call(1, "echo", json!({"text": "hi"})).await;
    assert_eq!(world.text_of(1).await, "hi");
    world.close().await;
    let seen = seen.lock().unwrap();
    let [before, after] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((before.phase, after.phase), (Phase::Before, Phase::After));
    assert_eq!(before.action, after.action);
    assert_eq!((before.origin.surface, before.action.subject().as_str()), (Surface::McpStdio, "fixture/echo"));
    assert_eq!(after.response.as_ref().unwrap().text, "content: text: hi\ntype: text\n");
}

#[tokio::test]
async fn cancel_ping_and_other_calls_pass_while_a_verdict_is_awaited() {
    let (gate, mut questions) = holding();
    let mut world = World::new(gate);
    world.call(1, "held", json!({})).await;
    world.call(2, "held", json!({})).await;
    let mut first = questions.recv().await.unwrap();
    let second = questions.recv().await.unwrap();
    world.say(json!({"jsonrpc": "2.0", "id": "ping", "method": "ping"})).await;
    assert_eq!(world.hear().await["id"], "ping");
    world.call(3, "echo", json!({"text": "me first"})).await;
    assert_eq!(world.text_of(3).await, "me first");
    let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    world.say(cancelled).await;
    // The gate hears that the answer is not wanted.
    first.closed().await;
    second.send(allow()).unwrap();
    assert_eq!(world.text_of(2).await, "no tool held");
    assert_eq!(world.close().await.exit_code, 0);
}

#[tokio::test]
async fn what_the_server_asks_reaches_the_client_and_the_answer_comes_back() {
    let mut world = World::new(|_: Call| allow());
    world.call(1, "ask", json!({})).await;
    let question = world.hear().await;
    assert_eq!((&question["id"], &question["method"]), (&json!(1), &json!("sampling/createMessage")));
    world.say(json!({"jsonrpc": "2.0", "id": 1, "result": {"role": "assistant"}})).await;
    assert_eq!(world.hear().await["params"]["data"]["result"]["role"], "assistant");
    world.input = None;
    // The fixture never answers the call itself.
    assert_eq!(world.hear().await["error"]["message"], "the server ended with exit code 0 before it answered");
    world.end().await;
}

#[tokio::test]
async fn a_thousand_calls_are_outstanding_and_each_gets_its_answer() {
    let (gate, mut questions) = holding();
    let mut world = World::new(gate);
    for id in 0..1_000 {
        world.call(id, "held", json!({})).await;
    }
    let mut held = Vec::new();
    while held.len() < 1_000 {
        held.push(questions.recv().await.unwrap());
    }
    world.call("one too many", "echo", json!({})).await;
    assert!(world.text_of("one too many").await.contains("too many requests wait"));
    held.into_iter().rev().for_each(|answer| answer.send(allow()).unwrap());
    for _ in 0..1_000 {
        assert!(world.hear().await["result"].is_object());
    }
    world.close().await;
}

#[tokio::test]
async fn a_server_that_is_not_read_from_does_not_grow_us_and_loses_nothing() {
    let mut world = World::new(|_: Call| allow());
    for id in 0..60 {
        world.call(id, "big", json!({"size": 1_000_000})).await;
    }
    for id in 0..60 {
        assert_eq!(world.text_of(id).await.len(), 1_000_000);
    }
    world.close().await;
}

#[tokio::test]
async fn the_server_sees_the_environment_it_was_given_and_no_other() {
    let mut world = World::new(|_: Call| allow());
    world.call(1, "environment", json!({})).await;
    let mut names: Vec<String> = world.text_of(1).await.lines().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["FOR_SERVER", "PATH"]);
    world.close().await;
}

#[tokio::test]
async fn a_held_call_keeps_the_client_alive() {
    let (gate, mut questions) = holding();
    let limits = Limits { progress: std::time::Duration::from_millis(5), ..Limits::default() };
    let mut world = World::with(rampart_mcp::stdio::Options { limits, ..options(&[FIXTURE]) }, gate);
    let params = json!({"name": "held", "_meta": {"progressToken": "t"}});
    world.say(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})).await;
    let question = questions.recv().await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.hear().await["params"]["progressToken"], "t");
    }
    question.send(allow()).unwrap();
    while world.hear().await["id"] != 1 {}
    world.close().await;
}
