//! Server-sent events (WHATWG HTML section 9.2) as the gateway writes them: `id`, `event` and one `data` line.

use std::collections::VecDeque;

use crate::{Fault, blocking::Line, exchange::Reading};

/// Longest event that is read.
const MAX_EVENT: usize = 4 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its id: the number of an audit record.
    pub id: Option<u64>,
    /// Its name; empty for an ordinary message.
    pub name: String,
    /// Its data: JSON.
    pub data: String,
}

/// Events as they happen. Ends with a fault when the gateway goes away or falls silent.
#[derive(Debug)]
pub struct Events {
    line: Line,
    reading: Reading,
    parser: Parser,
    ready: VecDeque<Event>,
    over: bool,
}

impl Events {
    pub(crate) fn new(line: Line, reading: Reading) -> Self {
        Self { line, reading, parser: Parser::default(), ready: VecDeque::new(), over: false }
    }

    /// Whether all that had arrived was given, and the next event has to be waited for.
    pub fn caught_up(&self) -> bool {
        self.ready.is_empty() && !self.line.more()
    }

    fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            let body = self.reading.take_body();
            self.parser.feed(&body, &mut self.ready)?;
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.line.read_into(&mut self.reading)? && self.reading.take_body().is_empty() {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.next_event().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

#[derive(Debug, Default)]
struct Parser {
    raw: Vec<u8>,
    event: Event,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8], ready: &mut VecDeque<Event>) -> Result<(), Fault> {
        self.raw.extend_from_slice(bytes);
        while let Some(end) = self.raw.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.raw.drain(..=end).collect();
            let line = String::from_utf8(line).map_err(|_| Fault::Garbled("an event is not UTF-8".to_owned()))?;
            self.line(line.trim_end_matches(['\n', '\r']), ready);
        }
        if self.raw.len() + self.event.data.len() > MAX_EVENT {
            return Err(Fault::Garbled("an event does not end".to_owned()));
        }
        Ok(())
    }

    fn line(&mut self, line: &str, ready: &mut VecDeque<Event>) {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if !event.data.is_empty() {
                ready.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = value.parse().ok(),
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments keep the connection alive; `retry` is for browsers.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = ": alive\n\nid: 7\nevent: record\ndata: {\"a\":1}\n\ndata:x\r\ndata: y\r\n\r\nid: 9\n\n";
        let expected = [
            Event { id: Some(7), name: "record".into(), data: "{\"a\":1}".into() },
            Event { id: None, name: String::new(), data: "x\ny".into() },
        ];
        for cut in 0..text.len() {
            let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
            let (first, second) = text.as_bytes().split_at(cut);
            parser.feed(first, &mut ready).unwrap();
            parser.feed(second, &mut ready).unwrap();
            assert_eq!(ready, expected, "cut at {cut}");
        }
        let endless = "data: ".repeat(1 << 20);
        assert!(Parser::default().feed(endless.as_bytes(), &mut VecDeque::new()).is_err());
    }
}
