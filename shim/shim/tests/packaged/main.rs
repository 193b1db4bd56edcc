//! The same processes, of the program as packages have it: one static file, built for size, that aborts where it panics.

#![cfg(target_os = "linux")]

#[cfg(test)]
#[path = "../processes/gateway.rs"]
mod gateway;
#[cfg(test)]
#[path = "../processes/hook.rs"]
mod hook;
#[cfg(test)]
#[path = "../processes/shell.rs"]
mod shell;
#[cfg(test)]
mod small;

#[cfg(test)]
use small::shim;
