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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use rampart_call::{Judgement, Judging, Noting, Reason, Refusal, Verdict};
    use serde_json::Value;

    use super::*;
    use crate::{answer::Form, http::whose::Whose};

    #[derive(Default)]
    struct Noted(Mutex<Vec<String>>);

    impl Gate for Noted {
        fn judge(&self, _: Call) -> Judging<'_> {
            let judgement = Judgement::refused(Reason::Default, "nobody asks");
            Box::pin(std::future::ready(Verdict::Deny(Refusal { judgement })))
        }

        fn over(&self, call: Call) -> Noting<'_> {
            self.0.lock().unwrap().push(format!("{} {}", call.action.subject(), call.origin.run.unwrap_or_default()));
            Box::pin(std::future::ready(()))
        }
    }

    type End = fn(Waits, &Arc<Session>);

    #[tokio::test]
    async fn a_call_is_over_once_nobody_can_get_its_answer() {
        let method = |method: &str| Action::Mcp {
            server: "s".into(),
            method: method.into(),
            tool: "t".into(),
            arguments: Value::Bool(true).into(),
            beside: Value::Null,
        };
        let table: [(&str, bool, &str, End, bool); 9] = [
            ("answered", false, "tools/call", |waits, _| waits.over().1.into_iter().for_each(Open::answered), false),
            ("answered", true, "tools/call", |waits, _| waits.over().1.into_iter().for_each(Open::answered), false),
            ("left", false, "tools/call", |waits, _| drop(waits), true),
            ("left", true, "tools/call", |waits, _| drop(waits), true),
            ("no call", true, "tools/list", |waits, _| drop(waits), false),
            (
                "cancelled",
                true,
                "tools/call",
                |waits, s| (s.of_client().give_up(waits.id()), std::mem::forget(waits)).1,
                true,
            ),
            (
                "left, and may come back",
                true,
                "tools/call",
                |mut waits, session| {
                    waits.can_resume();
                    drop(waits);
                    std::mem::forget(Arc::clone(session));
                },
                false,
            ),
            (
                "left for good",
                true,
                "tools/call",
                |mut waits, _| {
                    waits.can_resume();
                    drop(waits);
                },
                true,
            ),
            ("asked twice", true, "tools/call", |waits, _| std::mem::forget(waits), false),
        ];
        for (what, in_session, of, end, is_over) in table {
            let noted = Arc::new(Noted::default());
            let gate: Arc<dyn Gate> = Arc::clone(&noted) as _;
            let session = Arc::new(Session::of(Whose::Listener));
            let asked = Asked { action: method(of), form: Form::Error };
            let open = Open::of(&gate, &Origin::default(), &asked.action, &Id::Number(1));
            let waits = Waits::new(Id::Number(1), asked.clone(), open, &session, in_session).unwrap();
            if in_session {
                assert!(
                    Waits::new(Id::Number(1), asked, None, &session, true).is_none(),
                    "its answer could be either's"
                );
            }
            end(waits, &session);
            drop(session);
            tokio::task::yield_now().await;
            assert_eq!(noted.0.lock().unwrap().len(), usize::from(is_over), "{what} {in_session}");
        }
    }
}
