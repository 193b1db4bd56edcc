//! Where there is no seccomp.

use std::{
    io,
    process::{Child, Command, ExitStatus},
};

use crate::{Supervision, Watched};

const WHY: &str = "the exec check needs Linux";

/// Whether programs can be supervised here.
///
/// # Errors
/// Always.
pub fn supported() -> Result<(), String> {
    Err(WHY.to_owned())
}

/// It cannot.
pub fn can_act_for_others() -> bool {
    false
}

/// A command that cannot be held here.
#[derive(Debug)]
pub struct Held(std::convert::Infallible);

impl Held {
    /// Holds nothing.
    ///
    /// # Errors
    /// Always.
    pub fn new(_command: &mut Command, _watched: Watched) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }
}

/// What a program is confined to that was started in a jail.
#[derive(Debug)]
pub struct Confined {
    /// There is none here.
    pub ruleset: Option<std::convert::Infallible>,
}

/// Starts nothing: there is no such command.
///
/// # Errors
/// None.
pub fn run_held<E>(
    held: Held,
    _start: impl FnOnce() -> Result<(Child, Option<Confined>), E>,
    _supervision: Supervision<'_>,
) -> Result<ExitStatus, E> {
    match held.0 {}
}

/// Starts nothing.
///
/// # Errors
/// Always.
pub fn run(_command: Command, _supervision: Supervision<'_>) -> io::Result<ExitStatus> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}
