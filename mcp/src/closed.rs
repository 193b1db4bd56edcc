//! Tools that policy refuses whatever they are called with (`--filter-tools`): they are taken out of the list of tools, so
//! that no model tries them. What is called is judged all the same.

use std::collections::BTreeSet;

use rampart_call::{Action, Call, Judgement, Origin, Phase, Reason, Refusal};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    lists::{rewritten, without},
    pins::brief,
};

/// Names in a record. Their number is told besides.
const NAMED: usize = 20;

/// What is asked about a result: a call of each tool that it lists, nothing where it lists none.
pub(crate) fn questions(action: &Action, body: &Value, origin: &Origin) -> Vec<Call> {
    let Action::Mcp { server, method, .. } = action else { return Vec::new() };
    let tools = body.get("tools").and_then(Value::as_array).filter(|_| method == "tools/list");
    let names = tools.into_iter().flatten().filter_map(|tool| tool.get("name")?.as_str());
    let call = |tool: &str| Call {
        origin: origin.clone(),
        phase: Phase::Before,
        action: Action::Mcp {
            server: server.clone(),
            method: "tools/call".into(),
            tool: tool.to_owned(),
            arguments: Value::Null.into(),
            beside: Value::Null,
        },
        response: None,
    };
    names.map(call).collect()
}

/// The tools of the questions that were answered so.
pub(crate) fn names(questions: &[Call], closed: &[bool]) -> BTreeSet<String> {
    let name = |(call, closed): (&Call, &bool)| match &call.action {
        Action::Mcp { tool, .. } if *closed => Some(tool.clone()),
        _ => None,
    };
    questions.iter().zip(closed).filter_map(name).collect()
}

/// The result without these tools, and what to tell of it; none where it has none of them.
///
/// # Errors
/// When it is no list of tools.
pub(crate) fn hide(raw: &str, closed: &BTreeSet<String>, server: &str) -> Result<Option<(String, Refusal)>, String> {
    let mut told: Vec<String> = Vec::new();
    let body = rewritten(raw, |member, value| match member {
        "tools" => {
            let tools: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|e| e.to_string())?;
            let is_open = |tool: &&RawValue| {
                let Ok(Named { name }) = serde_json::from_str(tool.get()) else { return true };
                let open = !closed.contains(&name);
                told.extend((!open).then(|| format!("`{}`", brief(&name))));
                open
            };
            let kept: Vec<bool> = tools.iter().map(is_open).collect();
            without(value, &kept)
        }
        // What another session may see is another matter, and a rule may change at any time.
        "ttlMs" => Ok(Some("0".into())),
        "cacheScope" => Ok(Some("\"private\"".into())),
        _ => Ok(None),
    })?;
    if told.is_empty() {
        return Ok(None);
    }
    let more = told.len().saturating_sub(NAMED);
    let names = told.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "{} tools of `{}` hidden, which policy refuses whatever they are called with: {names}{more}",
        told.len(),
        brief(server)
    );
    Ok(Some((body, Refusal { judgement: Judgement::refused(Reason::ToolsHidden, message) })))
}

/// The same of a result from which something may be withheld already.
///
/// # Errors
/// As [`hide`].
pub(crate) fn hide_too(
    withheld: Option<(String, Refusal)>,
    raw: &str,
    closed: &BTreeSet<String>,
    server: &str,
) -> Result<Option<(String, Refusal)>, String> {
    let Some((body, mut refusal)) = withheld else { return hide(raw, closed, server) };
    let Some((less, hidden)) = hide(&body, closed, server)? else { return Ok(Some((body, refusal))) };
    refusal.judgement.message = format!("{}; {}", refusal.judgement.message, hidden.judgement.message);
    Ok(Some((less, refusal)))
}

#[derive(Deserialize)]
struct Named {
    name: String,
}
