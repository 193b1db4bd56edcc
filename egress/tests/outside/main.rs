//! The proxy from outside: real sockets, real TLS, real origins on loopback, and a closure for a gate.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod abuse;
mod addresses;
mod bodies;
mod certificates;
mod conformance;
mod credentials;
mod cuts;
mod desync;
mod doors;
mod forward;
mod intercept;
mod keys;
mod lies;
mod names;
mod origin;
mod recorder;
mod responses;
mod smuggling;
mod streaming;
mod websockets;
mod world;
