//! What a server says of the shape of its tools' arguments and results, and whether calls keep to it.
//!
//! It is known from the pins, and from the lists that have passed to the client. A tool that neither has named is not
//! known, and nothing is said of it.

mod bounds;
mod shape;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rampart_call::{Action, Reason, Refusal};
use serde_json::Value;

use crate::{answer, scan::Offered};
use shape::Shape;

/// The most tools of a server that are remembered, and the most tasks.
const TOOLS: usize = 10_000;
const TASKS: usize = 1_000;
/// How deep in a schema a parameter may stand that a header repeats.
const DEPTH: usize = 16;

/// What calls and results are held to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checking {
    /// Nothing.
    #[default]
    Off,
    /// `inputSchema` and `outputSchema`.
    Shape,
    /// The same, and no arguments that the schema does not name.
    Closed,
}

/// The shapes of one server's tools. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Schemas {
    checking: Checking,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    tools: BTreeMap<String, Arc<Vec<Tool>>>,
    /// Calls that became tasks: the tool whose result they will have.
    tasks: VecDeque<(String, String)>,
}

/// One definition of a tool.
#[derive(Debug)]
struct Tool {
    arguments: Shape,
    result: Option<Shape>,
    headers: Vec<Mirrored>,
}

/// A parameter that a header repeats (`x-mcp-header`, MCP 2026-07-28).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirrored {
    /// The header without `Mcp-Param-`, in lower case.
    pub(crate) header: String,
    /// Where the parameter stands in the arguments, as a JSON pointer.
    pub(crate) pointer: String,
}

impl Schemas {
    /// Nothing is known yet.
    pub fn new(checking: Checking) -> Self {
        Self { checking, known: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is pinned.
    pub(crate) fn pinned(&self, offered: &Offered) {
        for (name, pinned) in offered.get("tools").into_iter().flatten() {
            self.remember(name, pinned.definitions());
        }
    }

    /// Takes in what an answer lists, of which this JSON is what the client gets.
    pub(crate) fn came(&self, action: &Action, body: &str) {
        if is_list(action)
            && let Ok(result) = serde_json::from_str(body)
        {
            self.listed(action, &result);
        }
    }

    /// Takes in what a result lists, as the client gets it.
    pub(crate) fn listed(&self, action: &Action, result: &Value) {
        if !is_list(action) {
            return;
        }
        for tool in result.get("tools").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = tool.get("name").and_then(Value::as_str)
                && !self.tools(name).iter().any(|known| known.is(tool))
            {
                self.remember(name, std::iter::once(tool));
            }
        }
    }

    fn remember<'d>(&self, name: &str, definitions: impl Iterator<Item = &'d Value>) {
        let tools = definitions.map(|definition| Tool::new(definition, self.checking)).collect();
        let mut known = self.known();
        if known.tools.len() < TOOLS || known.tools.contains_key(name) {
            known.tools.insert(name.to_owned(), Arc::new(tools));
        }
    }

    fn tools(&self, name: &str) -> Arc<Vec<Tool>> {
        self.known().tools.get(name).cloned().unwrap_or_default()
    }

    /// The parameters of a tool that headers repeat; none where the tool is not known.
    pub(crate) fn mirrored(&self, tool: &str) -> Option<Vec<Mirrored>> {
        let tools = self.tools(tool);
        (!tools.is_empty()).then(|| tools.iter().flat_map(|tool| tool.headers.clone()).collect())
    }

    /// The refusal of a call whose arguments are not of the tool's shape.
    pub(crate) fn refusal(&self, action: &Action) -> Option<Refusal> {
        let Action::Mcp { method, tool, arguments, .. } = action else { return None };
        if self.checking == Checking::Off || method != "tools/call" {
            return None;
        }
        let none = Value::Object(serde_json::Map::new());
        let arguments = if arguments.is_null() { &none } else { arguments };
        let why = fits_one(&self.tools(tool), |tool| tool.arguments.check(arguments))?;
        Some(answer::refused(Reason::Malformed, format!("the arguments are not what the tool takes: {why}")))
    }

    /// The refusal of a result that is not of the tool's shape. What becomes a task is looked at when its result comes.
    pub(crate) fn refusal_of_result(&self, action: &Action, result: &Value) -> Option<Refusal> {
        let Action::Mcp { method, tool, arguments, .. } = action else { return None };
        if self.checking == Checking::Off {
            return None;
        }
        let task = arguments.get("taskId").and_then(Value::as_str);
        let (tool, result) = match (method.as_str(), task) {
            ("tools/call", _) => (tool.clone(), result),
            ("tasks/get", Some(task)) => (self.called_by(task)?, result.get("result")?),
            ("tasks/result", Some(task)) => (self.called_by(task)?, result),
            _ => return None,
        };
        let created = result.get("taskId").or_else(|| result.pointer("/task/taskId")).and_then(Value::as_str);
        if let Some(task) = created {
            self.becomes(task, tool);
            return None;
        }
        let is_whole = result.get("resultType").is_none_or(|kind| kind == "complete");
        let is_result = result.get("content").is_some() || result.get("structuredContent").is_some();
        if !is_whole || !is_result || result.get("isError") == Some(&Value::Bool(true)) {
            return None;
        }
        let why = fits_one(&self.tools(&tool), |tool| match (&tool.result, result.get("structuredContent")) {
            (None, _) => Ok(()),
            (Some(_), None) => Err("it has an output schema, and no `structuredContent` came".into()),
            (Some(shape), Some(content)) => shape.check(content),
        })?;
        Some(answer::refused(Reason::Malformed, format!("the result is not what the tool gives: {why}")))
    }

    fn becomes(&self, task: &str, tool: String) {
        let mut known = self.known();
        if known.tasks.len() >= TASKS {
            known.tasks.pop_front();
        }
        known.tasks.push_back((task.to_owned(), tool));
    }

    fn called_by(&self, task: &str) -> Option<String> {
        self.known().tasks.iter().rev().find(|(id, _)| id == task).map(|(_, tool)| tool.clone())
    }
}

fn is_list(action: &Action) -> bool {
    matches!(action, Action::Mcp { method, .. } if method == "tools/list")
}

/// Why a value fits none of the definitions of a tool.
fn fits_one(tools: &[Tool], check: impl Fn(&Tool) -> Result<(), String>) -> Option<String> {
    let mut why = None;
    for tool in tools {
        match check(tool) {
            Ok(()) => return None,
            Err(error) => why = why.or(Some(error)),
        }
    }
    why
}

impl Tool {
    fn new(definition: &Value, checking: Checking) -> Self {
        let schema = definition.get("inputSchema").cloned().unwrap_or_default();
        let mut headers = Vec::new();
        mirrored(&schema, &mut String::new(), 0, &mut headers);
        Self {
            arguments: Shape::new(schema, checking == Checking::Closed),
            result: definition.get("outputSchema").map(|schema| Shape::new(schema.clone(), false)),
            headers,
        }
    }

    fn is(&self, definition: &Value) -> bool {
        Some(self.arguments.schema()) == definition.get("inputSchema")
            && self.result.as_ref().map(Shape::schema) == definition.get("outputSchema")
    }
}

/// Finds the parameters that headers repeat. They are reached by `properties` alone.
fn mirrored(schema: &Value, pointer: &mut String, depth: usize, found: &mut Vec<Mirrored>) {
    if depth > DEPTH {
        return;
    }
    for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let before = pointer.len();
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        if let Some(header) = schema.get("x-mcp-header").and_then(Value::as_str) {
            found.push(Mirrored { header: header.to_ascii_lowercase(), pointer: pointer.clone() });
        }
        mirrored(schema, pointer, depth + 1, found);
        pointer.truncate(before);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn action(method: &str, tool: &str, arguments: Value) -> Action {
        let (server, method, tool) = ("s".into(), method.into(), tool.into());
        Action::Mcp { server, method, tool, arguments: arguments.into(), beside: Value::Null }
    }

    fn knowing(checking: Checking) -> Schemas {
        let schemas = Schemas::new(checking);
        let list = json!({"tools": [{
            "name": "read",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "x-mcp-header": "Path"},
                    "options": {"properties": {"a/b": {"type": "integer", "x-mcp-header": "Depth"}}},
                },
                "required": ["path"],
            },
            "outputSchema": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]},
        }]});
        schemas.listed(&action("tools/list", "", Value::Null), &list);
        schemas
    }

    #[test]
    fn arguments_are_held_to_the_schema_and_values_are_not_repeated() {
        for (arguments, shape, closed) in [
            (json!({"path": "a"}), true, true),
            (json!({"path": "a", "more": 1}), true, false),
            (json!({"path": 77}), false, false),
            (json!({}), false, false),
            (Value::Null, false, false),
        ] {
            let call = action("tools/call", "read", arguments.clone());
            for (checking, fits) in [(Checking::Off, true), (Checking::Shape, shape), (Checking::Closed, closed)] {
                let refusal = knowing(checking).refusal(&call);
                assert_eq!(refusal.is_none(), fits, "{checking:?} {arguments}");
                assert!(refusal.is_none_or(|refusal| !refusal.judgement.message.contains("77")));
            }
        }
        let knows = knowing(Checking::Closed);
        assert!(knows.refusal(&action("tools/call", "another", json!({"x": 1}))).is_none(), "nothing is known of it");
        assert!(knows.refusal(&action("prompts/get", "read", json!({"x": 1}))).is_none(), "it is no tool");
    }

    #[test]
    fn results_are_held_to_the_schema_also_when_they_come_later() {
        let knows = knowing(Checking::Shape);
        let (good, bad) =
            (json!({"content": [], "structuredContent": {"size": 1}}), json!({"structuredContent": {"size": "x"}}));
        let call = action("tools/call", "read", json!({"path": "a"}));
        assert!(knows.refusal_of_result(&call, &good).is_none());
        for result in [&bad, &json!({"content": []})] {
            assert!(knows.refusal_of_result(&call, result).is_some(), "{result}");
        }
        for result in [
            json!({"content": [], "isError": true}),
            json!({"resultType": "input_required", "inputRequests": {}}),
            json!({"code": -1, "message": "no"}),
            json!({"resultType": "task", "taskId": "t"}),
        ] {
            assert!(knows.refusal_of_result(&call, &result).is_none(), "{result}");
        }
        let get = action("tasks/get", "", json!({"taskId": "t"}));
        assert!(knows.refusal_of_result(&get, &json!({"taskId": "t", "status": "working"})).is_none());
        assert!(knows.refusal_of_result(&get, &json!({"taskId": "t", "result": good})).is_none());
        assert!(knows.refusal_of_result(&get, &json!({"taskId": "t", "result": bad})).is_some());
        assert!(knowing(Checking::Off).refusal_of_result(&call, &bad).is_none());
    }

    #[test]
    fn parameters_that_headers_repeat_are_found_where_they_stand() {
        let found = knowing(Checking::Off).mirrored("read").unwrap();
        let expected = [("depth", "/options/a~1b"), ("path", "/path")];
        let mut found: Vec<_> = found.iter().map(|m| (m.header.as_str(), m.pointer.as_str())).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(knowing(Checking::Off).mirrored("another"), None);
    }
}
