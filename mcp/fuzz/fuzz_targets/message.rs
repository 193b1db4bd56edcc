//! What policy is told of a message is what a common parser reads, to whom the last of equal members counts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rampart_mcp::message::{Message, parse};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = parse(bytes) else { return };
    assert!(!bytes.strip_suffix(b"\n").unwrap_or(bytes).contains(&b'\n'), "one line");
    let read: Value = serde_json::from_slice(bytes).expect("what is taken is JSON");
    match message {
        Message::Request { id, method, params } => {
            assert_eq!(
                (&id.to_value(), &Value::from(method), &params),
                (&read["id"], &read["method"], &read["params"])
            );
        }
        Message::Notification { method, params } => {
            assert!(read.get("id").is_none());
            assert_eq!((&Value::from(method), &params), (&read["method"], &read["params"]));
        }
        Message::Response { id, body, place } => {
            assert_eq!(id.to_value(), read["id"]);
            let raw: Value = serde_json::from_slice(&bytes[place]).expect("the body is JSON by itself");
            assert_eq!(raw, body);
            assert!(read.get("result").or(read.get("error")) == Some(&body));
        }
    }
});
