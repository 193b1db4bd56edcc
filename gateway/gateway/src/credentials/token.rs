//! One token: what it may do, for whom, until when, and the text that is shown once.

use std::{fmt, io};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::lineage::Process;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Nothing that needs a name: is the gateway alive.
    Open,
    /// Have calls decided. All that a surface needs.
    Decide,
    /// See questions and records, and answer questions. For people.
    Approve,
    /// See and change what is in force. For people; it includes the others.
    Admin,
}

impl Scope {
    /// The scopes that a token can have.
    pub const ALL: [Self; 3] = [Self::Decide, Self::Approve, Self::Admin];

    /// The word used on the command line, by the API and in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decide => "decide",
            Self::Approve => "approve",
            Self::Admin => "admin",
        }
    }

    /// The scope that a word names; none that a token cannot have.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of a token. Its text is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its id, which is no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only calls and questions of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Only questions that this policy asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// When it was made, in milliseconds since 1970 UTC.
    pub created_ms: u64,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// It was handed to the processes of a session when that began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
    /// It is the cookie of a browser that looks at the dashboard, and good for nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<Browser>,
    /// SHA-256 of the secret, in hex.
    pub(super) hash: String,
}

/// The session that a credential was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// One run of one agent.
    pub session: String,
    /// The process with whose end the credential ends.
    pub process: Process,
    /// Everything below that process belongs to the session.
    pub below: bool,
    /// It is for the processes of this MCP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The session is only watched: nothing of it is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub monitor: bool,
    /// Its processes are in a jail, and whatever they start is judged.
    #[serde(default, skip_serializing_if = "is_false")]
    pub confined: bool,
    /// Whoever bears it has calls decided in the sessions of its clients too, each below its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clients: bool,
    /// A person opened it, and no agent. Only of such a one it is heard later that it is confined.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_person: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Whose browser looks at the dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Browser {
    /// The user of this machine whose browser took the login, where the kernel told. Browsers send cookies to every port
    /// of a host, so whoever else listens there could come with this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// The token by which the login was asked for, with which it ends; none where the kernel told who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The text of a token: its id and 256 random bits. A fast hash is enough to keep it: slow ones make up for secrets that
/// can be guessed, and this one cannot.
pub(super) struct Secret {
    id: String,
    random: [u8; 32],
}

/// How every token that is made here begins, so that scanners and people recognise one.
const PREFIX: &str = "rampart_";

impl Secret {
    pub(super) fn draw() -> io::Result<Self> {
        let mut id = [0; 6];
        let mut random = [0; 32];
        getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut random)).map_err(io::Error::other)?;
        Ok(Self { id: hex::encode(id), random })
    }

    /// A new secret for an old id.
    pub(super) fn redraw(id: &str) -> io::Result<Self> {
        Ok(Self { id: id.to_owned(), ..Self::draw()? })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn hash(&self) -> String {
        hex::encode(Sha256::digest(hex::encode(self.random)))
    }

    /// What its bearer sends.
    pub(super) fn text(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, hex::encode(self.random))
    }
}

/// The id in a token's text and its secret, if it looks like one of ours.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(PREFIX)?.split_once('_')
}

/// Whether a secret has this hash. Hashes of one length are compared, so that neither content nor length shows in the
/// time it takes.
pub(super) fn fits(secret: &str, hash: &str) -> bool {
    let mut wanted = [0; 32];
    let well_formed = hex::decode_to_slice(hash, &mut wanted).is_ok();
    well_formed & bool::from(Sha256::digest(secret)[..].ct_eq(&wanted))
}

/// The hash of a token that is one secret as a whole.
pub(super) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
