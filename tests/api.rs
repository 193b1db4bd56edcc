//! The HTTP API on loopback, as a script uses it.

use serde_json::{Value, json};

use crate::world::{Ran, World, have};

const TOKEN: &str = "a-token-for-this-test-only-0123456789";

/// None where curl is missing, which the test named `test` needs.
fn served(test: &str) -> Option<(World, String)> {
    if !have(test, &["curl"]) {
        return None;
    }
    let mut world = World::with_policy(include_str!("fixtures/seed.yaml"));
    // Set for the gateway alone: what it prints and what it hands on must not hold it.
    world.serve_with(&[], &[("RAMPART_TOKEN", TOKEN)]);
    let address = world.status()["listen"].as_str().unwrap().to_owned();
    Some((world, format!("http://{address}")))
}

fn curl(world: &World, args: &[&str]) -> (u16, Value) {
    let ran =
        Ran::from(world.command("curl").args(["-sS", "-w", "\n%{http_code}"]).args(args).output().unwrap()).expect(0);
    let (body, status) = ran.stdout.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn preflight_answers_without_running_or_recording() {
    let Some((world, base)) = served("preflight_answers_without_running_or_recording") else { return };
    let url = format!("{base}/v1/preflight/exec");
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let body = json!({"agent":"a","session":"s","params":{"command":"rm -rf /"}}).to_string();
    let post = |header: &str, body: &str| {
        curl(&world, &[&url, "-H", header, "-H", "Content-Type: application/json", "-d", body])
    };
    let (status, answer) = post(&bearer, &body);
    assert_eq!(status, 200, "{answer:#}");
    assert_eq!(answer["allowed"], false);
    assert_eq!(answer["decision"], "deny");
    assert_eq!(answer["matched_policies"][0], "block-destructive");
    assert_eq!(answer["message"], "Destructive command blocked");
    assert!(world.decisions().is_empty(), "a preflight leaves no decision");

    for (header, body, expected) in [
        ("X: y", body.as_str(), 401),
        ("Authorization: Bearer wrong", body.as_str(), 401),
        (bearer.as_str(), r#"{"params":{"command":"ls"},"params":{"command":"rm"}}"#, 400),
        (bearer.as_str(), r#"{"params":"#, 400),
        (bearer.as_str(), r#"{"params":{}}"#, 400),
        (bearer.as_str(), r#"{"parms":{"command":"ls"}}"#, 400),
    ] {
        let (status, answer) = post(header, body);
        assert_eq!(status, expected, "{header} {body}: {answer:#}");
        assert!(answer["error"]["code"].is_string() && answer["error"]["message"].is_string(), "{answer:#}");
        assert!(!answer.to_string().contains(TOKEN));
    }
    let (status, answer) = curl(&world, &[&format!("{base}/v1/status?token={TOKEN}")]);
    assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("token_in_url")));
}

#[test]
fn health_needs_no_token_and_a_foreign_host_or_origin_gets_nothing() {
    let Some((world, base)) = served("health_needs_no_token_and_a_foreign_host_or_origin_gets_nothing") else { return };
    let health = format!("{base}/healthz");
    assert_eq!(curl(&world, &[&health]).0, 200);
    for host in ["evil.example:9090", "127.0.0.1.nip.io", "0.0.0.0"] {
        assert_eq!(curl(&world, &[&health, "-H", &format!("Host: {host}")]).0, 421, "{host}");
    }
    for origin in ["https://evil.example", "null"] {
        assert_eq!(curl(&world, &[&health, "-H", &format!("Origin: {origin}")]).0, 403, "{origin}");
    }
    assert_eq!(curl(&world, &[&health, "-X", "DELETE"]).0, 405);
    let (status, answer) =
        curl(&world, &[&format!("{base}/v1/nothing"), "-H", &format!("Authorization: Bearer {TOKEN}")]);
    assert_eq!((status, answer["error"]["code"].as_str()), (404, Some("not_found")));
}

#[test]
fn a_decision_over_the_api_is_recorded() {
    let Some((world, base)) = served("a_decision_over_the_api_is_recorded") else { return };
    let body = json!({"agent":"bot","session":"s","params":{"path":"/home/x/.ssh/id_rsa"}}).to_string();
    let (status, answer) = curl(
        &world,
        &[
            &format!("{base}/v1/tool/read"),
            "-H",
            &format!("Authorization: Bearer {TOKEN}"),
            "-H",
            "Content-Type: application/json",
            "-d",
            &body,
        ],
    );
    assert_eq!((status, answer["allowed"].as_bool()), (200, Some(false)), "{answer:#}");
    let decisions = world.decisions();
    assert_eq!(decisions.len(), 1);
    assert_eq!(
        (decisions[0]["actor"]["agent"].as_str(), decisions[0]["actor"]["surface"].as_str()),
        (Some("bot"), Some("api"))
    );
    assert!(!std::fs::read_to_string(world.path("gateway.log")).unwrap().contains(TOKEN));
}

#[test]
fn the_api_on_whatever_port_is_not_for_agents() {
    let mut world = World::new();
    world.serve(&[]);
    let address = world.status()["listen"].as_str().unwrap().to_owned();
    let command = format!("curl -s -X POST http://{address}/v1/approvals/x/resolve -d '{{}}'");
    let body = json!({"hook_event_name":"PreToolUse","session_id":"s","cwd":"/tmp","tool_name":"Bash","tool_input":{"command":command}});
    world.run_with(&["hook", "--format", "claude-code"], body.to_string().as_bytes()).expect(2);
}

#[test]
fn what_is_counted_can_be_scraped_with_the_token() {
    let Some((world, base)) = served("what_is_counted_can_be_scraped_with_the_token") else { return };
    let body = json!({"agent":"a","session":"s","params":{"command":"rm -rf /"}}).to_string();
    let bearer = format!("Authorization: Bearer {TOKEN}");
    curl(&world, &[&format!("{base}/v1/tool/exec"), "-H", &bearer, "-d", &body]);
    let url = format!("{base}/metrics");
    let scrape = |args: &[&str]| {
        let mut curl = world.command("curl");
        curl.args(["-s", "-w", "%{http_code} %{content_type}"]).args(args).arg(&url);
        Ran::from(curl.output().unwrap()).stdout
    };
    assert!(scrape(&[]).contains("401"), "no token, no numbers");
    let text = scrape(&["-H", &bearer]);
    for part in [
        "200 application/openmetrics-text; version=1.0.0",
        "rampart_build_info{version=",
        "rampart_audit_healthy 1",
        r#"rampart_decisions_total{surface="api",phase="before",verdict="deny"} 1"#,
        r#"rampart_refusals_total{reason="rule"} 1"#,
        r#"rampart_decision_seconds_count{surface="api"} 1"#,
        "# EOF",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
