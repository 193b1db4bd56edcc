//! Calls as the audit trail tells them, made calls again. What stands for a secret there is not what was called with, so
//! such calls cannot be had back.

use rampart_call::{Action, Call, Origin, Outcome, Phase, Surface};
use serde::Deserialize;

use crate::audit::{Kind, read::Record};

/// What stands for a secret in the trail, and what stands in the middle of a text that was cut.
const REDACTED: &str = "hmac-sha256:";
const CUT: &str = " bytes in all, hmac-sha256:";

/// A decision about a call.
#[derive(Debug)]
pub struct Recorded {
    /// What was to be done, by whom.
    pub call: Call,
    /// What policy said.
    pub outcome: Outcome,
    /// What the surface was told.
    pub verdict: Outcome,
    /// When (RFC 3339).
    pub at: String,
    /// Why the call is not the one that was judged.
    pub flaw: Option<Flaw>,
}

/// Why a call cannot be had back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Flaw {
    /// Secrets in it are not in the trail.
    Redacted,
    /// Only its beginning and end are in the trail.
    Cut,
    /// It is written in a way that this version does not read.
    Unreadable,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Redacted, Self::Cut, Self::Unreadable];

    /// The reason in words.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Redacted => "secrets in them are not in the trail",
            Self::Cut => "they are so long that only their ends are in the trail",
            Self::Unreadable => "this version does not read them",
        }
    }
}

#[derive(Deserialize)]
struct Members {
    at: String,
    actor: Actor,
    action: Action,
    outcome: Outcome,
    verdict: Outcome,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Actor {
    agent: String,
    session: String,
    surface: Surface,
    run: Option<String>,
    depth: u32,
    pid: Option<u32>,
    uid: Option<u32>,
    claimed: bool,
    person: Option<String>,
    server: Option<String>,
    workspace: Option<String>,
}

impl Recorded {
    /// Reads a `decision` or `result`. The response of a result is never in the trail. `user_home` is what `~` means.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn read(record: &Record, user_home: &str) -> Result<Self, Flaw> {
        let members: Members = serde_json::from_str(&record.line).map_err(|_| Flaw::Unreadable)?;
        let Members { at, actor, action, outcome, verdict } = members;
        let text = serde_json::to_string(&action).map_err(|_| Flaw::Unreadable)?;
        let flaw = match (text.contains(CUT), text.contains(REDACTED)) {
            (true, _) => Some(Flaw::Cut),
            (false, true) => Some(Flaw::Redacted),
            (false, false) => None,
        };
        let Actor { agent, session, surface, run, depth, pid, uid, claimed, person, server, workspace } = actor;
        let home = Some(user_home.to_owned());
        let origin = Origin {
            surface,
            agent,
            session,
            run,
            depth,
            pid,
            uid,
            claimed,
            person,
            server,
            workspace,
            home,
            ..Origin::default()
        };
        let phase = if record.kind == Kind::Decision { Phase::Before } else { Phase::After };
        Ok(Self { call: Call { origin, phase, action, response: None }, outcome, verdict, at, flaw })
    }
}
