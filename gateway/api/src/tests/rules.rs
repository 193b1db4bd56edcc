//! `/v1/rules`, and rules that come with an answer.

use rampart_gateway::credentials::Wanted;
use serde_json::json;

use super::*;
use crate::Scope;

impl World {
    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.request(Peer::Tcp, self.good(method, path, &body)).await;
        (status.as_u16(), answer)
    }

    fn overrides(&self) -> String {
        fs::read_to_string(self.home.policies().join("user-overrides.yaml")).unwrap_or_default()
    }

    /// Changes of rules on record: event, message.
    fn rule_changes(&self) -> Vec<(String, String)> {
        let records = self.records().into_iter().filter(|r| r["type"] == "policy" && r["by"].is_string());
        let word = |r: &Value, key: &str| r[key].as_str().unwrap_or_default().to_owned();
        records.map(|r| (word(&r, "event"), word(&r, "message"))).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_tried_recorded_in_force_listed_and_taken_back() {
    let world = World::new().await;
    let preflight = async || {
        let asked = json!({"params": {"path": "/forbidden/x"}});
        world.ask("POST", "/v1/preflight/read", &asked).await.1["decision"].as_str().unwrap().to_owned()
    };
    assert_eq!(preflight().await, "deny");
    let rule = json!({"action": "allow", "tool": "read", "pattern": "/forbidden/x", "message": "just this"});
    let (status, added) = world.ask("POST", "/v1/rules", &rule).await;
    assert_eq!((status, &added["number"], &added["existed"]), (200, &json!(1), &json!(false)), "{added}");
    assert_eq!(preflight().await, "allow");
    let (_, again) = world.ask("POST", "/v1/rules", &rule).await;
    assert_eq!((&again["number"], &again["existed"]), (&json!(1), &json!(true)), "{again}");
    let late = json!({"action": "deny", "pattern": "docker *", "lasts_s": 3600, "once": true});
    assert_eq!(world.ask("POST", "/v1/rules", &late).await.0, 200);
    let (_, listed) = world.ask("GET", "/v1/rules", &Value::Null).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let words = [&listed[0]["action"], &listed[0]["tool"], &listed[0]["pattern"], &listed[0]["message"]];
    assert_eq!(words, ["allow", "read", "/forbidden/x", "just this"]);
    assert!(listed[0]["origin"].as_str().unwrap().starts_with("added through the API on 20"), "{listed}");
    assert_eq!((&listed[1]["once"], &listed[1]["expired"]), (&json!(true), &json!(false)));
    assert!(listed[1]["expires_at"].as_str().unwrap().ends_with('Z'), "{listed}");

    // By its name, and by its number; what is not there is left alone.
    let name = listed[0]["name"].as_str().unwrap();
    let (status, removed) = world.ask("DELETE", &format!("/v1/rules/{name}"), &Value::Null).await;
    assert_eq!((status, &removed["rule"]["pattern"]), (200, &json!("/forbidden/x")), "{removed}");
    assert_eq!(preflight().await, "deny");
    for gone in ["2", "0", name, "-1", "99999999999999999999"] {
        assert_eq!(world.ask("DELETE", &format!("/v1/rules/{gone}"), &Value::Null).await.0, 404, "{gone}");
    }
    assert_eq!(world.ask("POST", "/v1/rules", &rule).await.0, 200);
    let (_, reset) = world.ask("DELETE", "/v1/rules", &Value::Null).await;
    assert_eq!(reset["removed"], 2);
    assert!(fs::read_to_string(reset["kept"].as_str().unwrap()).unwrap().contains("/forbidden/x"));
    assert_eq!(world.ask("DELETE", "/v1/rules", &Value::Null).await.1["removed"], 0);
    let events: Vec<_> = world.rule_changes();
    let [allow, block] = ["rampart allow --tool read", "rampart block \"docker *\""];
    for ((event, message), (wanted, begins)) in events.iter().zip([
        ("added", allow),
        ("added", block),
        ("removed", allow),
        ("added", allow),
        ("removed", "all 2 of them"),
    ]) {
        assert!(event == wanted && message.starts_with(begins), "{event} {message}");
    }
    assert_eq!(events.len(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_no_rule_is_refused_and_nothing_is_written() {
    let world = World::new().await;
    for (rule, status, code) in [
        (json!({"action": "permit", "pattern": "ls"}), 422, "senseless"),
        (json!({"action": "allow", "pattern": " "}), 422, "senseless"),
        (json!({"action": "allow", "tool": "read", "pattern": "a/../b"}), 422, "senseless"),
        (json!({"action": "allow", "pattern": "ls", "more": 1}), 400, "malformed"),
        (json!({"action": "allow", "pattern": "ls", "lasts_s": -1}), 400, "malformed"),
    ] {
        let (got, answer) = world.ask("POST", "/v1/rules", &rule).await;
        assert_eq!((got, answer["error"]["code"].as_str()), (status, Some(code)), "{rule}: {answer}");
    }
    let locked = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: never\n    rules:\n      - { action: deny, locked: true, when: { command_matches: [halt] } }\n";
    write(&world.home.policies().join("custom.yaml"), locked);
    world.gateway.reload().await.unwrap();
    let (status, answer) = world.ask("POST", "/v1/rules", &json!({"action": "allow", "pattern": "halt"})).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(status == 422 && message.contains("would still come to `deny`") && message.contains("locked"), "{answer}");
    assert_eq!(world.overrides(), "");
    // A file that a person laid out otherwise is a person's.
    let flow = "policies: [{name: x, rules: [{action: deny, when: {command_matches: [x]}}]}]\n";
    write(&world.home.policies().join("user-overrides.yaml"), flow);
    let (status, answer) = world.ask("POST", "/v1/rules", &json!({"action": "deny", "pattern": "y"})).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("by_hand")), "{answer}");
    assert_eq!(world.overrides(), flow);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_writes_a_rule_only_for_whom_may_write_one() {
    let world = World::new().await;
    let wanted = Wanted { name: "ann".into(), scopes: vec![Scope::Approve], ..Wanted::default() };
    let ann = world.gateway.create_token(wanted, "a test").await.unwrap().text;
    let (gateway, call) = (Arc::clone(&world.gateway), read("/deploy/now"));
    let asking = tokio::spawn(async move { gateway.answer(call).await });
    until("the question", || !world.gateway.pending().is_empty()).await;
    let path = format!("/v1/approvals/{}/resolve", world.gateway.pending().remove(0).id);
    let answer = |scope: &str| json!({"approve": true, "scope": scope});
    let mut request = world.good("POST", &path, &answer("always").to_string());
    request.headers_mut().insert("authorization", format!("Bearer {ann}").parse().unwrap());
    let (status, refused) = world.request(Peer::Tcp, request).await;
    assert_eq!((status.as_u16(), refused["error"]["code"].as_str()), (403, Some("forbidden")), "{refused}");
    let (status, refused) = world.ask("POST", &path, &answer("a while")).await;
    assert_eq!((status, refused["error"]["code"].as_str()), (422, Some("senseless")), "{refused}");
    assert_eq!(world.gateway.pending().len(), 1, "nothing was answered by that");
    let (status, resolved) = world.ask("POST", &path, &answer("always")).await;
    assert_eq!(
        (status, &resolved["approved"], &resolved["rule"]["number"]),
        (200, &json!(true), &json!(1)),
        "{resolved}"
    );
    assert!(asking.await.unwrap().verdict.passes());
    assert!(world.overrides().contains("approved for"), "{}", world.overrides());
    assert!(world.gateway.answer(read("/deploy/now")).await.verdict.passes(), "and so from now on");
    assert!(world.gateway.pending().is_empty());
    world.end().await;
}
