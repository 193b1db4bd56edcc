//! Cursor, as its SDK 1.0 runs hooks: `hooks.json`. An empty answer counts as a failed hook, so "no opinion" is `{}`;
//! after exit status 2 the whole standard output would be shown as the message.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{self, Shape, Tools},
    heard::ToolCall,
    payload::{need, text, unwrapped},
    reply,
    setup::{Entry, File, Holds, Setup, TRIAL},
};

pub(crate) static AGENT: Agent = Agent {
    name: "cursor",
    aliases: &["cursor-agent"],
    timeout: Duration::from_mins(1),
    project_var: Some("CURSOR_PROJECT_DIR"),
    programs: &["cursor-agent"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "Cursor",
    signs: &[".cursor"],
    keeps: &[".config/cursor"],
    wait: Duration::from_mins(1),
    of_project: true,
    files: |site| {
        let hook = json!({"command": site.command(&SETUP), "timeout": SETUP.wait.as_secs(), "failClosed": true});
        let mut entries = vec![Entry::Default(vec!["version"], json!(1))];
        let events = ["preToolUse", "beforeReadFile", "beforeTabFileRead", "postToolUse", "sessionStart"];
        entries.extend(events.map(|event| Entry::Element(vec!["hooks", event], hook.clone())));
        vec![File { path: site.below("", ".cursor", "hooks.json"), holds: Holds::Json(entries) }]
    },
    tells_of_sessions: true,
    also: &[],
    weakened: |_| Vec::new(),
    limits: &["Cursor also runs the hooks of Claude Code's settings: where both are set up, each tool is judged twice"],
    before: |command, cwd| {
        json!({
            "hook_event_name": "preToolUse",
            "conversation_id": TRIAL,
            "cursor_version": "2.0",
            "workspace_roots": [cwd],
            "tool_name": "Shell",
            "tool_input": {"command": command, "cwd": cwd},
        })
    },
    // `failClosed`: an answer that is none refuses as well.
    refused: |answer, exit| exit != 0 || !answer.is_object() || answer.get("permission") == Some(&json!("deny")),
};

const TOOLS: &Tools = &[
    ("Shell", Shape::Exec),
    ("Read", Shape::Read),
    ("TabRead", Shape::Read),
    ("Grep", Shape::Look),
    ("Glob", Shape::Glob),
    ("LS", Shape::Look),
    ("Write", Shape::Write),
    ("TabWrite", Shape::Write),
    ("Edit", Shape::Edit),
    ("Delete", Shape::Edit),
    ("WebFetch", Shape::Fetch),
];

const OTHER: &[&str] = &[
    "afterAgentResponse",
    "afterAgentThought",
    "beforeSubmitPrompt",
    "preCompact",
    "sessionEnd",
    "sessionStart",
    "stop",
    "subagentStart",
    "subagentStop",
    "workspaceOpen",
];

/// Events whose answer may refuse but not ask.
const READS: [&str; 2] = ["beforeReadFile", "beforeTabFileRead"];

pub(crate) fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    use Moment::{After, Before};
    let event = need(payload, "hook_event_name")?;
    let root = payload.get("workspace_roots").and_then(|roots| roots.get(0)).and_then(Value::as_str);
    let cwd = text(payload, "cwd").or(root);
    let own = |tool: &str, keys: &[&str]| {
        actions::of(TOOLS, tool, &actions::members(payload, keys), cwd.or(facts.cwd.as_deref()))
    };
    let (moment, actions, result) = match event {
        "beforeShellExecution" => (Before, own("Shell", &["command", "cwd"])?, ""),
        "afterShellExecution" => (After, own("Shell", &["command", "cwd"])?, "output"),
        "beforeReadFile" | "beforeTabFileRead" => (Before, own("Read", &["file_path", "attachments"])?, ""),
        "afterFileEdit" | "afterTabFileEdit" => (After, own("Edit", &["file_path", "edits"])?, ""),
        "beforeMCPExecution" => (Before, vec![mcp(payload)?], ""),
        "afterMCPExecution" => (After, vec![mcp(payload)?], "result_json"),
        "preToolUse" => (Before, tool(payload, cwd.or(facts.cwd.as_deref()))?, ""),
        "postToolUse" => (After, tool(payload, cwd.or(facts.cwd.as_deref()))?, "tool_output"),
        "postToolUseFailure" => (After, tool(payload, cwd.or(facts.cwd.as_deref()))?, "error_message"),
        _ if OTHER.contains(&event) => return Ok(Heard::other(&AGENT, event)),
        _ => return Err(Malformed::new(format!("the event `{event}` is unknown"))),
    };
    let call = ToolCall {
        agent: &AGENT,
        event,
        moment,
        session: text(payload, "conversation_id").unwrap_or_default(),
        run: text(payload, "tool_use_id").or_else(|| text(payload, "generation_id")),
        by_subagent: text(payload, "parent_tool_call_id").is_some(),
        cwd,
        result: payload.get(result).cloned().unwrap_or_default(),
        can_ask: !READS.contains(&event),
    };
    Ok(call.heard(actions, facts))
}

fn tool(payload: &Value, cwd: Option<&str>) -> Result<Vec<rampart_call::Action>, Malformed> {
    let name = need(payload, "tool_name")?;
    let input = unwrapped(payload, "tool_input")?;
    match name.strip_prefix("MCP:") {
        Some(tool) => Ok(vec![actions::mcp(text(payload, "mcp_server_name").unwrap_or_default(), tool, &input)]),
        None => actions::of(TOOLS, name, &input, cwd),
    }
}

fn mcp(payload: &Value) -> Result<rampart_call::Action, Malformed> {
    let server = text(payload, "mcp_server_name").unwrap_or_default();
    Ok(actions::mcp(server, need(payload, "tool_name")?, &unwrapped(payload, "tool_input")?))
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    match heard.moment {
        Moment::Before | Moment::Permission => say_before(heard, ruling),
        Moment::After => say_after(heard, ruling),
        Moment::Other => Reply::json(&json!({})),
    }
}

fn say_before(heard: &Heard, ruling: &Ruling) -> Reply {
    let answer = |permission: &str, text: &str| {
        let mut answer = json!({"permission": permission, "user_message": text});
        if !READS.contains(&heard.event.as_str()) {
            answer["agent_message"] = text.into();
        }
        answer
    };
    match ruling {
        Ruling::Allow(_) => Reply::json(&json!({})),
        Ruling::Ask(question) if !READS.contains(&heard.event.as_str()) => {
            Reply::json(&answer("ask", &reply::ask(question)))
        }
        Ruling::Ask(_) | Ruling::Deny(_) => {
            let reason = ruling.refusal().unwrap_or_default();
            Reply::refusal_by_json(&answer("deny", &reason), &reason)
        }
    }
}

/// It lets a hook replace what an MCP tool said, and nothing else.
fn say_after(heard: &Heard, ruling: &Ruling) -> Reply {
    let text = match ruling.refusal() {
        Some(reason) => reason,
        None => match reply::redacted(heard, ruling) {
            Some(text) => text,
            None => return Reply::json(&json!({})),
        },
    };
    let is_mcp = heard.calls.iter().any(|call| call.action.tool() == "mcp");
    let answer =
        if heard.event == "postToolUse" && is_mcp { json!({"updated_mcp_tool_output": text}) } else { json!({}) };
    Reply { stderr: format!("{text}\n"), ..Reply::json(&answer) }
}
