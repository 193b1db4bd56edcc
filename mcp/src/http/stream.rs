//! An event stream of the server's, judged event by event while it passes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream, stream::FuturesUnordered};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::{sleep, timeout};
use tower::BoxError;

use super::{
    ALIVE, Body, Front,
    events::{Event, Splitter},
    flattened,
    held::SIGN_OF_LIFE,
    judge::Judge,
    open::{Open, Waits},
    sessions::{Asked, Full, Session},
};
use crate::{
    action,
    answer::{self, Form},
    message::{self, Id, Message},
    relay::Side,
};

/// A stream on its way from the server to the client.
pub(super) struct Passing {
    pub(super) front: Arc<Front>,
    pub(super) judge: Judge,
    pub(super) body: Body,
    pub(super) session: Arc<Session>,
    /// The request that it answers; none for a stream that the client opened by itself.
    pub(super) waits: Option<Waits>,
    /// What a message to the server about this stream must bear.
    pub(super) headers: HeaderMap,
    /// Requests of the server's that wait for a person.
    pub(super) held: FuturesUnordered<BoxFuture<'static, Bytes>>,
    /// The server says no more on it.
    pub(super) ended: bool,
}

/// How long a request of the server's may hold up what comes behind it.
const MOMENT: Duration = Duration::from_millis(200);

impl Passing {
    /// As the body of the answer. Whoever drops it drops the server's stream.
    pub(super) fn into_body(self) -> Body {
        let splitter = Splitter::new(self.front.limits.message);
        let steps = stream::unfold(Some((self, splitter)), |state| async {
            let (mut passing, mut splitter) = state?;
            match passing.step(&mut splitter).await {
                Ok(Some(bytes)) => Some((Ok(Frame::data(bytes)), Some((passing, splitter)))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        BodyExt::boxed_unsync(StreamBody::new(steps))
    }

    async fn step(&mut self, splitter: &mut Splitter) -> Result<Option<Bytes>, BoxError> {
        loop {
            while let Some(event) = splitter.next()? {
                let bytes = self.event(event).await;
                if !bytes.is_empty() {
                    return Ok(Some(bytes));
                }
            }
            let frame = tokio::select! {
                frame = self.body.frame(), if !self.ended => frame,
                Some(bytes) = self.held.next(), if !self.held.is_empty() => {
                    if bytes.is_empty() {
                        continue;
                    }
                    return Ok(Some(bytes));
                }
                () = sleep(SIGN_OF_LIFE), if !self.held.is_empty() => return Ok(Some(ALIVE)),
                else => return Ok(None),
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        splitter.feed(&data);
                    }
                }
                Some(Err(error)) => return Err(error),
                None => self.ended = true,
            }
        }
    }

    /// What becomes of an event. One that is no message (a comment, the first id of a stream) passes.
    async fn event(&mut self, event: Event) -> Bytes {
        if let Some(waits) = self.waits.as_mut().filter(|_| event.has_id()) {
            waits.can_resume();
        }
        let Some(data) = event.data.as_deref().filter(|data| !data.is_empty()) else { return event.raw };
        let judge = self.judge.clone();
        match message::parse(data.as_bytes()) {
            Ok(Message::Notification { method, mut params }) => {
                let Ok(action) = action::of(&judge.terms.server, &method, &mut params) else {
                    return self.dropped(&event, "a notification that does not say what it is about");
                };
                match judge.of_server(action, None, action::trace(&params)).await {
                    Ok(_permit) => event.raw,
                    Err(_refused) => event.without(),
                }
            }
            Ok(Message::Request { id, method, mut params }) => {
                match action::of(&judge.terms.server, &method, &mut params) {
                    Ok(action) => self.request(event, id, action, action::trace(&params)).await,
                    Err(why) => self.refuse(&event, answer::error(Some(&id), message::INVALID_PARAMS, &why)).await,
                }
            }
            Ok(Message::Response { id, body, place }) => {
                let Some((asked, open)) = self.answered(&id) else {
                    return self.dropped(&event, "a response to no request");
                };
                let raw = data.get(place.clone()).unwrap_or_default();
                let judged = judge.after(&asked, &id, &body, raw).await;
                if judged.is_ok() {
                    open.into_iter().for_each(Open::answered);
                }
                match judged {
                    Ok((_permit, None)) => event.raw,
                    Ok((_permit, Some(changed))) => event.with(&spliced(data, place, &changed)),
                    Err(refusal) => {
                        let told = answer::refusal(&id, asked.form, &refusal);
                        event.with(&String::from_utf8_lossy(&told))
                    }
                }
            }
            Err(fault) => {
                let asked = fault.id.as_ref().and_then(|id| Some((id.clone(), self.answered(id)?)));
                let Some((id, (asked, _))) = asked else { return self.dropped(&event, &fault.why) };
                let refusal = answer::refused(rampart_call::Reason::Malformed, format!("the server's answer: {fault}"));
                event.with(&String::from_utf8_lossy(&answer::refusal(&id, asked.form, &refusal)))
            }
        }
    }

    /// A request of the server's.
    async fn request(
        &mut self,
        event: Event,
        id: Id,
        action: rampart_call::Action,
        trace: Option<rampart_call::TraceParent>,
    ) -> Bytes {
        let asked = Asked { action: action.clone(), form: Form::Error };
        if let Err(full) = self.session.of_server().insert(id.clone(), asked, None) {
            let why = match full {
                Full::Duplicate => "this id belongs to a request that is still outstanding",
                Full::TooMany => "too many requests wait for their answer",
            };
            return self.refuse(&event, answer::error(Some(&id), message::INVALID_REQUEST, why)).await;
        }
        let (front, judge) = (Arc::clone(&self.front), self.judge.clone());
        let (session, headers) = (Arc::clone(&self.session), self.headers.clone());
        // Who resumes the stream goes on behind it, so its id goes first.
        let late = event.without();
        let mut verdict: BoxFuture<'static, (Event, bool)> = Box::pin(async move {
            let Err(refusal) = judge.of_server(action, Some(&id), trace).await else { return (event, true) };
            session.of_server().take(&id);
            front.tell_server(&headers, answer::refusal(&id, Form::Error, &refusal)).await;
            (event, false)
        });
        match timeout(MOMENT, &mut verdict).await {
            Ok((event, true)) => event.raw,
            Ok((event, false)) => event.without(),
            Err(_) => {
                self.held.push(Box::pin(async move {
                    match verdict.await {
                        (event, true) => event.later(),
                        (_, false) => Bytes::new(),
                    }
                }));
                late
            }
        }
    }

    /// Withholds an event and tells the server what the client would have had to.
    async fn refuse(&mut self, event: &Event, answer: Bytes) -> Bytes {
        self.front.tell_server(&self.headers, answer).await;
        event.without()
    }

    /// What stands in the place of an event that is no message to anybody.
    fn dropped(&self, event: &Event, why: &str) -> Bytes {
        self.judge.dropped(Side::Server, why);
        event.without()
    }

    /// The request that a response on this stream answers.
    fn answered(&mut self, id: &Id) -> Option<(Asked, Option<Open>)> {
        match self.waits.take_if(|waits| waits.id() == id) {
            Some(waits) => Some(waits.over()),
            None => self.session.of_client().take(id),
        }
    }
}

/// A JSON text with another body of its response.
pub(super) fn spliced(text: &str, place: std::ops::Range<usize>, body: &str) -> String {
    let (front, back) = (text.get(..place.start).unwrap_or_default(), text.get(place.end..).unwrap_or_default());
    flattened(&[front, body, back].concat()).into_owned()
}
