use rampart_call::{Gate, Reason, Verdict};
use rampart_client::wire::ToolRequest;
use rampart_gateway::Mode;
use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_from_the_client_through_the_socket_into_the_trail_and_back() {
    let world = World::new().await;
    let client = world.client();
    assert!(matches!(client.judge(read("/tmp/x")).await, Verdict::Allow(_)));
    let Verdict::Deny(refusal) = client.judge(read("/forbidden/one")).await else { panic!("not refused") };
    assert_eq!(refusal.judgement.message, "That is off limits");
    assert_eq!(refusal.judgement.rule.unwrap().policy, "off-limits");

    let denied = world.blocking(|client| client.judge(&read("/forbidden/two"))).await;
    assert!(matches!(denied, Verdict::Deny(_)));

    let decisions = world.decisions();
    let said: Vec<_> = decisions.iter().map(|d| d["verdict"].as_str().unwrap()).collect();
    assert_eq!(said, ["allow", "deny", "deny"]);
    assert!(decisions.iter().all(|d| d["actor"]["pid"] == std::process::id()), "the kernel's word: {decisions:#?}");
    let summary = world.blocking(|client| client.session("s1").unwrap()).await;
    assert_eq!((summary.calls, summary.refused), (3, 2));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_client_claims_about_its_process_does_not_count() {
    let world = World::new().await;
    let mut call = read("/tmp/x");
    (call.origin.pid, call.origin.uid) = (Some(1), Some(4711));
    world.client().judge(call).await;
    let decision = world.decisions().remove(0);
    assert_eq!(decision["actor"]["pid"], std::process::id());
    assert_ne!(decision["actor"]["uid"], 4711);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_says_the_same_and_leaves_no_trace() {
    let world = World::new().await;
    let request = |path: &str| ToolRequest { params: json!({"path": path}), ..ToolRequest::default() };
    let (bad, good) = (request("/forbidden/one"), request("/tmp/x"));
    let (bad, good) = world
        .blocking(move |client| (client.preflight("read", &bad).unwrap(), client.preflight("read", &good).unwrap()))
        .await;
    assert_eq!((bad.allowed, bad.decision.as_str()), (false, "deny"));
    assert_eq!(bad.matched_policies, ["off-limits"]);
    assert_eq!((good.allowed, good.decision.as_str()), (true, "allow"));
    assert!(!bad.policy_hash.is_empty() && bad.policy_hash == good.policy_hash);
    assert_eq!(world.decisions().len(), 0);

    let body = r#"{"agent":"a","session":"s","params":{"path":"/forbidden/one"}}"#;
    let (status, answer) = world.request(Peer::Tcp, world.good("POST", "/v1/tool/read", body)).await;
    assert_eq!((status.as_u16(), &answer["allowed"], &answer["decision"]), (200, &json!(false), &json!("deny")));
    let decision = world.decisions().remove(0);
    assert_eq!(decision["seq"], answer["seq"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_bodies_are_refused_and_nothing_is_recorded() {
    let world = World::new().await;
    let long = format!(r#"{{"params":{{"command":"{}"}}}}"#, "x".repeat(1 << 20));
    for (body, status, words) in [
        ("", 400, "empty"),
        ("{\"params\":", 400, "EOF"),
        (r#"{"params":{},"params":{}}"#, 400, "twice"),
        (r#"{"parms":{}}"#, 400, "parms"),
        (r#"{"params":{}}"#, 400, "needs the parameter `command`"),
        (r#"{"agent":7,"params":{"command":"ls"}}"#, 400, "string"),
        (long.as_str(), 413, "longer than 1 MiB"),
    ] {
        for path in ["/v1/preflight/exec", "/v1/tool/exec"] {
            let (code, answer) = world.request(Peer::Tcp, world.good("POST", path, body)).await;
            assert_eq!(code.as_u16(), status, "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{answer}");
        }
    }
    let mut text = world.good("POST", "/v1/tool/exec", "{}");
    text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(world.request(Peer::Tcp, text).await.0, 415);
    assert_eq!(world.decisions().len(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitor_records_what_it_would_refuse_and_lets_it_pass() {
    let world = World::with(Config { mode: Mode::Monitor, ..Config::default() }).await;
    for command in ["/forbidden/one", "/deploy/now"] {
        let Verdict::Allow(permit) = world.client().judge(read(command)).await else { panic!("blocked") };
        assert!(!permit.judgement().outcome.passes(), "the judgement says what policy says");
    }
    let decisions = world.decisions();
    assert!(decisions.iter().all(|d| d["verdict"] == "allow" && d["mode"] == "monitor"));
    assert_eq!(decisions[0]["outcome"], "deny");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_judges_nothing() {
    let world = World::with(Config { mode: Mode::Disabled, ..Config::default() }).await;
    let Verdict::Allow(permit) = world.client().judge(read("/forbidden/one")).await else { panic!("blocked") };
    assert_eq!(permit.judgement().reason, Reason::Disabled);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_may_restrict_and_one_that_does_not_load_refuses() {
    let world = World::new().await;
    let project = tempfile::tempdir().unwrap();
    let rules = project.path().join(".rampart");
    fs::create_dir(&rules).unwrap();
    let call = |path: &str| {
        let mut call = read(path);
        call.origin.workspace = Some(project.path().display().to_string());
        call
    };
    let client = world.client();
    assert!(matches!(client.judge(call("/tmp/one")).await, Verdict::Allow(_)));

    let deny = |what: &str| {
        format!(
            "version: \"1\"\npolicies:\n  - name: here\n    match: {{ tool: read }}\n    rules:\n      - action: deny\n        when: {{ path_matches: [\"{what}\"] }}\n        message: not here\n"
        )
    };
    write(&rules.join("policy.yaml"), &deny("/tmp/one"));
    assert!(matches!(client.judge(call("/tmp/one")).await, Verdict::Deny(_)));
    assert!(matches!(client.judge(read("/tmp/one")).await, Verdict::Allow(_)), "elsewhere it does not hold");
    assert!(matches!(client.judge(call("/forbidden/x")).await, Verdict::Deny(_)), "the human's own rules hold too");

    write(&rules.join("policy.yaml"), &deny("/tmp/two"));
    assert!(matches!(client.judge(call("/tmp/one")).await, Verdict::Allow(_)), "a change counts at once");

    write(&rules.join("policy.yaml"), "policies: [");
    let Verdict::Deny(refusal) = client.judge(call("/tmp/x")).await else { panic!("not refused") };
    assert_eq!(refusal.judgement.reason, Reason::PolicyUnavailable);
    assert!(refusal.judgement.message.contains("policy.yaml"), "{}", refusal.judgement.message);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_surface_refused_by_itself_is_on_record_and_stays_refused() {
    let refusal = || rampart_call::Refusal {
        judgement: rampart_call::Judgement {
            suggestions: vec!["rampart mcp pins approve s".into()],
            ..rampart_call::Judgement::refused(Reason::NotPinned, "nobody has approved it")
        },
    };
    let world = World::new().await;
    // Policy would allow this call.
    let Verdict::Deny(refused) = world.client().refused(read("/tmp/x"), refusal()).await else { panic!("let through") };
    assert_eq!(refused.judgement.message, "nobody has approved it");
    assert_eq!(refused.judgement.suggestions, refusal().judgement.suggestions);
    let decision = world.decisions().remove(0);
    assert_eq!((&decision["verdict"], &decision["reason"]), (&json!("deny"), &json!("not_pinned")), "{decision:#}");
    world.end().await;

    let world = World::with(Config { mode: Mode::Monitor, ..Config::default() }).await;
    assert!(matches!(world.client().refused(read("/tmp/x"), refusal()).await, Verdict::Allow(_)));
    assert_eq!(world.decisions()[0]["outcome"], "deny");
    world.end().await;
}
