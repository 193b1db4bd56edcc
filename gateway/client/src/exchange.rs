//! One HTTP/1.1 exchange without a socket: a request to bytes, and bytes to a response. The blocking and the async
//! client put their own I/O around it.

use serde::Serialize;

use crate::Fault;

/// Longest head of a response that is read.
const MAX_HEAD: usize = 16 << 10;
/// Longest body of a response that is read. An answer holds the effects of a command, never its output.
const MAX_BODY: usize = 32 << 20;

/// A request without a body, ready to be written.
pub(crate) fn request(method: &str, path: &str, extra: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: rampart\r\n{extra}\r\n").into_bytes()
}

/// A `POST`, ready to be written. `about` is how many bytes the body might take: a large one is written where it stays.
///
/// # Errors
/// When the body cannot be written as JSON.
pub(crate) fn post(path: &str, body: &impl Serialize, about: usize, extra: &str) -> Result<Vec<u8>, Fault> {
    // The length of the body comes before it and is known after it.
    let mut bytes = Vec::with_capacity(path.len() + extra.len() + 128 + about);
    bytes.extend_from_slice(&head(path, 0, extra));
    let begin = bytes.len();
    serde_json::to_writer(&mut bytes, body).map_err(|e| Fault::Garbled(e.to_string()))?;
    let head = head(path, bytes.len() - begin, extra);
    if let Some(place) = bytes.get_mut(..begin) {
        place.copy_from_slice(&head);
    }
    Ok(bytes)
}

/// The head of a `POST` whose body has so many bytes, itself always of the same length: zeros may stand in front (RFC 9110,
/// section 8.6: 1*DIGIT).
pub(crate) fn head(path: &str, length: usize, extra: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: rampart\r\n{extra}content-type: application/json\r\ncontent-length: {length:010}\r\n\r\n"
    )
    .into_bytes()
}

/// A response as it arrives.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Received and not yet understood.
    raw: Vec<u8>,
    state: State,
    status: u16,
    keeps_alive: bool,
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are still to come.
    Sized(usize),
    /// The size line of the next chunk comes.
    ChunkSize,
    /// So many bytes of this chunk are still to come, and the line end after them.
    Chunk(usize),
    /// The lines after the last chunk.
    Trailers,
    Done,
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self { raw: Vec::new(), state: State::Head, status: 0, keeps_alive: false, body: Vec::new() }
    }

    /// Takes in what arrived. True when the response is complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        self.raw.extend_from_slice(bytes);
        while self.step()? {
            if self.body.len() > MAX_BODY {
                return Err(Fault::Garbled(format!("it is longer than {MAX_BODY} bytes")));
            }
        }
        Ok(self.state == State::Done)
    }

    /// Whether the status line and headers are in.
    pub(crate) fn has_head(&self) -> bool {
        self.state != State::Head
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection may carry another exchange.
    #[cfg(any(test, feature = "async"))]
    pub(crate) fn keeps_alive(&self) -> bool {
        self.keeps_alive && self.state == State::Done && self.raw.is_empty()
    }

    /// What has arrived of the body since the last time.
    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Understands one piece. False when more bytes are needed or nothing is left to do.
    fn step(&mut self) -> Result<bool, Fault> {
        match self.state {
            State::Head => self.head(),
            State::Sized(0) => {
                self.state = State::Done;
                Ok(true)
            }
            State::Sized(left) => {
                let taken = self.take(left);
                self.state = State::Sized(left - taken);
                Ok(taken > 0)
            }
            State::ChunkSize => {
                let Some(line) = self.line(64)? else { return Ok(false) };
                let digits = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(digits, 16)
                    .ok()
                    .filter(|&size| size <= MAX_BODY && !digits.starts_with('+'))
                    .ok_or_else(|| Fault::Garbled("it has a bad chunk size".to_owned()))?;
                self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                Ok(true)
            }
            State::Chunk(0) => {
                let Some(line) = self.line(2)? else { return Ok(false) };
                if !line.is_empty() {
                    return Err(Fault::Garbled("a chunk is longer than it says".to_owned()));
                }
                self.state = State::ChunkSize;
                Ok(true)
            }
            State::Chunk(left) => {
                let taken = self.take(left);
                self.state = State::Chunk(left - taken);
                Ok(taken > 0)
            }
            State::Trailers => {
                let Some(line) = self.line(MAX_HEAD)? else { return Ok(false) };
                if line.is_empty() {
                    self.state = State::Done;
                }
                Ok(true)
            }
            State::Done => Ok(false),
        }
    }

    fn head(&mut self) -> Result<bool, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let size = match response.parse(&self.raw).map_err(|e| Fault::Garbled(e.to_string()))? {
            httparse::Status::Complete(size) => size,
            httparse::Status::Partial if self.raw.len() > MAX_HEAD => {
                return Err(Fault::Garbled("its head does not end".to_owned()));
            }
            httparse::Status::Partial => return Ok(false),
        };
        self.status = response.code.unwrap_or_default();
        let header = |name: &str| {
            let found = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok().map(str::trim)
        };
        self.keeps_alive = response.version == Some(1) && header("connection") != Some("close");
        self.state = match (header("transfer-encoding"), header("content-length")) {
            (Some("chunked"), None) => State::ChunkSize,
            (None, Some(length)) => {
                let length = length.parse().ok().filter(|&n| n <= MAX_BODY);
                State::Sized(length.ok_or_else(|| Fault::Garbled("it has a bad length".to_owned()))?)
            }
            _ => return Err(Fault::Garbled("it does not say how long it is".to_owned())),
        };
        if matches!(self.status, 100..=199) {
            return Err(Fault::Garbled(format!("status {} was not asked for", self.status)));
        }
        self.raw.drain(..size);
        Ok(true)
    }

    /// Moves up to `most` bytes to the body.
    fn take(&mut self, most: usize) -> usize {
        let size = most.min(self.raw.len());
        self.body.extend(self.raw.drain(..size));
        size
    }

    /// The next line without its end, when it is complete.
    fn line(&mut self, longest: usize) -> Result<Option<String>, Fault> {
        let Some(end) = self.raw.windows(2).position(|pair| pair == b"\r\n") else {
            if self.raw.len() > longest {
                return Err(Fault::Garbled("a line of it does not end".to_owned()));
            }
            return Ok(None);
        };
        let line: Vec<u8> = self.raw.drain(..end + 2).take(end).collect();
        String::from_utf8(line).map(Some).map_err(|_| Fault::Garbled("it is not text".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n4;x=y\r\nwell\r\n0\r\n\r\n";

    #[test]
    fn a_response_is_the_same_however_it_is_cut() {
        for (bytes, body) in [(SIZED, "hello"), (CHUNKED, "\nwell")] {
            for cut in 0..bytes.len() {
                let mut reading = Reading::new();
                let (first, second) = bytes.split_at(cut);
                assert!(!reading.feed(first).unwrap(), "complete after {cut} bytes");
                assert!(reading.feed(second).unwrap());
                assert_eq!((reading.status(), reading.take_body()), (200, body.as_bytes().to_vec()), "cut at {cut}");
                assert!(reading.keeps_alive());
            }
        }
    }

    #[test]
    fn what_is_not_an_answer_is_garbled() {
        for bad in [
            &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            let fault = Reading::new().feed(bad).unwrap_err();
            assert!(matches!(fault, Fault::Garbled(_)), "{fault}");
        }
        assert!(Reading::new().feed(&b"HTTP/1.1 200 OK\r\n".repeat(2000)).is_err());
    }

    #[test]
    fn a_connection_that_closes_or_has_more_to_say_is_not_used_again() {
        for bytes in
            [&b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"[..], &[SIZED, b"x"].concat()]
        {
            let mut reading = Reading::new();
            assert!(reading.feed(bytes).unwrap());
            assert!(!reading.keeps_alive());
        }
    }
}
