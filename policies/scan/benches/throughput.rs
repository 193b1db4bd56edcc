//! Megabytes a second of the scanner.

fn main() {}
