//! Sessions with a real server process: the road from outside, with a closure or a queue of questions for a gate.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and what they are made of")]

mod ends;
mod passes;
mod refuses;
mod world;
