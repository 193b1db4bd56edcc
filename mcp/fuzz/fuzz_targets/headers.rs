//! Headers that are taken say what the body says. The text is the header's value, a line end, and the name in the body.

#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use rampart_mcp::fuzz::headers_agree;

fuzz_target!(|text: &str| {
    let Some((value, name)) = text.split_once('\n') else { return };
    let params = serde_json::json!({"name": name});
    let agrees = |value: &[u8]| {
        let Ok(value) = HeaderValue::from_bytes(value) else { return false };
        let mut headers = HeaderMap::new();
        headers.insert("mcp-name", value);
        headers_agree(&headers, "tools/call", &params)
    };
    let coded = |text: &str| format!("=?base64?{}?=", STANDARD.encode(text));
    if agrees(value.as_bytes()) {
        assert!(value == name || value == coded(name), "{value:?} is taken for {name:?}");
    }
    assert!(agrees(coded(name).as_bytes()), "every name can be said");
    assert_eq!(agrees(coded(value).as_bytes()), value == name);
});
