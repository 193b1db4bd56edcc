//! What a call would do, derived by the core. Rules about files and hosts apply to effects, so they hold whatever
//! tool or spelling causes them.

use serde::{Deserialize, Serialize};

/// One thing that a call would do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Effect {
    /// What kind of thing.
    pub kind: EffectKind,
    /// What it is done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// How sure the analysis is that it would happen.
    pub certainty: Certainty,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
    /// The programs it came through, outermost first (`sudo`, `xargs`, `sh -c`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<String>,
    /// A stable word for what was recognised, for rules and explanations: `download-run`, `force-push`, `crontab`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The text of the call that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

impl Effect {
    /// A proven effect without further detail.
    pub fn new(kind: EffectKind, target: Option<Target>) -> Self {
        Self {
            kind,
            target,
            certainty: Certainty::Proven,
            reversibility: Reversibility::Unknown,
            via: Vec::new(),
            note: String::new(),
            span: None,
        }
    }
}

impl Effect {
    /// What it is done to, and what is known about that, in words for people; either may be empty. Every face says it so.
    pub fn in_words(&self) -> (String, String) {
        let (target, mut about) = match &self.target {
            Some(Target::Path { path, scope, sensitivity, .. }) => {
                (path.clone(), format!("{}, {}", words(scope), words(sensitivity)))
            }
            Some(Target::Host { host, port, url }) => {
                let host = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
                (url.clone().unwrap_or(host), String::new())
            }
            Some(Target::Program { name, .. }) => (name.clone(), String::new()),
            Some(Target::Named { what, name }) => (format!("{what} {name}"), String::new()),
            None => (String::new(), String::new()),
        };
        if !about.is_empty() && !self.note.is_empty() {
            about.push_str("  ");
        }
        about.push_str(&self.note);
        (target, about)
    }
}

/// The name of a variant in words.
fn words(variant: &impl std::fmt::Debug) -> String {
    let mut text = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// The kinds of effects that rules can name (`when: { effect: [delete, net] }`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EffectKind {
    /// A program is run.
    Exec,
    /// A file is read.
    Read,
    /// A file is created or changed.
    Write,
    /// A file or tree is deleted, truncated or overwritten beyond recovery.
    Delete,
    /// A file is renamed.
    Move,
    /// Mode, owner or attributes change.
    Chmod,
    /// A host is contacted.
    Net,
    /// A port is opened for others.
    Listen,
    /// More rights are taken (sudo, setuid, capabilities).
    Privilege,
    /// Something is arranged to run later (cron, units, start-up files, git hooks).
    Persist,
    /// Code is loaded from a place that is not the program's own (`LD_PRELOAD`, `git -c core.pager=`).
    CodeLoad,
    /// A secret is shown or leaves.
    Secret,
    /// Uncommitted work or history of version control is thrown away.
    VcsHistory,
    /// Remote or stored data is changed or destroyed (cloud, cluster, database, registry).
    RemoteMutate,
    /// A package is installed.
    PackageInstall,
    /// A process is signalled.
    Signal,
    /// Rampart itself is changed, stopped or unlocked.
    SelfTamper,
    /// The analysis could not see what would happen.
    Opaque,
}

impl EffectKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Exec,
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::Move,
        Self::Chmod,
        Self::Net,
        Self::Listen,
        Self::Privilege,
        Self::Persist,
        Self::CodeLoad,
        Self::Secret,
        Self::VcsHistory,
        Self::RemoteMutate,
        Self::PackageInstall,
        Self::Signal,
        Self::SelfTamper,
        Self::Opaque,
    ];

    /// The word used in policies, the audit trail and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Chmod => "chmod",
            Self::Net => "net",
            Self::Listen => "listen",
            Self::Privilege => "privilege",
            Self::Persist => "persist",
            Self::CodeLoad => "code-load",
            Self::Secret => "secret",
            Self::VcsHistory => "vcs-history",
            Self::RemoteMutate => "remote-mutate",
            Self::PackageInstall => "package-install",
            Self::Signal => "signal",
            Self::SelfTamper => "self-tamper",
            Self::Opaque => "opaque",
        }
    }

    /// The kind a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

impl std::fmt::Display for EffectKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an effect is done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Target {
    /// A file or tree.
    Path {
        /// Absolute and normalised where that was possible; may hold glob characters when `glob` is set.
        path: String,
        /// As it was written.
        written: String,
        /// Where it lies.
        scope: Scope,
        /// How delicate it is.
        sensitivity: Sensitivity,
        /// `path` is a pattern whose matches are not known.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        glob: bool,
        /// Everything below it is meant too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        recursive: bool,
    },
    /// A network destination.
    Host {
        /// Host name or address as given, folded to lower case.
        host: String,
        /// Port, when known.
        #[serde(skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// The whole URL, when there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// A program.
    Program {
        /// Its name without directories.
        name: String,
        /// Its words, quotes resolved.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        argv: Vec<String>,
    },
    /// Anything else that has a name: a branch, a package, a resource, a variable, a process.
    Named {
        /// What kind of thing: `ref`, `package`, `resource`, `variable`, `process`, `database`.
        what: String,
        /// Its name.
        name: String,
    },
}

/// Where a path lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Inside the project.
    Project,
    /// Inside a temporary directory.
    Temp,
    /// Elsewhere in the user's home.
    Home,
    /// The home directory itself, or all of it.
    HomeRoot,
    /// A system directory.
    System,
    /// The root of the file system, or a whole top-level system directory.
    SystemRoot,
    /// A device.
    Device,
    /// Settings, hooks or skills of an AI agent.
    AgentConfig,
    /// Rampart's own home, binary or service.
    Rampart,
    /// Somewhere else, or not known.
    Elsewhere,
}

/// How delicate a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Sensitivity {
    /// Nothing special is known of it.
    Ordinary,
    /// It may hold secrets (`.env`, shell history).
    MayHoldSecrets,
    /// It is a private key or a credential store.
    Credential,
    /// It decides what runs later (start-up files, units, git hooks).
    Persistence,
}

/// How sure the analysis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// It happens if the call runs.
    Proven,
    /// It may happen, depending on what the analysis cannot see.
    Possible,
    /// Nothing is known beyond that something happens.
    Opaque,
}

/// Whether an effect can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reversibility {
    /// It can be undone (tracked by version control, a move, a start).
    Reversible,
    /// It cannot.
    Irreversible,
    /// Not known.
    Unknown,
}

/// A range of bytes in the text of the call that an effect or rule refers to (the command, the URL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}
