//! However a session ends: the client is told, the exit code is the server's, and nothing is left running.

use std::sync::Arc;

use rampart_call::Call;
use rampart_mcp::stdio;
use serde_json::json;

use crate::world::{FIXTURE, World, allow, gone, holding, lives, options};

#[tokio::test]
async fn a_server_that_dies_answers_what_is_outstanding() {
    let (gate, mut questions) = holding();
    let mut world = World::new(gate);
    world.call(1, "silent", json!({})).await;
    world.call(2, "held", json!({})).await;
    let question = questions.recv().await.unwrap();
    world.call(3, "die", json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = world.hear().await;
        assert_eq!(answer["error"]["message"], "the server ended with exit code 1 before it answered", "{answer}");
        ids.push(answer["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
    // The client's side is still open: the end comes from us.
    assert_eq!(world.end().await.exit_code, 1);
    assert!(question.is_closed());
}

#[tokio::test]
async fn the_last_words_of_a_server_are_delivered() {
    let script = r#"read line; echo '{"jsonrpc":"2.0","id":1,"result":{"x":1}}'; exit 7"#;
    let mut world = World::with(options(&["sh", "-c", script]), |_: Call| allow());
    world.say(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).await;
    assert_eq!(world.hear().await["result"]["x"], 1);
    assert_eq!(world.end().await.exit_code, 7);
}

#[tokio::test]
async fn a_server_ended_by_a_signal_gives_its_number() {
    let world = World::with(options(&["sh", "-c", "kill -9 $$"]), |_: Call| allow());
    assert_eq!(world.end().await.exit_code, 137);
}

#[tokio::test]
async fn signals_go_to_the_server() {
    // Whoever starts the tests may have them ignore signals (`nohup`, a shell's `&`), and programs inherit that.
    let heeding: &[&str] =
        if cfg!(target_os = "linux") { &["env", "--default-signal=HUP,INT,TERM", FIXTURE] } else { &[FIXTURE] };
    for (number, code) in [(15, 143), (2, 130), (1, 129)] {
        let mut world = World::with(options(heeding), |_: Call| allow());
        world.call(1, "pid", json!({})).await;
        world.text_of(1).await;
        world.call(2, "silent", json!({})).await;
        world.signals.send(number).unwrap();
        let answer = world.hear().await;
        assert_eq!(answer["error"]["message"], format!("the server was ended by signal {number} before it answered"));
        assert_eq!(world.end().await.exit_code, code);
    }
}

#[tokio::test]
async fn a_server_that_ignores_everything_is_killed_with_its_children() {
    let script = r#"trap '' TERM INT; sleep 600 & echo '{"jsonrpc":"2.0","method":"n/pid","params":{"p":'$!'}}';
        while :; do sleep 0.1; done"#;
    let mut world = World::with(options(&["sh", "-c", script]), |_: Call| allow());
    let grandchild = world.hear().await["params"]["p"].to_string();
    assert!(lives(&grandchild));
    assert_eq!(world.close().await.exit_code, 137);
    gone(&grandchild).await;
}

#[tokio::test]
async fn a_server_that_closes_its_output_and_stays_is_killed() {
    let script = "trap '' TERM; exec >&-; while :; do sleep 0.1; done";
    for signal in [None, Some(15)] {
        let mut world = World::with(options(&["sh", "-c", script]), |_: Call| allow());
        if let Some(signal) = signal {
            world.signals.send(signal).unwrap();
        }
        world.say(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).await;
        let answer = world.hear().await;
        assert!(answer["error"]["message"].as_str().unwrap().contains("server"), "{answer}");
        let code = world.end().await.exit_code;
        assert!(code == 137 || signal.is_some(), "{code}"); // the signal may come before the trap
    }
}

#[tokio::test]
async fn a_signal_does_not_wait_for_an_approval() {
    let (gate, mut questions) = holding();
    let mut world = World::new(gate);
    world.call(1, "held", json!({})).await;
    let question = questions.recv().await.unwrap();
    world.signals.send(15).unwrap();
    assert_eq!(world.hear().await["id"], 1);
    assert_eq!(world.end().await.exit_code, 143);
    assert!(question.is_closed());
}

#[tokio::test]
async fn a_server_that_only_ignores_the_end_of_its_input_is_asked_to_go() {
    let mut world = World::with(options(&[FIXTURE, "--stays"]), |_: Call| allow());
    world.call(1, "pid", json!({})).await;
    let pid = world.text_of(1).await;
    assert_eq!(world.close().await.exit_code, 143);
    gone(&pid).await;
}

#[tokio::test]
async fn grandchildren_end_with_the_server_even_when_they_hold_its_output() {
    let mut world = World::new(|_: Call| allow());
    world.call(1, "start_grandchild", json!({})).await;
    let grandchild = world.text_of(1).await;
    assert!(lives(&grandchild));
    assert_eq!(world.close().await.exit_code, 0);
    gone(&grandchild).await;
}

#[tokio::test]
async fn a_grandchild_that_ignores_requests_and_holds_the_output_is_killed() {
    let script = r#"(trap '' TERM; exec sleep 600) & echo '{"jsonrpc":"2.0","method":"n/pid","params":{"p":'$!'}}'"#;
    for client_stays in [true, false] {
        let mut world = World::with(options(&["sh", "-c", script]), |_: Call| allow());
        let grandchild = world.hear().await["params"]["p"].to_string();
        let outcome = if client_stays { world.end().await } else { world.close().await };
        assert_eq!(outcome.exit_code, 0);
        gone(&grandchild).await;
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_server() {
    let mut world = World::with(options(&[FIXTURE, "--stays"]), |_: Call| allow());
    world.call(1, "start_grandchild", json!({})).await;
    let grandchild = world.text_of(1).await;
    world.call(2, "silent", json!({})).await;
    let World { input, session, signals, .. } = world;
    drop(input); // and its reading side with the rest of the world
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(20), session).await.unwrap().unwrap().unwrap();
    assert_eq!(outcome.exit_code, 143);
    gone(&grandchild).await;
    drop(signals);
}

#[tokio::test]
async fn a_session_that_is_dropped_leaves_nothing_running() {
    let mut world = World::new(|_: Call| allow());
    world.call(1, "start_grandchild", json!({})).await;
    let grandchild = world.text_of(1).await;
    world.session.abort();
    assert!((&mut world.session).await.unwrap_err().is_cancelled());
    gone(&grandchild).await;
}

#[tokio::test]
async fn a_held_call_of_a_client_that_left_is_given_up() {
    let (gate, mut questions) = holding();
    let mut world = World::new(gate);
    world.call(1, "held", json!({})).await;
    let question = questions.recv().await.unwrap();
    world.input = None;
    assert_eq!(world.hear().await["error"]["message"], "the client left before a decision was made");
    assert_eq!(world.end().await.exit_code, 0);
    assert!(question.is_closed());
}

#[tokio::test]
async fn answers_still_come_after_the_client_closed_its_side() {
    let mut world = World::new(|_: Call| allow());
    for id in 0..50 {
        world.call(id, "big", json!({"size": 10_000})).await;
    }
    world.input = None;
    for id in 0..50 {
        assert_eq!(world.text_of(id).await.len(), 10_000);
    }
    assert_eq!(world.end().await.exit_code, 0);
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.txt");
    std::fs::write(&plain, "no program").unwrap();
    let missing = folder.path().join("missing");
    for (command, code, text) in [
        (vec!["no-such-server-program"], 127, "`no-such-server-program`: no such program"),
        (vec![missing.to_str().unwrap(), "x"], 127, "missing`: no such program"),
        (vec![plain.to_str().unwrap()], 126, "plain.txt`: it may not be executed"),
        (vec![], 2, "no server was named"),
    ] {
        let gate = Arc::new(|_: Call| allow());
        let run =
            stdio::run(options(&command), gate, tokio::io::empty(), tokio::io::sink(), futures_util::stream::pending());
        let error = run.await.unwrap_err();
        assert_eq!(error.exit_code(), code);
        assert!(error.to_string().contains(text), "{error}");
    }
}
