//! The `tests` of a policy file: calls, and what they must come to.
//!
//! ```yaml
//! tests:
//!   - call: { tool: exec, command: "rm -rf /" }
//!     expect: deny
//!   - exec: ["git status", "git diff"]        # the short form; also read, write, edit and fetch
//!     expect: pass                            # allow or watch; `stop` is ask, webhook or deny
//! ```

use rampart_call::{Action, Call, Origin, Outcome, Phase, Response};
use serde_json::{Map, Value as Json};

use crate::{
    read::{Fields, Placed, Reader},
    yaml::{Node, Value},
};

/// One call and what it must come to.
#[derive(Debug)]
pub(crate) struct TestSource {
    pub(crate) call: Call,
    pub(crate) headless: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) called: Vec<String>,
    pub(crate) expect: Placed<Vec<Outcome>>,
    /// The word it was written as.
    pub(crate) expect_word: String,
    /// The policy that must decide, where the test says so.
    pub(crate) policy: Option<String>,
    pub(crate) line: usize,
}

const EXPECTATIONS: [(&str, &[Outcome]); 7] = [
    ("allow", &[Outcome::Allow]),
    ("watch", &[Outcome::Watch]),
    ("ask", &[Outcome::Ask]),
    ("webhook", &[Outcome::Webhook]),
    ("deny", &[Outcome::Deny]),
    ("pass", &[Outcome::Allow, Outcome::Watch]),
    ("stop", &[Outcome::Ask, Outcome::Webhook, Outcome::Deny]),
];

/// The short forms, and the parameter each gives.
const SHORT: [(&str, &str); 5] =
    [("exec", "command"), ("read", "path"), ("write", "path"), ("edit", "path"), ("fetch", "url")];

/// Where a test call comes from when it does not say.
const WORKSPACE: &str = "/home/u/proj";
const HOME: &str = "/home/u";

/// Reads the list behind `tests:`.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Vec<TestSource> {
    reader.list(node, "`tests`").iter().flat_map(|node| one(node, reader)).collect()
}

fn one(node: &Node, reader: &mut Reader<'_>) -> Vec<TestSource> {
    let Some(mut fields) = reader.fields(node, "a test") else { return Vec::new() };
    let expect = fields.take("expect").and_then(|n| reader.text(n, "expect"));
    let policy = fields.take("policy").and_then(|n| reader.text(n, "policy")).map(|t| t.value);
    let mut calls: Vec<(Subject, usize)> = Vec::new();
    if let Some(node) = fields.take("call")
        && let Some(call) = subject(node, reader)
    {
        calls.push((call, reader.line(node.span.start)));
    }
    for (tool, param) in SHORT {
        let Some(node) = fields.take(tool) else { continue };
        for text in reader.texts(node, tool) {
            let mut params = Map::new();
            params.insert(param.to_owned(), Json::String(text.value.clone()));
            let Ok(action) = Action::from_tool(tool, &Json::Object(params)) else { continue };
            calls.push((Subject::of(action), reader.line(text.span.start)));
        }
    }
    fields.finish(reader);
    let Some(word) = expect else {
        reader.error("missing-key", &node.span, "the test does not say what to `expect`");
        return Vec::new();
    };
    let Some(outcomes) = reader.word(&word, "a decision", &EXPECTATIONS) else { return Vec::new() };
    if calls.is_empty() {
        reader.error_with(
            "missing-key",
            &node.span,
            "the test has no call",
            "write `exec: \"command\"` or `call: {...}`",
        );
    }
    calls
        .into_iter()
        .map(|(subject, line)| TestSource {
            call: subject.call,
            headless: subject.headless,
            labels: subject.labels,
            called: subject.called,
            expect: Placed { value: outcomes.to_vec(), span: word.span.clone() },
            expect_word: word.value.clone(),
            policy: policy.clone(),
            line,
        })
        .collect()
}

struct Subject {
    call: Call,
    headless: bool,
    labels: Vec<String>,
    called: Vec<String>,
}

impl Subject {
    fn of(action: Action) -> Self {
        let origin = Origin { workspace: Some(WORKSPACE.into()), home: Some(HOME.into()), ..Origin::default() };
        let call = Call { origin, phase: Phase::Before, action, response: None };
        Self { call, headless: false, labels: Vec::new(), called: Vec::new() }
    }
}

/// Reads the mapping behind `call:`: the tool, its parameters, and where the call comes from.
fn subject(node: &Node, reader: &mut Reader<'_>) -> Option<Subject> {
    let mut fields = reader.fields(node, "a call")?;
    let Some(tool) = fields.take("tool").and_then(|n| reader.text(n, "tool")) else {
        reader.error("missing-key", &node.span, "the call does not say its `tool`");
        return None;
    };
    let mut params = Map::new();
    for key in fields.keys() {
        if !KNOWN.contains(&key.name.as_str())
            && let Value::Map(entries) = &node.value
            && let Some((_, value)) = entries.iter().find(|(k, _)| k == key)
        {
            params.insert(key.name.clone(), json(value, reader));
        }
    }
    let action = match Action::from_tool(&tool.value, &Json::Object(params)) {
        Ok(action) => action,
        Err(missing) => {
            reader.error("missing-key", &node.span, missing.to_string());
            return None;
        }
    };
    let mut subject = Subject::of(action);
    let origin = &mut subject.call.origin;
    let text = |fields: &mut Fields<'_>, key, reader: &mut Reader<'_>| {
        fields.take(key).and_then(|n| reader.text(n, key)).map(|t| t.value)
    };
    origin.agent = text(&mut fields, "agent", reader).unwrap_or_default();
    origin.session = text(&mut fields, "session", reader).unwrap_or_default();
    origin.workspace = text(&mut fields, "workspace", reader).or(origin.workspace.take());
    origin.home = text(&mut fields, "home", reader).or(origin.home.take());
    // Of an MCP call it is a parameter: which server is asked.
    if !matches!(subject.call.action, Action::Mcp { .. }) {
        subject.call.origin.server = text(&mut fields, "server", reader);
    }
    let origin = &mut subject.call.origin;
    let surfaces = rampart_call::Surface::ALL.map(|s| (s.as_str(), s));
    if let Some(surface) = fields.take("surface").and_then(|n| reader.text(n, "surface")) {
        origin.surface = reader.word(&surface, "a surface", &surfaces).unwrap_or_default();
    }
    let depth = fields.take("depth").and_then(|n| reader.number(n, "depth")).unwrap_or(0);
    origin.depth = u32::try_from(depth).unwrap_or(u32::MAX);
    subject.headless = fields.take("headless").and_then(|n| reader.flag(n, "headless")).unwrap_or(false);
    let labels = fields.take("labels").map(|n| reader.texts(n, "labels")).unwrap_or_default();
    subject.labels = labels.into_iter().map(|l| l.value).collect();
    let called = fields.take("called").map(|n| reader.texts(n, "called")).unwrap_or_default();
    subject.called = called.into_iter().map(|tool| tool.value).collect();
    if let Some(resolved) = text(&mut fields, "resolved", reader)
        && let Action::Read { paths } | Action::Write { paths, .. } | Action::Edit { paths, .. } =
            &mut subject.call.action
    {
        for path in paths {
            path.resolved = Some(resolved.clone());
        }
    }
    if let Some(response) = text(&mut fields, "response", reader) {
        subject.call.phase = Phase::After;
        subject.call.response = Some(Response { text: response, ..Response::default() });
    }
    Some(subject)
}

/// The keys of a call that are not parameters of its tool.
const KNOWN: [&str; 12] = [
    "tool",
    "agent",
    "session",
    "workspace",
    "home",
    "surface",
    "depth",
    "headless",
    "labels",
    "called",
    "resolved",
    "response",
];

fn json(node: &Node, reader: &Reader<'_>) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Number => serde_json::from_str(reader.source(&node.span)).unwrap_or(Json::Null),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(|n| json(n, reader)).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.name.clone(), json(value, reader))).collect())
        }
    }
}
