//! One question to the process that asks the gateway.

use core::ffi::{c_char, c_int, c_void};

use rampart_frame::{GO, Kind, MAX, head};

use crate::{
    real, settings,
    sys::{self, List, bytes, texts},
};

/// For a human's answer, and longer than anybody waits for one.
static PATIENCE: sys::Time = sys::Time { seconds: 3700, micros: 0 };

/// A number in decimal digits, with its NUL.
pub(crate) struct Decimal {
    digits: [u8; 12],
    start: usize,
}

impl Decimal {
    pub(crate) fn of(number: c_int) -> Self {
        let mut decimal = Self { digits: [0; 12], start: 11 };
        let mut left = number.unsigned_abs();
        loop {
            decimal.push(b'0' + (left % 10) as u8);
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if number < 0 {
            decimal.push(b'-');
        }
        decimal
    }

    fn push(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.digits.get_mut(self.start) {
            *place = byte;
        }
    }

    pub(crate) fn text(&self) -> *const c_char {
        self.digits.as_ptr().wrapping_add(self.start).cast()
    }
}

/// Whether this may go on. `words` come first, then those of the list. Leaves errno alone.
pub(crate) fn may(kind: Kind, words: &[*const c_char], list: List) -> bool {
    if !settings::is_on() {
        return true;
    }
    let before = sys::errno();
    let said = ask(kind, words, list);
    sys::set_errno(before);
    said || !settings::enforces()
}

fn ask(kind: Kind, words: &[*const c_char], list: List) -> bool {
    let all = || words.iter().copied().chain(texts(list)).map(bytes);
    let length: usize = all().map(|word| word.len() + 1).sum();
    if length > MAX {
        return false;
    }
    let Some(mut line) = Line::open() else { return false };
    let sent =
        line.push(&head(kind, length as u32)) && all().all(|word| line.push(word) && line.push(&[0])) && line.flush();
    sent && line.answer() == Some(GO)
}

/// A connection, with a buffer so that most questions are one system call.
struct Line {
    fd: c_int,
    buffer: [u8; 2048],
    used: usize,
}

impl Line {
    fn open() -> Option<Self> {
        let mut address = sys::UnixAddress { family: sys::AF_UNIX, path: [0; 108] };
        let path = settings::socket();
        // One byte stays for the NUL.
        address.path.get_mut(..path.len()).filter(|place| place.len() < 108)?.copy_from_slice(path);
        // SAFETY: socket(2) takes numbers only.
        let fd = unsafe { sys::socket(sys::AF_UNIX.into(), sys::SOCK_STREAM_CLOEXEC, 0) };
        if fd < 0 {
            return None;
        }
        let line = Self { fd, buffer: [0; 2048], used: 0 };
        // SAFETY: the pointer is to a value of that size, which lives through the call (setsockopt(2)).
        unsafe {
            let size = size_of::<sys::Time>() as u32;
            sys::setsockopt(fd, sys::SOL_SOCKET, sys::SO_RCVTIMEO, (&raw const PATIENCE).cast(), size);
        }
        let connect = real::connect()?;
        // SAFETY: the same (connect(2)). It is libc's own, not ours.
        let done = unsafe { connect(fd, (&raw const address).cast(), size_of::<sys::UnixAddress>() as u32) };
        (done == 0).then_some(line)
    }

    fn push(&mut self, mut data: &[u8]) -> bool {
        while !data.is_empty() {
            let Some(room) = self.buffer.get_mut(self.used..).filter(|room| !room.is_empty()) else {
                if !self.flush() {
                    return false;
                }
                continue;
            };
            let count = room.len().min(data.len());
            let (now, later) = data.split_at(count);
            room.iter_mut().zip(now).for_each(|(place, byte)| *place = *byte);
            self.used += count;
            data = later;
        }
        true
    }

    fn flush(&mut self) -> bool {
        let mut data = self.buffer.get(..self.used).unwrap_or_default();
        while !data.is_empty() {
            // SAFETY: the pointer and the length are those of a slice (send(2)).
            let sent = unsafe { sys::send(self.fd, data.as_ptr().cast(), data.len(), sys::MSG_NOSIGNAL) };
            match usize::try_from(sent) {
                Ok(count) => data = data.get(count..).unwrap_or_default(),
                Err(_) if sys::errno() == sys::EINTR => {}
                Err(_) => return false,
            }
        }
        self.used = 0;
        true
    }

    fn answer(&self) -> Option<u8> {
        let mut byte = 0_u8;
        loop {
            // SAFETY: one byte, and there is room for one (recv(2)).
            match unsafe { sys::recv(self.fd, (&raw mut byte).cast::<c_void>(), 1, 0) } {
                1 => return Some(byte),
                -1 if sys::errno() == sys::EINTR => {}
                _ => return None,
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own.
        unsafe { sys::close(self.fd) };
    }
}

/// `EPERM`, and what libc's functions give back then.
pub(crate) fn refused() -> c_int {
    sys::set_errno(sys::EPERM);
    -1
}
