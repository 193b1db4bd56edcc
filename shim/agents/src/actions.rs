//! From a host's tool call to the actions it would take. Hosts name the same few things differently; each agent's file
//! has a table from its names to these shapes.

use rampart_call::{Action, CommandLine, Located};
use serde_json::{Value, json};

use crate::{
    patch,
    payload::{Malformed, need, text, unwrapped},
};

/// What kind of thing a tool does, and so where its input says what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Runs shell text: `command`, or several `commands`.
    Exec,
    /// Types into a program that runs already, most often a shell: `input` or `chars`.
    Type,
    /// Reads files.
    Read,
    /// Lists a directory or searches the files in it; the working directory unless it says otherwise.
    Look,
    /// Finds files by the glob in its `pattern`.
    Glob,
    /// Creates or replaces files.
    Write,
    /// Changes parts of files.
    Edit,
    /// Reads, creates or edits, as its other members show.
    Editor,
    /// Applies a patch to the files it names.
    Patch,
    /// Requests URLs: `url`, `urls` or `requests[].url`.
    Fetch,
    /// Requests the URLs that stand in its `prompt`.
    FetchPrompt,
    /// Reads a resource of an MCP server: `server` and `uri`.
    Resource,
    /// Calls another tool: its name in `id`, `name` or `tool`, its input in `args` or `arguments`.
    Wrapper,
}

/// An agent's tools by name. What is not listed is passed on under the host's own name.
pub(crate) type Tools = [(&'static str, Shape)];

/// Wrappers may hold wrappers; not without end.
const MAX_WRAPPERS: u8 = 4;

/// The actions of a tool call; never empty.
///
/// # Errors
/// When a tool that we know lacks what would say what it does.
pub(crate) fn of(tools: &Tools, name: &str, input: &Value, cwd: Option<&str>) -> Result<Vec<Action>, Malformed> {
    unwrap(tools, name, input, cwd, MAX_WRAPPERS)
}

fn unwrap(tools: &Tools, name: &str, input: &Value, cwd: Option<&str>, left: u8) -> Result<Vec<Action>, Malformed> {
    let Some((_, shape)) = tools.iter().find(|(known, _)| *known == name) else {
        return Ok(vec![unknown(name, input)]);
    };
    let missing = |what: &str| Malformed::new(format!("the tool `{name}` came without {what}"));
    let one_or_more = |actions: Vec<Action>, what| if actions.is_empty() { Err(missing(what)) } else { Ok(actions) };
    let located = || {
        let paths = paths(input)?;
        if paths.is_empty() { Err(missing("a path")) } else { Ok(paths) }
    };
    Ok(match shape {
        Shape::Exec => one_or_more(exec(input, cwd), "a command")?,
        Shape::Type => match text(input, "input").or_else(|| text(input, "chars")) {
            Some(typed) => vec![command(typed, cwd.map(str::to_owned))],
            None => vec![Action::Tool { name: name.to_owned(), input: input.clone() }],
        },
        Shape::Read => vec![Action::Read { paths: located()? }],
        Shape::Look => vec![Action::Read { paths: looked_at(input, &["glob", "include"], cwd)? }],
        Shape::Glob => vec![Action::Read { paths: looked_at(input, &["pattern"], cwd)? }],
        Shape::Write => vec![Action::Write { paths: located()?, content: content(input) }],
        Shape::Edit => vec![Action::Edit { paths: located()?, content: content(input) }],
        Shape::Editor => {
            let (paths, content) = (located()?, content(input));
            vec![match text(input, "command") {
                Some("view") => Action::Read { paths },
                None if !replaces(input) => Action::Write { paths, content },
                Some("create") => Action::Write { paths, content },
                _ => Action::Edit { paths, content },
            }]
        }
        Shape::Patch => one_or_more(patched(input), "a patch that names a file")?,
        Shape::Fetch => one_or_more(urls(input).into_iter().map(fetch).collect(), "a URL")?,
        Shape::FetchPrompt => {
            let mut all = urls(input);
            all.extend(urls_in(text(input, "prompt").unwrap_or_default()));
            one_or_more(all.into_iter().map(fetch).collect(), "a URL")?
        }
        Shape::Resource => vec![Action::Mcp {
            server: text(input, "server").unwrap_or_default().to_owned(),
            method: "resources/read".to_owned(),
            tool: need(input, "uri")?.to_owned(),
            arguments: input.clone().into(),
            beside: Value::Null,
        }],
        Shape::Wrapper => {
            let inner = ["id", "name", "tool"].iter().find_map(|key| text(input, key));
            let inner = inner.ok_or_else(|| missing("the name of the tool it calls"))?;
            let left = left.checked_sub(1).ok_or_else(|| Malformed::new("tool calls are nested too deep"))?;
            let args = if input.get("args").is_some() { "args" } else { "arguments" };
            unwrap(tools, inner, &unwrapped(input, args)?, cwd, left)?
        }
    })
}

/// A tool that no table lists: an MCP tool if its name has the form that most hosts give them, else the host's own.
fn unknown(name: &str, input: &Value) -> Action {
    match mcp_name(name) {
        Some((server, tool)) => mcp(server, tool, input),
        None => Action::Tool { name: name.to_owned(), input: input.clone() },
    }
}

/// Server and tool of a name such as `mcp__server__tool`.
fn mcp_name(name: &str) -> Option<(&str, &str)> {
    let (server, tool) = name.strip_prefix("mcp__")?.split_once("__")?;
    (!server.is_empty() && !tool.is_empty()).then_some((server, tool))
}

/// A call of an MCP tool.
pub(crate) fn mcp(server: &str, tool: &str, arguments: &Value) -> Action {
    Action::Mcp {
        server: server.to_owned(),
        method: "tools/call".to_owned(),
        tool: tool.to_owned(),
        arguments: arguments.clone().into(),
        beside: Value::Null,
    }
}

/// A command in shell text.
pub(crate) fn command(line: &str, cwd: Option<String>) -> Action {
    Action::Exec { command: CommandLine::Command(line.to_owned()), cwd }
}

fn exec(input: &Value, cwd: Option<&str>) -> Vec<Action> {
    let own = ["workdir", "cwd", "directory", "dir_path"].iter().find_map(|key| text(input, key));
    let cwd = match (own, cwd) {
        (Some(own), Some(cwd)) if !own.starts_with('/') => Some(format!("{}/{own}", cwd.trim_end_matches('/'))),
        (own, cwd) => own.or(cwd).map(str::to_owned),
    };
    let argv = |words: &[Value]| {
        let words: Option<Vec<_>> = words.iter().map(|word| Some(word.as_str()?.to_owned())).collect();
        Some(Action::Exec { command: CommandLine::Argv(words.filter(|w| !w.is_empty())?), cwd: cwd.clone() })
    };
    let single = match input.get("command") {
        Some(Value::Array(words)) => argv(words),
        _ => text(input, "command").map(|line| command(line, cwd.clone())),
    };
    let several = input.get("commands").and_then(Value::as_array).into_iter().flatten().map(|item| match item {
        Value::Object(_) => text(item, "command").map(|line| command(line, cwd.clone())),
        _ => item.as_str().map(|line| command(line, cwd.clone())),
    });
    // One that cannot be read spoils all: it would run unseen.
    let several: Option<Vec<_>> = several.collect();
    several.map(|several| single.into_iter().chain(several).collect()).unwrap_or_default()
}

/// Members that hold a path, a list of paths, or a list of objects with paths, over all hosts.
const PATHS: [&str; 10] = [
    "file_path",
    "path",
    "filePath",
    "absolute_path",
    "notebook_path",
    "dir_path",
    "paths",
    "files",
    "file_paths",
    "include",
];

/// Every path that the input names.
///
/// # Errors
/// When one of a list cannot be read: it would pass unseen.
fn paths(input: &Value) -> Result<Vec<Located>, Malformed> {
    let mut all = Vec::new();
    for value in PATHS.iter().filter_map(|key| input.get(key)) {
        let items = if let Value::Array(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
        for item in items {
            let path = match item {
                Value::String(path) => Some(path.as_str()),
                Value::Object(_) => PATHS.iter().find_map(|key| text(item, key)),
                _ => None,
            };
            match path {
                Some("") => {}
                Some(path) if all.contains(&Located::written(path)) => {}
                Some(path) => all.push(Located::written(path)),
                None if item.is_null() && !value.is_array() => {}
                None => return Err(Malformed::new("a path of the tool's input is not text")),
            }
        }
    }
    Ok(all)
}

/// A directory that is searched, and the files in it that a filter names.
fn looked_at(input: &Value, filters: &[&str], cwd: Option<&str>) -> Result<Vec<Located>, Malformed> {
    let mut folders = input.clone();
    // Here it is a filter on file names, not a path.
    folders.as_object_mut().and_then(|members| members.remove("include"));
    let mut all = paths(&folders)?;
    if all.is_empty() {
        all.push(Located::written(cwd.unwrap_or(".")));
    }
    let folder = all.first().map_or(".", |first| first.path.trim_end_matches('/')).to_owned();
    for filter in filters.iter().filter_map(|key| text(input, key)) {
        let anchored = filter.starts_with(['/', '~']);
        all.push(Located::written(if anchored { filter.to_owned() } else { format!("{folder}/{filter}") }));
    }
    Ok(all)
}

/// Members that hold text to be written, over all hosts.
const CONTENT: [&str; 9] =
    ["content", "file_text", "new_string", "newString", "new_text", "new_str", "new_source", "insert_text", "diff"];

fn content(input: &Value) -> Option<String> {
    let edits = input.get("edits").and_then(Value::as_array).into_iter().flatten();
    let parts: Vec<&str> =
        std::iter::once(input).chain(edits).flat_map(|part| CONTENT.iter().filter_map(|key| text(part, key))).collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// Whether an editor's input names text that it replaces or a place where it inserts.
fn replaces(input: &Value) -> bool {
    ["old_text", "old_str", "old_string", "insert_line"].iter().any(|key| input.get(key).is_some_and(|v| !v.is_null()))
}

fn patched(input: &Value) -> Vec<Action> {
    let patch = ["command", "patch", "patchText", "input", "diff"].iter().find_map(|key| match input.get(key)? {
        Value::Array(words) => words.last()?.as_str(),
        value => value.as_str(),
    });
    let patch = patch::read(patch.or(input.as_str()).unwrap_or_default());
    let located = |paths: Vec<String>| paths.into_iter().map(Located::written).collect::<Vec<_>>();
    let content = (!patch.content.is_empty()).then_some(patch.content);
    let mut actions = Vec::new();
    if !patch.adds.is_empty() {
        actions.push(Action::Write { paths: located(patch.adds), content: content.clone() });
    }
    if !patch.edits.is_empty() {
        actions.push(Action::Edit { paths: located(patch.edits), content });
    }
    actions
}

/// Every URL that the input names; none when one of them cannot be read.
fn urls(input: &Value) -> Vec<String> {
    let list = |key| input.get(key).and_then(Value::as_array).into_iter().flatten();
    let named = text(input, "url").into_iter().map(Some);
    let listed = list("urls").map(Value::as_str);
    let requested = list("requests").map(|request| text(request, "url"));
    let all: Option<Vec<_>> = named.chain(listed).chain(requested).map(|url| Some(url?.to_owned())).collect();
    all.unwrap_or_default()
}

/// The URLs that stand in a text.
fn urls_in(prose: &str) -> Vec<String> {
    let lower = prose.to_ascii_lowercase();
    let starts = lower.match_indices("http").map(|(start, _)| start);
    let starts = starts.filter(|start| {
        let rest = lower.get(*start..).unwrap_or_default();
        rest.starts_with("http://") || rest.starts_with("https://")
    });
    let url = |start: usize| {
        let rest = prose.get(start..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().trim_end_matches(['.', ',', ';', ')', ']', '}']).to_owned()
    };
    starts.map(url).collect()
}

fn fetch(url: String) -> Action {
    Action::Fetch {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        body: None,
        body_size: None,
        addresses: Vec::new(),
    }
}

/// The input of a tool that only an event's own members describe, such as Cursor's `beforeShellExecution`.
pub(crate) fn members(payload: &Value, keys: &[&str]) -> Value {
    let members = keys.iter().filter_map(|key| Some(((*key).to_owned(), payload.get(key)?.clone())));
    json!(members.collect::<serde_json::Map<_, _>>())
}

#[cfg(test)]
mod tests;
