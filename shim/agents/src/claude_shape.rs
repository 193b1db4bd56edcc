//! The payload that Claude Code made common: `hook_event_name`, `session_id`, `tool_name`, `tool_input`. Codex and
//! Qwen Code speak it, Gemini CLI a variant, Copilot CLI on request.

use rampart_call::Action;
use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{self, Tools},
    heard::ToolCall,
    payload::{need, text},
    reply, result,
    setup::TRIAL,
};

/// The events of a host that speaks this way.
pub(crate) struct Events {
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
    /// Nothing to judge.
    pub(crate) other: &'static [&'static str],
}

/// Claude Code's own words for the events that its followers took over too.
pub(crate) const EVENTS: Events = Events {
    before: "PreToolUse",
    after: "PostToolUse",
    other: &[
        "ConfigChange",
        "CwdChanged",
        "DirectoryAdded",
        "Elicitation",
        "ElicitationResult",
        "FileChanged",
        "InstructionsLoaded",
        "Interrupt",
        "MessageDisplay",
        "Notification",
        "PermissionDenied",
        "PostCompact",
        "PostModelSwitch",
        "PostToolBatch",
        "PreCompact",
        "PreModelSwitch",
        "SessionEnd",
        "SessionStart",
        "Setup",
        "Stop",
        "StopFailure",
        "SubagentStart",
        "SubagentStop",
        "TaskCompleted",
        "TaskCreated",
        "TeammateIdle",
        "UserPromptExpansion",
        "UserPromptSubmit",
        "WorktreeCreate",
        "WorktreeRemove",
    ],
};

/// Fires instead of the event after a tool when the tool failed.
pub(crate) const FAILED: &str = "PostToolUseFailure";
const PERMISSION: &str = "PermissionRequest";

/// How one host differs.
pub(crate) struct Dialect {
    pub(crate) agent: &'static Agent,
    pub(crate) events: &'static Events,
    pub(crate) tools: &'static Tools,
    pub(crate) can_ask: bool,
}

/// Reads a payload.
pub(crate) fn hear(dialect: &Dialect, payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    let event = need(payload, "hook_event_name")?;
    let Dialect { agent, events, .. } = *dialect;
    let moment = match event {
        _ if event == events.before => Moment::Before,
        _ if event == events.after => Moment::After,
        FAILED => Moment::After,
        PERMISSION => Moment::Permission,
        _ if events.other.contains(&event) => return Ok(Heard::other(agent, event)),
        _ => return Err(Malformed::new(format!("the event `{event}` is unknown"))),
    };
    let result = payload.get(if event == FAILED { "error" } else { "tool_response" }).unwrap_or(&Value::Null);
    // Where the model and the human are shown different things, the model's counts.
    let result = result.get("llmContent").unwrap_or(result).clone();
    let call = ToolCall {
        agent,
        event,
        moment,
        session: text(payload, "session_id").unwrap_or_default(),
        run: text(payload, "tool_use_id"),
        by_subagent: text(payload, "agent_id").is_some(),
        cwd: text(payload, "cwd"),
        result,
        can_ask: dialect.can_ask,
    };
    let name = need(payload, "tool_name")?;
    let input = payload.get("tool_input").unwrap_or(&Value::Null);
    let actions = match mcp(payload, name, input) {
        Some(action) => vec![action],
        None => actions::of(dialect.tools, name, input, call.cwd.or(facts.cwd.as_deref()))?,
    };
    Ok(call.heard(actions, facts))
}

/// The MCP tool that a payload names beside `tool_name`, where dots and spaces of the server's name are lost.
fn mcp(payload: &Value, name: &str, input: &Value) -> Option<Action> {
    if let Some(context) = payload.get("mcp_context") {
        return Some(actions::mcp(text(context, "server_name")?, text(context, "tool_name")?, input));
    }
    let server = text(payload.get("mcp_server")?, "name")?;
    let folded: String = server.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let tool = name.strip_prefix("mcp__")?.strip_prefix(&folded)?.strip_prefix("__")?;
    Some(actions::mcp(server, tool, input))
}

/// The answer before a tool runs, or when the host is about to ask.
pub(crate) fn say_before(heard: &Heard, ruling: &Ruling) -> Reply {
    let decision = |decision: &str, reason: &str| {
        json!({"hookSpecificOutput": {
            "hookEventName": EVENTS.before,
            "permissionDecision": decision,
            "permissionDecisionReason": reason,
        }})
    };
    match ruling {
        Ruling::Allow(_) => Reply::silent(),
        Ruling::Ask(question) if asks(heard) => Reply::json(&decision("ask", &reply::ask(question))),
        // The host asks anyway.
        Ruling::Ask(_) if heard.moment == Moment::Permission => Reply::silent(),
        Ruling::Ask(_) | Ruling::Deny(_) => {
            let reason = ruling.refusal().unwrap_or_default();
            let answer = match heard.moment {
                Moment::Permission => json!({"hookSpecificOutput": {
                    "hookEventName": PERMISSION,
                    "decision": {"behavior": "deny", "message": reason},
                }}),
                Moment::Before | Moment::After | Moment::Other => decision("deny", &reason),
            };
            Reply::refusal(&answer, &reason)
        }
    }
}

/// What such a host tells its hook before it runs a command.
pub(crate) fn before(event: &str, tool: &str, command: &str, cwd: &str) -> Value {
    json!({
        "hook_event_name": event,
        "session_id": TRIAL,
        "cwd": cwd,
        "tool_name": tool,
        "tool_input": {"command": command},
    })
}

/// Whether such a host keeps a tool from running.
pub(crate) fn refused(answer: &Value, exit: i32) -> bool {
    exit == 2 || answer.pointer("/hookSpecificOutput/permissionDecision") == Some(&json!("deny"))
}

/// Whether the question may be handed to the host.
fn asks(heard: &Heard) -> bool {
    heard.calls.iter().any(|call| call.origin.can_ask)
}

/// The answer after a tool ran, for hosts that put the reason in place of the result.
pub(crate) fn say_after(heard: &Heard, ruling: &Ruling) -> Reply {
    let text = match ruling.refusal() {
        Some(reason) => reason,
        None => match reply::redacted(heard, ruling) {
            Some(text) => text,
            None => return Reply::silent(),
        },
    };
    Reply::refusal(&json!({"decision": "block", "reason": text}), &text)
}

/// The answer after a tool ran, for hosts that take another result of the same shape.
pub(crate) fn say_after_in_shape(heard: &Heard, ruling: &Ruling) -> Reply {
    let edits = ruling.edits();
    let refusal = ruling.refusal();
    let result = match &refusal {
        Some(reason) => result::withheld(&heard.result, reason),
        None if edits.is_empty() => return Reply::silent(),
        None => result::edited(&heard.result, &edits),
    };
    let answer = json!({"hookSpecificOutput": {"hookEventName": EVENTS.after, "updatedToolOutput": result}});
    // With another exit status the host would read standard error instead, and show the original result beside it.
    Reply::refusal_by_json(&answer, &refusal.unwrap_or_else(|| reply::REDACTED.to_owned()))
}
