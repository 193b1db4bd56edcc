//! Server-sent events, cut out of a stream as they came (WHATWG HTML, section 9.2.5 and 9.2.6).

use bytes::{Buf, Bytes, BytesMut};

/// One event, or a comment between events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Everything of it, its blank line included.
    pub(crate) raw: Bytes,
    /// Its data: the lines joined by spaces, since a line end means no more than that between the tokens of a JSON text.
    /// None where the event has none, and so is none.
    pub(crate) data: Option<String>,
    /// Its `id` line, without the end.
    id: Option<Bytes>,
    /// Its `event` line, without the end.
    name: Option<Bytes>,
}

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Broken {
    #[error("an event longer than {0} bytes")]
    TooLong(usize),
    #[error("an event that is not UTF-8")]
    NotText,
}

/// Cuts a stream into events.
#[derive(Debug)]
pub(crate) struct Splitter {
    held: BytesMut,
    /// How far `held` was searched for the end of a line, and where that line begins.
    seen: usize,
    line: usize,
    limit: usize,
    begun: bool,
}

impl Splitter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { held: BytesMut::new(), seen: 0, line: 0, limit, begun: false }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next event that is complete.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Broken> {
        while let Some(offset) = self.held.get(self.seen..).and_then(|rest| memchr::memchr2(b'\n', b'\r', rest)) {
            let end = self.seen + offset;
            let size = match (self.held.get(end), self.held.get(end + 1)) {
                // Whether a line feed follows is not known yet.
                (Some(b'\r'), None) => return self.within_limit(),
                (Some(b'\r'), Some(b'\n')) => 2,
                _ => 1,
            };
            let blank = end == self.line;
            (self.seen, self.line) = (end + size, end + size);
            if blank {
                let raw = self.held.split_to(end + size).freeze();
                (self.seen, self.line) = (0, 0);
                let first = !std::mem::replace(&mut self.begun, true);
                return Event::read(raw, first).map(Some);
            }
        }
        self.seen = self.held.len();
        self.within_limit()
    }

    fn within_limit(&self) -> Result<Option<Event>, Broken> {
        if self.held.len() > self.limit { Err(Broken::TooLong(self.limit)) } else { Ok(None) }
    }
}

impl Event {
    fn read(raw: Bytes, first: bool) -> Result<Self, Broken> {
        let mut rest = raw.clone();
        if first && rest.starts_with("\u{feff}".as_bytes()) {
            rest.advance(3);
        }
        let (mut data, mut id, mut name): (Option<String>, _, _) = (None, None, None);
        for line in rest.split(|b| matches!(b, b'\n' | b'\r')) {
            let (field, value) = match memchr::memchr(b':', line) {
                Some(colon) => (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default()),
                None => (line, &[][..]),
            };
            match field {
                b"data" => {
                    let text = std::str::from_utf8(value.strip_prefix(b" ").unwrap_or(value));
                    let text = text.map_err(|_| Broken::NotText)?;
                    match &mut data {
                        Some(data) => {
                            data.push(' ');
                            data.push_str(text);
                        }
                        None => data = Some(text.to_owned()),
                    }
                }
                b"id" => id = Some(raw.slice_ref(line)),
                b"event" => name = Some(raw.slice_ref(line)),
                _ => {}
            }
        }
        Ok(Self { raw, data, id, name })
    }

    /// Whether a stream can be resumed behind it.
    pub(crate) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// The same event with other data, which is one line.
    pub(crate) fn with(&self, data: &str) -> Bytes {
        let mut out = BytesMut::with_capacity(data.len() + 64);
        for line in [&self.id, &self.name].into_iter().flatten() {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\n");
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(data.trim_end().as_bytes());
        out.extend_from_slice(b"\n\n");
        out.freeze()
    }

    /// The same event without its id, which has gone out before.
    pub(crate) fn later(&self) -> Bytes {
        Self { id: None, ..self.clone() }.with(self.data.as_deref().unwrap_or_default())
    }

    /// What stands in its place when it is withheld: whoever resumes the stream goes on behind it.
    pub(crate) fn without(&self) -> Bytes {
        let Some(id) = &self.id else { return Bytes::from_static(b": withheld\n\n") };
        Bytes::from([b": withheld\n", &id[..], b"\n\n"].concat())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<Event> {
        let mut splitter = Splitter::new(1 << 16);
        let mut events = Vec::new();
        for piece in pieces {
            splitter.feed(piece);
            while let Some(event) = splitter.next().unwrap() {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_are_cut_at_blank_lines_of_every_kind() {
        let events =
            split(&[b"\xef\xbb\xbfdata: a\n\n: hi\r\n\r\nid: 7\revent: message\rdata:{\rdata: }\r\rdata\n\n x"]);
        let data: Vec<_> = events.iter().map(|e| e.data.as_deref()).collect();
        assert_eq!(data, [Some("a"), None, Some("{ }"), Some("")]);
        assert_eq!(&events[2].with("{\"x\":1}\n")[..], b"id: 7\nevent: message\ndata: {\"x\":1}\n\n");
        assert_eq!(&events[2].without()[..], b": withheld\nid: 7\n\n");
        assert_eq!(&events[0].without()[..], b": withheld\n\n");
    }

    #[test]
    fn what_never_ends_is_an_error_and_so_is_what_is_no_text() {
        let mut splitter = Splitter::new(10);
        splitter.feed(b"data: 12345");
        assert_eq!(splitter.next(), Err(Broken::TooLong(10)));
        let mut splitter = Splitter::new(10);
        splitter.feed(b"data: \xff\n\n");
        assert_eq!(splitter.next(), Err(Broken::NotText));
    }

    proptest! {
        #[test]
        fn how_a_stream_arrives_changes_nothing_and_nothing_of_it_is_lost(
            text in "(data: ?[a-c]{0,3}|id: [0-9]|:|event: x|)(\n|\r\n|\r|\n\n|\r\r|\r\n\r\n){0,40}",
            cuts in proptest::collection::vec(0usize..400, 0..6),
        ) {
            let bytes = [text.as_bytes(), b"x"].concat();
            let whole = split(&[&bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            let cut = split(&pieces);
            prop_assert_eq!(&whole, &cut);
            let raw: Vec<u8> = whole.iter().flat_map(|e| e.raw.to_vec()).collect();
            prop_assert!(bytes.starts_with(&raw));
        }
    }
}
