#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rampart_egress_fuzz::events(bytes));
