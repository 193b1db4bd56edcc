//! `rampart setup` and `quickstart`: the settings of every agent, set up and as they were.

mod undone;

use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::{Ran, World, bin, run_with, set_mode};

/// Each agent, a file of its own that shows it is used, and that file's text before.
const AGENTS: [(&str, &str, &str); 9] = [
    (
        "claude-code",
        "home/.claude/settings.json",
        "{ \"model\":\"opus\", // mine\n\t\"hooks\": {\"PreToolUse\": [ {\"matcher\":\"Bash\",\"hooks\":[{\"type\":\"command\",\"command\":\"lint\"}]} ]},\n}\n",
    ),
    (
        "codex",
        "home/.codex/config.toml",
        "model = \"x\"  # mine\r\n\r\n[projects.\"/p\"]\r\ntrust_level = \"trusted\"\r\n",
    ),
    ("cline", "home/.cline/data/settings.json", "{}"),
    ("cursor", "home/.cursor/hooks.json", "{\"version\":1,\"hooks\":{\"stop\":[{\"command\":\"./mine\"}]}}"),
    ("gemini-cli", "home/.gemini/settings.json", "{\"theme\":\"x\"}"),
    ("copilot-cli", "home/.copilot/config.json", "{}"),
    ("openclaw", "home/.openclaw/openclaw.json", "{ plugins: { allow: ['voice'], }, /* mine */ }"),
    ("qwen-code", "home/.qwen/settings.json", "{\n    \"security\": {}\n}"),
    ("opencode", "home/.config/opencode/opencode.json", "{}"),
];

fn read(world: &World, path: &str) -> String {
    std::fs::read_to_string(world.path(path)).unwrap()
}

/// Every file of the user's home outside of Rampart's own, with its bytes.
fn everything(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![world.path("home"), world.project()];
    while let Some(folder) = folders.pop() {
        all.push((folder.display().to_string(), Vec::new()));
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path == world.home() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

/// A world in which every agent is used.
fn used() -> World {
    let world = World::new();
    for (_, path, text) in AGENTS {
        world.write(path, text);
    }
    world
}

/// The command that an agent's settings hold for the event before a tool.
fn command(world: &World, agent: &str) -> String {
    let json = |path: &str| serde_json::from_str::<Value>(&read(world, path)).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match agent {
        "codex" => text(&json("home/.codex/hooks.json")["hooks"]["PreToolUse"][0]["hooks"][0]["command"]),
        "cline" => read(world, "home/.cline/hooks/PreToolUse").lines().last().unwrap().replace("exec ", ""),
        "cursor" => text(&json("home/.cursor/hooks.json")["hooks"]["preToolUse"][0]["command"]),
        "gemini-cli" => text(&json("home/.gemini/settings.json")["hooks"]["BeforeTool"][0]["hooks"][0]["command"]),
        "copilot-cli" => text(&json("home/.copilot/hooks/rampart.json")["hooks"]["preToolUse"][0]["bash"]),
        "qwen-code" => text(&json("home/.qwen/settings.json")["hooks"]["PreToolUse"][0]["hooks"][0]["command"]),
        other => panic!("{other}"),
    }
}

#[test]
fn every_agent_is_set_up_once_and_comes_back_byte_for_byte() {
    let world = used();
    set_mode(&world.path("home/.cursor/hooks.json"), 0o640);
    let before = everything(&world);
    for (agent, ..) in AGENTS {
        let dry = world.run(&["setup", agent, "--dry-run"]).expect(0);
        assert!(dry.stdout.contains('+') && dry.stderr.contains("would be set up"), "{agent}: {dry:?}");
        assert!(everything(&world) == before, "{agent}: a dry run changes nothing");
    }
    for (agent, ..) in AGENTS {
        let ran = world.run(&["setup", agent]).expect(0);
        assert!(ran.stderr.contains("asks Rampart before each tool"), "{agent}: {ran:?}");
        let after = everything(&world);
        assert!(after != before || agent == "openclaw", "{agent}");
        let again = world.run(&["setup", agent]).expect(0);
        assert!(again.stderr.contains("already set up"), "{agent}: {again:?}");
        assert!(everything(&world) == after, "{agent}: once more changes nothing");
    }
    let listed = world.run(&["setup"]).expect(0);
    assert_eq!(listed.stdout.matches("asks Rampart").count(), AGENTS.len(), "{listed:?}");
    let mode = std::os::unix::fs::MetadataExt::mode(&world.path("home/.cursor/hooks.json").metadata().unwrap());
    assert_eq!(mode & 0o777, 0o640);
    // What stood there still does.
    assert!(read(&world, "home/.claude/settings.json").starts_with("{ \"model\":\"opus\", // mine\n"));
    assert!(read(&world, "home/.openclaw/openclaw.json").contains("'voice', \"rampart\""));
    for (agent, ..) in AGENTS {
        let ran = world.run(&["setup", agent, "--remove"]).expect(0);
        assert!(ran.stderr.contains("no longer asks Rampart"), "{agent}: {ran:?}");
        let again = world.run(&["setup", agent, "--remove"]).expect(0);
        assert!(again.stderr.contains("nothing to remove"), "{agent}: {again:?}");
    }
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&everything(&world)), names(&before));
    for ((name, before), (_, after)) in before.iter().zip(everything(&world)) {
        assert!(*before == after, "{name}");
    }
    let kept = std::fs::read_dir(world.home().join("setup/before")).unwrap().count();
    assert_eq!(kept, 0, "what was undone needs no backup");
}

#[test]
fn the_hook_that_is_set_up_refuses_in_the_agents_own_words() {
    let world = used();
    let denied = json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "rm -rf /"}});
    let payload = |agent: &str| match agent {
        "cline" => {
            json!({"hookName": "tool_call", "taskId": "t", "tool_call": {"id": "1", "name": "run_commands", "input": {"commands": ["rm -rf /"]}}})
        }
        "cursor" => {
            json!({"hook_event_name": "preToolUse", "conversation_id": "c", "tool_name": "Shell", "tool_input": {"command": "rm -rf /"}})
        }
        "gemini-cli" => {
            json!({"hook_event_name": "BeforeTool", "session_id": "s", "cwd": "/tmp", "tool_name": "run_shell_command", "tool_input": {"command": "rm -rf /"}})
        }
        "copilot-cli" => {
            json!({"sessionId": "s", "cwd": "/tmp", "toolName": "bash", "toolArgs": {"command": "rm -rf /"}})
        }
        "qwen-code" => {
            json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "run_shell_command", "tool_input": {"command": "rm -rf /"}})
        }
        _ => denied.clone(),
    };
    // Claude Code's first group is somebody else's, and the plugins of OpenClaw and OpenCode are run by their hosts.
    for agent in ["codex", "cline", "cursor", "gemini-cli", "copilot-cli", "qwen-code"] {
        world.run(&["setup", agent]).expect(0);
        let mut shell = world.command("sh");
        shell.arg("-c").arg(command(&world, agent));
        let ran = run_with(shell, payload(agent).to_string().as_bytes());
        let says = match agent {
            "cline" => "\"cancel\":true",
            "cursor" => "\"permission\":\"deny\"",
            "gemini-cli" => "\"decision\":\"deny\"",
            _ => "\"permissionDecision\":\"deny\"",
        };
        assert!(ran.stdout.contains(says), "{agent}: {ran:?}");
    }
}

#[test]
fn a_projects_settings_name_the_program_and_not_its_place() {
    let world = used();
    std::fs::create_dir_all(world.path("project/.git")).unwrap();
    let before = everything(&world);
    for (agent, path) in [
        ("claude-code", ".claude/settings.json"),
        ("codex", ".codex/hooks.json"),
        ("cursor", ".cursor/hooks.json"),
        ("gemini-cli", ".gemini/settings.json"),
        ("copilot-cli", ".github/hooks/rampart.json"),
        ("qwen-code", ".qwen/settings.json"),
    ] {
        world.run(&["setup", agent, "--project"]).expect(0);
        let text = read(&world, &format!("project/{path}"));
        assert!(text.contains(&format!("\"rampart hook --format {agent} --timeout ")), "{agent}: {text}");
        world.run(&["setup", agent, "--project", "--remove"]).expect(0);
    }
    let names = |all: Vec<(String, Vec<u8>)>| {
        all.into_iter().map(|(name, text)| (name, String::from_utf8(text).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(names(everything(&world)), names(before));
    for agent in ["cline", "openclaw", "opencode"] {
        let ran = world.run(&["setup", agent, "--project"]).expect(2);
        assert!(ran.stderr.contains("leave --project out"), "{agent}: {ran:?}");
    }
}

#[test]
fn what_weakens_a_hook_is_told() {
    let world = used();
    world.write(
        "home/.claude/settings.json",
        "{\"disableAllHooks\": true, \"permissions\": {\"defaultMode\": \"bypassPermissions\"}, \"sandbox\": {\"enabled\": true}}",
    );
    let ran = world.run(&["setup", "claude"]).expect(0);
    for why in ["`disableAllHooks` is true", "`bypassPermissions`", "allowAllUnixSockets"] {
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
    world.write("home/.codex/config.toml", "sandbox_mode = \"danger-full-access\"\n[features]\nhooks = false\n");
    let ran = world.run(&["setup", "codex"]).expect(0);
    for why in ["`features.hooks` is false", "`danger-full-access`", "runs the tool when a hook times out"] {
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
    let nowhere = World::new();
    let ran = nowhere.run(&["setup", "qwen"]).expect(0);
    assert!(ran.stderr.contains("Qwen Code is not seen here"), "{ran:?}");
}

#[test]
fn quickstart_does_it_all_and_says_how_it_stands() {
    let world = World::new();
    world.write("home/.claude/settings.json", "{}");
    let dry = world.run(&["quickstart", "--dry-run"]).expect(0);
    assert!(dry.stderr.contains("Claude Code would be set up: ~/.claude/settings.json (+"), "{dry:?}");
    assert_eq!(dry.stdout, "", "no line of the change");
    assert_eq!(read(&world, "home/.claude/settings.json"), "{}");
    let ran = world.run(&["quickstart"]).expect(0);
    assert!(read(&world, "home/.claude/settings.json").contains("hook --format claude-code"), "{ran:?}");
    // A line for each agent; all of the change is a command away.
    assert!(ran.stderr.contains("from its next start: ~/.claude/settings.json (+"), "{ran:?}");
    assert!(!ran.stdout.contains("\"hooks\""), "{ran:?}");
    assert!(
        ran.stderr.contains("`rampart setup AGENT --remove` undoes it, and with --dry-run shows each line"),
        "{ran:?}"
    );
    let whole = world.run(&["setup", "claude-code", "--remove", "--dry-run"]).expect(0);
    assert!(whole.stdout.contains("-  \"hooks\""), "{whole:?}");
    assert!(world.home().join("policies/standard.yaml").exists() && world.home().join("policies/custom.yaml").exists());
    assert!(ran.stdout.contains("Roads") && ran.stdout.contains("settings.json calls Rampart"), "{ran:?}");
    assert_eq!(world.status()["mode"], "enforce");
    // It asks about commands that it does not run, and ends with what to try.
    for text in ["allow  git status", "deny   rm -rf /", "Try next"] {
        assert!(ran.stderr.contains(text), "{text}: {ran:?}");
    }
    let tries: Vec<&str> = ran.stderr.split("Try next").nth(1).unwrap().lines().filter(|l| !l.is_empty()).collect();
    assert_eq!(tries.len(), 3, "{ran:?}");
    for (line, shown) in tries.iter().zip([(0, "Live"), (1, "block-destruction"), (0, "/dashboard/login")]) {
        // What is to be tried works as it stands there, at a terminal.
        let command = line.trim_start().split("  ").next().unwrap();
        let words = command.strip_prefix("rampart ").unwrap_or_else(|| panic!("{line}"));
        let mut typed = world.command("script");
        typed.args([
            "-qec",
            &format!("stty rows 30 cols 100; timeout --foreground 3 {} {words}", bin("rampart").display()),
            "/dev/null",
        ]);
        typed.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Nobody types anything, an end neither: that ends `watch`, maybe before it has drawn.
        let mut typed = typed.spawn().unwrap();
        let keyboard = typed.stdin.take();
        let ran = Ran::from(typed.wait_with_output().unwrap());
        drop(keyboard);
        assert!(ran.stdout.contains(shown.1), "{command}: {ran:?}");
        assert!(ran.code == Some(shown.0) || words == "watch", "{command}: {ran:?}");
    }
    let decided = world.decisions();
    assert!(
        decided.iter().all(|d| d["actor"]["session"] == "rampart-trial"),
        "what is only asked about is no decision"
    );
    world.run(&["quickstart"]).expect(0);
}

/// Every agent's hook as its settings have it is asked, and one that somebody broke is told of.
#[test]
fn quickstart_tries_each_hook_as_it_is_configured() {
    let world = used();
    let ran = world.run(&["quickstart"]);
    let says = |ran: &Ran, agent: &str| {
        let told = ran.stderr.split("What each agent's hook says").nth(1).unwrap_or_default().to_owned();
        let line = told.lines().find(|line| line.split_whitespace().nth(1) == Some(agent)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("nothing of {agent}: {ran:?}"))
    };
    for (agent, ..) in AGENTS {
        let line = says(&ran, agent);
        assert!(line.contains("ok ") && line.ends_with("`git status` goes on, `rm -rf /` is refused"), "{line}");
    }
    let tried: Vec<_> = world.decisions().into_iter().filter(|d| d["actor"]["session"] == "rampart-trial").collect();
    assert_eq!(tried.len(), 2 * AGENTS.len(), "{tried:#?}");
    assert!(tried.iter().all(|d| d["actor"]["surface"] == "hook"), "{tried:#?}");
}

#[test]
fn who_has_a_policy_keeps_it_and_who_has_none_keeps_the_standard() {
    let world = World::with_policy("version: \"1\"\npolicies: []\n");
    world.run(&["setup", "gemini"]).expect(0);
    assert!(!world.home().join("policies/standard.yaml").exists());
    let world = World::new();
    world.run(&["setup", "gemini"]).expect(0);
    world.run(&["test", "rm -rf /"]).expect(1);
}

#[test]
fn only_people_set_up_and_undo() {
    let world = used();
    for args in [&["setup", "claude-code"][..], &["setup", "claude-code", "--remove"], &["quickstart"]] {
        let mut agent = world.rampart(args);
        let ran = Ran::from(agent.env("RAMPART_SESSION", "s1").output().unwrap());
        assert!(!ran.success() && ran.stderr.contains("inside a session"), "{args:?}: {ran:?}");
    }
    let unknown = world.run(&["setup", "emacs"]).expect(2);
    assert!(unknown.stderr.contains("claude-code, codex") && unknown.stderr.contains("rampart wrap"), "{unknown:?}");
    world.run(&["setup", "codex", "--patch-tools"]).expect(2);
    let patched = world.run(&["setup", "openclaw", "--patch-tools"]).expect(0);
    assert!(patched.stderr.contains("no file of OpenClaw's is patched"), "{patched:?}");
    assert!(bin("rampart-shim").is_file());
}
