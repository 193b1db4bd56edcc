//! Claude Code 2.1: `hooks` in `settings.json`. An answer that is not valid JSON lets the tool run, so does a timeout.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{Shape, Tools},
    claude_shape::{self, Dialect},
    cursor,
    setup::{self, File, Holds, Setup},
};

pub(crate) static AGENT: Agent = Agent {
    name: "claude-code",
    aliases: &["claude"],
    timeout: Duration::from_mins(10),
    project_var: Some("CLAUDE_PROJECT_DIR"),
    programs: &["claude"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "Claude Code",
    signs: &[".claude", ".claude.json"],
    keeps: &[],
    // It asks its human itself, so a hook need not wait for one.
    wait: Duration::from_mins(1),
    of_project: true,
    files: |site| {
        let hook = json!({
            "type": "command",
            "command": site.command(&SETUP),
            "timeout": SETUP.wait.as_secs(),
            "onFailure": "block",
        });
        let path = site.below("CLAUDE_CONFIG_DIR", ".claude", "settings.json");
        let events = ["PreToolUse", "PostToolUse", claude_shape::FAILED, "SessionStart"];
        vec![File { path, holds: Holds::Json(setup::groups(&events, &hook)) }]
    },
    tells_of_sessions: true,
    also: &[".claude/settings.json", ".claude/settings.local.json", "/etc/claude-code/managed-settings.json"],
    weakened: |settings| {
        let mut said = Vec::new();
        if settings.say("/disableAllHooks", true) {
            said.push("`disableAllHooks` is true: no hook of yours runs, this one neither");
        }
        if settings.say("/allowManagedHooksOnly", true) {
            said.push("`allowManagedHooksOnly` is true: only hooks in managed settings run");
        }
        if settings.say("/permissions/defaultMode", "bypassPermissions") {
            said.push("`permissions.defaultMode` is `bypassPermissions`: Claude Code asks about nothing, so Rampart is the only one who does");
        }
        if settings.say("/sandbox/enabled", true) && !settings.say("/sandbox/network/allowAllUnixSockets", true) {
            said.push("the sandbox is on without `sandbox.network.allowAllUnixSockets`: hooks work, but shells of `rampart wrap` cannot reach the gateway from inside and refuse");
        }
        said
    },
    limits: &[
        "`--bare`, `--setting-sources project` and another CLAUDE_CONFIG_DIR leave these hooks out; managed settings would not",
    ],
    before: |command, cwd| claude_shape::before("PreToolUse", "Bash", command, cwd),
    refused: claude_shape::refused,
};

pub(crate) const TOOLS: &Tools = &[
    ("Bash", Shape::Exec),
    ("PowerShell", Shape::Exec),
    ("Monitor", Shape::Exec),
    ("Read", Shape::Read),
    ("NotebookRead", Shape::Read),
    ("Glob", Shape::Glob),
    ("Grep", Shape::Look),
    ("LS", Shape::Look),
    ("Write", Shape::Write),
    ("Edit", Shape::Edit),
    ("MultiEdit", Shape::Edit),
    ("NotebookEdit", Shape::Edit),
    ("WebFetch", Shape::Fetch),
    ("ReadMcpResourceTool", Shape::Resource),
];

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    // Cursor runs the hooks of Claude Code's settings too, with its own payload.
    if payload.get("cursor_version").is_some() {
        return cursor::hear(payload, facts);
    }
    let dialect = Dialect { agent: &AGENT, events: &claude_shape::EVENTS, tools: TOOLS, can_ask: true };
    claude_shape::hear(&dialect, payload, facts)
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    match heard.moment {
        Moment::Before | Moment::Permission => claude_shape::say_before(heard, ruling),
        // What a failed tool said cannot be replaced, only commented on.
        Moment::After if heard.event == claude_shape::FAILED => claude_shape::say_after(heard, ruling),
        Moment::After => claude_shape::say_after_in_shape(heard, ruling),
        Moment::Other => Reply::silent(),
    }
}
