//! What is refused, malformed or noise goes nowhere, and the session goes on.

use rampart_call::{Action, Call, Gate, Judging, Phase, Reason, Refusal, Verdict};
use serde_json::json;

use crate::world::{World, allow, deny, tool_of};

#[tokio::test]
async fn a_refused_call_never_reaches_the_server() {
    let gate = |call: Call| if tool_of(&call) == "die" { deny(Reason::Rule) } else { allow() };
    let mut world = World::new(gate);
    world.call(1, "die", json!({"code": 3})).await;
    let refusal = world.hear().await;
    assert_eq!(refusal["result"]["isError"], true);
    assert!(refusal["result"]["content"][0]["text"].as_str().unwrap().contains("not now"));
    world.call(2, "echo", json!({"text": "alive"})).await;
    assert_eq!(world.text_of(2).await, "alive");
    let outcome = world.close().await;
    assert_eq!((outcome.exit_code, outcome.summary.refused), (0, 1));
}

#[tokio::test]
async fn a_refused_response_never_reaches_the_client() {
    let gate = |call: Call| if call.phase == Phase::After { deny(Reason::Rule) } else { allow() };
    let mut world = World::new(gate);
    world.call(1, "echo", json!({"text": "the secret"})).await;
    let line = world.line().await.unwrap();
    assert!(line.contains("isError") && !line.contains("the secret"), "{line}");
    world.close().await;
}

#[tokio::test]
async fn a_gate_that_cannot_reach_the_gateway_answers_each_request() {
    let mut world = World::new(|_: Call| deny(Reason::GatewayUnreachable));
    for (id, method) in ["initialize", "ping", "tools/list"].iter().enumerate() {
        world.say(json!({"jsonrpc": "2.0", "id": id, "method": method})).await;
        let answer = world.hear().await;
        assert_eq!(answer["id"], id);
        assert_eq!(answer["error"]["data"]["reason"], "gateway_unreachable", "{answer}");
    }
    world.call("c", "echo", json!({})).await;
    assert!(world.text_of("c").await.contains("gateway_unreachable"));
    assert_eq!(world.close().await.exit_code, 0);
}

#[tokio::test]
async fn noise_is_dropped_and_counted_and_the_session_lives() {
    let mut world = World::new(|_: Call| allow());
    world.call(1, "noise", json!({})).await;
    assert_eq!(world.text_of(1).await, "quiet again");
    world.call(2, "unsolicited", json!({})).await;
    assert_eq!(world.text_of(2).await, "the real one");
    world.call(3, "ambiguous", json!({})).await;
    assert!(world.text_of(3).await.contains("`content` stands twice"));
    let outcome = world.close().await;
    assert_eq!((outcome.exit_code, outcome.summary.dropped), (0, 8));
}

#[tokio::test]
async fn malformed_lines_are_answered_and_the_next_one_is_read() {
    let mut world = World::new(|_: Call| allow());
    for (line, code, id) in [
        (&b"\n\n\xff\xfe\n"[..], -32_700, json!(null)),
        (b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]\n", -32_600, json!(null)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"method\":\"tools/call\"}\n", -32_600, json!(1)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}\n", -32_600, json!(null)),
        (b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{}}\n", -32_602, json!(2)),
    ] {
        world.write(line).await;
        let answer = world.hear().await;
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{answer}");
    }
    world.call(1, "echo", json!({"text": "x"})).await;
    assert_eq!(world.text_of(1).await, "x");
    world.close().await;
}

#[tokio::test]
async fn a_response_beyond_the_line_limit_becomes_an_error_of_its_request() {
    let mut world = World::new(|_: Call| allow());
    world.call(1, "big", json!({"size": 5 << 20})).await;
    assert!(world.text_of(1).await.contains("longer than 4194304 bytes"));
    world.call(2, "big", json!({"size": 4 << 19})).await;
    assert_eq!(world.text_of(2).await.len(), 4 << 19);
    world.close().await;
}

#[tokio::test]
async fn an_endless_line_of_the_client_ends_the_session_with_an_error() {
    let mut world = World::new(|_: Call| allow());
    let mut input = world.input.take().unwrap();
    let flood = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            if input.write_all(&chunk).await.is_err() {
                return false;
            }
        }
        true
    });
    let answer = world.hear().await;
    assert_eq!(answer["error"]["code"], -32_600, "{answer}");
    assert_eq!(world.end().await.exit_code, 0);
    assert!(!flood.await.unwrap(), "64 MiB were read");
}

#[tokio::test]
async fn half_a_line_at_the_end_is_no_message() {
    let mut world = World::new(|_: Call| allow());
    world.write(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"die"}}"#).await;
    world.input = None;
    let answer = world.hear().await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("middle of a line"), "{answer}");
    assert_eq!(world.end().await.exit_code, 0);
}

/// Keeps what the session has refused by itself, and allows the rest.
struct Recording(std::sync::mpsc::Sender<(Call, Refusal)>);

impl Gate for Recording {
    fn judge(&self, _: Call) -> Judging<'_> {
        Box::pin(std::future::ready(allow()))
    }

    fn refused(&self, call: Call, refusal: Refusal) -> Judging<'_> {
        let judgement = refusal.judgement.clone();
        self.0.send((call, refusal)).unwrap();
        Box::pin(std::future::ready(Verdict::Deny(Refusal { judgement })))
    }
}

#[tokio::test]
async fn what_goes_nowhere_is_on_record_and_a_flood_is_counted() {
    let (send, records) = std::sync::mpsc::channel();
    let mut world = World::new(Recording(send));
    world.call(1, "unsolicited", json!({})).await;
    assert_eq!(world.text_of(1).await, "the real one");
    for _ in 0..30 {
        world.write("not a message\n").await;
        world.hear().await;
    }
    world.close().await;
    let told: Vec<_> = records.try_iter().collect();
    assert_eq!(told.len(), 11, "ten one by one, and the rest as a number: {told:#?}");
    let (call, refusal) = &told[0];
    let Action::Mcp { method, arguments, .. } = &call.action else { panic!("{call:?}") };
    assert_eq!((method.as_str(), &**arguments), ("rampart/dropped", &json!({"from": "server"})));
    assert_eq!(
        (refusal.judgement.reason, &*refusal.judgement.message),
        (Reason::Malformed, "a response to no request")
    );
    assert_eq!(told[10].1.judgement.message, "22 more lines went nowhere before the session ended");
}
