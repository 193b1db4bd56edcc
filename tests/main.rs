//! The whole program from outside: real binaries, real sockets, real clients and servers. One test binary.
//!
//! Not here: tests of one crate's inside; those sit beside the code.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod agents;
mod api;
mod approvals;
mod audit;
mod dashboard;
mod docker;
mod docs;
mod doctor;
mod egress;
mod exec_check;
mod faces;
mod faults;
mod guard;
mod hook;
mod house;
mod identity;
mod jail;
mod mcp;
mod mcp_access;
mod mcp_attacks;
mod mcp_conformance;
mod mcp_http;
mod mcp_install;
mod mcp_pins;
mod mcp_processes;
mod mcp_scan;
mod mcp_sessions;
mod mcp_shapes;
mod notify;
mod overdue;
mod packaging;
mod policy;
mod preload;
mod registry;
mod reload;
mod report;
mod rules;
mod sdks;
mod service;
mod setup;
mod telemetry;
mod upgrade;
mod verify;
mod watch;
mod world;
mod wrap;
