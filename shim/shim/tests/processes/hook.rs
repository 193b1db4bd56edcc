use std::time::Duration;

use serde_json::{Value, json};

use crate::gateway::{Manner, Ran, World, fixture};

/// One payload of each agent from before a tool runs.
const BEFORE: &[(&str, &str)] = &[
    ("claude-code", "PreToolUse-Bash"),
    ("codex", "mcp-PreToolUse-Bash"),
    ("cline", "tool_call-run_commands"),
    ("gemini-cli", "BeforeTool-run_shell_command"),
    ("copilot-cli", "preToolUse-bash"),
    ("openclaw", "before_tool_call-exec"),
    ("qwen-code", "PreToolUse-run_shell_command"),
    ("opencode", "tool.execute.before-bash"),
];

/// The member by which each agent knows a refusal.
fn refuses(agent: &str, ran: &Ran) {
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{agent}: {e}: {ran:?}"));
    let (word, exit) = match agent {
        "cline" => (answer["cancel"] == true, 0),
        "gemini-cli" => (answer["decision"] == "deny", 2),
        "copilot-cli" => (answer["permissionDecision"] == "deny", 2),
        "openclaw" => (answer["block"] == true, 2),
        "opencode" => (answer["deny"].is_string(), 2),
        _ => (answer["hookSpecificOutput"]["permissionDecision"] == "deny", 2),
    };
    assert!(word && ran.code == Some(exit), "{agent}: {ran:?}");
    assert!(ran.stderr.contains("Rampart refused this"), "{agent}: {ran:?}");
}

#[test]
fn every_agent_gets_no_opinion_on_what_may_pass() {
    let world = World::with(Manner::Answers);
    for (agent, name) in BEFORE {
        let ran = world.hook(agent, &fixture(agent, name));
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{agent}");
    }
    assert_eq!(world.calls().len(), BEFORE.len());
    for (call, (agent, _)) in world.calls().iter().zip(BEFORE) {
        assert_eq!((call.origin.agent.as_str(), call.action.tool()), (*agent, "exec"));
    }
}

#[test]
fn every_agent_gets_a_refusal_within_two_seconds_from_a_gateway_that_fails() {
    for manner in [Manner::Hangs, Manner::HangsUp] {
        let world = World::with(manner);
        let hook = |agent: &str, name: &str| {
            let ran = world.hook(agent, &fixture(agent, name));
            refuses(agent, &ran);
            assert!(ran.stderr.contains("gateway"), "{ran:?}");
            assert!(ran.took < Duration::from_secs(2), "{agent}: {:?}", ran.took);
        };
        std::thread::scope(|scope| BEFORE.iter().for_each(|(agent, name)| drop(scope.spawn(|| hook(agent, name)))));
    }
}

#[test]
fn a_gateway_that_waits_for_a_human_is_waited_for() {
    let ran = World::with(Manner::Holds).hook("claude-code", &fixture("claude-code", "PreToolUse-Bash"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.took > Duration::from_secs(2));
}

#[test]
fn a_human_who_takes_longer_than_the_agent_waits_is_a_refusal() {
    let world = World::with(Manner::Holds);
    let mut command = world.command(crate::shim());
    command.args(["hook", "claude-code", "--timeout", "2"]);
    let ran = crate::gateway::run(command, &fixture("claude-code", "PreToolUse-Bash"));
    refuses("claude-code", &ran);
    assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
}

#[test]
fn without_a_gateway_or_a_way_to_start_one_it_refuses_and_says_why() {
    let world = World::empty();
    for (agent, name) in BEFORE {
        let ran = world.hook(agent, &fixture(agent, name));
        refuses(agent, &ran);
        assert!(ran.stderr.contains("rampart serve"), "{ran:?}");
    }
    // Not where it was built: the real program may stand beside it there. Another name rather than a copy, which a test
    // that forks at this moment would hold open for writing.
    let shim = world.path("shim");
    std::fs::hard_link(world.path("bin/sh"), &shim).unwrap();
    let starts = |why: &str| {
        let mut alone = world.command(&shim);
        alone.args(["hook", "codex"]).env_remove("RAMPART_AUTOSTART").env("PATH", "/nonexistent");
        let ran = crate::gateway::run(alone, &fixture("codex", "mcp-PreToolUse-Bash"));
        refuses("codex", &ran);
        assert!(ran.stderr.contains(why), "{ran:?}");
    };
    starts("cannot run rampart to start a gateway");
    std::os::unix::fs::symlink("/bin/false", world.path("rampart")).unwrap();
    starts("the gateway ended as soon as it was started");
}

#[test]
fn what_need_not_be_our_gateway_is_not_asked() {
    let world = World::empty();
    std::fs::write(world.path("home/run/gateway.sock"), "").unwrap();
    let ran = world.hook("claude-code", &fixture("claude-code", "PreToolUse-Bash"));
    refuses("claude-code", &ran);
    assert!(ran.stderr.contains("gateway_untrusted"), "{ran:?}");
}

#[test]
fn a_project_with_a_policy_is_named_from_anywhere_inside_it() {
    let world = World::with(Manner::Answers);
    let sub = world.path("code/app/sub");
    std::fs::create_dir_all(&sub).unwrap();
    std::fs::create_dir_all(world.path("code/app/.rampart")).unwrap();
    std::fs::write(world.path("code/app/.rampart/policy.yaml"), "").unwrap();
    let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": sub, "tool_name": "Bash", "tool_input": {"command": "ls"}});
    world.hook("claude-code", input.to_string().as_bytes());
    let mut shell = world.shell("sh", &["-c", "true"]);
    shell.current_dir(&sub);
    crate::gateway::run(shell, b"");
    let projects: Vec<_> = world.calls().iter().map(|call| call.origin.workspace.clone()).collect();
    let app = world.path("code/app").to_str().map(str::to_owned);
    assert_eq!(projects, [app.clone(), app]);
}

#[test]
fn input_that_is_not_understood_is_refused_without_a_question() {
    let world = World::with(Manner::Answers);
    let huge = vec![b' '; 20 << 20];
    for (agent, name) in BEFORE {
        let good = fixture(agent, name);
        let twice = String::from_utf8(good.clone()).unwrap().replacen('{', r#"{"cwd":"/","cwd":"/","#, 1);
        for input in [&b""[..], b"\n", &good[..good.len() / 2], twice.as_bytes(), b"[]", b"{}", b"\xff", &huge] {
            refuses(agent, &world.hook(agent, input));
        }
    }
    assert!(world.asked().is_empty());
}

#[test]
fn a_question_goes_to_the_host_where_it_has_a_prompt() {
    let world = World::with(Manner::Answers);
    let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "Bash", "tool_input": {"command": "doubtful"}});
    let ran = world.hook("claude", input.to_string().as_bytes());
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains(r#""permissionDecision":"ask""#), "{ran:?}");
    assert!(world.calls().iter().all(|call| call.origin.can_ask));
    refuses("codex", &world.hook("codex", input.to_string().as_bytes()));
    assert!(!world.calls().last().unwrap().origin.can_ask);
}

#[test]
fn what_wrap_set_is_told_to_the_gateway() {
    let world = World::with(Manner::Answers);
    let mut command = world.command(crate::shim());
    command.args(["hook", "claude-code"]);
    command.env("RAMPART_SESSION", "ours").env("RAMPART_DEPTH", "1").env("CLAUDE_PROJECT_DIR", "/the/project");
    crate::gateway::run(command, &fixture("claude-code", "PreToolUse-Bash"));
    let call = world.calls().remove(0);
    assert_eq!((call.origin.session.as_str(), call.origin.depth), ("ours", 1));
    assert_eq!(call.origin.workspace.as_deref(), Some("/the/project"));
    assert_eq!(call.origin.home.as_deref(), world.path("project").to_str());
}

#[test]
fn a_wrong_call_of_the_program_is_a_refusal_to_most_agents() {
    let world = World::empty();
    for args in [&[][..], &["hook"], &["hook", "vim"], &["hook", "codex", "--timeout", "soon"], &["--shell", "fish"]] {
        let mut command = world.command(crate::shim());
        command.args(args);
        let ran = crate::gateway::run(command, b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains("usage"), "{ran:?}");
    }
}
