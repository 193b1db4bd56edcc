//! Takes values out of a stream of bytes and puts others in, wherever and however the stream is cut.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::decode::{Decoder, Undecoded};

/// What is taken out, and what is put in.
#[derive(Default)]
pub(crate) struct Echo {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    automaton: Option<AhoCorasick>,
}

impl Echo {
    pub(crate) fn new(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let from = pairs.iter().map(|(from, _)| from);
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(from).ok();
        Self { automaton: automaton.filter(|_| !pairs.is_empty()), pairs }
    }

    /// The same bytes with all that is known replaced; none where nothing is.
    pub(crate) fn replaced(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let automaton = self.automaton.as_ref().filter(|a| a.is_match(bytes))?;
        let mut out = Vec::with_capacity(bytes.len());
        automaton.replace_all_with_bytes(bytes, &mut out, |found, _, out| {
            let (_, to) = self.pairs.get(found.pattern().as_usize()).map_or((&[][..], &[][..]), |(f, t)| (f, t));
            out.extend_from_slice(to);
            true
        });
        Some(out)
    }

    /// How many bytes at the end may be the beginning of something known.
    fn begun(&self, bytes: &[u8]) -> usize {
        let begins = |(from, _): &(Vec<u8>, Vec<u8>)| {
            let most = from.len().saturating_sub(1).min(bytes.len());
            (1..=most).rev().find(|n| bytes.get(bytes.len() - n..) == from.get(..*n)).unwrap_or(0)
        };
        self.pairs.iter().map(begins).max().unwrap_or(0)
    }

    /// The same in the values of headers.
    pub(crate) fn clean(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if let Some(changed) = self.replaced(value.as_bytes()) {
                *value = HeaderValue::from_bytes(&changed).unwrap_or(HeaderValue::from_static(""));
            }
        }
    }
}

/// A stream on its way through.
pub(crate) struct Replacing {
    echo: Arc<Echo>,
    decoder: Option<Decoder>,
    held: Vec<u8>,
}

impl Replacing {
    /// `decoder` undoes what the stream is packed with; what comes out is not packed.
    pub(crate) fn new(echo: Arc<Echo>, decoder: Option<Decoder>) -> Self {
        Self { echo, decoder, held: Vec::new() }
    }

    /// Whether what comes out is as long as what goes in.
    pub(crate) fn keeps_length(&self) -> bool {
        self.decoder.is_none() && self.echo.pairs.iter().all(|(from, to)| from.len() == to.len())
    }

    /// How much waits for its rest.
    pub(crate) fn held(&self) -> u64 {
        self.held.len() as u64
    }

    /// Takes in bytes and gives those that are certain.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Bytes, Undecoded> {
        match &mut self.decoder {
            Some(decoder) => self.held.extend(decoder.feed(bytes)?),
            None => self.held.extend_from_slice(bytes),
        }
        Ok(self.give(false))
    }

    /// The same in what follows the stream.
    pub(crate) fn clean(&self, trailers: &mut HeaderMap) {
        self.echo.clean(trailers);
    }

    /// The stream has ended: gives the rest.
    pub(crate) fn finish(&mut self) -> Result<Bytes, Undecoded> {
        if let Some(mut decoder) = self.decoder.take() {
            self.held.extend(decoder.finish()?);
        }
        Ok(self.give(true))
    }

    fn give(&mut self, all: bool) -> Bytes {
        if let Some(changed) = self.echo.replaced(&self.held) {
            self.held = changed;
        }
        let begun = if all { 0 } else { self.echo.begun(&self.held) };
        let rest = self.held.split_off(self.held.len() - begun);
        Bytes::from(std::mem::replace(&mut self.held, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_out_however_the_stream_is_cut() {
        let pairs = vec![(b"secret-a".to_vec(), b"XXXXXX-a".to_vec()), (b"terces".to_vec(), b"-----".to_vec())];
        let echo = Arc::new(Echo::new(pairs));
        let text = b"secsecret-a|secret-b|terces|secret-asecret-";
        let expected = b"secXXXXXX-a|secret-b|-----|XXXXXX-asecret-";
        for size in 1..=text.len() {
            let mut replacing = Replacing::new(Arc::clone(&echo), None);
            let mut out = Vec::new();
            for piece in text.chunks(size) {
                out.extend(replacing.feed(piece).unwrap());
            }
            out.extend(replacing.finish().unwrap());
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected), "pieces of {size}");
        }
    }

    #[test]
    fn only_what_may_go_on_waits() {
        let mut replacing = Replacing::new(Arc::new(Echo::new(vec![(b"secret".to_vec(), b"******".to_vec())])), None);
        assert_eq!(replacing.feed(b"data: 1\n\n").unwrap(), "data: 1\n\n");
        assert_eq!(replacing.feed(b"data: sec").unwrap(), "data: ");
        assert_eq!(replacing.feed(b"ond\n\n").unwrap(), "second\n\n");
        assert!(replacing.keeps_length());
    }
}
