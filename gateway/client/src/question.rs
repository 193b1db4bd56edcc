//! What is written to the gateway to ask something: a short question as a whole, and of a large one a piece at a time, made
//! while the one before it is sent. Whoever asks has what it asks about in memory already, and need not have it twice.

use std::{io, sync::Arc};

use serde::Serialize;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};

use crate::{
    Fault,
    exchange::{head, post},
};

/// Longer bodies go in pieces. They take longer to judge than a thread takes to start.
const LARGE: usize = 256 << 10;
/// A piece, in bytes. Two of them may wait.
const PIECE: usize = 64 << 10;
const WAITING: usize = 2;

/// Writes the body anew each time it is asked to.
type Body = dyn Fn(&mut dyn io::Write) -> serde_json::Result<()> + Send + Sync;

/// A question that can be sent, and sent again.
pub(crate) struct Question {
    front: Vec<u8>,
    /// What follows it, where it is large.
    body: Option<Arc<Body>>,
}

impl Question {
    /// A `POST`. `about` is how many bytes the body might take.
    ///
    /// # Errors
    /// When the body cannot be written as JSON.
    pub(crate) fn new<T>(path: &str, body: &Arc<T>, about: usize, extra: &str) -> Result<Self, Fault>
    where
        T: Serialize + Send + Sync + 'static,
    {
        if about <= LARGE {
            return Ok(Self { front: post(path, body.as_ref(), about, extra)?, body: None });
        }
        let mut length = Length(0);
        serde_json::to_writer(&mut length, body.as_ref()).map_err(|e| Fault::Garbled(e.to_string()))?;
        let body = Arc::clone(body);
        let write = move |to: &mut dyn io::Write| serde_json::to_writer(to, body.as_ref());
        Ok(Self { front: head(path, length.0, extra), body: Some(Arc::new(write)) })
    }

    /// What goes first.
    pub(crate) fn front(&self) -> &[u8] {
        &self.front
    }

    /// What follows.
    pub(crate) fn rest(&self) -> Rest {
        let Some(body) = self.body.clone() else { return Rest(None) };
        let (to, pieces) = channel(WAITING);
        spawn_blocking(move || {
            let mut pieces = Pieces { piece: Vec::with_capacity(PIECE), to };
            // It was written once already, so what fails is that nobody wants it any more.
            let _ = body(&mut pieces).map(|()| pieces.pass());
        });
        Rest(Some(pieces))
    }
}

/// The pieces of a large question.
pub(crate) struct Rest(Option<Receiver<Vec<u8>>>);

impl Rest {
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        self.0.as_mut()?.recv().await
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hands on what is written, a piece at a time.
struct Pieces {
    piece: Vec<u8>,
    to: Sender<Vec<u8>>,
}

impl Pieces {
    fn pass(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.to.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.piece.len() == PIECE {
            self.pass()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(question: &Question) -> Vec<u8> {
        let (mut bytes, mut rest) = (question.front().to_vec(), question.rest());
        while let Some(piece) = rest.next().await {
            assert!(piece.len() <= PIECE);
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    #[tokio::test]
    async fn a_large_question_is_the_same_in_pieces_each_time_it_is_sent() {
        for length in [LARGE, LARGE + 1, 9 * PIECE - 2, 20 * PIECE + 17] {
            let body = Arc::new("\u{e9}\"x".repeat(length / 4));
            let whole = post("/v1/judge", body.as_ref(), length, "a: b\r\n").unwrap();
            for about in [0, LARGE + 1] {
                let question = Question::new("/v1/judge", &body, about, "a: b\r\n").unwrap();
                assert_eq!(question.body.is_some(), about > LARGE);
                for _ in 0..2 {
                    assert!(sent(&question).await == whole, "{length} {about}");
                }
            }
        }
    }

    #[tokio::test]
    async fn whoever_makes_the_pieces_ends_when_nobody_wants_them() {
        let body = Arc::new("x".repeat(4 << 20));
        let question = Question::new("/v1/judge", &body, body.len(), "").unwrap();
        drop(question.rest());
        drop(question);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while Arc::strong_count(&body) > 1 {
            assert!(std::time::Instant::now() < end, "the body is still held");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
