//! A call that the server has. When nobody gets its answer any more, the gate hears that it is over.

use std::sync::Arc;

use rampart_call::{Action, Call, Gate, Origin, Phase};
use tokio::runtime::Handle;

use super::sessions::{Asked, Full, Session};
use crate::{action, message::Id};

/// Such a call, until it is dropped.
pub(super) struct Open {
    gate: Arc<dyn Gate>,
    call: Option<Call>,
}

impl Open {
    /// What is told of when it ends; none where it is no call of a tool.
    pub(super) fn of(gate: &Arc<dyn Gate>, origin: &Origin, action: &Action, id: &Id) -> Option<Self> {
        let action = action::called(action)?;
        let origin = Origin { run: Some(id.to_string()), ..origin.clone() };
        let call = Some(Call { origin, phase: Phase::After, action, response: None });
        Some(Self { gate: Arc::clone(gate), call })
    }

    /// The gate has judged the answer, and so knows.
    pub(super) fn answered(mut self) {
        self.call = None;
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // At the very end there is no runtime, and the session ends as a whole.
        if let (Some(call), Ok(runtime)) = (self.call.take(), Handle::try_current()) {
            let gate = Arc::clone(&self.gate);
            runtime.spawn(async move { gate.over(call).await });
        }
    }
}

/// A request that the server has, as long as its answer can still get to the client.
pub(super) struct Waits {
    id: Id,
    asked: Asked,
    /// In a session it is kept there: an answer may come on another stream than the question.
    open: Option<Open>,
    session: Option<Arc<Session>>,
    /// Its stream has ids, so whoever loses it may go on with it.
    resumable: bool,
}

impl Waits {
    /// None where the session has such a request already: no answer could be told from the other's.
    pub(super) fn new(
        id: Id,
        asked: Asked,
        open: Option<Open>,
        session: &Arc<Session>,
        in_session: bool,
    ) -> Option<Self> {
        if !in_session {
            return Some(Self { id, asked, open, session: None, resumable: false });
        }
        match session.of_client().insert(id.clone(), asked.clone(), open) {
            Err(Full::Duplicate) => None,
            // Beyond what is kept, an answer on this stream finds it all the same.
            Ok(()) | Err(Full::TooMany) => {
                Some(Self { id, asked, open: None, session: Some(Arc::clone(session)), resumable: false })
            }
        }
    }

    pub(super) fn id(&self) -> &Id {
        &self.id
    }

    /// The client may come back for what is still to come.
    pub(super) fn can_resume(&mut self) {
        self.resumable = true;
    }

    /// Its answer has come.
    pub(super) fn over(mut self) -> (Asked, Option<Open>) {
        let kept = self.session.take().and_then(|session| session.of_client().take(&self.id));
        (self.asked.clone(), kept.and_then(|(_, open)| open).or_else(|| self.open.take()))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(session) = self.session.take().filter(|_| !self.resumable) {
            session.of_client().take(&self.id);
        }
    }
}
