//! The program from outside: real processes against a gateway that a test plays.

#[cfg(test)]
mod gateway;
#[cfg(test)]
mod hook;
#[cfg(test)]
mod shell;
