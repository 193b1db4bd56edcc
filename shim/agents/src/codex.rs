//! Codex CLI 0.169: `hooks.json`, in Claude Code's shape. It drops the whole answer, and runs the tool, when the answer
//! has a member it does not know, an empty reason or the decision `ask`.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{Shape, Tools},
    claude_shape::{self, Dialect},
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
