//! OpenClaw 2026.9: a plugin hands us `{event, ctx}` of its hooks, and returns our JSON to the host as it is. The host
//! refuses when its plugin throws or takes too long.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Agent, Facts, Heard, Malformed, Moment, Reply, Ruling,
    actions::{self, Shape, Tools},
    heard::ToolCall,
    payload::{need, text},
    reply, result,
    setup::{Entry, File, Holds, Setup, TRIAL},
};

pub(crate) static AGENT: Agent = Agent {
    name: "openclaw",
    aliases: &[],
    timeout: Duration::from_secs(15),
    project_var: None,
    programs: &["openclaw"],
    hear,
    say,
};

pub(crate) static SETUP: Setup = Setup {
    agent: &AGENT,
    title: "OpenClaw",
    signs: &[".openclaw"],
    keeps: &[],
    wait: Duration::from_secs(30),
    of_project: false,
    files: |site| {
        let folder = format!("{}/agents/openclaw", site.rampart);
        let own = |name: &str, text: String| File {
            path: format!("{folder}/{name}"),
            holds: Holds::Own { text, executable: false },
        };
        let plugin =
            include_str!("openclaw/plugin.js").replace("[\"RAMPART\"]", &json!(site.words(&SETUP)).to_string());
        let package = json!({
            "name": "rampart-openclaw",
            "version": "1.0.0",
            "type": "module",
            "openclaw": {"extensions": ["./index.js"]},
        });
        let manifest = json!({
            "id": "rampart",
            "name": "Rampart",
            "description": "Asks Rampart before each tool call.",
            "activation": {"onStartup": true},
            // Without it the host takes no one's word on what its tools gave back.
            "contracts": {"agentToolResultMiddleware": ["openclaw", "codex"]},
            "configSchema": {"type": "object", "additionalProperties": false, "properties": {}},
        });
        let entry = json!({"enabled": true, "hooks": {"timeoutMs": SETUP.wait.as_millis() as u64}});
        vec![
            own("package.json", format!("{package:#}\n")),
            own("openclaw.plugin.json", format!("{manifest:#}\n")),
            own("index.js", plugin),
            File {
                path: format!("{}/.openclaw/openclaw.json", site.home),
                holds: Holds::Json(vec![
                    Entry::Element(vec!["plugins", "load", "paths"], json!(folder)),
                    Entry::Listed(vec!["plugins", "allow"], json!("rampart")),
                    Entry::Member(vec!["plugins", "entries", "rampart"], entry),
                ]),
            },
        ]
    },
    tells_of_sessions: false,
    also: &[],
    weakened: |settings| {
        let off = settings.say("/plugins/enabled", false);
        off.then_some("`plugins.enabled` is false: no plugin runs, this one neither").into_iter().collect()
    },
    limits: &["OpenClaw takes LD_PRELOAD from the commands it runs, so `rampart preload` does not reach them"],
    before: |command, _| {
        json!({
            "event": {"toolName": "exec", "params": {"command": command}, "toolCallId": TRIAL},
            "ctx": {"sessionId": TRIAL, "sessionKey": TRIAL},
        })
    },
    // The plugin throws where it was told nothing and the exit status is none of success.
    refused: |answer, exit| match answer {
        Value::Null => exit != 0,
        _ => answer.get("block") == Some(&Value::Bool(true)),
    },
};

const TOOLS: &Tools = &[
    ("exec", Shape::Exec),
    ("read", Shape::Read),
    ("ls", Shape::Look),
    ("grep", Shape::Look),
    ("find", Shape::Glob),
    ("write", Shape::Write),
    ("edit", Shape::Edit),
    ("apply_patch", Shape::Patch),
    ("web_fetch", Shape::Fetch),
    ("tool_call", Shape::Wrapper),
];

/// What a tool gave back, before the model reads it: the plugin's `registerAgentToolResultMiddleware`.
const MIDDLEWARE: &str = "tool_result";
/// What is stored of it.
const PERSIST: &str = "tool_result_persist";

fn hear(payload: &Value, facts: &Facts) -> Result<Heard, Malformed> {
    let (event, ctx) = (payload.get("event").unwrap_or(&Value::Null), payload.get("ctx").unwrap_or(&Value::Null));
    let has = |key| event.get(key).is_some();
    let (name, moment, result) = if has("args") {
        (MIDDLEWARE, Moment::After, event.get("result"))
    } else if has("message") {
        // An older file of our plugin stays until `rampart setup` runs again.
        (PERSIST, Moment::After, event.get("message"))
    } else if has("result") || has("error") {
        ("after_tool_call", Moment::After, event.get("result").or_else(|| event.get("error")))
    } else if has("params") {
        ("before_tool_call", Moment::Before, None)
    } else if has("host") && !has("toolCallId") {
        return Ok(Heard::other(&AGENT, "resolve_exec_env"));
    } else {
        return Err(Malformed::new("the input is of no known event"));
    };
    let call = ToolCall {
        agent: &AGENT,
        event: name,
        moment,
        session: text(ctx, "sessionId").or_else(|| text(ctx, "sessionKey")).unwrap_or_default(),
        run: text(event, "toolCallId"),
        by_subagent: text(ctx, "sessionKey").is_some_and(|key| key.contains(":subagent:")),
        cwd: None,
        result: result.cloned().unwrap_or_default(),
        can_ask: true,
    };
    let tool = need(event, "toolName")?;
    let actions = match event.get("params").or_else(|| event.get("args")) {
        Some(params) => actions::of(TOOLS, tool, params, facts.cwd.as_deref())?,
        // What is written to the session does not say any more what was asked for.
        None => vec![rampart_call::Action::Tool { name: tool.to_owned(), input: Value::Null }],
    };
    Ok(call.heard(actions, facts))
}

fn say(heard: &Heard, ruling: &Ruling) -> Reply {
    match heard.moment {
        Moment::Other => Reply::silent(),
        Moment::After => say_after(heard, ruling),
        Moment::Before | Moment::Permission => match ruling {
            Ruling::Allow(_) => Reply::silent(),
            Ruling::Ask(question) => Reply::json(&json!({"requireApproval": {
                "title": "Rampart",
                "description": reply::ask(question),
                "severity": "warning",
                // `allow-always` would be offered otherwise, and be no more than once: by an agent's word no rule is written.
                "allowedDecisions": ["allow-once", "deny"],
            }})),
            Ruling::Deny(refusal) => {
                let reason = refusal.explain();
                Reply::refusal(&json!({"block": true, "blockReason": reason}), &reason)
            }
        },
    }
}

fn say_after(heard: &Heard, ruling: &Ruling) -> Reply {
    let edits = ruling.edits();
    let (message, reason) = match ruling.refusal() {
        Some(reason) => (withheld(&heard.result, &reason), reason),
        None if edits.is_empty() => return Reply::silent(),
        None => (result::edited(&heard.result, &edits), reply::REDACTED.to_owned()),
    };
    let answer = match heard.event.as_str() {
        MIDDLEWARE => json!({"result": message}),
        PERSIST => json!({"message": message}),
        // `after_tool_call` only looks on.
        _ => json!({}),
    };
    Reply::refusal_by_json(&answer, &reason)
}

/// A message whose content is withheld. A wrong tool call id or role would break the run.
fn withheld(message: &Value, reason: &str) -> Value {
    let mut message = message.clone();
    for part in ["content", "details"] {
        if let Some(value) = message.get_mut(part) {
            *value = result::withheld(value, if part == "content" { reason } else { "" });
        }
    }
    message
}
