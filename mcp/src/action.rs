//! What a message would do, in the words that policy judges.

use rampart_call::{Action, TraceParent};
use serde_json::{Map, Value};

/// The action of a request or notification. The arguments of a call are moved out of its parameters.
///
/// # Errors
/// When a method whose object policy must know does not name it. A peer might still act on such a message.
pub(crate) fn of(server: &str, method: &str, params: &mut Value) -> Result<Action, String> {
    let text = |key: &str| params.get(key).and_then(Value::as_str);
    let needed = match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        // A server of 2026-07-28 has no such methods, and says so whatever stands in the request.
        "resources/subscribe" | "resources/unsubscribe" if params.get("uri").is_some() => Some("uri"),
        _ => None,
    };
    let tool = match needed {
        Some(key) => text(key).ok_or_else(|| format!("`{method}` needs the string `params.{key}`"))?,
        None => text("name").or_else(|| text("uri")).or_else(|| completed(params)).unwrap_or_default(),
    };
    if tool.contains('\0') {
        return Err(format!("the name in `{method}` holds a NUL"));
    }
    let tool = tool.to_owned();
    let (arguments, beside) = match method {
        "tools/call" | "prompts/get" => (params.get_mut("arguments").map(Value::take), beside(params)),
        _ => (Some(params.clone()), Value::Null),
    };
    let (server, method, arguments) = (server.to_owned(), method.to_owned(), arguments.unwrap_or_default().into());
    Ok(Action::Mcp { server, method, tool, arguments, beside })
}

/// A call of a tool without what it is called with: enough to say which it was. None of what calls no tool.
pub(crate) fn called(action: &Action) -> Option<Action> {
    let Action::Mcp { server, method, tool, .. } = action else { return None };
    (method == "tools/call").then(|| Action::Mcp {
        server: server.clone(),
        method: method.clone(),
        tool: tool.clone(),
        arguments: Value::Null.into(),
        beside: Value::Null,
    })
}

/// What a call says besides its arguments. What the protocol itself puts there says nothing of what will be done, and
/// differs from one try of a call to the next: it would make another call of it.
fn beside(params: &Value) -> Value {
    let protocol = |key: &str| {
        matches!(key, "progressToken" | "traceparent" | "tracestate" | "baggage")
            || key.starts_with("io.modelcontextprotocol/")
    };
    let mut said = Map::new();
    for (member, value) in params.as_object().into_iter().flatten() {
        match (member.as_str(), value) {
            ("name" | "arguments" | "task", _) => {}
            ("_meta", Value::Object(meta)) if meta.keys().all(|key| protocol(key)) => {}
            ("_meta", Value::Object(meta)) => {
                let own =
                    meta.iter().filter(|(key, _)| !protocol(key)).map(|(key, value)| (key.clone(), value.clone()));
                said.insert(member.clone(), Value::Object(own.collect()));
            }
            _ => drop(said.insert(member.clone(), value.clone())),
        }
    }
    if said.is_empty() { Value::Null } else { Value::Object(said) }
}

/// The span that a message belongs to (`_meta.traceparent`, SEP-414 of MCP).
pub(crate) fn trace(params: &Value) -> Option<TraceParent> {
    TraceParent::parse(params.get("_meta")?.get("traceparent")?.as_str()?)
}

/// What a `completion/complete` completes: a prompt's name or a resource template's URI.
fn completed(params: &Value) -> Option<&str> {
    let reference = params.get("ref")?;
    reference.get("name").or_else(|| reference.get("uri"))?.as_str()
}

/// The error by which a server wants pages opened before it answers (MCP 2025-11-25, URL mode elicitation).
const ELICITATION_REQUIRED: i64 = -32_042;

/// The requests that an answer carries for the client, as actions: `inputRequests` of a result (MCP 2026-07-28), pages to
/// open in an error (MCP 2025-11-25).
///
/// # Errors
/// When one of them cannot be read.
pub(crate) fn of_input_requests(server: &str, result: &Value) -> Result<Vec<Action>, String> {
    let Some(requests) = result.get("inputRequests") else {
        let is_error = result.get("code").and_then(Value::as_i64) == Some(ELICITATION_REQUIRED);
        let pages = result.pointer("/data/elicitations").filter(|_| is_error);
        let pages = pages.and_then(Value::as_array).into_iter().flatten();
        return pages.map(|page| of(server, "elicitation/create", &mut page.clone())).collect();
    };
    let Value::Object(requests) = requests else {
        return Err("`inputRequests` must be an object".into());
    };
    let action = |request: &Value| {
        let method = request.get("method").and_then(Value::as_str).ok_or("an input request needs a `method`")?;
        of(server, method, &mut request.get("params").cloned().unwrap_or_default())
    };
    requests.values().map(action).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_becomes_server_method_tool_and_arguments() {
        for (method, params, tool, arguments) in [
            ("tools/call", json!({"name": "read", "arguments": {"path": "a"}}), "read", json!({"path": "a"})),
            ("tools/call", json!({"name": "now"}), "now", json!(null)),
            ("prompts/get", json!({"name": "p", "arguments": {"x": "1"}}), "p", json!({"x": "1"})),
            ("resources/read", json!({"uri": "file:///a"}), "file:///a", json!({"uri": "file:///a"})),
            ("completion/complete", json!({"ref": {"uri": "f://{x}"}}), "f://{x}", json!({"ref": {"uri": "f://{x}"}})),
            ("sampling/createMessage", json!({"maxTokens": 5}), "", json!({"maxTokens": 5})),
            ("ping", json!(null), "", json!(null)),
        ] {
            let (server, method_, tool, beside) = ("fs".into(), method.into(), tool.into(), Value::Null);
            let expected = Action::Mcp { server, method: method_, tool, arguments: arguments.into(), beside };
            assert_eq!(of("fs", method, &mut params.clone()), Ok(expected), "{method}");
        }
    }

    #[test]
    fn what_stands_beside_the_arguments_is_seen_and_the_protocols_own_is_not() {
        for (params, expected) in [
            (
                json!({"name": "x", "task": {"ttl": 1}, "_meta": {"progressToken": 1, "traceparent": "00-"}}),
                json!(null),
            ),
            (json!({"name": "x", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}), json!(null)),
            (
                json!({"name": "x", "_meta": {"progressToken": 1, "vendor/note": "n"}}),
                json!({"_meta": {"vendor/note": "n"}}),
            ),
            (json!({"name": "x", "_meta": "odd"}), json!({"_meta": "odd"})),
            (
                json!({"name": "x", "arguments": {"a": 1}, "inputResponses": {"k": {"action": "accept"}}, "requestState": "s"}),
                json!({"inputResponses": {"k": {"action": "accept"}}, "requestState": "s"}),
            ),
            (json!({"name": "x", "unknown": 1}), json!({"unknown": 1})),
        ] {
            let Ok(Action::Mcp { beside, .. }) = of("s", "tools/call", &mut params.clone()) else { panic!("{params}") };
            assert_eq!(beside, expected, "{params}");
        }
    }

    #[test]
    fn a_call_that_does_not_say_what_it_calls_has_no_action() {
        for (method, params) in [
            ("tools/call", json!({"arguments": {}})),
            ("tools/call", json!({"name": ["read"]})),
            ("tools/call", json!(null)),
            ("tools/call", json!({"name": "re\0ad"})),
            ("resources/read", json!({"name": "x"})),
            ("resources/subscribe", json!({"uri": ["x"]})),
            ("prompts/get", json!({"uri": "x"})),
        ] {
            assert!(of("fs", method, &mut params.clone()).is_err(), "{method} {params}");
        }
    }

    #[test]
    fn requests_inside_a_result_are_actions_too() {
        let result = json!({"resultType": "input_required", "inputRequests": {
            "a": {"method": "elicitation/create", "params": {"message": "password?"}},
            "b": {"method": "roots/list"},
        }});
        let methods: Vec<String> = of_input_requests("s", &result)
            .unwrap()
            .into_iter()
            .map(|a| match a {
                Action::Mcp { method, .. } => method,
                _ => unreachable!(),
            })
            .collect();
        assert_eq!(methods, ["elicitation/create", "roots/list"]);
        assert!(of_input_requests("s", &json!({"inputRequests": [1]})).is_err());
        assert!(of_input_requests("s", &json!({"inputRequests": {"a": {"Method": "x"}}})).is_err());
        assert_eq!(of_input_requests("s", &json!({"content": []})), Ok(vec![]));
        let page = json!({"mode": "url", "url": "https://login.example", "elicitationId": "e", "message": "?"});
        let error = json!({"code": -32_042, "message": "log in", "data": {"elicitations": [page, page]}});
        let expected = of("s", "elicitation/create", &mut page.clone()).unwrap();
        assert_eq!(of_input_requests("s", &error), Ok(vec![expected.clone(), expected]));
        assert_eq!(of_input_requests("s", &json!({"code": 1, "data": {"elicitations": [page]}})), Ok(vec![]));
    }
}
