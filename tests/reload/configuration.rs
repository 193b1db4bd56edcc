//! `config.yaml`, changed in front of a running gateway, and a gateway that is started without the flags of the one before it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Ran, World, run_with};

const PORTS: &str = "listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0'}\n";
const POLICY: &str = "version: \"1\"\npolicies:\n  - name: no-rm\n    match: { tool: exec }\n    rules:\n      - action: deny\n        when: { command_matches: [\"rm *\"] }\n        message: No\n";

fn hook(world: &World) -> Ran {
    let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "Bash",
        "tool_input": {"command": "rm x"}});
    run_with(world.rampart(&["hook", "--format", "claude-code"]), input.to_string().as_bytes())
}

/// Waits until `status` is as it should be, which takes no more than a second or two.
fn comes(world: &World, what: &str, as_it_should: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let status = world.status();
        if as_it_should(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what}: {status:#}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_change_of_the_configuration_counts_at_once_or_is_said_to_wait() {
    let mut world = World::with_policy(POLICY);
    world.config(PORTS);
    world.serve(&[]);
    assert_eq!(world.status()["config"], json!({}));
    hook(&world).expect(2);

    world.config(&format!("{PORTS}mode: monitor\nsurfaces: {{fail_open: [hook]}}\n"));
    let status = comes(&world, "monitor", |status| status["mode"] == "monitor");
    assert_eq!((&status["config"], &status["fail_open"]), (&json!({}), &json!(["hook"])));
    hook(&world).expect(0);

    // What does not load changes nothing, in whatever state an editor leaves it.
    world.config(&format!("{PORTS}mode: loud\n"));
    let status = comes(&world, "refused", |status| status["config"]["error"].is_string());
    assert_eq!(status["mode"], "monitor");
    let error = status["config"]["error"].as_str().unwrap();
    assert!(error.contains("config.yaml:3:7") && error.contains("enforce"), "{error}");
    assert!(world.run(&["status"]).stdout.contains("not in force"));
    assert!(world.run(&["doctor"]).expect(1).stdout.contains("not in force"));

    world.config(&format!("{PORTS}syslog: {{address: 'udp://127.0.0.1:9'}}\napprovals: {{timeout: 7s}}\n"));
    let status = comes(&world, "waits", |status| status["config"]["waiting"] == json!(["syslog"]));
    assert_eq!((&status["mode"], &status["fail_open"]), (&json!("enforce"), &json!([])));
    assert!(world.run(&["status"]).stdout.contains("changes of syslog wait for the next start"));
    hook(&world).expect(2);

    let records = world.records();
    let events: Vec<&str> =
        records.iter().filter(|r| r["type"] == "config").filter_map(|r| r["event"].as_str()).collect();
    assert_eq!(events, ["loaded", "reloaded", "rejected", "reloaded"]);
    assert!(records.iter().any(|r| r["message"].as_str().is_some_and(|m| m.contains("approvals wait 7 s"))));
}

#[test]
fn a_gateway_that_a_hook_starts_runs_in_the_mode_of_the_file_and_status_says_so_before() {
    let mut world = World::with_policy(POLICY);
    world.config(PORTS);
    world.serve(&["--mode", "monitor"]);
    hook(&world).expect(0);
    let status = world.status();
    assert_eq!((&status["mode"], &status["config"]), (&json!("monitor"), &json!({"mode": "enforce"})));
    assert!(world.run(&["status"]).stdout.contains("config.yaml says enforce"));
    assert!(world.run(&["doctor"]).stdout.contains("config.yaml says enforce"));
    // A change of the file does not take the flag away.
    world.config(&format!("{PORTS}approvals: {{timeout: 7s}}\n"));
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(world.status()["mode"], "monitor");

    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    hook(&world).expect(2);
    let status = world.status();
    assert_eq!((&status["mode"], &status["config"]), (&json!("enforce"), &json!({})));
}
