//! Events come the same however a stream arrives. The first byte says how.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rampart_mcp::fuzz::events;

fuzz_target!(|bytes: &[u8]| {
    let Some((size, rest)) = bytes.split_first() else { return };
    // What ends in a carriage return is not over: a line feed may follow.
    let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
    let pieces: Vec<&[u8]> = rest.chunks(usize::from(*size) + 1).collect();
    let limit = rest.len() + 1;
    let Ok(whole) = events(&[rest], limit) else {
        assert!(events(&pieces, limit).is_err());
        return;
    };
    assert_eq!(whole, events(&pieces, limit).expect("it is read in one piece"));
    let raw: Vec<u8> = whole.iter().flat_map(|(raw, _)| raw.to_vec()).collect();
    assert!(rest.starts_with(&raw), "what passes is what came");
    for (raw, data) in whole {
        assert!(raw.ends_with(b"\n") || raw.ends_with(b"\r"));
        if let Some(data) = data {
            assert!(!data.contains(['\n', '\r']), "data is one line");
        }
    }
});
