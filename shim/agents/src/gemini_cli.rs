//! Gemini CLI 0.61: `hooks` in `settings.json`. It never understands `ask`: without a terminal it would wait for ever.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{Shape, Tools},
    claude_shape::{self, Dialect, Events},
    reply,
    setup::{self, File, Holds, Setup},
};

pub(crate) static AGENT: Agent = Agent {
    name: "gemini-cli",
    aliases: &["gemini"],
    timeout: Duration::from_mins(1),
    project_var: Some("GEMINI_PROJECT_DIR"),
    programs: &["gemini"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "Gemini CLI",
    signs: &[".gemini"],
    keeps: &[],
    // A question waits here for its answer: Gemini CLI never understands `ask`.
    wait: Duration::from_secs(150),
    of_project: true,
    files: |site| {
        // Its timeouts are in milliseconds.
        let hook = json!({
            "name": "rampart",
            "type": "command",
            "command": site.command(&SETUP),
            "timeout": SETUP.wait.as_secs() * 1000,
        });
        let path = site.below("", ".gemini", "settings.json");
        vec![File { path, holds: Holds::Json(setup::groups(&["BeforeTool", "AfterTool", "SessionStart"], &hook)) }]
    },
    tells_of_sessions: true,
    also: &[],
    weakened: |_| Vec::new(),
    limits: &[
        "Gemini CLI runs the tool when a hook times out or is killed",
        "its web search runs at Google, past every proxy here",
    ],
    before: |command, cwd| claude_shape::before(EVENTS.before, "run_shell_command", command, cwd),
    refused: |answer, exit| exit == 2 || answer.get("decision") == Some(&json!("deny")),
};

const EVENTS: Events = Events {
    before: "BeforeTool",
    after: "AfterTool",
    other: &[
        "AfterAgent",
        "AfterModel",
        "BeforeAgent",
        "BeforeModel",
        "BeforeToolSelection",
        "Notification",
        "PreCompress",
        "SessionEnd",
        "SessionStart",
    ],
};

const TOOLS: &Tools = &[
    ("run_shell_command", Shape::Exec),
    ("read_file", Shape::Read),
    ("read_many_files", Shape::Read),
    ("list_directory", Shape::Look),
    ("glob", Shape::Glob),
    ("grep_search", Shape::Look),
    ("search_file_content", Shape::Look),
    ("write_file", Shape::Write),
    ("replace", Shape::Edit),
    ("web_fetch", Shape::FetchPrompt),
];

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    let dialect = Dialect { agent: &AGENT, events: &EVENTS, tools: TOOLS, can_ask: false };
    claude_shape::hear(&dialect, payload, facts)
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    let text = match (heard.moment, ruling.refusal()) {
        (Moment::Other, _) => None,
        // After a tool the reason takes the place of its result.
        (Moment::After, None) => reply::redacted(heard, ruling),
        (_, refusal) => refusal,
    };
    text.map_or_else(Reply::silent, |text| Reply::refusal(&json!({"decision": "deny", "reason": text}), &text))
}
