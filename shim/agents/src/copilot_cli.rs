//! GitHub Copilot CLI 1.0: `hooks/*.json`. Its payloads do not name the event, their members show it. Under event names
//! in Pascal case it speaks as Claude Code does.

use std::time::Duration;

use rampart_call::Action;
use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{self, Shape, Tools},
    claude_code,
    claude_shape::{self, Dialect},
    heard::ToolCall,
    payload::{need, text, unwrapped},
    reply, result,
    setup::{File, Holds, Setup, TRIAL},
};

pub(crate) static AGENT: Agent = Agent {
    name: "copilot-cli",
    aliases: &["copilot", "github-copilot"],
    timeout: Duration::from_secs(30),
    project_var: None,
    programs: &["copilot"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "GitHub Copilot CLI",
    signs: &[".copilot"],
    keeps: &[],
    wait: Duration::from_mins(1),
    of_project: true,
    files: |site| {
        let hook = json!({"type": "command", "bash": site.command(&SETUP), "timeoutSec": SETUP.wait.as_secs()});
        let events = ["preToolUse", "postToolUse", "postToolUseFailure", "sessionStart"];
        let hooks: serde_json::Map<String, Value> =
            events.iter().map(|event| ((*event).to_owned(), json!([hook]))).collect();
        let text = format!("{:#}\n", json!({"version": 1, "hooks": hooks}));
        let path = match site.project {
            Some(project) => format!("{project}/.github/hooks/rampart.json"),
            None => site.below("COPILOT_HOME", ".copilot", "hooks/rampart.json"),
        };
        vec![File { path, holds: Holds::Own { text, executable: false } }]
    },
    tells_of_sessions: true,
    also: &[],
    weakened: |_| Vec::new(),
    limits: &["Copilot CLI runs the tool when a hook times out or its answer is no JSON"],
    before: |command, cwd| json!({"sessionId": TRIAL, "cwd": cwd, "toolName": "bash", "toolArgs": {"command": command}}),
    refused: |answer, _| answer.get("permissionDecision") == Some(&json!("deny")),
};

const TOOLS: &Tools = &[
    ("bash", Shape::Exec),
    ("powershell", Shape::Exec),
    ("write_bash", Shape::Type),
    ("write_powershell", Shape::Type),
    ("view", Shape::Read),
    ("grep", Shape::Look),
    ("rg", Shape::Look),
    ("glob", Shape::Glob),
    ("create", Shape::Write),
    ("edit", Shape::Edit),
    ("str_replace_editor", Shape::Editor),
    ("apply_patch", Shape::Patch),
    ("web_fetch", Shape::Fetch),
];

/// Members that only payloads with nothing to judge have.
const OTHER: [(&str, &str); 6] = [
    ("prompt", "userPromptSubmitted"),
    ("stopReason", "agentStop"),
    ("source", "sessionStart"),
    ("reason", "sessionEnd"),
    ("agentName", "subagent"),
    ("trigger", "preCompact"),
];

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    if payload.get("hook_event_name").is_some() {
        let dialect =
            Dialect { agent: &AGENT, events: &claude_shape::EVENTS, tools: claude_code::TOOLS, can_ask: true };
        return claude_shape::hear(&dialect, payload, facts);
    }
    let has = |key| payload.get(key).is_some();
    let (event, moment, input, result) = match text(payload, "hookName") {
        Some("permissionRequest") => ("permissionRequest", Moment::Permission, "toolInput", ""),
        Some(event) => return Err(Malformed::new(format!("the event `{event}` is unknown"))),
        None if has("toolName") && has("toolResult") => ("postToolUse", Moment::After, "toolArgs", "toolResult"),
        None if has("toolName") && has("error") => ("postToolUseFailure", Moment::After, "toolArgs", "error"),
        None if has("toolName") => ("preToolUse", Moment::Before, "toolArgs", ""),
        None => {
            let known =
                OTHER.iter().find(|(key, _)| has(key)).or_else(|| has("error").then_some(&("", "errorOccurred")));
            let (_, event) = known.ok_or_else(|| Malformed::new("the input is of no known event"))?;
            return Ok(Heard::other(&AGENT, event));
        }
    };
    let call = ToolCall {
        agent: &AGENT,
        event,
        moment,
        session: text(payload, "sessionId").unwrap_or_default(),
        run: None,
        by_subagent: false,
        cwd: text(payload, "cwd"),
        result: payload.get(result).cloned().unwrap_or_default(),
        can_ask: true,
    };
    let input = unwrapped(payload, input)?;
    let actions = tool(need(payload, "toolName")?, &input, call.cwd.or(facts.cwd.as_deref()))?;
    Ok(call.heard(actions, facts))
}

/// Tools of MCP servers are `server/tool` in one event and `server-tool` in the others, where nobody can tell which of
/// the hyphens is meant: then the server is unknown.
fn tool(name: &str, input: &Value, cwd: Option<&str>) -> Result<Vec<Action>, Malformed> {
    match name.split_once('/') {
        Some((server, tool)) => Ok(vec![actions::mcp(server, tool, input)]),
        None if name.contains('-') => Ok(vec![actions::mcp("", name, input)]),
        None => actions::of(TOOLS, name, input, cwd),
    }
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    let pascal = heard.event.starts_with(char::is_uppercase);
    match heard.moment {
        Moment::Other => Reply::silent(),
        Moment::Before | Moment::Permission if pascal => claude_shape::say_before(heard, ruling),
        Moment::After if pascal => claude_shape::say_after(heard, ruling),
        Moment::After => say_after(heard, ruling),
        Moment::Before | Moment::Permission => say_before(heard, ruling),
    }
}

fn say_before(heard: &Heard, ruling: &Ruling) -> Reply {
    let decision = |word: &str, reason: &str| json!({"permissionDecision": word, "permissionDecisionReason": reason});
    match ruling {
        Ruling::Allow(_) => Reply::silent(),
        Ruling::Ask(_) if heard.moment == Moment::Permission => Reply::silent(),
        Ruling::Ask(question) => Reply::json(&decision("ask", &reply::ask(question))),
        Ruling::Deny(refusal) => {
            let reason = refusal.explain();
            match heard.moment {
                Moment::Permission => Reply::refusal(&json!({"behavior": "deny", "message": reason}), &reason),
                _ => Reply::refusal(&decision("deny", &reason), &reason),
            }
        }
    }
}

fn say_after(heard: &Heard, ruling: &Ruling) -> Reply {
    let edits = ruling.edits();
    let (result, reason) = match ruling.refusal() {
        Some(reason) => (result::withheld(&heard.result, &reason), reason),
        None if edits.is_empty() => return Reply::silent(),
        None => (result::edited(&heard.result, &edits), reply::REDACTED.to_owned()),
    };
    if heard.event == "postToolUse" {
        Reply::refusal_by_json(&json!({"modifiedResult": result}), &reason)
    } else {
        Reply { stderr: format!("{reason}\n"), ..Reply::silent() }
    }
}
