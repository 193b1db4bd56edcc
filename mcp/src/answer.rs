//! The messages that Rampart itself writes: refusals, protocol errors, signs of life while a human decides.

use bytes::Bytes;
use rampart_call::{Judgement, Outcome, Question, Reason, Refusal};
use serde_json::{Value, json};

use crate::message::Id;

/// The JSON-RPC error code of a refusal by policy. It lies outside -32768..-32000, which JSON-RPC 2.0 (section 5.1)
/// reserves and where MCP 2026-07-28 forbids codes it has not assigned.
pub const REFUSED: i64 = -31_403;

/// How a refusal is told to the side that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a tool result with `isError`, which clients show to the model; revisions up to 2025-11-25.
    ToolResult,
    /// The same with `resultType`, which every result needs since 2026-07-28.
    ModernToolResult,
    /// As a JSON-RPC error.
    Error,
}

impl Form {
    /// The form that fits a request. A tool call that asked to become a task (2025-11-25) expects a task, so a tool
    /// result would be none of its answers.
    pub(crate) fn of(method: &str, params: &Value) -> Self {
        if method != "tools/call" || params.get("task").is_some() {
            return Self::Error;
        }
        let meta = params.get("_meta").and_then(|m| m.get("io.modelcontextprotocol/protocolVersion"));
        if meta.is_some() { Self::ModernToolResult } else { Self::ToolResult }
    }
}

/// The answer to a request that was refused, or whose response was.
pub(crate) fn refusal(id: &Id, form: Form, refusal: &Refusal) -> Bytes {
    let text = refusal.explain();
    let mut result = json!({"content": [{"type": "text", "text": text}], "isError": true});
    match form {
        Form::ToolResult => {}
        Form::ModernToolResult => result["resultType"] = "complete".into(),
        Form::Error => {
            let judgement = &refusal.judgement;
            let rule = judgement.rule.as_ref().map(ToString::to_string);
            let data = json!({"rule": rule, "reason": judgement.reason, "suggestions": judgement.suggestions});
            return write(
                json!({"jsonrpc": "2.0", "id": id.to_value(), "error": {"code": REFUSED, "message": text, "data": data}}),
            );
        }
    }
    write(json!({"jsonrpc": "2.0", "id": id.to_value(), "result": result}))
}

/// A refusal that no rule made.
pub(crate) fn refused(reason: Reason, message: impl Into<String>) -> Refusal {
    Refusal { judgement: Judgement::refused(reason, message) }
}

/// The refusal of what a person would have to be asked: on this road only the gateway has somebody to ask, and it asks
/// before it answers.
pub(crate) fn unasked(Question { judgement }: Question) -> Refusal {
    Refusal { judgement: Judgement { outcome: Outcome::Deny, reason: Reason::NobodyToAsk, ..judgement } }
}

/// A protocol error; the id is null where the request could not be told.
pub(crate) fn error(id: Option<&Id>, code: i64, message: &str) -> Bytes {
    let id = id.map_or(Value::Null, Id::to_value);
    write(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
}

/// Tells a waiting client that its request still lives. The values stay below whatever the server may report later,
/// since progress must increase.
pub(crate) fn still_waiting(token: &Value, round: u32) -> Bytes {
    let progress = f64::from(round) * 1e-9;
    let params = json!({"progressToken": token, "progress": progress, "message": "waiting for a decision"});
    write(json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
}

/// Tells the server that nobody waits for its answer any more.
pub(crate) fn cancelled(id: &Id, why: &str) -> Bytes {
    let params = json!({"requestId": id.to_value(), "reason": why});
    write(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
}

fn write(message: Value) -> Bytes {
    Bytes::from(format!("{message}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, expected: Value) {
        let line = refusal(&Id::Text("a\"b".into()), form, &refused(Reason::Default, "no"));
        assert!(line.ends_with(b"\n"));
        assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), expected);
    }

    #[test]
    fn a_refusal_has_the_shape_of_its_era() {
        let text = "Rampart refused this: no. Reason: default.";
        let content = json!([{"type": "text", "text": text}]);
        check(
            Form::ToolResult,
            json!({"jsonrpc": "2.0", "id": "a\"b", "result": {"content": content, "isError": true}}),
        );
        check(
            Form::ModernToolResult,
            json!({"jsonrpc": "2.0", "id": "a\"b",
                "result": {"content": content, "isError": true, "resultType": "complete"}}),
        );
        let data = json!({"rule": null, "reason": "default", "suggestions": []});
        check(
            Form::Error,
            json!({"jsonrpc": "2.0", "id": "a\"b", "error": {"code": REFUSED, "message": text, "data": data}}),
        );
    }

    #[test]
    fn the_form_follows_the_request() {
        let modern = json!({"name": "x", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
        assert_eq!(Form::of("tools/call", &json!({"name": "x"})), Form::ToolResult);
        assert_eq!(Form::of("tools/call", &modern), Form::ModernToolResult);
        assert_eq!(Form::of("tools/call", &json!({"name": "x", "task": {}})), Form::Error);
        assert_eq!(Form::of("resources/read", &modern), Form::Error);
    }

    #[test]
    fn the_refusal_code_is_outside_the_reserved_range() {
        assert!(!(-32_768..=-32_000).contains(&REFUSED));
    }
}
