//! Frames of WebSockets (RFC 6455 section 5) put together to messages. Pure: bytes in, messages out.

use bytes::{Bytes, BytesMut};

/// A longer message is judged in parts.
const MAX_PART: usize = 256 * 1024;
const MAX_CONTROL: u64 = 125;
/// In the place of a length: the length follows.
const TWO_BYTES: u8 = 0x7e;
const EIGHT_BYTES: u8 = 0x7f;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PONG: u8 = 10;

/// How a side broke the protocol: the code of RFC 6455 section 7.4.1, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) code: u16,
    pub(crate) why: &'static str,
}

const PROTOCOL_ERROR: u16 = 1002;
const INVALID_TEXT: u16 = 1007;

impl From<&'static str> for Broken {
    fn from(why: &'static str) -> Self {
        Self { code: PROTOCOL_ERROR, why }
    }
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Its frames are masked.
    Client,
    /// Its frames are not.
    Origin,
}

/// What is ready to be judged or sent on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Ping, pong or close, as it came.
    Control(Bytes),
    /// A message, or a part of a long one.
    Data {
        /// As it came.
        raw: Bytes,
        /// Without frames and masks.
        payload: Bytes,
        /// Its kind, where it is all of a message.
        whole: Option<u8>,
    },
}

/// The frame that is being read.
struct Frame {
    control: bool,
    fin: bool,
    mask: Option<[u8; 4]>,
    left: u64,
    /// How far the mask has turned.
    turned: usize,
}

/// One direction of a conversation.
pub(crate) struct Frames {
    side: Side,
    /// Of a header that is not complete.
    begun: BytesMut,
    frame: Option<Frame>,
    /// The kind of the message that is being read.
    message: Option<u8>,
    /// The beginning of a character with which the text of it ended so far.
    character: Vec<u8>,
    /// A part of it was handed out already.
    parted: bool,
    raw: BytesMut,
    payload: BytesMut,
    control: BytesMut,
    /// What was handed out last ended within a frame.
    within: bool,
}

impl Frames {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            begun: BytesMut::new(),
            frame: None,
            message: None,
            character: Vec::new(),
            parted: false,
            raw: BytesMut::new(),
            payload: BytesMut::new(),
            control: BytesMut::new(),
            within: false,
        }
    }

    pub(crate) fn side(&self) -> Side {
        self.side
    }

    /// Whether nothing but the rest of a frame can be sent now.
    pub(crate) fn is_within(&self) -> bool {
        self.within
    }

    /// Takes in bytes and gives out what became whole by them: what came before a fault is sent on all the same.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> (Vec<Message>, Result<(), Broken>) {
        let mut ready = Vec::new();
        let fed = self.take(bytes, &mut ready);
        (ready, fed)
    }

    fn take(&mut self, mut bytes: &[u8], ready: &mut Vec<Message>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match &mut self.frame {
                None => {
                    let (first, rest) = bytes.split_at(1);
                    self.begun.extend_from_slice(first);
                    bytes = rest;
                    self.frame = self.header()?;
                    if self.frame.as_ref().is_some_and(|frame| frame.left == 0) {
                        self.end_frame(ready)?;
                    }
                }
                Some(frame) => {
                    let here = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
                    let (data, rest) = bytes.split_at(here);
                    bytes = rest;
                    frame.left -= here as u64;
                    if frame.control {
                        self.control.extend_from_slice(data);
                    } else {
                        self.raw.extend_from_slice(data);
                        let from = self.payload.len();
                        self.payload.extend_from_slice(data);
                        if let Some(mask) = frame.mask {
                            for byte in self.payload.iter_mut().skip(from) {
                                *byte ^= mask.get(frame.turned % 4).copied().unwrap_or_default();
                                frame.turned += 1;
                            }
                            frame.turned %= 4;
                        }
                        if self.message == Some(TEXT) {
                            goes_on(&mut self.character, self.payload.get(from..).unwrap_or_default())?;
                        }
                    }
                    let (ends, control) = (frame.left == 0, frame.control);
                    if ends {
                        self.end_frame(ready)?;
                    }
                    if !control && self.payload.len() >= MAX_PART {
                        self.hand_out(ready, false);
                        self.within = !ends;
                    }
                }
            }
        }
        Ok(())
    }

    /// The header, if it is complete.
    fn header(&mut self) -> Result<Option<Frame>, Broken> {
        let [first, second, ..] = *self.begun else { return Ok(None) };
        let (fin, opcode, masked) = (first & 0x80 != 0, first & 0x0f, second & 0x80 != 0);
        if first & 0x70 != 0 {
            return Err("a frame is marked for an extension that nobody agreed upon".into());
        }
        if masked != (self.side == Side::Client) {
            return Err("the client masks its frames, and the server does not".into());
        }
        let (length_size, short) = match second & 0x7f {
            TWO_BYTES => (2, 0),
            EIGHT_BYTES => (8, 0),
            short => (0, u64::from(short)),
        };
        let Some(header) = self.begun.get(2..2 + length_size + if masked { 4 } else { 0 }) else { return Ok(None) };
        let (length, mask) = header.split_at(length_size);
        let length = length.iter().fold(short, |length, byte| length << 8 | u64::from(*byte));
        if length >> 63 != 0 || (length_size == 2 && length < 126) || (length_size == 8 && length <= 0xffff) {
            return Err("the length of a frame is not written as it must be".into());
        }
        let control = opcode >= CLOSE;
        match opcode {
            CLOSE..=PONG if fin && length <= MAX_CONTROL => {}
            CLOSE..=PONG => return Err("a control frame is long, or in fragments".into()),
            CONTINUATION if self.message.is_some() => {}
            TEXT | BINARY if self.message.is_none() => self.message = Some(opcode),
            CONTINUATION => return Err("a fragment continues nothing".into()),
            TEXT | BINARY => return Err("a message begins within another".into()),
            _ => return Err("a frame is of a kind that nobody knows".into()),
        }
        let mask = <[u8; 4]>::try_from(mask).ok();
        let begun = self.begun.split();
        if control { &mut self.control } else { &mut self.raw }.extend_from_slice(&begun);
        Ok(Some(Frame { control, fin, mask, left: length, turned: 0 }))
    }

    fn end_frame(&mut self, ready: &mut Vec<Message>) -> Result<(), Broken> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        if frame.control {
            ready.push(Message::Control(self.control.split().freeze()));
        } else if frame.fin {
            if !self.character.is_empty() {
                return Err(NO_TEXT);
            }
            self.hand_out(ready, true);
            self.message = None;
            self.parted = false;
            self.within = false;
        }
        Ok(())
    }

    fn hand_out(&mut self, ready: &mut Vec<Message>, ends: bool) {
        if self.raw.is_empty() {
            return;
        }
        let whole = self.message.filter(|_| ends && !self.parted);
        self.parted = !ends;
        ready.push(Message::Data { raw: self.raw.split().freeze(), payload: self.payload.split().freeze(), whole });
    }

    /// A message of this side in one frame.
    pub(crate) fn compose(&self, opcode: u8, payload: &[u8]) -> Bytes {
        compose(self.side, opcode, payload)
    }
}

const NO_TEXT: Broken =
    Broken { code: INVALID_TEXT, why: "a text is not UTF-8, and would not be read by all as it was judged" };

/// Whether a text goes on well that ended within this character (RFC 6455 section 8.1).
fn goes_on(character: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Broken> {
    // Of the next bytes, so many belong to it at most.
    let (rest, bytes) = if character.is_empty() { (&[][..], bytes) } else { bytes.split_at(bytes.len().min(3)) };
    character.extend_from_slice(rest);
    for piece in [std::mem::take(character).as_slice(), bytes] {
        let joined;
        let whole = if character.is_empty() {
            piece
        } else {
            joined = [character.as_slice(), piece].concat();
            &joined
        };
        match std::str::from_utf8(whole) {
            Ok(_) => character.clear(),
            Err(e) if e.error_len().is_none() => *character = whole.get(e.valid_up_to()..).unwrap_or_default().to_vec(),
            Err(_) => return Err(NO_TEXT),
        }
    }
    Ok(())
}

fn compose(side: Side, opcode: u8, payload: &[u8]) -> Bytes {
    let masked = if side == Side::Client { 0x80 } else { 0 };
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..=125 => frame.push(masked | short as u8),
        middle @ 126..=0xffff => {
            frame.push(masked | TWO_BYTES);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(masked | EIGHT_BYTES);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    if masked != 0 {
        // What is masked here is our own text, so that the mask need not be a secret.
        frame.extend_from_slice(&[0; 4]);
    }
    frame.extend_from_slice(payload);
    frame.into()
}

/// A close frame with a code and as much of a reason as fits.
pub(crate) fn close(side: Side, code: u16, why: &str) -> Bytes {
    let end = (0..=why.len().min(123)).rev().find(|i| why.is_char_boundary(*i)).unwrap_or(0);
    compose(side, CLOSE, &[&code.to_be_bytes()[..], why.get(..end).unwrap_or_default().as_bytes()].concat())
}

#[cfg(test)]
mod tests;
