//! Lines in, whole or not at all; lines out, as fast as the reader takes them.

use std::{collections::VecDeque, io};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{message::Id, skim::Skimmer};

/// From so many bytes on a line counts as long.
const LONG: usize = 256 << 10;

/// What the next read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// A line with its newline.
    Line(Bytes),
    /// A line that has grown beyond the limit. The next read looks for its end.
    TooLong,
    /// The end of that line, and the id it held.
    Skipped(Option<Id>),
    /// Bytes without a newline stood at the end.
    Unfinished,
    /// The end.
    Eof,
}

/// Reads lines of a limited length in memory that is bounded by it.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    limit: usize,
    buffer: BytesMut,
    /// Bytes of `buffer` that hold no newline.
    scanned: usize,
    /// Set while the rest of a line that is too long goes by.
    skipping: Option<Skimmer>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Takes lines of up to `limit` bytes.
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, buffer: BytesMut::new(), scanned: 0, skipping: None }
    }

    /// The next line. Cancel safe: nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> io::Result<Read> {
        loop {
            let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', fresh) {
                let line = self.buffer.split_to(self.scanned + found + 1);
                self.scanned = 0;
                match self.skipping.take() {
                    Some(mut skimmer) => {
                        skimmer.feed(&line);
                        return Ok(Read::Skipped(skimmer.id()));
                    }
                    None if line.len() <= self.limit => return Ok(Read::Line(line.freeze())),
                    None => {
                        // Put back for the skimmer.
                        let rest = std::mem::replace(&mut self.buffer, line);
                        self.buffer.unsplit(rest);
                        self.skipping = Some(Skimmer::default());
                        return Ok(Read::TooLong);
                    }
                }
            }
            self.scanned = self.buffer.len();
            if let Some(skimmer) = &mut self.skipping {
                skimmer.feed(&self.buffer);
                self.buffer.clear();
                self.scanned = 0;
            } else if self.scanned > self.limit {
                self.skipping = Some(Skimmer::default());
                return Ok(Read::TooLong);
            }
            // Small chunks while lines are small: a message that is held keeps the chunk it came in. A long line has at once
            // all the room that it may need, which takes no memory before it is filled and spares the copies of growing.
            self.buffer.reserve(match self.buffer.len() {
                0 => 8 << 10,
                read if read < LONG => 64 << 10,
                read => (self.limit + 1).saturating_sub(read).max(64 << 10),
            });
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                let unfinished = !self.buffer.is_empty() || self.skipping.is_some();
                self.buffer.clear();
                (self.scanned, self.skipping) = (0, None);
                return Ok(if unfinished { Read::Unfinished } else { Read::Eof });
            }
        }
    }
}

/// Bytes on their way out, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Bytes>,
    bytes: usize,
    unflushed: bool,
}

impl Outbox {
    pub(crate) fn push(&mut self, line: Bytes) {
        self.bytes += line.len();
        self.queue.push_back(line);
    }

    /// Everything is written and flushed.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && !self.unflushed
    }

    /// How much waits.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets what waits: there is nobody to read it.
    pub(crate) fn discard(&mut self) {
        *self = Self::default();
    }

    /// Writes some of it, or flushes. Cancel safe.
    pub(crate) async fn write<W: AsyncWrite + Unpin>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.queue.is_empty() {
            writer.flush().await?;
            self.unflushed = false;
            return Ok(());
        }
        let slices: Vec<io::IoSlice<'_>> = self.queue.iter().take(16).map(|line| io::IoSlice::new(line)).collect();
        let mut written = writer.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.unflushed = true;
        self.bytes -= written;
        while let Some(front) = self.queue.front_mut() {
            let step = written.min(front.len());
            front.advance(step);
            written -= step;
            if !front.is_empty() {
                break;
            }
            self.queue.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    async fn all(reader: impl AsyncRead + Unpin, limit: usize) -> Vec<Read> {
        let mut lines = Lines::new(reader, limit);
        let mut reads = Vec::new();
        loop {
            match lines.next().await.unwrap() {
                Read::Eof => return reads,
                read => reads.push(read),
            }
        }
    }

    fn line(text: &str) -> Read {
        Read::Line(Bytes::from(text.to_owned()))
    }

    #[test]
    fn lines_come_whole_and_the_unfinished_one_does_not() {
        let reads = block_on(all(&b"ab\n\nc\r\nd"[..], 10));
        assert_eq!(reads, [line("ab\n"), line("\n"), line("c\r\n"), Read::Unfinished]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_skipped_and_the_next_one_read() {
        let text = format!("{{\"result\":\"{}\",\"id\":7}}\nok\n", "x".repeat(100_000));
        for limit in [20, 99_999] {
            let reads = block_on(all(text.as_bytes(), limit));
            assert_eq!(reads, [Read::TooLong, Read::Skipped(Some(Id::Number(7))), line("ok\n")], "{limit}");
        }
        assert_eq!(block_on(all(&b"12345\n1234\n"[..], 5)), [Read::TooLong, Read::Skipped(None), line("1234\n")]);
        assert_eq!(block_on(all(&b"1234567"[..], 5)), [Read::TooLong, Read::Unfinished]);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        block_on(async {
            let mut lines = Lines::new(tokio::io::repeat(b'x').take(64 << 20), 4 << 20);
            assert_eq!(lines.next().await.unwrap(), Read::TooLong);
            assert!(lines.buffer.capacity() < 16 << 20, "{}", lines.buffer.capacity());
            assert_eq!(lines.next().await.unwrap(), Read::Unfinished);
            assert_eq!(lines.next().await.unwrap(), Read::Eof);
        });
    }

    proptest! {
        #[test]
        fn chunks_change_nothing(texts in prop::collection::vec("[a-z]{0,9}", 0..20), size in 1usize..7) {
            let whole: String = texts.iter().map(|t| format!("{t}\n")).collect::<Vec<_>>().concat();
            let reads = block_on(async {
                let (mut writer, reader) = tokio::io::duplex(size);
                let write = async move { writer.write_all(whole.as_bytes()).await.unwrap() };
                tokio::join!(write, all(reader, 100)).1
            });
            let expected: Vec<Read> = texts.iter().map(|t| line(&format!("{t}\n"))).collect();
            prop_assert_eq!(reads, expected);
        }

        #[test]
        fn what_is_put_out_comes_out(texts in prop::collection::vec("[a-z]{1,9}", 0..40), size in 1usize..30) {
            let out = block_on(async {
                let (mut writer, mut reader) = tokio::io::duplex(size);
                let mut outbox = Outbox::default();
                for text in &texts {
                    outbox.push(Bytes::from(text.clone()));
                }
                let write = async move {
                    while !outbox.is_empty() {
                        outbox.write(&mut writer).await.unwrap();
                    }
                    assert_eq!(outbox.bytes(), 0);
                };
                let mut out = String::new();
                tokio::join!(write, async { reader.read_to_string(&mut out).await.unwrap() });
                out
            });
            prop_assert_eq!(out, texts.concat());
        }
    }
}
