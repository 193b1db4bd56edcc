//! Claude Code 2.1: `hooks` in `settings.json`. An answer that is not valid JSON lets the tool run, so does a timeout.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{Shape, Tools},
    claude_shape::{self, Dialect},
    cursor,
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
