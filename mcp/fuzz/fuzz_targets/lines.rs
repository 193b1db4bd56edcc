//! Lines come the same however the bytes arrive. The first two bytes say how.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rampart_mcp::fuzz::lines;

fuzz_target!(|bytes: &[u8]| {
    let Some(([size, limit], rest)) = bytes.split_first_chunk::<2>() else { return };
    if rest.len() > 4096 {
        return;
    }
    let limit = usize::from(*limit) + 1;
    let whole: Vec<&[u8]> = rest.chunks(4096).collect();
    let pieces: Vec<&[u8]> = rest.chunks(usize::from(*size) + 1).collect();
    let told = lines(&whole, limit);
    assert_eq!(told, lines(&pieces, limit));
    let mut expected = rest.split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n"));
    for line in told {
        let came = expected.next().expect("no more lines than came");
        match line {
            Ok(line) => assert!(line == came && line.len() <= limit),
            Err(_) => assert!(came.len() > limit),
        }
    }
    assert!(expected.next().is_none(), "a line was lost");
});
