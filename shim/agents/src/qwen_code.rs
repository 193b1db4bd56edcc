//! Qwen Code 0.24: Claude Code's hooks with Gemini CLI's tool names. That it takes another result from a hook was never
//! seen, so a result is blocked with the text that may be read.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{Shape, Tools},
    claude_shape::{self, Dialect},
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
        Moment::After => claude_shape::say_after(heard, ruling),
        Moment::Other => Reply::silent(),
    }
}
