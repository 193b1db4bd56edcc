//! What a server's process says, as answers over HTTP: one message where that is all, and else a stream of events.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Response, StatusCode};
use tokio::{sync::mpsc, time::timeout};

use super::{
    hosted::Hosted,
    routes::{Said, Taken},
};
use crate::{
    http::{ALIVE, Body, event, headers, json, streamed},
    message::Id,
};

/// How long an answer may take before a stream is begun, and a stream be silent before it says that it lives: what stands
/// in between closes connections that say nothing for a minute.
const SILENCE: Duration = Duration::from_secs(20);

/// A request on its way to its answer. Whoever drops it has left.
pub(super) struct Answering {
    pub(super) stream: mpsc::Receiver<Said>,
    pub(super) hosted: Arc<Hosted>,
    /// The id that the process knows it by, and the client's own.
    pub(super) asked: Id,
    pub(super) id: Id,
    /// The client has no session: when it leaves, it has cancelled.
    pub(super) stateless: bool,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.hosted.leave(&self.asked, self.stateless);
    }
}

impl Answering {
    /// The answer, and whether it is an error.
    pub(super) async fn answer(mut self) -> (Response<Body>, bool) {
        match timeout(SILENCE, self.stream.recv()).await {
            Ok(Some(said)) if said.last => {
                let status = if self.stateless { headers::status(said.error) } else { StatusCode::OK };
                (json(status, said.line), said.error.is_some())
            }
            Ok(Some(said)) => (streamed(stream::iter([event(&said.line)]).chain(self.said())), false),
            Ok(None) if !self.hosted.is_over() => (streamed(stream::empty()), false),
            Ok(None) => (json(StatusCode::BAD_GATEWAY, self.hosted.farewell(&self.id)), true),
            Err(_) => (streamed(stream::iter([ALIVE]).chain(self.said())), false),
        }
    }

    /// What is still to come.
    fn said(self) -> impl stream::Stream<Item = Bytes> + Send {
        stream::unfold(Some(self), |answering| async {
            let mut answering = answering?;
            match timeout(SILENCE, answering.stream.recv()).await {
                Ok(Some(said)) => Some((event(&said.line), (!said.last).then_some(answering))),
                Ok(None) if !answering.hosted.is_over() => None,
                Ok(None) => Some((event(&answering.hosted.farewell(&answering.id)), None)),
                Err(_) => Some((ALIVE, Some(answering))),
            }
        })
    }
}

/// The stream that a client has opened by itself.
pub(super) fn listening(hosted: Arc<Hosted>) -> Result<Response<Body>, Taken> {
    let (held, stream) = hosted.open()?;
    let held: VecDeque<Bytes> = held.iter().map(|line| event(line)).collect();
    let said = stream::unfold(stream, |mut stream| async {
        match timeout(SILENCE, stream.recv()).await {
            Ok(said) => said.map(|said| (event(&said.line), stream)),
            Err(_) => Some((ALIVE, stream)),
        }
    });
    Ok(streamed(stream::iter(held).chain(said)))
}
