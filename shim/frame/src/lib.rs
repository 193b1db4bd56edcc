//! The bytes between the preload library and the process that asks the gateway for it: one question, one byte back.
//!
//! Not here: memory, sockets, meaning. The library has no allocator, so neither has this.
#![no_std]

/// The longest body of a question, in bytes. What is longer is refused.
pub const MAX: usize = 1 << 20;

/// Bytes before the body.
pub const HEAD: usize = 5;

/// The answer that lets a call go on. Every other byte, and none, is a refusal.
pub const GO: u8 = b'g';

/// The answer that refuses.
pub const NO: u8 = b'n';

/// The variable that tells the library what to do: a [`Mode`], then letters of [`FILES`] and [`NET`], a colon, the socket.
pub const VARIABLE: &str = "RAMPART_PRELOAD";

/// Letter of the variable: files are asked about.
pub const FILES: u8 = b'f';

/// Letter of the variable: connections are asked about.
pub const NET: u8 = b'n';

/// First letter of the variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// What is refused, or not answered, does not happen.
    Enforce = b'e',
    /// Everything happens, and is asked about.
    Monitor = b'm',
}

/// What the words of a question are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A program is started: the descriptor that its path starts from (empty where `PATH` is searched), the path, then its
    /// arguments from number 0.
    Exec = b'x',
    /// A shell is started: its text.
    Shell = b's',
    /// Words are expanded as a shell does (wordexp(3)): the words.
    Words = b'w',
    /// A file is opened for reading: descriptor, path.
    Read = b'r',
    /// A file is opened for writing, or cut: descriptor, path.
    Write = b'o',
    /// A file is deleted: descriptor, path.
    Delete = b'd',
    /// A file is renamed: descriptor, path, and both again for its new name.
    Rename = b'm',
    /// A connection is made: the address in hexadecimal digits (8 for IPv4, 32 for IPv6), the port in decimal ones.
    Connect = b'c',
}

impl Kind {
    /// The kind of that byte.
    pub const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'x' => Self::Exec,
            b's' => Self::Shell,
            b'w' => Self::Words,
            b'r' => Self::Read,
            b'o' => Self::Write,
            b'd' => Self::Delete,
            b'm' => Self::Rename,
            b'c' => Self::Connect,
            _ => return None,
        })
    }
}

/// The bytes before a body of this length.
pub const fn head(kind: Kind, length: u32) -> [u8; HEAD] {
    let [a, b, c, d] = length.to_le_bytes();
    [kind as u8, a, b, c, d]
}

/// Kind and length of the body behind these bytes; none when it is no question or longer than [`MAX`].
pub const fn read_head(head: [u8; HEAD]) -> Option<(Kind, usize)> {
    let [kind, a, b, c, d] = head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    match Kind::of(kind) {
        Some(kind) if length <= MAX => Some((kind, length)),
        _ => None,
    }
}

/// The words of a body, each of which ends in a NUL; none when the last does not.
pub fn words(body: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let (last, rest) = body.split_last()?;
    (*last == 0).then(|| rest.split(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        assert_eq!(read_head(head(Kind::Rename, 70_000)), Some((Kind::Rename, 70_000)));
        assert_eq!(read_head(head(Kind::Exec, MAX as u32 + 1)), None);
        assert_eq!(read_head([b'?', 0, 0, 0, 0]), None);
        let all = |body| words(body).map(Iterator::collect::<Vec<_>>);
        assert_eq!(all(b"a\0\0bc\0"), Some(Vec::from([&b"a"[..], b"", b"bc"])));
        assert_eq!(all(b"a\0b"), None);
        assert_eq!(all(b""), None);
    }

    #[test]
    fn every_kind_is_found_by_its_byte() {
        for kind in
            [Kind::Exec, Kind::Shell, Kind::Words, Kind::Read, Kind::Write, Kind::Delete, Kind::Rename, Kind::Connect]
        {
            assert_eq!(Kind::of(kind as u8), Some(kind));
        }
    }
}
