//! Bodies in flight: what was read ahead for judging, then the rest as it comes. Never more than that in memory.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep},
};

use crate::{
    decode::Undecoded,
    echo::Replacing,
    meter::{Meter, Way},
    pool::Lease,
    stall::{Taker, Taking},
};

/// What a body may end with before it has come whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    /// The other side broke off.
    #[error(transparent)]
    Off(#[from] hyper::Error),
    /// A part of it must not pass.
    #[error("stopped by Rampart: {0}")]
    Stopped(String),
}

/// The frames of a body, or why it ends early.
pub(crate) type Frames = mpsc::Receiver<Result<Frame<Bytes>, Cut>>;

/// A body of either direction.
pub(crate) struct Body {
    front: Option<Bytes>,
    rest: Rest,
    /// The connection it comes from, which can be used again once it has ended.
    lease: Option<Lease>,
    /// Who counts what passes.
    meter: Option<(Arc<Meter>, Way)>,
    /// Who takes credentials out of it.
    replacing: Option<Box<Replacing>>,
    /// Who notices when nobody takes it.
    taker: Option<Taker>,
    /// Who notices when it brings nothing.
    silence: Option<Box<Silence>>,
}

/// How long nothing has come of a body that somebody waits for.
struct Silence {
    limit: Duration,
    since: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), alarm: Box::pin(sleep(limit)) }
    }

    /// Whether it has lasted too long. If not, the task is woken when it may have.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let until = self.since + self.limit;
        while self.alarm.as_mut().poll(cx).is_ready() {
            if Instant::now() >= until {
                return true;
            }
            self.alarm.as_mut().reset(until);
        }
        false
    }
}

enum Rest {
    Coming(Incoming),
    /// Read and judged elsewhere.
    Judged(Frames, SizeHint),
    Trailers(HeaderMap),
    Done,
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self { front: None, rest: Rest::Done, lease: None, meter: None, replacing: None, taker: None, silence: None }
    }

    pub(crate) fn full(bytes: Bytes) -> Self {
        Self {
            front: Some(bytes).filter(|b| !b.is_empty()),
            rest: Rest::Done,
            lease: None,
            meter: None,
            replacing: None,
            taker: None,
            silence: None,
        }
    }

    /// A body that streams from a connection, which is given back when it has ended.
    pub(crate) fn streaming(incoming: Incoming, lease: Option<Lease>) -> Self {
        let mut body = Self {
            front: None,
            rest: Rest::Coming(incoming),
            lease,
            meter: None,
            replacing: None,
            taker: None,
            silence: None,
        };
        body.settle();
        body
    }

    /// A body that comes from whoever judges it.
    pub(crate) fn judged(frames: Frames, size: SizeHint) -> Self {
        Self {
            front: None,
            rest: Rest::Judged(frames, size),
            lease: None,
            meter: None,
            replacing: None,
            taker: None,
            silence: None,
        }
    }

    /// The same body with other bytes in place of those that were read ahead.
    pub(crate) fn with_front(mut self, front: Bytes) -> Self {
        self.front = Some(front).filter(|b| !b.is_empty());
        self
    }

    /// The same body, counted while it passes. One that comes back may be ended when nothing comes.
    pub(crate) fn metered(mut self, meter: &Arc<Meter>, way: Way) -> Self {
        self.silence = meter.idle_time().filter(|_| way == Way::Back).map(|limit| Box::new(Silence::new(limit)));
        self.meter = Some((Arc::clone(meter), way));
        self
    }

    /// The same body with credentials taken out of it, or put into it, while it passes.
    ///
    /// # Errors
    /// When what was read ahead cannot be unpacked.
    pub(crate) fn replacing(mut self, mut replacing: Replacing) -> Result<Self, Undecoded> {
        let mut front = BytesMut::from(replacing.feed(&self.take_front())?);
        if matches!(self.rest, Rest::Done) {
            front.extend_from_slice(&replacing.finish()?);
        } else {
            self.replacing = Some(Box::new(replacing));
        }
        Ok(self.with_front(front.freeze()))
    }

    /// The same body, and it is noticed when it is not taken.
    pub(crate) fn watched(mut self, taking: &Arc<Taking>) -> Self {
        self.taker = Some(Taker::new(taking));
        self
    }

    /// Reads ahead until there are `limit` bytes, the body ends, or it pauses beyond the deadline. The bytes stay part
    /// of the body. True when they are all of it.
    ///
    /// # Errors
    /// When the sender breaks off.
    pub(crate) async fn read_ahead(&mut self, limit: usize, pause: Option<Duration>) -> Result<bool, Cut> {
        let deadline = pause.map(|p| Instant::now() + p);
        let mut read = BytesMut::from(self.front.take().unwrap_or_default());
        let ended = loop {
            if matches!(self.rest, Rest::Done | Rest::Trailers(_)) {
                break true;
            }
            if self.is_over() {
                self.rest = Rest::Done;
                continue;
            }
            if read.len() >= limit {
                break false;
            }
            let next = poll_fn(|cx| self.poll_next(cx));
            let frame = match deadline {
                None => next.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, next).await {
                    Ok(frame) => frame,
                    Err(_) => break false,
                },
            };
            match frame.transpose()?.map(Frame::into_data) {
                None => self.rest = Rest::Done,
                Some(Ok(data)) => read.extend_from_slice(&data),
                Some(Err(other)) => self.rest = other.into_trailers().map_or(Rest::Done, Rest::Trailers),
            }
        };
        self.front = Some(read.freeze()).filter(|b| !b.is_empty());
        self.settle();
        Ok(ended)
    }

    /// What was read ahead.
    pub(crate) fn front(&self) -> &[u8] {
        self.front.as_deref().unwrap_or_default()
    }

    /// Takes out what was read ahead.
    pub(crate) fn take_front(&mut self) -> Bytes {
        self.front.take().unwrap_or_default()
    }

    /// Nothing more comes, and nothing is held.
    fn is_over(&self) -> bool {
        self.replacing.is_none() && matches!(&self.rest, Rest::Coming(incoming) if incoming.is_end_stream())
    }

    /// Gives the connection back as soon as nothing more comes from it.
    fn settle(&mut self) {
        let over = match &self.rest {
            Rest::Coming(incoming) => incoming.is_end_stream(),
            Rest::Judged(..) => false,
            Rest::Trailers(_) | Rest::Done => true,
        };
        if over && let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        if let Some(taker) = &mut this.taker {
            taker.asks();
        }
        let polled = this.poll_next(cx);
        if let (Some(silence), Some((meter, _))) = (&mut this.silence, &this.meter) {
            if polled.is_ready() {
                silence.since = Instant::now();
            } else if silence.is_over(cx) {
                let cut = meter.end_idle(silence.limit);
                this.rest = Rest::Done;
                this.lease = None;
                this.meter = None;
                return Poll::Ready(Some(Err(cut)));
            }
        }
        let frame = ready!(polled);
        if let Some(taker) = this.taker.as_mut().filter(|_| frame.is_some()) {
            taker.has_more();
        }
        if let (Some((meter, way)), Some(Ok(frame))) = (&this.meter, &frame)
            && let Some(data) = frame.data_ref()
            && let Err(cut) = meter.count(*way, data.len())
        {
            this.rest = Rest::Done;
            this.lease = None;
            return Poll::Ready(Some(Err(cut)));
        }
        if frame.is_none() {
            this.meter = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_none()
            && self.replacing.is_none()
            && match &self.rest {
                Rest::Coming(incoming) => incoming.is_end_stream(),
                Rest::Judged(..) | Rest::Trailers(_) => false,
                Rest::Done => true,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.replacing.as_ref().map_or(0, |r| r.held());
        let front = self.front().len() as u64 + held;
        let mut hint = match &self.rest {
            _ if self.replacing.as_ref().is_some_and(|r| !r.keeps_length()) => SizeHint::default(),
            Rest::Coming(incoming) => incoming.size_hint(),
            Rest::Judged(_, size) => *size,
            // A length that is known beforehand leaves no room for trailers in HTTP/1.
            Rest::Trailers(_) => SizeHint::default(),
            Rest::Done => SizeHint::with_exact(0),
        };
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + front);
        }
        hint.set_lower(hint.lower() + front);
        hint
    }
}

impl Body {
    /// The next frame, before it is counted.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            if let Some(front) = self.front.take() {
                return Poll::Ready(Some(Ok(Frame::data(front))));
            }
            let frame = ready!(self.poll_rest(cx));
            let Some(replacing) = &mut self.replacing else { return Poll::Ready(frame) };
            let bytes = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => replacing.feed(&data),
                    Err(trailers) => {
                        let rest = replacing.finish();
                        let mut trailers = trailers.into_trailers();
                        if let Ok(trailers) = &mut trailers {
                            replacing.clean(trailers);
                        }
                        self.replacing = None;
                        // What was held comes before them.
                        self.rest = trailers.map_or(Rest::Done, Rest::Trailers);
                        rest
                    }
                },
                None => {
                    let rest = replacing.finish();
                    self.replacing = None;
                    rest
                }
                failed => return Poll::Ready(failed),
            };
            match bytes {
                Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(_) => {}
                Err(why) => {
                    self.replacing = None;
                    self.rest = Rest::Done;
                    return Poll::Ready(Some(Err(Cut::Stopped(why.to_string()))));
                }
            }
        }
    }

    /// The next frame as it comes.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self;
        let frame = match std::mem::replace(&mut this.rest, Rest::Done) {
            Rest::Done => None,
            Rest::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            Rest::Judged(mut frames, size) => match frames.poll_recv(cx) {
                Poll::Pending => {
                    this.rest = Rest::Judged(frames, size);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => {
                    this.rest = Rest::Judged(frames, size);
                    Some(Ok(frame))
                }
                Poll::Ready(other) => other,
            },
            Rest::Coming(mut incoming) => match Pin::new(&mut incoming).poll_frame(cx) {
                Poll::Pending => {
                    this.rest = Rest::Coming(incoming);
                    return Poll::Pending;
                }
                Poll::Ready(None) => None,
                Poll::Ready(Some(Err(e))) => {
                    this.lease = None;
                    Some(Err(e.into()))
                }
                Poll::Ready(Some(Ok(frame))) => {
                    this.rest = Rest::Coming(incoming);
                    Some(Ok(match frame.into_trailers() {
                        Ok(trailers) => Frame::trailers(allowed_trailers(trailers)),
                        Err(data) => data,
                    }))
                }
            },
        };
        this.settle();
        Poll::Ready(frame)
    }
}

/// Trailers without the fields that frame, route or authenticate a message (RFC 9110 section 6.5.1).
fn allowed_trailers(mut trailers: HeaderMap) -> HeaderMap {
    const FORBIDDEN: [HeaderName; 12] = [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::HOST,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::CONTENT_ENCODING,
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
    ];
    for name in FORBIDDEN {
        trailers.remove(name);
    }
    trailers
}
