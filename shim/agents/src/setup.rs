//! What has to stand in an agent's settings so that it asks us, as data: which files, and what in them. Who applies it
//! has a disk and a person (`rampart setup`).

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Agent, claude_code, cline, codex, copilot_cli, cursor, gemini_cli, openclaw, opencode, qwen_code};

/// Every agent that can be set up, in the order of the documentation.
pub const ALL: &[&Setup] = &[
    &claude_code::SETUP,
    &codex::SETUP,
    &cline::SETUP,
    &cursor::SETUP,
    &gemini_cli::SETUP,
    &copilot_cli::SETUP,
    &openclaw::SETUP,
    &qwen_code::SETUP,
    &opencode::SETUP,
];

/// The session of calls by which a hook is tried.
pub const TRIAL: &str = "rampart-trial";

/// The setup of the agent of that name or alias.
pub fn find(name: &str) -> Option<&'static Setup> {
    let agent = crate::find(name)?;
    ALL.iter().find(|setup| setup.agent.name == agent.name).copied()
}

/// How one agent is set up.
#[derive(Debug)]
pub struct Setup {
    /// The agent.
    pub agent: &'static Agent,
    /// What people call it.
    pub title: &'static str,
    /// Paths below the user's home that show that the agent is used.
    pub signs: &'static [&'static str],
    /// Folders below the user's home that the agent keeps beside those.
    pub keeps: &'static [&'static str],
    /// How long the agent is told to wait for a hook, or does anyhow.
    pub wait: Duration,
    /// Whether a project can have hooks of its own.
    pub of_project: bool,
    /// The files, in the order in which they are to be written.
    pub files: fn(&Site<'_>) -> Vec<File>,
    /// Whether the agent tells its hook when a session begins.
    pub tells_of_sessions: bool,
    /// Further settings that count, below the project or absolute.
    pub also: &'static [&'static str],
    /// What in the agent's settings weakens its hooks.
    pub weakened: fn(&Settings<'_>) -> Vec<&'static str>,
    /// What a hook of this agent cannot do, whatever the settings say.
    pub limits: &'static [&'static str],
    /// What the agent tells its hook before it runs this command in this directory: of a captured payload the members that
    /// make it one.
    pub before: fn(command: &str, cwd: &str) -> Value,
    /// Whether the agent keeps a tool from running for this answer of its hook: the JSON that was printed, null if it was
    /// none, and the exit status.
    pub refused: fn(answer: &Value, exit: i32) -> bool,
}

/// Where an agent is to be set up.
pub struct Site<'a> {
    /// The user's home.
    pub home: &'a str,
    /// Rampart's home.
    pub rampart: &'a str,
    /// The project whose settings are meant, instead of the user's.
    pub project: Option<&'a str>,
    /// The program that answers hooks, as a path or a name.
    pub program: &'a str,
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("home", &self.home).field("project", &self.project).finish_non_exhaustive()
    }
}

/// A file and what must stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: String,
    /// What must stand in it.
    pub holds: Holds,
}

/// What must stand in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// This text and nothing else: the file is ours.
    Own {
        /// The whole text.
        text: String,
        /// The agent starts it as a program.
        executable: bool,
    },
    /// These, among whatever else there is, in JSON (with comments, where the agent allows them).
    Json(Vec<Entry>),
    /// In Codex's TOML: that the hooks in this file of hooks are trusted ([`codex_trust`]).
    Trust {
        /// Path of the file of hooks.
        hooks: String,
    },
}

/// One value in a file of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An element of the list that these members lead to.
    Element(Vec<&'static str>, Value),
    /// The same, where there is such a list. To make one would shut out everybody else.
    Listed(Vec<&'static str>, Value),
    /// The member that these lead to, which is ours.
    Member(Vec<&'static str>, Value),
    /// The same, where there is none yet.
    Default(Vec<&'static str>, Value),
}

/// An agent's settings as they are, for judging them.
#[derive(Debug)]
pub struct Settings<'a> {
    /// Every file of settings that could be read, the user's before the project's.
    pub files: &'a [Value],
}

impl Settings<'_> {
    /// Whether a member is set to `value` in any of the files.
    pub(crate) fn say(&self, pointer: &str, value: impl Into<Value>) -> bool {
        let value = value.into();
        self.files.iter().any(|file| file.pointer(pointer) == Some(&value))
    }
}

impl Site<'_> {
    /// A path below the folder that a variable names, else below this one of the user's home; below the same folder of
    /// the project, where that is meant.
    pub(crate) fn below(&self, variable: &str, folder: &str, path: &str) -> String {
        match self.project {
            Some(project) => format!("{project}/{folder}/{path}"),
            None => match (self.variable)(variable).filter(|folder| folder.starts_with('/')) {
                Some(named) => format!("{}/{path}", named.trim_end_matches('/')),
                None => format!("{}/{folder}/{path}", self.home),
            },
        }
    }

    /// The words that answer a hook.
    pub(crate) fn words(&self, setup: &Setup) -> [String; 6] {
        let seconds = setup.wait.as_secs().to_string();
        [self.program, "hook", "--format", setup.agent.name, "--timeout", &seconds].map(str::to_owned)
    }

    /// The same as one text for a shell.
    pub(crate) fn command(&self, setup: &Setup) -> String {
        self.words(setup).map(|word| quoted(&word)).join(" ")
    }
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+:@%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Elements as Claude Code and those who followed it take them: for each event a group with one hook.
pub(crate) fn groups(events: &[&'static str], hook: &Value) -> Vec<Entry> {
    let group = json!({"matcher": "*", "hooks": [hook]});
    events.iter().map(|event| Entry::Element(vec!["hooks", event], group.clone())).collect()
}

/// Whether a text in an agent's settings is a command of ours that answers hooks.
pub fn is_ours(command: &str) -> bool {
    let (program, rest) = match command.strip_prefix('\'') {
        Some(rest) => rest.split_once('\'').unwrap_or_default(),
        None => command.split_once(' ').unwrap_or_default(),
    };
    let name = program.rsplit('/').next().unwrap_or_default();
    ["rampart", "rampart-shim"].contains(&name) && rest.trim_start().starts_with("hook ")
}

/// Whether a value in an agent's settings is one that a setup puts there.
pub fn holds_ours(value: &Value) -> bool {
    ours(value).is_some()
}

/// The first command of ours in a value.
fn ours(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.as_str()).filter(|text| is_ours(text)),
        Value::Array(items) => items.iter().find_map(ours),
        Value::Object(members) => members.values().find_map(ours),
        _ => None,
    }
}

/// The events before a tool, as the agents call them that keep their hooks in JSON.
const BEFORE: [&str; 3] = ["PreToolUse", "BeforeTool", "preToolUse"];

/// The command that settings as they are have run before a tool, if it is ours.
pub fn hook_in(settings: &Value) -> Option<&str> {
    let hooks = settings.get("hooks")?;
    BEFORE.iter().find_map(|event| ours(hooks.get(event)?))
}

/// The words that a plugin of ours as it is starts before a tool.
pub fn hook_of_plugin(text: &str) -> Option<Vec<String>> {
    let words = text.lines().find_map(|line| line.strip_prefix("const COMMAND = "))?;
    serde_json::from_str(words).ok()
}

/// What Codex must be told so that it runs our hooks in a file: for each its key below `hooks.state` of `config.toml`, and
/// the text whose SHA-256 is its `trusted_hash`. It skips a hook that it does not trust, without a word.
pub fn codex_trust(path: &str, hooks: &Value) -> Vec<(String, String)> {
    codex::trust(path, hooks)
}
