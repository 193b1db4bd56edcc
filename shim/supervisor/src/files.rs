//! What a process does with files, where those are watched: what it asks of the kernel is read once, the file is found as the
//! kernel would find it, and once the gate has let that go on, it is done in the process's place, with what was found. So no
//! thread gains anything by changing the path meanwhile.

mod find;
mod wish;

pub(crate) use {
    find::{Found, find},
    wish::Wish,
};
