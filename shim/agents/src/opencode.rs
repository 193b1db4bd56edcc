//! OpenCode 1.18: a plugin hands us `{input, output}` of its hooks. It throws the text in `deny`, which blocks, and
//! puts `output` in place of the tool's.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{self, Shape, Tools},
    heard::ToolCall,
    payload::{need, text},
    reply, result,
    setup::{File, Holds, Setup, TRIAL},
};

pub(crate) static AGENT: Agent = Agent {
    name: "opencode",
    aliases: &[],
    timeout: Duration::from_mins(1),
    project_var: None,
    programs: &["opencode"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "OpenCode",
    signs: &[".config/opencode"],
    keeps: &[".local/share/opencode", ".local/state/opencode"],
    wait: Duration::from_secs(150),
    of_project: false,
    files: |site| {
        let text = include_str!("opencode/plugin.js").replace("[\"RAMPART\"]", &json!(site.words(&SETUP)).to_string());
        let folder = match (site.variable)("XDG_CONFIG_HOME").filter(|folder| folder.starts_with('/')) {
            Some(folder) => folder,
            None => format!("{}/.config", site.home),
        };
        vec![File {
            path: format!("{folder}/opencode/plugins/rampart.js"),
            holds: Holds::Own { text, executable: false },
        }]
    },
    tells_of_sessions: true,
    also: &[],
    weakened: |_| Vec::new(),
    limits: &[
        "`opencode --pure` runs without plugins, so without this one",
        "with a plugin, OpenCode installs @opencode-ai/plugin when it starts, and without a network it waits for that: install it beforehand in ~/.config/opencode",
    ],
    before: |command, _| {
        json!({
            "input": {"tool": "bash", "sessionID": TRIAL, "callID": TRIAL},
            "output": {"args": {"command": command}},
        })
    },
    // The plugin throws for either.
    refused: |answer, exit| exit != 0 || answer.get("deny").is_some(),
};

const TOOLS: &Tools = &[
    ("bash", Shape::Exec),
    ("read", Shape::Read),
    ("list", Shape::Look),
    ("glob", Shape::Glob),
    ("grep", Shape::Look),
    ("write", Shape::Write),
    ("edit", Shape::Edit),
    ("multiedit", Shape::Edit),
    ("patch", Shape::Patch),
    ("apply_patch", Shape::Patch),
    ("webfetch", Shape::Fetch),
];

/// Tools of its own that have an underscore in their name; others with one are an MCP server's.
const OWN: [&str; 3] = ["apply_patch", "plan_enter", "plan_exit"];

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    let null = &Value::Null;
    let (input, output) = (payload.get("input").unwrap_or(null), payload.get("output").unwrap_or(null));
    let Some(tool) = text(input, "tool") else {
        let event = if input.get("cwd").is_some() {
            "shell.env"
        } else if input.get("directory").is_some() {
            "plugin.init"
        } else {
            return Err(Malformed::new("the input is of no known event"));
        };
        return Ok(Heard::other(&AGENT, event));
    };
    let (event, moment, args, result) = match (input.get("args"), output.get("args")) {
        (Some(args), _) => ("tool.execute.after", Moment::After, args, output),
        (None, Some(args)) => ("tool.execute.before", Moment::Before, args, null),
        (None, None) => return Err(Malformed::new(format!("the tool `{tool}` came without `args`"))),
    };
    let call = ToolCall {
        agent: &AGENT,
        event,
        moment,
        session: need(input, "sessionID")?,
        run: text(input, "callID"),
        by_subagent: false,
        cwd: None,
        result: result.clone(),
        can_ask: false,
    };
    let actions = if tool.contains('_') && !OWN.contains(&tool) {
        // `server_tool`, and nobody can tell which underscore is meant: the server is unknown.
        vec![actions::mcp("", tool, args)]
    } else {
        actions::of(TOOLS, tool, args, facts.cwd.as_deref())?
    };
    Ok(call.heard(actions, facts))
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    let edits = ruling.edits();
    match (heard.moment, ruling.refusal()) {
        (Moment::Other, _) => Reply::silent(),
        (_, Some(reason)) => Reply::refusal(&json!({"deny": reason}), &reason),
        (Moment::After, None) if !edits.is_empty() => {
            Reply::refusal_by_json(&json!({"output": result::edited(&heard.result, &edits)}), reply::REDACTED)
        }
        (_, None) => Reply::silent(),
    }
}
