//! A stream gives what its whole gives, however it is cut. The first two bytes say how, the others are the text, repeated
//! until it is longer than what a stream keeps.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rampart_scan::{Stream, scan};

/// More than twice what a stream keeps.
const LENGTH: usize = 250 * 1024;
/// Stands between the repetitions: a stream may be cut there.
const BETWEEN: &str = "\nNothing to see in this sentence, which only fills some room.\n";

fuzz_target!(|bytes: &[u8]| {
    let Some(([low, high], rest)) = bytes.split_first_chunk::<2>() else { return };
    let Ok(piece) = std::str::from_utf8(rest) else { return };
    if piece.len() > 2000 {
        return;
    }
    let text = format!("{piece}{BETWEEN}").repeat(LENGTH / (piece.len() + BETWEEN.len()) + 1);
    let size = usize::from(u16::from_le_bytes([*low, *high])) + 1;
    let mut stream = Stream::new();
    let mut found: Vec<_> = text.as_bytes().chunks(size).flat_map(|chunk| stream.feed(chunk)).collect();
    found.extend(stream.finish());
    assert_eq!(found, scan(&text), "in pieces of {size}");
});
