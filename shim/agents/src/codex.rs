//! Codex CLI 0.169: `hooks.json`, in Claude Code's shape. It drops the whole answer, and runs the tool, when the answer
//! has a member it does not know, an empty reason or the decision `ask`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{Shape, Tools},
    claude_shape::{self, Dialect},
    setup::{self, File, Holds, Setup, Site},
};

pub(crate) static AGENT: Agent = Agent {
    name: "codex",
    aliases: &["codex-cli"],
    timeout: Duration::from_mins(10),
    project_var: None,
    programs: &["codex"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "Codex CLI",
    signs: &[".codex"],
    keeps: &[],
    // A question waits here for its answer, as Codex has no prompt that a hook could call up.
    wait: Duration::from_secs(150),
    of_project: true,
    files: |site| {
        let hook = json!({"type": "command", "command": site.command(&SETUP), "timeout": SETUP.wait.as_secs()});
        let hooks = site.below("CODEX_HOME", ".codex", "hooks.json");
        let config = Site { project: None, ..*site }.below("CODEX_HOME", ".codex", "config.toml");
        let entries = setup::groups(&["PreToolUse", "PostToolUse", "SessionStart"], &hook);
        vec![
            File { path: hooks.clone(), holds: Holds::Json(entries) },
            File { path: config, holds: Holds::Trust { hooks } },
        ]
    },
    tells_of_sessions: true,
    also: &[".codex/config.toml"],
    weakened: |settings| {
        let mut said = Vec::new();
        if settings.say("/features/hooks", false) {
            said.push("`features.hooks` is false: no hook runs, this one neither");
        }
        if settings.say("/sandbox_mode", "danger-full-access") {
            said.push(
                "`sandbox_mode` is `danger-full-access`: Codex confines nothing, so Rampart is the only one who does",
            );
        }
        if settings.say("/shell_environment_policy/inherit", "core") {
            said.push("`shell_environment_policy.inherit` is `core`: commands lose the egress proxy's variables");
        }
        said
    },
    limits: &[
        "Codex runs the tool when a hook times out or crashes",
        "its hosted web search reaches the network from elsewhere, past every hook and proxy here",
        "in its sandboxes no command reaches a gateway; hooks run outside of them",
    ],
    before: |command, cwd| claude_shape::before("PreToolUse", "Bash", command, cwd),
    refused: claude_shape::refused,
};

/// See [`crate::setup::codex_trust`]. The hash is over compact JSON whose keys are sorted, the timeout among them.
pub(crate) fn trust(path: &str, hooks: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (event, groups) in hooks.get("hooks").and_then(Value::as_object).into_iter().flatten() {
        let event = snake(event);
        for (g, group) in groups.as_array().into_iter().flatten().enumerate() {
            for (h, hook) in group.get("hooks").and_then(Value::as_array).into_iter().flatten().enumerate() {
                let Some(command) = hook.get("command").and_then(Value::as_str).filter(|c| setup::is_ours(c)) else {
                    continue;
                };
                let (timeout, matcher) = (hook.get("timeout").cloned(), group.get("matcher").cloned());
                let timeout = timeout.unwrap_or(AGENT.timeout.as_secs().into());
                let hook =
                    format!(r#"{{"async":false,"command":{},"timeout":{timeout},"type":"command"}}"#, json!(command));
                let matcher = matcher.map(|matcher| format!(r#","matcher":{matcher}"#)).unwrap_or_default();
                let text = format!(r#"{{"event_name":"{event}","hooks":[{hook}]{matcher}}}"#);
                all.push((format!("{path}:{event}:{g}:{h}"), text));
            }
        }
    }
    all
}

/// `PreToolUse` as `pre_tool_use`.
fn snake(event: &str) -> String {
    let mut snake = String::new();
    for c in event.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

const TOOLS: &Tools = &[
    ("Bash", Shape::Exec),
    ("exec_command", Shape::Exec),
    ("write_stdin", Shape::Type),
    ("apply_patch", Shape::Patch),
    ("view_image", Shape::Read),
    ("read_mcp_resource", Shape::Resource),
];

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    let dialect = Dialect { agent: &AGENT, events: &claude_shape::EVENTS, tools: TOOLS, can_ask: false };
    claude_shape::hear(&dialect, payload, facts)
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    match heard.moment {
        Moment::Before | Moment::Permission => claude_shape::say_before(heard, ruling),
        Moment::After => claude_shape::say_after(heard, ruling),
        Moment::Other => Reply::silent(),
    }
}
