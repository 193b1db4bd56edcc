//! The words every part of Rampart shares: what an agent wants to do, and what was decided about it.
//!
//! Not here: how a decision is reached (`rampart-policy`), how it is recorded (`rampart-gateway`), or any I/O.

mod action;
mod call;
mod effect;
mod finding;
mod gate;
mod session;
pub mod strict;
mod trace;
mod unanswered;
mod unseen;
mod verdict;

pub use action::{Action, CommandLine, Located, MissingParam};
pub use call::{Call, Origin, Phase, Response, Surface};
pub use effect::{Certainty, Effect, EffectKind, Reversibility, Scope, Sensitivity, Span, Target};
pub use finding::{Finding, FindingClass};
pub use gate::{
    Answer, Gate, Judging, Noting, Permit, Question, Refusal, Refused, Telling, Usage, Verdict, answer_to_verdict,
};
pub use session::{client_session, listener_of};
pub use trace::TraceParent;
pub use unanswered::{Lost, Standing};
pub use unseen::is_invisible;
pub use verdict::{Edit, Judgement, Outcome, Reason, RuleRef};
