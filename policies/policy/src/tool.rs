//! The tools that a call is, or that an effect could be done with.

use rampart_call::{Action, EffectKind};

/// A set of the tools that Rampart knows by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tools(u8);

impl Tools {
    pub(crate) const EXEC: Self = Self(1);
    pub(crate) const READ: Self = Self(2);
    pub(crate) const WRITE: Self = Self(4);
    pub(crate) const EDIT: Self = Self(8);
    pub(crate) const FETCH: Self = Self(16);
    pub(crate) const CONNECT: Self = Self(32);
    pub(crate) const MCP: Self = Self(64);
    /// A tool of the host that is none of these.
    pub(crate) const OTHER: Self = Self(128);
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(255);
    /// Tools that carry arguments of any kind, in which anything can stand.
    pub(crate) const CARRIERS: Self = Self(Self::EXEC.0 | Self::MCP.0 | Self::OTHER.0);

    /// The tools that rules can name, with their words.
    pub(crate) const NAMED: [(&'static str, Self); 7] = [
        ("exec", Self::EXEC),
        ("read", Self::READ),
        ("write", Self::WRITE),
        ("edit", Self::EDIT),
        ("fetch", Self::FETCH),
        ("connect", Self::CONNECT),
        ("mcp", Self::MCP),
    ];

    pub(crate) fn of(action: &Action) -> Self {
        match action {
            Action::Exec { .. } => Self::EXEC,
            Action::Read { .. } => Self::READ,
            Action::Write { .. } => Self::WRITE,
            Action::Edit { .. } => Self::EDIT,
            Action::Fetch { .. } => Self::FETCH,
            Action::Connect { .. } => Self::CONNECT,
            Action::Mcp { .. } => Self::MCP,
            Action::Tool { .. } => Self::OTHER,
        }
    }

    /// The tools that would have this effect: `cat x` is judged by the rules for reading, too.
    pub(crate) fn causing(kind: EffectKind) -> Self {
        match kind {
            EffectKind::Exec => Self::EXEC,
            EffectKind::Read => Self::READ,
            EffectKind::Write | EffectKind::Delete | EffectKind::Move | EffectKind::Chmod => {
                Self::WRITE.and(Self::EDIT)
            }
            EffectKind::Net => Self::FETCH.and(Self::CONNECT),
            _ => Self::NONE,
        }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Each tool of the set by itself.
    pub(crate) fn each(self) -> impl Iterator<Item = Self> {
        (0..8).map(|bit| Self(1 << bit)).filter(move |tool| self.meets(*tool))
    }

    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
