//! Qwen Code 0.24: Claude Code's hooks with Gemini CLI's tool names. It takes no other result from a hook, so the text that may
//! be read is why the result is withheld.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{Shape, Tools},
    claude_shape::{self, Dialect},
    reply,
    setup::{self, File, Holds, Setup},
};

pub(crate) static AGENT: Agent = Agent {
    name: "qwen-code",
    aliases: &["qwen"],
    timeout: Duration::from_mins(1),
    project_var: None,
    programs: &["qwen"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "Qwen Code",
    signs: &[".qwen"],
    keeps: &[],
    wait: Duration::from_mins(1),
    of_project: true,
    files: |site| {
        let hook = json!({"type": "command", "command": site.command(&SETUP), "timeout": SETUP.wait.as_secs()});
        let path = site.below("", ".qwen", "settings.json");
        vec![File { path, holds: Holds::Json(setup::groups(&["PreToolUse", "PostToolUse", "SessionStart"], &hook)) }]
    },
    tells_of_sessions: true,
    also: &[],
    weakened: |settings| {
        let off = settings.say("/disableAllHooks", true);
        off.then_some("`disableAllHooks` is true: no hook of yours runs, this one neither").into_iter().collect()
    },
    limits: &["Qwen Code runs the tool when a hook crashes or times out"],
    before: |command, cwd| claude_shape::before("PreToolUse", "run_shell_command", command, cwd),
    refused: claude_shape::refused,
};

const TOOLS: &Tools = &[
    ("run_shell_command", Shape::Exec),
    ("read_file", Shape::Read),
    ("read_many_files", Shape::Read),
    ("list_directory", Shape::Look),
    ("glob", Shape::Glob),
    ("grep_search", Shape::Look),
    ("write_file", Shape::Write),
    ("edit", Shape::Edit),
    ("notebook_edit", Shape::Edit),
    ("web_fetch", Shape::Fetch),
    ("tool_call", Shape::Wrapper),
];

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    let dialect = Dialect { agent: &AGENT, events: &claude_shape::EVENTS, tools: TOOLS, can_ask: true };
    claude_shape::hear(&dialect, payload, facts)
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    match heard.moment {
        Moment::Before | Moment::Permission => claude_shape::say_before(heard, ruling),
        Moment::After => say_after(heard, ruling),
        Moment::Other => Reply::silent(),
    }
}

/// Only `continue: false` keeps a result from the model, and the run goes on with the reason in its place; a `decision` is
/// heeded before a tool only. With another exit status than of success no JSON is read.
fn say_after(heard: &Heard, ruling: &Ruling) -> Reply {
    let Some(text) = ruling.refusal().or_else(|| reply::redacted(heard, ruling)) else { return Reply::silent() };
    Reply::refusal_by_json(&json!({"continue": false, "stopReason": text}), &text)
}
