//! The program from outside: real processes against a gateway that a test plays.

#[cfg(test)]
mod gateway;
#[cfg(test)]
mod hook;
#[cfg(test)]
mod shell;

/// The program under test.
#[cfg(test)]
fn shim() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_BIN_EXE_rampart-shim"))
}
