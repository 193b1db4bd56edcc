//! A connection that hands HTTP/1 bytes on only as far as they have been checked. The HTTP library behind it is lenient
//! where `head` is not; with this in front of it, what policy judged is what was framed.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};
use tokio_util::io::poll_read_buf;

use crate::{
    head::{self, Framing},
    refusal::told,
};

const READ_SIZE: usize = 16 * 1024;
/// Of a chunk's first line, and of all trailers.
const MAX_LINE: usize = 4 * 1024;
const MAX_TRAILERS: usize = 16 * 1024;
/// What a client may send before it knows the answer to its CONNECT.
const MAX_EARLY: usize = 64 * 1024;

/// How long a connection may stay without a first request.
const FIRST_REQUEST: Duration = Duration::from_secs(30);

/// What a body must bring in its time, so that a client cannot keep a place by sending next to nothing.
const BODY_PACE: usize = 10 * 1024;

/// Limits of the head of a request, and the time in which its body must bring [`BODY_PACE`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    pub(crate) size: usize,
    pub(crate) time: Duration,
    pub(crate) body_time: Duration,
}

/// Tells a [`Strict`] what became of a request that asked to leave HTTP.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hold(Arc<AtomicU8>);

const UNDECIDED: u8 = 0;
const SWITCHED: u8 = 1;
const DECLINED: u8 = 2;

impl Hold {
    /// Says whether the protocol was switched; without that, the next bytes are another request.
    pub(crate) fn decide(&self, switched: bool) {
        self.0.store(if switched { SWITCHED } else { DECLINED }, Ordering::Release);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A head is expected or has begun.
    Head,
    /// So many bytes of body or chunk, then the next state.
    Data {
        left: u64,
        chunked: bool,
    },
    ChunkSize,
    ChunkEnd,
    Trailers {
        size: usize,
    },
    /// A request that may leave HTTP waits for its answer.
    Held,
    /// Not HTTP any more.
    Raw,
    /// Nothing more will be read.
    Closed,
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// The first request of a connection, which clients also open in advance.
    First,
    /// The rest of a head that has begun.
    Rest,
}

/// A connection whose HTTP/1 requests are checked before they are handed on.
pub(crate) struct Strict<IO> {
    io: IO,
    state: State,
    hold: Hold,
    /// Read, and not yet handed on.
    inbox: BytesMut,
    /// So much of the inbox has been checked.
    cleared: usize,
    /// So much of an unfinished head has been looked at.
    looked: usize,
    /// Its first line has been looked at.
    begun: bool,
    limits: HeadLimits,
    /// Runs while the first request is awaited, and while a head that has begun is.
    deadline: Option<(Waiting, Pin<Box<Sleep>>)>,
    /// Runs while bytes of a body or chunk are awaited that were announced; and what has come of them since it began.
    pace: Option<(usize, Pin<Box<Sleep>>)>,
    /// The last word to a client whose request was refused here.
    last_word: Option<Bytes>,
}

impl<IO> Strict<IO> {
    pub(crate) fn new(io: IO, limits: HeadLimits) -> Self {
        Self {
            io,
            state: State::Head,
            hold: Hold::default(),
            inbox: BytesMut::new(),
            cleared: 0,
            looked: 0,
            begun: false,
            limits,
            deadline: Some((Waiting::First, Box::pin(tokio::time::sleep(FIRST_REQUEST)))),
            pace: None,
            last_word: None,
        }
    }

    pub(crate) fn hold(&self) -> Hold {
        self.hold.clone()
    }

    /// The connection after a switch of protocols; `early` was read by the HTTP library beyond its last request.
    pub(crate) fn into_raw(mut self, early: &[u8]) -> Self {
        if !early.is_empty() {
            let mut joined = BytesMut::from(early);
            joined.extend_from_slice(&self.inbox);
            self.inbox = joined;
        }
        self.state = State::Raw;
        self.cleared = 0;
        self.deadline = None;
        self
    }

    fn refuse(&mut self, status: &'static str, why: &str) {
        tracing::info!(status, why, "refused a request whose form is not plain HTTP/1.1");
        let code = if status.starts_with("400") { "malformed" } else { "limit_exceeded" };
        let body = told("refused_by_rampart", code, why, code, None);
        let word = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\
             x-rampart-decision: error\r\nx-rampart-rule: {code}\r\n\r\n{body}",
            body.len()
        );
        self.last_word = Some(word.into());
        self.state = State::Closed;
    }

    /// Looks at the inbox as far as the state allows. True when something changed.
    fn advance(&mut self) -> io::Result<bool> {
        match self.state {
            State::Raw | State::Closed => Ok(false),
            State::Held => match self.hold.0.load(Ordering::Acquire) {
                SWITCHED => {
                    self.state = State::Raw;
                    Ok(true)
                }
                DECLINED => {
                    self.state = State::Head;
                    Ok(true)
                }
                _ => Ok(false),
            },
            State::Head => Ok(self.advance_head()),
            State::Data { left, chunked } => {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.inbox.len());
                self.cleared = here;
                let left = left - here as u64;
                self.state = match (left, chunked) {
                    (0, false) => State::Head,
                    (0, true) => State::ChunkEnd,
                    _ => State::Data { left, chunked },
                };
                Ok(here > 0 || left == 0)
            }
            State::ChunkSize => {
                let Some((line, end)) = self.line(MAX_LINE)? else { return Ok(false) };
                let size = head::chunk_size(line).map_err(invalid)?;
                self.state = match size {
                    0 => State::Trailers { size: 0 },
                    left => State::Data { left, chunked: true },
                };
                self.cleared = end;
                Ok(true)
            }
            State::ChunkEnd => match *self.inbox {
                [b'\r', b'\n', ..] => {
                    self.cleared = 2;
                    self.state = State::ChunkSize;
                    Ok(true)
                }
                [] | [b'\r'] => Ok(false),
                _ => Err(invalid("a chunk is longer than it says")),
            },
            State::Trailers { size } => {
                let Some((line, end)) = self.line(MAX_TRAILERS)? else { return Ok(false) };
                let size = size + end;
                if size > MAX_TRAILERS {
                    return Err(invalid("the trailers are too long"));
                }
                self.state = if line.is_empty() { State::Head } else { State::Trailers { size } };
                self.cleared = end;
                Ok(true)
            }
        }
    }

    /// The next line of the inbox without its end, and where the one after it begins.
    fn line(&self, max: usize) -> io::Result<Option<(&[u8], usize)>> {
        let Some(feed) = self.inbox.iter().position(|b| *b == b'\n') else {
            return if self.inbox.len() > max { Err(invalid("a line is too long")) } else { Ok(None) };
        };
        match self.inbox.get(..feed) {
            Some([line @ .., b'\r']) if !line.contains(&b'\r') => Ok(Some((line, feed + 1))),
            _ => Err(invalid("a line ends with something other than CR LF")),
        }
    }

    fn advance_head(&mut self) -> bool {
        // RFC 9112 section 2.2: empty lines before a request are ignored.
        while self.inbox.starts_with(b"\r\n") {
            self.inbox.advance(2);
            self.looked = 0;
        }
        let from = self.looked.saturating_sub(3);
        let fresh = self.inbox.get(from..).unwrap_or_default();
        let Some(end) = fresh.windows(4).position(|w| w == b"\r\n\r\n").map(|at| from + at + 4) else {
            let before = self.looked;
            self.looked = self.inbox.len();
            if self.looked > self.limits.size {
                self.refuse("431 Request Header Fields Too Large", "the head of the request is too long");
                return true;
            }
            // What is no HTTP at all is told at once, not at the deadline.
            let (old, fresh) = self.inbox.split_at(before);
            let first_line = if self.begun { None } else { fresh.iter().position(|b| *b == b'\n') };
            self.begun |= first_line.is_some();
            let first_line = first_line.and_then(|end| self.inbox.get(..=before + end));
            return match head::check_begun(first_line, old.last().copied(), fresh) {
                Ok(()) => false,
                Err(why) => {
                    self.refuse("400 Bad Request", why);
                    true
                }
            };
        };
        if end > self.limits.size {
            self.refuse("431 Request Header Fields Too Large", "the head of the request is too long");
            return true;
        }
        self.looked = 0;
        self.begun = false;
        self.deadline = None;
        match head::check(self.inbox.get(..end).unwrap_or_default()) {
            Ok(framing) => {
                self.cleared = end;
                self.state = match framing {
                    Framing::Length(0) => State::Head,
                    Framing::Length(left) => State::Data { left, chunked: false },
                    Framing::Chunked => State::ChunkSize,
                    Framing::Waits => {
                        self.hold.0.store(UNDECIDED, Ordering::Release);
                        State::Held
                    }
                };
            }
            Err(why) => self.refuse("400 Bad Request", why),
        }
        true
    }
}

impl<IO: AsyncRead + Unpin> Strict<IO> {
    /// Reads more into the inbox; `Ok(0)` is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inbox.reserve(READ_SIZE);
        let read = ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.inbox))?;
        Poll::Ready(Ok(read))
    }

    /// The first byte of a raw connection, without taking it.
    pub(crate) async fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.inbox.is_empty() {
            self.fill().await?;
        }
        Ok(self.inbox.first().copied())
    }

    /// What has come of a raw connection and was not taken.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.inbox
    }

    /// Waits for more of a raw connection; 0 is its end.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) {
        match self.state {
            State::Head => {}
            State::Data { .. } => return self.poll_pace(cx),
            _ => return,
        }
        if !self.inbox.is_empty() && !matches!(self.deadline, Some((Waiting::Rest, _))) {
            self.deadline = Some((Waiting::Rest, Box::pin(tokio::time::sleep(self.limits.time))));
        }
        let Some((waiting, deadline)) = &mut self.deadline else { return };
        if deadline.as_mut().poll(cx).is_ready() {
            match waiting {
                // A client that has asked nothing must not take our last word for an answer.
                Waiting::First => self.state = State::Closed,
                Waiting::Rest => {
                    self.refuse("408 Request Timeout", "the head of the request did not come in time");
                }
            }
        }
    }
}

impl<IO> Strict<IO> {
    /// Only a client is timed that is waited for: while the origin is slow, nobody reads here.
    fn poll_pace(&mut self, cx: &mut Context<'_>) {
        let limit = self.limits.body_time;
        let (came, pace) = self.pace.get_or_insert_with(|| (0, Box::pin(tokio::time::sleep(limit))));
        if pace.as_mut().poll(cx).is_ready() {
            if *came < BODY_PACE {
                return self.refuse("408 Request Timeout", "the body of the request did not come in time");
            }
            *came = 0;
            pace.as_mut().reset(tokio::time::Instant::now() + limit);
            // A timer that was set anew wakes nobody until it was asked.
            let _ = pace.as_mut().poll(cx);
        }
    }

    /// Counts what came of a body. What comes at a good pace starts no timer.
    fn came(&mut self, bytes: usize) {
        if let Some((came, _)) = &mut self.pace {
            *came += bytes;
        }
        if !matches!(self.state, State::Data { .. }) {
            self.pace = None;
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Strict<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.state == State::Raw && this.inbox.is_empty() {
                return Pin::new(&mut this.io).poll_read(cx, buf);
            }
            if this.state == State::Raw {
                this.cleared = this.inbox.len();
            }
            if this.cleared > 0 {
                let count = this.cleared.min(buf.remaining());
                buf.put_slice(this.inbox.get(..count).unwrap_or_default());
                this.inbox.advance(count);
                this.cleared -= count;
                return Poll::Ready(Ok(()));
            }
            if this.state == State::Closed {
                return Poll::Ready(Ok(()));
            }
            if (!this.inbox.is_empty() || this.state == State::Held) && this.advance()? {
                continue;
            }
            if let State::Data { left, chunked } = this.state
                && this.inbox.is_empty()
                && left > buf.remaining() as u64
            {
                let before = buf.filled().len();
                if Pin::new(&mut this.io).poll_read(cx, buf)?.is_pending() {
                    this.poll_deadline(cx);
                    if this.state == State::Closed {
                        continue;
                    }
                    return Poll::Pending;
                }
                let came = buf.filled().len() - before;
                this.state = State::Data { left: left - came as u64, chunked };
                this.came(came);
                return Poll::Ready(Ok(()));
            }
            if this.state == State::Held && this.inbox.len() >= MAX_EARLY {
                return Poll::Pending;
            }
            match this.poll_fill(cx)? {
                Poll::Ready(0) => {
                    this.state = State::Closed;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(came) => this.came(came),
                Poll::Pending => {
                    this.poll_deadline(cx);
                    if this.state != State::Closed {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Strict<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while let Some(word) = &mut this.last_word {
            let written = ready!(Pin::new(&mut this.io).poll_write(cx, word))?;
            word.advance(written);
            if word.is_empty() || written == 0 {
                this.last_word = None;
            }
        }
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
