//! The environment of a program that is started: whatever its parent made of it, the library and its settings are in it.

use core::ffi::c_char;

use rampart_frame::VARIABLE;

use crate::{
    settings::{self, value},
    sys::{List, bytes, texts},
};

/// The most variables there is room for; a program with more is not started.
const MOST: usize = 4096;
const LONGEST: usize = 4096;

/// Room for an environment that differs from the one that was given.
pub(crate) struct Room {
    list: [*const c_char; MOST],
    preload: [u8; LONGEST],
}

impl Room {
    pub(crate) const fn new() -> Self {
        Self { list: [core::ptr::null(); MOST], preload: [0; LONGEST] }
    }

    /// The list itself where it has both variables, else one that has them; none when there is no room.
    pub(crate) fn fill(&mut self, given: List) -> Option<List> {
        if !settings::is_on() || is_whole(given) {
            return Some(given);
        }
        let mut used = 0;
        let mut foreign: &[u8] = &[];
        for text in texts(given) {
            if value(bytes(text), VARIABLE.as_bytes()).is_some() {
                continue;
            }
            if let Some(libraries) = value(bytes(text), b"LD_PRELOAD") {
                foreign = libraries;
                continue;
            }
            *self.list.get_mut(used)? = text;
            used += 1;
        }
        let preload = self.joined(foreign);
        // One place stays null.
        let [own, first, _end] = self.list.get_mut(used..used + 3)? else { return None };
        (*own, *first) = (settings::own(), preload);
        Some(self.list.as_ptr())
    }

    /// Our libraries, and those that the caller wanted behind them where there is room.
    fn joined(&mut self, foreign: &[u8]) -> *const c_char {
        let ours = bytes(settings::preload());
        if foreign.is_empty() || contains(foreign, libraries()) || ours.len() + foreign.len() + 2 > LONGEST {
            return settings::preload();
        }
        let parts = ours.iter().chain(b":").chain(foreign).chain(&[0]);
        self.preload.iter_mut().zip(parts).for_each(|(place, byte)| *place = *byte);
        self.preload.as_ptr().cast()
    }
}

fn libraries() -> &'static [u8] {
    value(bytes(settings::preload()), b"LD_PRELOAD").unwrap_or_default()
}

/// Whether both variables are there and mean what they should.
pub(crate) fn is_whole(list: List) -> bool {
    let (mut own, mut preload) = (false, false);
    for text in texts(list).map(bytes) {
        own |= text == bytes(settings::own());
        // Of two of a name, programs may take either.
        if let Some(there) = value(text, b"LD_PRELOAD") {
            if !contains(there, libraries()) {
                return false;
            }
            preload = true;
        }
    }
    own && preload
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
