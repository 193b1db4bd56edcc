//! Cline CLI 3.0: one executable file for each event. Only the JSON member `cancel` stops a tool, and it ends the run;
//! every exit status lets the tool run.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{self, Shape, Tools},
    heard::ToolCall,
    payload::{need, text},
    reply,
    setup::{File, Holds, Setup, TRIAL},
};

pub(crate) static AGENT: Agent = Agent {
    name: "cline",
    aliases: &[],
    timeout: Duration::from_mins(2),
    project_var: None,
    programs: &["cline"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "Cline",
    signs: &[".cline"],
    keeps: &[],
    // Fixed by Cline.
    wait: AGENT.timeout,
    of_project: false,
    files: |site| {
        let script = format!(
            "#!/bin/sh\n# Rampart's: `rampart setup cline --remove` takes it away.\nexec {}\n",
            site.command(&SETUP)
        );
        let file = |event: &str| File {
            path: format!("{}/.cline/hooks/{event}", site.home),
            holds: Holds::Own { text: script.clone(), executable: true },
        };
        ["PreToolUse", "PostToolUse", "TaskStart"].map(file).into()
    },
    tells_of_sessions: true,
    also: &[],
    weakened: |_| Vec::new(),
    limits: &[
        "Cline has no way to refuse one tool: a refusal ends the whole run",
        "Cline runs the tool when a hook crashes or times out",
    ],
    before: |command, cwd| {
        json!({
            "hookName": "tool_call",
            "taskId": TRIAL,
            "workspaceRoots": [cwd],
            "tool_call": {"id": TRIAL, "name": "run_commands", "input": {"commands": [command]}},
        })
    },
    refused: |answer, _| answer.get("cancel") == Some(&Value::Bool(true)),
};

const TOOLS: &Tools = &[
    ("run_commands", Shape::Exec),
    ("read_files", Shape::Read),
    ("search_codebase", Shape::Look),
    ("editor", Shape::Editor),
    ("apply_patch", Shape::Patch),
    ("fetch_web_content", Shape::Fetch),
];

const OTHER: &[&str] = &[
    "agent_start",
    "agent_resume",
    "agent_abort",
    "agent_end",
    "agent_error",
    "prompt_submit",
    "pre_compact",
    "session_shutdown",
];

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    let event = need(payload, "hookName")?;
    let moment = match event {
        "tool_call" => Moment::Before,
        "tool_result" => Moment::After,
        _ if OTHER.contains(&event) => return Ok(Heard::other(&AGENT, event)),
        _ => return Err(Malformed::new(format!("the event `{event}` is unknown"))),
    };
    let tool = payload.get(event).unwrap_or(&Value::Null);
    let root = payload.get("workspaceRoots").and_then(|roots| roots.get(0)).and_then(Value::as_str);
    let session = payload.get("sessionContext").and_then(|context| text(context, "rootSessionId"));
    let call = ToolCall {
        agent: &AGENT,
        event,
        moment,
        session: session.or_else(|| text(payload, "taskId")).unwrap_or_default(),
        run: text(tool, "id"),
        by_subagent: text(payload, "parent_agent_id").is_some(),
        cwd: root,
        result: tool.get("output").cloned().unwrap_or_default(),
        can_ask: false,
    };
    let name = need(tool, "name")?;
    let input = tool.get("input").unwrap_or(&Value::Null);
    let actions = match name.split_once("__") {
        Some((server, tool)) if !server.is_empty() && server != "mcp" => vec![actions::mcp(server, tool, input)],
        _ => actions::of(TOOLS, name, input, root.or(facts.cwd.as_deref()))?,
    };
    Ok(call.heard(actions, facts))
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    let reason = match (heard.moment, ruling.refusal()) {
        (Moment::Other, _) => None,
        // It cannot replace a result: what may not be seen whole may not be seen.
        (_, None) if !ruling.edits().is_empty() => Some(reply::CANNOT_REDACT.to_owned()),
        (_, refusal) => refusal,
    };
    reason.map_or_else(Reply::silent, |reason| {
        Reply::refusal_by_json(&json!({"cancel": true, "errorMessage": reason}), &reason)
    })
}
