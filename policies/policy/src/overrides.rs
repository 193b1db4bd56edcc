//! What `rampart allow` and `rampart block` write: one exact rule, as YAML and as the command that makes it.

use std::collections::BTreeMap;

use rampart_call::{Action, Located};

use crate::{
    condition::{Pair, When},
    facts::naming,
    pattern::{PathGlob, TextGlob},
    read::Placed,
    source::Match,
};

/// What an override does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OverrideAction {
    /// `rampart allow`.
    #[default]
    Allow,
    /// `rampart block`.
    Deny,
    /// `rampart block --ask`.
    Ask,
}

/// One override.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Override {
    /// What it does.
    pub action: OverrideAction,
    /// The tool it is about; a command when not named.
    pub tool: Option<String>,
    /// A command, path, host, URL or `server/tool` pattern, by the tool.
    pub pattern: String,
    /// Arguments of an MCP or host tool, by name or JSON pointer, and patterns of which each must match one.
    pub params: BTreeMap<String, Vec<String>>,
    /// Where it comes from, for lists.
    pub description: Option<String>,
    /// What to tell people.
    pub message: Option<String>,
    /// RFC 3339 time from which on it no longer holds.
    pub expires_at: Option<String>,
    /// It holds one time.
    pub once: bool,
}

impl Override {
    /// One that allows this action and as little else as the patterns of its tool can say; none where they cannot say it:
    /// several paths, a tool of the host's own, an MCP message that calls no tool. An MCP call is known by server, tool and
    /// those of its arguments that name files, hosts or commands, whatever the others say.
    pub fn exact(action: &Action) -> Option<Self> {
        let (tool, pattern) = match action {
            Action::Exec { command, .. } => (None, TextGlob::escape(command.to_line().trim())),
            Action::Read { paths } | Action::Write { paths, .. } | Action::Edit { paths, .. } => match paths.as_slice()
            {
                [Located { path, resolved }] => {
                    let path = resolved.as_ref().unwrap_or(path);
                    let plain = path.starts_with('/') && !path.contains(['*', '?', '[', '{', '\\']);
                    (Some(action.tool()), plain.then(|| path.clone())?)
                }
                _ => return None,
            },
            Action::Fetch { url, .. } => (Some("fetch"), TextGlob::escape(url)),
            Action::Connect { host, .. } => (Some("connect"), (!host.contains('*')).then(|| host.clone())?),
            Action::Mcp { server, tool, method, arguments, .. } => {
                let plain = method == "tools/call" && !server.contains(['*', '/']) && !tool.contains('*');
                let named = plain && !server.is_empty() && !tool.is_empty();
                let pattern = named.then(|| format!("{server}/{tool}"))?;
                return Some(Self {
                    tool: Some("mcp".to_owned()),
                    pattern,
                    params: naming(server, tool, arguments),
                    ..Self::default()
                });
            }
            Action::Tool { .. } => return None,
        };
        Some(Self { tool: tool.map(str::to_owned), pattern, ..Self::default() })
    }

    /// The command that makes it, without the time that it holds.
    pub fn command_line(&self) -> String {
        let verb = match self.action {
            OverrideAction::Allow => "allow",
            OverrideAction::Deny => "block",
            OverrideAction::Ask => "block --ask",
        };
        let tool = self.tool.as_deref().map(|t| format!("--tool {t} ")).unwrap_or_default();
        let mut params = String::new();
        for (name, one) in self.params.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one))) {
            params = params + " --param " + &quote(&format!("{name}={one}"));
        }
        let once = if self.once { " --once" } else { "" };
        let message = self.message.as_deref().map(|m| format!(" --message {}", quote(m))).unwrap_or_default();
        format!("rampart {verb} {tool}{}{params}{once}{message}", quote(&self.pattern))
    }

    /// A policy of this one rule, as an item of `policies:`.
    pub fn to_policy(&self, name: &str) -> String {
        let tool = self.tool.as_deref().unwrap_or("exec");
        let pattern = scalar(&self.pattern);
        let (mut matching, mut when) = (format!("      tool: [{}]\n", scalar(tool)), String::new());
        match tool {
            "exec" => when = format!("command_matches: [{pattern}]"),
            "read" | "write" | "edit" => when = format!("path_matches: [{pattern}]"),
            "fetch" if self.pattern.contains("://") => when = format!("url_matches: [{pattern}]"),
            "fetch" | "connect" => when = format!("domain_matches: [{pattern}]"),
            "mcp" => {
                let (server, tool) = self.pattern.split_once('/').unwrap_or(("*", &self.pattern));
                matching = format!("      tool: [{}]\n      server: [{}]\n", scalar(tool), scalar(server));
            }
            _ => {}
        }
        if !self.params.is_empty() {
            let list = |all: &[String]| all.iter().map(|one| scalar(one)).collect::<Vec<_>>().join(", ");
            let named: Vec<String> =
                self.params.iter().map(|(name, all)| format!("{}: [{}]", scalar(name), list(all))).collect();
            when = format!("tool_param_matches: {{ {} }}", named.join(", "));
        }
        let when = if when.is_empty() { "default: true" } else { &when };
        let action = match self.action {
            OverrideAction::Allow => "allow",
            OverrideAction::Deny => "deny",
            OverrideAction::Ask => "ask",
        };
        let mut text = format!("  - name: {}\n", scalar(name));
        if let Some(description) = &self.description {
            text.push_str(&format!("    description: {}\n", scalar(description)));
        }
        text.push_str(&format!("    match:\n{matching}    rules:\n"));
        text.push_str(&format!("      - action: {action}\n        when: {{ {when} }}\n"));
        if let Some(message) = &self.message {
            text.push_str(&format!("        message: {}\n", scalar(message)));
        }
        if let Some(at) = &self.expires_at {
            text.push_str(&format!("        expires_at: {}\n", scalar(at)));
        }
        if self.once {
            text.push_str("        once: true\n");
        }
        text
    }

    /// What [`Self::to_policy`] writes, without writing it.
    pub(crate) fn conditions(&self) -> (Match, When) {
        let texts = |text: &str| Some(vec![Placed { value: text.to_owned(), span: 0..0 }]);
        let pattern = || Pair { yes: texts(&self.pattern), no: None };
        let tool = self.tool.as_deref().unwrap_or("exec");
        let (mut matching, mut when) = (Match { tool: texts(tool), ..Match::default() }, When::default());
        match tool {
            "exec" => when.command.matches = pattern(),
            "read" | "write" | "edit" => when.path = pattern(),
            "fetch" if self.pattern.contains("://") => when.url = pattern(),
            "fetch" | "connect" => when.domain = pattern(),
            "mcp" => {
                let (server, tool) = self.pattern.split_once('/').unwrap_or(("*", &self.pattern));
                matching = Match { tool: texts(tool), server: texts(server), ..Match::default() };
            }
            _ => {}
        }
        if !self.params.is_empty() {
            let all = |list: &[String]| list.iter().filter_map(|one| texts(one)).flatten().collect();
            when.tool_param.yes = Some(self.params.iter().map(|(name, list)| (name.clone(), all(list))).collect());
        }
        (matching, when)
    }

    /// A file of this one override.
    pub fn to_yaml(&self, name: &str) -> String {
        format!("version: \"1\"\npolicies:\n{}", self.to_policy(name))
    }

    /// What is wrong with the pattern, for its author.
    pub fn check(&self) -> Result<(), String> {
        if self.pattern.trim().is_empty() {
            return Err("the pattern is empty".to_owned());
        }
        let has_none =
            matches!(self.tool.as_deref(), None | Some("exec" | "read" | "write" | "edit" | "fetch" | "connect"));
        if has_none && !self.params.is_empty() {
            return Err(
                "only tools of MCP servers and of the agent's own have parameters; name one with --tool".to_owned()
            );
        }
        match self.tool.as_deref() {
            Some("read" | "write" | "edit") => {
                PathGlob::compile(&self.pattern, crate::pattern::Reading::Exact).map(|_| ())
            }
            None | Some("exec" | "fetch" | "connect" | "mcp") => Ok(()),
            Some(_) if self.pattern == "*" => Ok(()),
            Some(tool) => Err(format!("a rule about `{tool}` covers all its calls, so its pattern is `*`")),
        }
    }
}

/// A YAML scalar in double quotes, which JSON strings are.
fn scalar(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Quotes a pattern for a shell, in double quotes where nothing in it would be expanded there.
fn quote(text: &str) -> String {
    if text.contains(['"', '$', '`', '\\', '!', '\n']) {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("\"{text}\"")
    }
}
