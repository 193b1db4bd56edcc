//! Questions of surfaces, answered where they arrive. `POST /v1/judge` as our own client writes it is most of what comes by the
//! socket, and somebody stands still for each: an HTTP server, its routes and their layers take longer than the decision. So it is
//! read here, and answered if that is a matter of a moment. Whatever else comes is left to them as it came.
//!
//! Not here: any refusal. Who may not ask, and what is no call, is left to them too.

use std::{
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use rampart_call::{Answer, Call, strict};
use rampart_client::Stream;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::{Instant, sleep, timeout},
};

use crate::{
    Api, Peer,
    access::{Caller, Connection},
    patient::Patient,
};

/// The line that a question begins with.
const LINE: &[u8] = b"POST /v1/judge HTTP/1.1\r\n";
/// Longest head of a question, in bytes.
const HEAD: usize = 4 << 10;
/// Longest body of one, in bytes: so many count for nothing (`body::room`).
const BODY: usize = 64 << 10;
/// How long an answer may take before the caller has to hear that it is being worked on.
pub(crate) const FIRST: Duration = Duration::from_millis(50);

/// An answer that is being worked on.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The answer to a request, begun before the server read it.
#[derive(Clone)]
pub(crate) struct Begun(Arc<Mutex<Option<Answering>>>);

impl Begun {
    /// The same for one request, and nothing for those after it: whatever becomes of the first, no other gets its answer.
    pub(crate) fn pass(&self) -> Option<Self> {
        self.take().map(|answering| Self(Arc::new(Mutex::new(Some(answering)))))
    }

    /// The answer, once.
    pub(crate) fn take(&self) -> Option<Answering> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection that is left to the server.
pub(crate) struct Left {
    pub(crate) stream: ReadAhead,
    pub(crate) begun: Option<Begun>,
}

/// A stream with what was read of it already.
pub(crate) struct ReadAhead {
    read: Vec<u8>,
    stream: Patient<Stream>,
}

impl ReadAhead {
    fn left(self, answering: Option<Answering>) -> Left {
        Left { stream: self, begun: answering.map(|answering| Begun(Arc::new(Mutex::new(Some(answering))))) }
    }
}

/// Answers questions until there are no more, or something else comes, which is left. A connection may stand idle, or take for one
/// question, as long as `idle`.
pub(crate) async fn attend(
    stream: Patient<Stream>,
    peer: Peer,
    connection: &Arc<Connection>,
    api: &Arc<Api>,
    idle: Duration,
) -> Option<Left> {
    let mut line = ReadAhead { read: Vec::with_capacity(2048), stream };
    let mut alarm = pin!(sleep(idle));
    let mut over = pin!(connection.over());
    let mut stopped = pin!(api.stop().cancelled());
    loop {
        let Question { token, body, length, closes } = match Read::of(&line.read) {
            Read::Question(question) => question,
            Read::Other => return Some(line.left(None)),
            Read::More => {
                let nothing = line.read.is_empty();
                tokio::select! {
                    biased;
                    size = line.stream.read_buf(&mut line.read) => if matches!(size, Ok(0) | Err(_)) { return None },
                    () = &mut stopped, if nothing => return None,
                    () = &mut over => return None,
                    () = &mut alarm => return None,
                }
                continue;
            }
        };
        let call = Caller::on_socket(peer, connection, token, api).and_then(|caller| {
            let mut call: Call = strict::from_slice(body).ok()?;
            caller.sign(&mut call.origin, api).ok().map(|()| call)
        });
        let Some(call) = call else { return Some(line.left(None)) };
        let gateway = Arc::clone(api);
        let mut answering: Answering = Box::pin(async move { gateway.gateway().answer(call).await });
        let Ok(answer) = timeout(FIRST, &mut answering).await else { return Some(line.left(Some(answering))) };
        let closes = closes || api.stop().is_cancelled();
        line.stream.write_all(&response(&answer, closes)?).await.ok()?;
        if closes {
            return None;
        }
        line.read.drain(..length);
        alarm.as_mut().reset(Instant::now() + idle);
    }
}

/// What stands at the beginning of what was read.
#[derive(Debug, PartialEq)]
enum Read<'a> {
    Question(Question<'a>),
    /// It may become a question.
    More,
    Other,
}

#[derive(Debug, PartialEq)]
struct Question<'a> {
    token: Option<&'a str>,
    body: &'a [u8],
    /// Of head and body, in bytes.
    length: usize,
    /// No other comes on this connection.
    closes: bool,
}

impl<'a> Read<'a> {
    /// Only what our client writes: a header that it does not send may mean anything, so it is not skipped.
    fn of(bytes: &'a [u8]) -> Self {
        if !bytes.starts_with(LINE) {
            return if LINE.starts_with(bytes) { Self::More } else { Self::Other };
        }
        let mut headers = [httparse::EMPTY_HEADER; 8];
        let mut request = httparse::Request::new(&mut headers);
        let head = match request.parse(bytes) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD => return Self::More,
            _ => return Self::Other,
        };
        let (mut token, mut size, mut closes) = (None, None, false);
        for header in request.headers.iter() {
            let Ok(value) = std::str::from_utf8(header.value) else { return Self::Other };
            match (header.name, value) {
                ("host", _) | ("content-type", "application/json") => {}
                ("connection", "close") => closes = true,
                ("authorization", _) if token.is_none() => match value.strip_prefix("Bearer ") {
                    Some(text) => token = Some(text.trim()),
                    None => return Self::Other,
                },
                ("content-length", digits) if size.is_none() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    size = digits.parse().ok().filter(|size: &usize| *size <= BODY);
                }
                _ => return Self::Other,
            }
        }
        let Some(length) = size.map(|size| head + size) else { return Self::Other };
        match bytes.get(head..length) {
            Some(body) => Self::Question(Question { token, body, length, closes }),
            None => Self::More,
        }
    }
}

/// The bytes of an answer.
fn response(answer: &Answer, closes: bool) -> Option<Vec<u8>> {
    use io::Write as _;
    let body = serde_json::to_vec(answer).ok()?;
    let mut bytes = Vec::with_capacity(128 + body.len());
    let connection = if closes { "connection: close\r\n" } else { "" };
    write!(
        bytes,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{connection}content-length: {}\r\n\r\n",
        body.len()
    )
    .ok()?;
    bytes.extend_from_slice(&body);
    Some(bytes)
}

impl AsyncRead for ReadAhead {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let now = this.read.len().min(buffer.remaining());
        buffer.put_slice(this.read.get(..now).unwrap_or_default());
        this.read.drain(..now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadAhead {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: &str = "host: rampart\r\nauthorization: Bearer abc\r\ncontent-type: application/json\r\n";

    fn whole(headers: &str) -> Vec<u8> {
        [LINE, headers.as_bytes(), b"content-length: 2\r\n\r\n{}"].concat()
    }

    #[test]
    fn a_question_is_read_however_it_is_cut() {
        let bytes = [whole(HEADERS), b"POST".to_vec()].concat();
        let length = bytes.len() - 4;
        for end in 0..length {
            assert_eq!(Read::of(&bytes[..end]), Read::More, "{end}");
        }
        let question = Question { token: Some("abc"), body: b"{}", length, closes: false };
        assert_eq!(Read::of(&bytes), Read::Question(question));
        let last = whole("host: rampart\r\nconnection: close\r\n");
        let question = Question { token: None, body: b"{}", length: last.len(), closes: true };
        assert_eq!(Read::of(&last), Read::Question(question));
    }

    #[test]
    fn whatever_else_comes_is_left_to_the_server() {
        for headers in [
            "authorization: Basic abc\r\n",
            "authorization: Bearer abc\r\nauthorization: Bearer def\r\n",
            "content-type: text/plain\r\n",
            "content-length: 2\r\n",
            "transfer-encoding: chunked\r\n",
            "expect: 100-continue\r\n",
            "connection: upgrade\r\n",
            "cookie: a=b\r\n",
            "a: 1\r\nb: 2\r\n",
        ] {
            assert_eq!(Read::of(&whole(headers)), Read::Other, "{headers}");
        }
        for bytes in [
            "GET /v1/judge HTTP/1.1\r\n\r\n".to_owned(),
            "POST /v1/judge?x HTTP/1.1\r\n\r\n".to_owned(),
            "POST /v1/judge HTTP/1.0\r\n\r\n".to_owned(),
            "POST /v1/judge HTTP/1.1\r\nhost: rampart\r\n\r\n".to_owned(),
            "POST /v1/judge HTTP/1.1\r\ncontent-length: +2\r\n\r\n{}".to_owned(),
            "POST /v1/judge HTTP/1.1\r\ncontent-length: \r\n\r\n{}".to_owned(),
            format!("POST /v1/judge HTTP/1.1\r\ncontent-length: {}\r\n\r\n", BODY + 1),
            format!("POST /v1/judge HTTP/1.1\r\nhost: {}", "x".repeat(HEAD)),
            "POST /v1/judge HTTP/1.1\r\nno header\r\n\r\n".to_owned(),
        ] {
            assert_eq!(Read::of(bytes.as_bytes()), Read::Other, "{}", &bytes[..bytes.len().min(60)]);
        }
    }
}
