//! What a question is, and how it can end.

use rampart_call::{Call, Judgement};
use serde::{Deserialize, Serialize};

/// A question that waits for a human.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its id, 12 hex digits; any unique beginning names it.
    pub id: String,
    /// SHA-256 of the call, in hex: what an answer is bound to.
    pub payload: String,
    /// The call.
    pub call: Call,
    /// Why it is asked.
    pub judgement: Judgement,
    /// Number of the record that says it was asked; 0 until then, and so long nobody sees it.
    pub decision: u64,
    /// When it was asked, in milliseconds since 1970 UTC.
    pub asked_ms: u64,
    /// When it was to expire as the clock on the wall went when it was asked, in milliseconds since 1970 UTC. For people;
    /// it expires by the boot clock.
    pub expires_ms: u64,
    /// When it expires, in milliseconds of the boot clock.
    pub expires_boot_ms: u64,
    /// How many different people must agree.
    pub approvals: u8,
    /// Who has agreed so far, where one is not enough.
    pub agreed: Vec<Agreed>,
}

impl Question {
    /// How many milliseconds it may wait in all.
    pub(crate) fn lasts_ms(&self) -> u64 {
        self.expires_ms.saturating_sub(self.asked_ms)
    }

    /// How many more people must agree.
    pub fn missing(&self) -> u8 {
        self.approvals.saturating_sub(u8::try_from(self.agreed.len()).unwrap_or(u8::MAX))
    }
}

/// One of several people who must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreed {
    /// Who, where people are told apart.
    pub person: String,
    /// Who, as the record and others see it.
    pub by: String,
}

/// What a human said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Yes or no.
    pub approve: bool,
    /// Who, as the record and others shall see it.
    pub by: String,
    /// Who, where people are told apart; none where that is not known.
    pub person: Option<String>,
    /// By which way it came: `cli`, `api`, `dashboard`, `link`.
    pub from: &'static str,
    /// Why.
    pub reason: String,
    /// What the question was about, as the human saw it; when given it must be the same.
    pub payload: Option<String>,
    /// How far they said it reaches: `once`, a time such as `1h`, or `always`. Only this call is released whatever it
    /// says; the rule for later ones is written by whoever said so.
    pub scope: String,
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A human said yes or no.
    Answered(Reply),
    /// Nobody answered in time.
    Expired,
    /// Whoever asked went away.
    Withdrawn,
    /// The gateway ends; the question stays for its next start.
    Suspended,
}

/// What the shell around the queue has to do.
#[derive(Debug)]
pub struct Ended {
    /// The question.
    pub question: Question,
    /// How it ended. Whoever asked is told, after it was recorded.
    pub ending: Ending,
}

/// What an answer did.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The question is over.
    Ended(Ended),
    /// More people must agree. The question is as it stands now.
    Agreed(Question),
}

/// Why a question cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// No question has such an id.
    #[error("no question has an id that begins with `{0}`; see `rampart pending`")]
    Unknown(String),
    /// More than one question has.
    #[error("`{prefix}` is the beginning of more than one id: {}", ids.join(", "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// The ids.
        ids: Vec<String>,
    },
    /// Somebody was faster.
    #[error("{id} was {} by {by} already", if *.approved { "approved" } else { "denied" })]
    Answered {
        /// The question.
        id: String,
        /// What they said.
        approved: bool,
        /// Who.
        by: String,
    },
    /// It is too late.
    #[error("{0} has expired; the call was refused")]
    Expired(String),
    /// Nobody waits for the answer any more.
    #[error("{0} was withdrawn: whoever asked has gone away")]
    Withdrawn(String),
    /// They have said so already, and somebody else must.
    #[error("{id} needs {} people, and you are one of them already as {by}: somebody else must answer", .approvals)]
    SamePerson {
        /// The question.
        id: String,
        /// How many people must agree.
        approvals: u8,
        /// Under which name.
        by: String,
    },
    /// They ask themselves.
    #[error("{0} needs several people, and it was your own token that asked: others must answer")]
    OwnQuestion(String),
    /// It is not known who they are.
    #[error(
        "{0} needs several people, and a link does not tell who you are: answer with `rampart approve`, at the dashboard, or \
         with a token"
    )]
    Nameless(String),
    /// The human saw something else.
    #[error("{0} is not about what you were shown; look at it again with `rampart pending`")]
    OtherPayload(String),
}

impl NotTaken {
    /// Why an answer to the question `id` comes too late.
    pub(crate) fn after(id: &str, ending: &Ending) -> Self {
        let id = id.to_owned();
        match ending {
            Ending::Answered(reply) => Self::Answered { id, approved: reply.approve, by: reply.by.clone() },
            Ending::Expired => Self::Expired(id),
            Ending::Withdrawn | Ending::Suspended => Self::Withdrawn(id),
        }
    }
}
