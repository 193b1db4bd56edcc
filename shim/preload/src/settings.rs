//! What the library was told when the process began. The process may forget it; its children shall not.

use core::{
    cell::UnsafeCell,
    ffi::c_char,
    sync::atomic::{AtomicU8, Ordering},
};

use rampart_frame::{FILES, Mode, NET, VARIABLE};

use crate::sys::{bytes, environment, texts};

/// Longest value of a variable that is kept, with its name and NUL.
const LONGEST: usize = 4096;

/// A variable that is kept: `NAME=value` and a NUL.
struct Kept(UnsafeCell<[u8; LONGEST]>);

// SAFETY: it is written once, by `init`, before the program has a second thread, and only read after `MODE` tells so.
unsafe impl Sync for Kept {}

static OWN: Kept = Kept(UnsafeCell::new([0; LONGEST]));
static PRELOAD: Kept = Kept(UnsafeCell::new([0; LONGEST]));
/// 0 while there is nothing to do.
static MODE: AtomicU8 = AtomicU8::new(0);
static LETTERS: AtomicU8 = AtomicU8::new(0);

const WITH_FILES: u8 = 1;
const WITH_NET: u8 = 2;

impl Kept {
    fn keep(&self, text: &[u8]) -> bool {
        if text.len() >= LONGEST {
            return false;
        }
        // SAFETY: see the `Sync` above: nobody reads yet, and there is one thread.
        let place = unsafe { &mut *self.0.get() };
        let (text_place, rest) = place.split_at_mut(text.len());
        text_place.copy_from_slice(text);
        rest.iter_mut().take(1).for_each(|byte| *byte = 0);
        true
    }

    fn pointer(&self) -> *const c_char {
        self.0.get().cast_const().cast()
    }
}

/// Reads the settings. libc runs it when the library is loaded, before the program's own code.
extern "C" fn init() {
    let mut own: &[u8] = &[];
    let mut preload: &[u8] = &[];
    for text in texts(environment()).map(bytes) {
        if value(text, VARIABLE.as_bytes()).is_some() {
            own = text;
        } else if value(text, b"LD_PRELOAD").is_some() {
            preload = text;
        }
    }
    let Some([mode, letters @ ..]) = value(own, VARIABLE.as_bytes()) else { return };
    if *mode != Mode::Enforce as u8 && *mode != Mode::Monitor as u8 {
        return;
    }
    if !OWN.keep(own) || !PRELOAD.keep(preload) {
        return;
    }
    let mut flags = 0;
    for letter in letters.iter().take_while(|letter| **letter != b':') {
        match *letter {
            FILES => flags |= WITH_FILES,
            NET => flags |= WITH_NET,
            _ => {}
        }
    }
    LETTERS.store(flags, Ordering::Relaxed);
    MODE.store(*mode, Ordering::Release);
}

#[used]
#[unsafe(link_section = ".init_array")]
static INIT: extern "C" fn() = init;

/// The value of a variable, if the text is of that one.
pub(crate) fn value<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    text.strip_prefix(name)?.strip_prefix(b"=")
}

/// Whether anything is asked at all.
pub(crate) fn is_on() -> bool {
    MODE.load(Ordering::Acquire) != 0
}

/// Whether a refusal is carried out.
pub(crate) fn enforces() -> bool {
    MODE.load(Ordering::Acquire) == Mode::Enforce as u8
}

pub(crate) fn with_files() -> bool {
    is_on() && LETTERS.load(Ordering::Relaxed) & WITH_FILES != 0
}

pub(crate) fn with_net() -> bool {
    is_on() && LETTERS.load(Ordering::Relaxed) & WITH_NET != 0
}

/// `RAMPART_PRELOAD=...` as it was.
pub(crate) fn own() -> *const c_char {
    OWN.pointer()
}

/// `LD_PRELOAD=...` as it was.
pub(crate) fn preload() -> *const c_char {
    PRELOAD.pointer()
}

/// Where to ask.
pub(crate) fn socket() -> &'static [u8] {
    let value = value(bytes(own()), VARIABLE.as_bytes()).unwrap_or_default();
    value.iter().position(|byte| *byte == b':').and_then(|colon| value.get(colon + 1..)).unwrap_or_default()
}
