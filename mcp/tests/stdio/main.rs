//! Sessions with a real server process: the road from outside, with a closure or a queue of questions for a gate.

mod ends;
mod passes;
mod refuses;
mod world;
