//! A request that waits for a person: its client gets signs of life on a stream, and at last the answer, once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{future::BoxFuture, stream};
use http::Response;
use http_body_util::BodyExt as _;
use rampart_call::{Permit, Reason, Refusal};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    ALIVE, Body, Failed, Front, collected, event,
    front::Sender,
    is,
    judge::Judge,
    sessions::{Asked, Hold},
    streamed,
};
use crate::{answer, message::Id};

/// How often a client that waits hears of it.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A request whose verdict is still to come. Whoever drops it withdraws it: the server has not heard of it.
pub(super) struct Held {
    pub(super) front: Arc<Front>,
    pub(super) judge: Judge,
    pub(super) verdict: BoxFuture<'static, Result<Permit, Refusal>>,
    /// Says when the client has cancelled it.
    pub(super) hold: Hold,
    /// The client's token for progress notifications.
    pub(super) token: Option<Value>,
    pub(super) id: Id,
    pub(super) asked: Asked,
    pub(super) sender: Sender,
    pub(super) line: Bytes,
}

/// What the client is told next.
enum State {
    Waiting(Box<Held>, u32),
    /// The server answers with a stream of its own.
    Passing(Body),
    Over,
}

impl Held {
    /// A stream that lasts until the answer has come.
    pub(super) fn into_response(self) -> Response<Body> {
        streamed(stream::unfold(State::Waiting(Box::new(self), 1), |mut state| async {
            loop {
                let (bytes, next) = state.step().await?;
                state = next;
                if let Some(bytes) = bytes {
                    return Some((bytes, state));
                }
            }
        }))
    }

    fn sign(&self, round: u32) -> Bytes {
        match &self.token {
            Some(token) => event(&answer::still_waiting(token, round)),
            None => ALIVE,
        }
    }
}

impl State {
    async fn step(self) -> Option<(Option<Bytes>, Self)> {
        match self {
            Self::Waiting(mut held, round) => {
                let decided = tokio::select! {
                    decided = timeout(SIGN_OF_LIFE, &mut held.verdict) => decided,
                    () = held.hold.cancelled() => return None,
                };
                match decided {
                    Err(_) => Some((Some(held.sign(round)), Self::Waiting(held, round + 1))),
                    Ok(Err(refusal)) => {
                        let told = answer::refusal(&held.id, held.asked.form, &refusal);
                        Some((Some(event(&told)), Self::Over))
                    }
                    Ok(Ok(permit)) => {
                        let Held { front, judge, hold, id, asked, mut sender, line, .. } = *held;
                        let open = judge.begun(&asked.action, &id);
                        let line = match judge.as_permitted(&permit, &asked.action, &mut sender.headers, line) {
                            Ok(line) => line,
                            Err(why) => {
                                let refusal = answer::refused(Reason::Malformed, why);
                                let told = answer::refusal(&id, asked.form, &refusal);
                                return Some((Some(event(&told)), Self::Over));
                            }
                        };
                        // From here on it is the server that hears of a cancellation.
                        drop(hold);
                        let limit = front.limits.message;
                        match front.ask(id, asked, open, sender, line).await {
                            Ok(response) if is(response.headers(), "text/event-stream") => {
                                Some((None, Self::Passing(response.into_body())))
                            }
                            Ok(response) => {
                                let body = collected(response.into_body(), limit).await.unwrap_or_default();
                                Some((Some(event(&body)), Self::Over))
                            }
                            Err(Failed(_, body)) => Some((Some(event(&body)), Self::Over)),
                        }
                    }
                }
            }
            Self::Passing(mut body) => match body.frame().await? {
                Ok(frame) => Some((frame.into_data().ok(), Self::Passing(body))),
                Err(error) => {
                    tracing::debug!(%error, "a stream of the server's ended early");
                    None
                }
            },
            Self::Over => None,
        }
    }
}
