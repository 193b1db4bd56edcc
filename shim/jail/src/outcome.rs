//! How far it went.

use std::{fmt, io};

use serde::{Deserialize, Serialize};

/// Part of what confines a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A user namespace, which everything else but Landlock needs.
    Namespaces,
    /// The network.
    Network,
    /// What is hidden and what is shown.
    View,
    /// The copy of a folder that is changed instead of it.
    Overlay,
    /// What may be read and written.
    Files,
    /// Capabilities, system calls, descriptors.
    Privileges,
    /// The program itself.
    Program,
}

/// Why a process is not confined, and so does not run.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
#[error("{part}: {step}: {why}")]
pub struct Failed {
    /// Which part.
    pub part: Part,
    /// What was being done.
    pub step: String,
    /// What the system said.
    pub why: String,
    /// Its number for that.
    pub code: Option<i32>,
}

impl Failed {
    /// A step that the system refused.
    pub(crate) fn new(part: Part, step: impl Into<String>, error: io::Error) -> Self {
        Self { part, step: step.into(), why: error.to_string(), code: error.raw_os_error() }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Namespaces => "namespaces",
            Self::Network => "network",
            Self::View => "view of the files",
            Self::Overlay => "copy-on-write view",
            Self::Files => "Landlock",
            Self::Privileges => "privileges",
            Self::Program => "program",
        })
    }
}

/// What holds for a process that is about to start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Which version of Landlock restricts it; none where its files were not to be restricted.
    pub landlock: Option<u8>,
}

impl Holds {
    /// Landlock keeps it from changing the length of files that it may not write (Linux 6.2).
    pub fn truncation(&self) -> bool {
        self.landlock.is_some_and(|version| version >= 3)
    }

    /// Landlock keeps its signals inside (Linux 6.12).
    pub fn signals(&self) -> bool {
        self.landlock.is_some_and(|version| version >= 6)
    }

    /// What does not hold, in words.
    pub fn missing(&self) -> Vec<&'static str> {
        let missing = [
            (self.truncation(), "other files can be cut to nothing (Linux 6.2)"),
            (self.signals(), "other processes of yours can be sent signals (Linux 6.12)"),
        ];
        missing.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect()
    }
}
