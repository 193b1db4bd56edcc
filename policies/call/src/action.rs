//! What an agent wants to do, in the terms of the road it takes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What would be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Run a command.
    Exec {
        /// The command.
        #[serde(flatten)]
        command: CommandLine,
        /// Absolute working directory, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
    },
    /// Read files.
    Read {
        /// The files; never empty.
        paths: Vec<Located>,
    },
    /// Create or replace files.
    Write {
        /// The files; never empty.
        paths: Vec<Located>,
        /// What would be written, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    },
    /// Change parts of files.
    Edit {
        /// The files; never empty.
        paths: Vec<Located>,
        /// What would be written, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    },
    /// Make an HTTP request.
    Fetch {
        /// Upper case.
        method: String,
        /// Absolute URL as the client gave it.
        url: String,
        /// Names in lower case, in the order they came.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        /// The body, or its beginning, where it is text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// Size of the whole body in bytes, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body_size: Option<u64>,
        /// The addresses the name resolved to, one of which will be dialled.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addresses: Vec<std::net::IpAddr>,
    },
    /// Open a connection whose content is not (yet) seen.
    Connect {
        /// Host name or address as the client gave it.
        host: String,
        /// TCP port.
        port: u16,
        /// The addresses the name resolved to, one of which will be dialled.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addresses: Vec<std::net::IpAddr>,
    },
    /// An MCP message: a request, a notification, or what a server asks of the client.
    Mcp {
        /// The server's name.
        server: String,
        /// JSON-RPC method, such as `tools/call`.
        method: String,
        /// Name of the tool or prompt, or the resource's URI.
        #[serde(default)]
        tool: String,
        /// `params.arguments` of a call, otherwise `params`. It may be of many megabytes, and is not copied with the action.
        #[serde(default)]
        arguments: Arc<Value>,
        /// What stands beside `arguments` in `params` of a call and says something: `inputResponses`, `requestState`,
        /// members of `_meta` that are not the protocol's own, members that nobody knows. Null where there is none.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        beside: Value,
    },
    /// A tool of the host that none of the other words fit.
    Tool {
        /// The host's name for it.
        name: String,
        /// Its input.
        #[serde(default)]
        input: Value,
    },
}

/// A command as the surface saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CommandLine {
    /// Text that a POSIX shell or bash would interpret.
    Command(String),
    /// An argument vector that no shell interprets.
    Argv(Vec<String>),
}

impl CommandLine {
    /// The command as one line: shell text as it is, an argument vector quoted.
    pub fn to_line(&self) -> String {
        match self {
            Self::Command(text) => text.clone(),
            Self::Argv(words) => words.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" "),
        }
    }
}

/// Quotes one word so that a POSIX shell reads it back unchanged.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+~".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('~') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A path as it was written and, where the surface could look, what it really is. Rules test both; the stricter wins.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Located {
    /// As the agent wrote it; may be relative to the working directory or start with `~`.
    pub path: String,
    /// Absolute, with symbolic links resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
}

impl Located {
    /// A path that nobody resolved.
    pub fn written(path: impl Into<String>) -> Self {
        Self { path: path.into(), resolved: None }
    }
}

/// Why a tool's parameters do not describe an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingParam {
    /// The tool.
    pub tool: String,
    /// The parameter it needs.
    pub param: &'static str,
}

impl std::fmt::Display for MissingParam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` needs the parameter `{}`", self.tool, self.param)
    }
}

impl std::error::Error for MissingParam {}

impl Action {
    /// The word that `match.tool` in a policy names this action by.
    pub fn tool(&self) -> &str {
        match self {
            Self::Exec { .. } => "exec",
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Edit { .. } => "edit",
            Self::Fetch { .. } => "fetch",
            Self::Connect { .. } => "connect",
            Self::Mcp { .. } => "mcp",
            Self::Tool { name, .. } => name,
        }
    }

    /// About how many bytes its texts take that may be long.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Exec { command: CommandLine::Command(line), .. } => line.len(),
            Self::Exec { command: CommandLine::Argv(words), .. } => words.iter().map(|word| word.len() + 3).sum(),
            Self::Read { paths } => paths.len() * 64,
            Self::Write { content, .. } | Self::Edit { content, .. } => content.as_ref().map_or(0, String::len),
            Self::Fetch { url, headers, body, .. } => {
                let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
                url.len() + headers + body.as_ref().map_or(0, String::len)
            }
            Self::Connect { host, .. } => host.len(),
            Self::Mcp { tool, arguments, beside, .. } => tool.len() + size(arguments) + size(beside),
            Self::Tool { input, .. } => size(input),
        }
    }

    /// What a call of an MCP server says: its arguments, and what stands beside them, as JSON. The edits of a permit for such
    /// a call are places in this text.
    pub fn mcp_text(&self) -> Option<String> {
        match self {
            Self::Mcp { arguments, beside, .. } if beside.is_null() => Some(arguments.to_string()),
            Self::Mcp { arguments, beside, .. } => Some(format!("{arguments}\n{beside}")),
            _ => None,
        }
    }

    /// The action that a tool name and its parameters describe, as `POST /v1/preflight/{tool}` and `rampart test`
    /// give them.
    ///
    /// # Errors
    /// When a tool we know lacks the parameter that says what it would do.
    pub fn from_tool(tool: &str, params: &Value) -> Result<Self, MissingParam> {
        let text = |keys: &[&str]| keys.iter().find_map(|k| params.get(k)?.as_str()).map(str::to_owned);
        let need = |keys: &[&str], param| text(keys).ok_or_else(|| MissingParam { tool: tool.to_owned(), param });
        let paths = || -> Result<Vec<Located>, MissingParam> {
            let mut all: Vec<Located> = text(&["path", "file_path"]).map(Located::written).into_iter().collect();
            if let Some(Value::Array(list)) = params.get("paths") {
                all.extend(list.iter().filter_map(Value::as_str).map(Located::written));
            }
            if all.is_empty() { Err(MissingParam { tool: tool.to_owned(), param: "path" }) } else { Ok(all) }
        };
        let addresses = || {
            let list = params.get("addresses").and_then(Value::as_array).into_iter().flatten();
            list.filter_map(|address| address.as_str()?.parse().ok()).collect()
        };
        Ok(match tool {
            "exec" => {
                let cwd = text(&["cwd", "workdir"]);
                match params.get("argv").and_then(Value::as_array) {
                    Some(argv) => Self::Exec {
                        command: CommandLine::Argv(argv.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
                        cwd,
                    },
                    None => Self::Exec { command: CommandLine::Command(need(&["command"], "command")?), cwd },
                }
            }
            "read" => Self::Read { paths: paths()? },
            "write" => Self::Write { paths: paths()?, content: text(&["content"]) },
            "edit" => Self::Edit { paths: paths()?, content: text(&["content", "new_string"]) },
            "fetch" => {
                let body = text(&["body"]);
                Self::Fetch {
                    method: text(&["method"]).unwrap_or_else(|| "GET".to_owned()).to_ascii_uppercase(),
                    url: need(&["url"], "url")?,
                    headers: header_list(params.get("headers")),
                    body_size: body.as_ref().map(|b| b.len() as u64),
                    body,
                    addresses: addresses(),
                }
            }
            "connect" => Self::Connect {
                host: need(&["host"], "host")?,
                port: params.get("port").and_then(Value::as_u64).and_then(|p| u16::try_from(p).ok()).unwrap_or(443),
                addresses: addresses(),
            },
            "mcp" => Self::Mcp {
                server: text(&["server"]).unwrap_or_default(),
                method: text(&["method"]).unwrap_or_else(|| "tools/call".to_owned()),
                tool: need(&["tool", "name"], "tool")?,
                arguments: params.get("arguments").cloned().unwrap_or(Value::Null).into(),
                beside: params.get("beside").cloned().unwrap_or(Value::Null),
            },
            other => Self::Tool { name: other.to_owned(), input: params.clone() },
        })
    }

    /// What the action is about, in one line for a person: the command, the paths, the URL, the tool.
    pub fn subject(&self) -> String {
        match self {
            Self::Exec { command, .. } => command.to_line(),
            Self::Read { paths } | Self::Write { paths, .. } | Self::Edit { paths, .. } => {
                paths.iter().map(|p| p.path.as_str()).collect::<Vec<_>>().join(" ")
            }
            Self::Fetch { method, url, .. } => format!("{method} {url}"),
            Self::Connect { host, port, .. } => format!("{host}:{port}"),
            Self::Mcp { server, method, tool, .. } => {
                let what = if tool.is_empty() { method } else { tool };
                if server.is_empty() { what.clone() } else { format!("{server}/{what}") }
            }
            Self::Tool { name, .. } => name.clone(),
        }
    }

    /// What belongs to it beside its subject, with names: where it would run, what it would write or send.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let json = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
        let mut all = Vec::new();
        match self {
            Self::Exec { cwd, .. } => all.extend(cwd.clone().map(|cwd| ("in", cwd))),
            Self::Read { paths } => all.extend(really(paths)),
            Self::Write { paths, content } | Self::Edit { paths, content } => {
                all.extend(really(paths));
                all.extend(content.clone().map(|content| ("content", content)));
            }
            Self::Fetch { headers, body, addresses, .. } => {
                all.extend(addresses.iter().map(|address| ("address", address.to_string())));
                all.extend(headers.iter().map(|(name, value)| ("header", format!("{name}: {value}"))));
                all.extend(body.clone().map(|body| ("body", body)));
            }
            Self::Connect { addresses, .. } => {
                all.extend(addresses.iter().map(|address| ("address", address.to_string())));
            }
            Self::Mcp { method, arguments, beside, .. } => {
                all.push(("method", method.clone()));
                all.push(("arguments", json(arguments)));
                if !beside.is_null() {
                    all.push(("beside", json(beside)));
                }
            }
            Self::Tool { input, .. } => all.push(("input", json(input))),
        }
        all
    }
}

/// About how many bytes a value takes as JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum(),
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + 4 + size(value)).sum(),
    }
}

fn really(paths: &[Located]) -> impl Iterator<Item = (&'static str, String)> {
    let other = paths.iter().filter(|p| p.resolved.as_ref().is_some_and(|resolved| *resolved != p.path));
    other.filter_map(|p| Some(("really", p.resolved.clone()?)))
}

fn header_list(headers: Option<&Value>) -> Vec<(String, String)> {
    let Some(Value::Object(map)) = headers else {
        return Vec::new();
    };
    map.iter().filter_map(|(k, v)| Some((k.to_ascii_lowercase(), v.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tools_become_actions() {
        let exec = Action::from_tool("exec", &json!({"command": "ls"})).unwrap();
        assert_eq!((exec.tool(), exec.subject().as_str()), ("exec", "ls"));
        let read = Action::from_tool("read", &json!({"paths": ["a", "b"]})).unwrap();
        assert_eq!(read.subject(), "a b");
        let fetch = Action::from_tool("fetch", &json!({"url": "https://x.io", "method": "post"})).unwrap();
        assert_eq!(fetch.subject(), "POST https://x.io");
        let err = Action::from_tool("read", &json!({"command": "ls"})).unwrap_err();
        assert_eq!(err.to_string(), "`read` needs the parameter `path`");
        assert_eq!(Action::from_tool("browser", &json!({})).unwrap().tool(), "browser");
    }

    #[test]
    fn an_argument_vector_is_quoted_into_a_line() {
        let argv = CommandLine::Argv(vec!["git".into(), "commit".into(), "-m".into(), "it's $x".into(), String::new()]);
        assert_eq!(argv.to_line(), r"git commit -m 'it'\''s $x' ''");
    }

    #[test]
    fn an_action_survives_its_json() {
        for action in [
            Action::Exec { command: CommandLine::Argv(vec!["a".into()]), cwd: Some("/x".into()) },
            Action::Exec { command: CommandLine::Command("a b".into()), cwd: None },
            Action::Connect { host: "x.io".into(), port: 22, addresses: vec![] },
        ] {
            let text = serde_json::to_string(&action).unwrap();
            assert_eq!(serde_json::from_str::<Action>(&text).unwrap(), action, "{text}");
        }
    }
}
