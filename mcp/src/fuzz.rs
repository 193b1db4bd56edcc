//! The readers of foreign bytes, for the fuzz targets in `fuzz/`.

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use serde_json::Value;

use crate::{
    http::{agree, events::Splitter},
    lines::{Lines, Read},
    message::Id,
    schemas::Schemas,
};

/// What the line splitter makes of pieces: lines, and what else it told, until the end.
pub fn lines(pieces: &[&[u8]], limit: usize) -> Vec<Result<Bytes, Option<Id>>> {
    let mut lines = Lines::new(Pieces(pieces), limit);
    let mut told = Vec::new();
    loop {
        // Pieces are always there, so nothing ever waits.
        match lines.next().now_or_never() {
            Some(Ok(Read::Line(line))) => told.push(Ok(line)),
            Some(Ok(Read::Skipped(id))) => told.push(Err(id)),
            Some(Ok(Read::TooLong)) => {}
            _ => return told,
        }
    }
}

/// What the splitter of event streams makes of pieces: each event as it came, with its data.
///
/// # Errors
/// Why the stream cannot be read on.
pub fn events(pieces: &[&[u8]], limit: usize) -> Result<Vec<(Bytes, Option<String>)>, String> {
    let mut splitter = Splitter::new(limit);
    let mut events = Vec::new();
    for piece in pieces {
        splitter.feed(piece);
        while let Some(event) = splitter.next().map_err(|broken| broken.to_string())? {
            events.push((event.raw, event.data));
        }
    }
    Ok(events)
}

/// Whether headers that repeat the body say the same.
pub fn headers_agree(headers: &HeaderMap, method: &str, params: &Value) -> bool {
    agree(headers, method, params, &Schemas::default()).is_ok()
}

struct Pieces<'a>(&'a [&'a [u8]]);

impl tokio::io::AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        while let Some((first, rest)) = self.0.split_first() {
            self.0 = rest;
            if !first.is_empty() {
                let fits = first.len().min(buffer.remaining());
                buffer.put_slice(first.get(..fits).unwrap_or_default());
                assert_eq!(fits, first.len(), "targets make pieces that fit");
                break;
            }
        }
        std::task::Poll::Ready(Ok(()))
    }
}
