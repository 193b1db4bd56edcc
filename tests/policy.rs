//! Policies from the command line: init, test, lint, explain; load errors; the API's preflight.

use crate::world::{Ran, World, set_mode};

const SEED: &str = include_str!("fixtures/seed.yaml");

#[test]
fn the_example_policy_decides_as_its_text_says() {
    let world = World::with_policy(SEED);
    for (args, code, says) in [
        (&["test", "rm -rf /tmp/x"][..], 1, "Destructive command blocked"),
        (&["test", "git status"], 0, "allow"),
        (&["test", "sudo ls", "--agent", "claude-code"], 3, "needs your approval"),
        (&["test", "kubectl apply -f prod.yaml"], 3, "requires approval"),
        (&["test", "psql -c 'drop table users'"], 1, "Dangerous substring"),
        (&["test", "--tool", "read", "/home/dev/.ssh/id_rsa"], 1, "Credential access blocked"),
        (&["test", "--tool", "read", "src/main.rs"], 0, "allow"),
        (&["test", "--tool", "fetch", "https://webhook.site/x"], 1, "Exfiltration domain blocked"),
        (&["test", "curl https://webhook.site/x"], 1, "Exfiltration domain blocked"),
        (&["test", ":(){ :|:& };:"], 1, "Destructive command blocked"),
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        assert!(ran.stdout.contains(says), "{args:?}: {ran:?}");
    }
}

#[test]
fn test_prints_json_with_the_same_facts() {
    let world = World::with_policy(SEED);
    let ran = world.run(&["test", "--json", "rm -rf /"]).expect(1);
    let json = ran.json();
    assert_eq!(json["allowed"], false);
    assert_eq!(json["decision"], "deny");
    assert_eq!(json["matched_policies"][0], "block-destructive", "{json:#}");
    assert!(json["rule"]["line"].as_u64().unwrap() > 1, "{json:#}");
}

#[test]
fn init_writes_the_profile_and_a_file_of_the_users_own() {
    let world = World::new();
    for profile in ["standard", "paranoid", "ci", "yolo"] {
        world.run(&["init", "--profile", profile]).expect(0);
        world.run(&["policy", "lint"]).expect(0);
    }
    world.run(&["init"]).expect(0);
    assert!(world.home().join("policies/custom.yaml").exists());
    world.run(&["test", "rm -rf /"]).expect(1);
    world.run(&["test", "git status"]).expect(0);
    world.write("home/.rampart/policies/custom.yaml", "version: \"1\"\npolicies: []\n# mine\n");
    world.run(&["init"]).expect(0);
    let mine = std::fs::read_to_string(world.home().join("policies/custom.yaml")).unwrap();
    assert!(mine.contains("# mine"), "the user's own file is never overwritten");
    let unknown = world.run(&["init", "--profile", "standart"]).expect(2);
    assert!(unknown.stderr.contains("standard"), "{unknown:?}");
    let pack = world.run(&["init", "--profile", "aws"]).expect(2);
    assert!(pack.stderr.contains("rampart policy fetch aws"), "{pack:?}");
    world.run(&["policy", "fetch", "aws"]).expect(0);
}

#[test]
fn an_edited_profile_is_not_overwritten_without_force() {
    let world = World::new();
    world.run(&["init"]).expect(0);
    let path = world.home().join("policies/standard.yaml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("\n# edited\n");
    std::fs::write(&path, &text).unwrap();
    let ran = world.run(&["init"]).expect(2);
    assert!(ran.stderr.contains("--force"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    world.run(&["init", "--force"]).expect(0);
    assert!(!std::fs::read_to_string(&path).unwrap().contains("# edited"));
}

#[test]
fn lint_shows_the_line_with_a_caret() {
    let world = World::new();
    let file = world.write(
        "project/bad.yaml",
        "version: \"1\"\npolicies:\n  - name: guard\n    match: { tool: exec }\n    rules:\n      - action: deny\n        when:\n          comand_matches: [\"rm *\"]\n",
    );
    let ran = world.run(&["policy", "lint", file.to_str().unwrap()]).expect(1);
    let shown = ran.stdout + &ran.stderr;
    assert!(shown.contains("comand_matches") && shown.contains("command_matches"), "{shown}");
    assert!(shown.contains(":8:") && shown.contains("^^^"), "{shown}");
    let old = world.write(
        "project/old.yaml",
        "version: \"1\"\npolicies:\n  - name: old\n    match: { tool: exec }\n    rules:\n      - action: require_approval\n        when: { command_matches: [\"rm *\"] }\n",
    );
    let ran = world.run(&["policy", "check", old.to_str().unwrap()]).expect(1);
    assert!((ran.stdout + &ran.stderr).contains("action: ask"));
    let missing = world.run(&["policy", "lint", "nowhere.yaml"]).expect(2);
    assert!(missing.stderr.contains("nowhere.yaml") && missing.stderr.contains("path of a policy file"), "{missing:?}");
}

#[test]
fn explain_shows_the_rule_its_place_and_what_it_matched() {
    let world = World::with_policy(SEED);
    let ran = world.run(&["policy", "explain", "echo ok && rm -rf /tmp/x"]).expect(1);
    assert!(ran.stdout.contains("block-destructive"), "{ran:?}");
    assert!(ran.stdout.contains("custom.yaml:"), "{ran:?}");
    assert!(ran.stdout.contains("rm -rf /tmp/x"), "{ran:?}");
}

/// `test`, `policy explain`, the hook and the API tell the same of one call.
#[test]
fn everybody_tells_the_same_of_a_call() {
    let mut world = World::with_policy(SEED);
    world.serve(&[]);
    let socket = world.home().join("run/gateway.sock");
    for (command, code, exit) in
        [("echo ok && rm -rf /tmp/x", 1, 2), ("kubectl apply -f x", 3, 2), ("git status", 0, 0)]
    {
        let test = world.run(&["test", "--json", command]).expect(code).json();
        let explained = world.run(&["policy", "explain", "--json", command]).expect(code).json();
        let body = serde_json::json!({"params": {"command": command, "cwd": world.project()}}).to_string();
        let mut curl = world.command("curl");
        curl.args(["-s", "--unix-socket", socket.to_str().unwrap(), "http://x/v1/preflight/exec", "-d", &body]);
        let preflight = Ran::from(curl.output().unwrap()).expect(0).json();
        for key in ["decision", "message", "rule", "matched_policies", "suggestions", "policy_hash", "reason"] {
            assert_eq!(test[key], explained[key], "{command}: {key}");
            assert_eq!(test[key], preflight[key], "{command}: {key}");
        }
        assert_eq!(!explained["matched"].as_array().unwrap().is_empty(), code != 0, "{explained:#}");
        assert_eq!(explained["components"].as_array().unwrap().len(), command.split(" && ").count());
        if code == 3 {
            continue; // The hook hands the question to the agent's own prompt.
        }
        let input = serde_json::json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": world.project(), "tool_name": "Bash", "tool_input": {"command": command}});
        let hook = world.run_with(&["hook", "--format", "claude-code"], input.to_string().as_bytes()).expect(exit);
        assert!(hook.stderr.contains(test["message"].as_str().unwrap()), "{hook:?}");
        if let Some(place) = test["rule"]["file"].as_str() {
            assert!(hook.stderr.contains(&format!("{place}:{}", test["rule"]["line"])), "{hook:?}");
        }
    }
}

#[test]
fn a_gateway_does_not_start_on_a_policy_that_does_not_load() {
    let world = World::with_policy("version: \"1\"\npolicies: [\n");
    let ran = world.run(&["serve"]).expect(2);
    assert!(ran.stderr.contains("custom.yaml"), "{ran:?}");
    // And a hook, which cannot start one, denies.
    let ran = world.run_with(&["hook", "--format", "claude-code"], br#"{"hook_event_name":"PreToolUse","session_id":"s","cwd":"/","tool_name":"Bash","tool_input":{"command":"ls"}}"#);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[test]
fn a_saved_policy_is_in_force_at_once_and_a_broken_one_is_not() {
    let mut world = World::with_policy(SEED);
    world.serve(&[]);
    let hash = |world: &World| world.status()["policy"]["hash"].as_str().unwrap().to_owned();
    let first = hash(&world);
    let wait = |world: &World, what: &str, done: &dyn Fn(&World) -> bool| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while !done(world) {
            assert!(std::time::Instant::now() < deadline, "{what}: {:#}", world.status());
        }
    };
    world.write("home/.rampart/policies/custom.yaml", SEED.replace("webhook.site", "paste.example"));
    wait(&world, "the new policy is in force", &|w| hash(w) != first);
    let second = hash(&world);
    world.write("home/.rampart/policies/custom.yaml", "version: \"1\"\npolicies: [\n");
    wait(&world, "the error is visible", &|w| w.status()["policy"]["error"].is_string());
    assert_eq!(hash(&world), second, "the last good policy stays in force");
    world.write("home/.rampart/policies/custom.yaml", SEED);
    wait(&world, "the first policy is back", &|w| hash(w) == first);
}

#[test]
fn a_cloned_project_may_restrict_and_not_loosen() {
    let world = World::with_policy(SEED);
    world.write("project/.git/HEAD", "ref: refs/heads/main\n");
    world.write(
        "project/.rampart/policy.yaml",
        "version: \"1\"\npolicies:\n  - name: project-no-docker\n    match: { tool: exec }\n    rules:\n      - action: deny\n        when: { command_matches: [\"docker *\"] }\n        message: No docker here\n",
    );
    world.run(&["test", "docker ps"]).expect(1);
    world.run(&["test", "rm -rf /"]).expect(1);
    let mut skipped = world.rampart(&["test", "docker ps"]);
    assert!(skipped.env("RAMPART_NO_PROJECT_POLICY", "1").output().unwrap().status.success());
    world.write(
        "project/.rampart/policy.yaml",
        "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: open\n    match: { tool: exec }\n    rules:\n      - action: allow\n        when: { default: true }\n",
    );
    let ran = world.run(&["test", "rm -rf /"]);
    assert_ne!(ran.code, Some(0), "a project must not loosen: {ran:?}");
}

#[test]
fn a_policy_file_that_others_can_write_is_refused() {
    let world = World::with_policy(SEED);
    set_mode(&world.home().join("policies/custom.yaml"), 0o666);
    let ran = world.run(&["serve"]).expect(2);
    assert!(ran.stderr.contains("custom.yaml") && ran.stderr.contains("chmod"), "{ran:?}");
}

/// A hook's question to a running gateway, and the answer: `deny`, `ask`, or nothing where the call may pass.
fn asked(world: &World, session: &str, tool: &str, input: &serde_json::Value) -> String {
    let hook = serde_json::json!({"hook_event_name": "PreToolUse", "session_id": session,
        "cwd": world.project(), "tool_name": tool, "tool_input": input});
    let ran = world.run_with(&["hook", "--format", "claude-code"], hook.to_string().as_bytes());
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    answer["hookSpecificOutput"]["permissionDecision"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn conditions_about_what_came_before_hold_in_a_running_gateway() {
    let mut world = World::with_policy(
        "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: before\n    rules:\n\
         \x20     - { action: deny, when: { command_matches: ['echo session*'], call_count: { tool: exec, gte: 3, window: 1h } } }\n\
         \x20     - { action: deny, when: { command_matches: ['echo agent*'], call_count: { tool: exec, gte: 3, window: 1h, per: agent } } }\n\
         \x20     - { action: deny, when: { path_matches: ['**/often.txt'], call_count: { tool: read, gte: 2, window: 1h, per: tool } } }\n\
         \x20     - { action: deny, when: { label: [secret-read], command_matches: ['curl *'] } }\n\
         \x20     - { action: deny, when: { detects: [secret] } }\n",
    );
    world.serve(&[]);
    let run = |session: &str, command: &str| asked(&world, session, "Bash", &serde_json::json!({"command": command}));
    let read = |session: &str, path: &str| asked(&world, session, "Read", &serde_json::json!({"file_path": path}));
    // the third call of a session, whatever other sessions do
    assert_eq!(run("a", "echo session 1"), "");
    assert_eq!(run("a", "echo session 2"), "");
    assert_eq!(run("b", "echo session 3"), "");
    assert_eq!(run("a", "echo session 4"), "deny");
    // the third call of an agent, in whatever session
    assert_eq!(run("c", "echo agent"), "deny");
    // the second read, by whomever
    let often = world.project().join("often.txt").display().to_string();
    assert_eq!(read("d", &often), "");
    assert_eq!(read("e", &often), "deny");
    // a session that read a secret, and one that did not
    let key = world.home().parent().unwrap().join(".ssh/id_rsa").display().to_string();
    read("f", &key);
    assert_eq!(run("f", "curl https://example.com"), "deny");
    assert_eq!(run("g", "curl https://example.com"), "");
    // a key in what is written
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8".get(..36).unwrap());
    let write = |text: String| {
        let file = world.project().join("x.txt").display().to_string();
        asked(&world, "h", "Write", &serde_json::json!({"file_path": file, "content": text}))
    };
    assert_eq!(write("nothing".to_owned()), "");
    assert_eq!(write(format!("token = {token}")), "deny");
}
