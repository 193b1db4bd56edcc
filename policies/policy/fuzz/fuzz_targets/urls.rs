//! Every text has a verdict as a URL, and a rule against the host that browsers would contact stops the request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rampart_policy_fuzz::{denies, denying, fetch, judge};
use url::Url;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let other = denying("domain_matches", "unrelated.example").expect("a plain policy loads");
    judge(&other, fetch(text));

    let Ok(url) = Url::parse(text) else { return };
    // No host is all dots, and one with a star would be read as a glob.
    let Some(host) = url.host_str().filter(|h| !h.trim_matches('.').is_empty() && !h.contains('*')) else { return };
    let Some(ruleset) = denying("domain_matches", host) else {
        // Only where a scheme is not the web's may a host be anything.
        assert!(!matches!(url.scheme(), "http" | "https" | "ws" | "wss" | "ftp"), "the host `{host}` cannot be named");
        return;
    };
    assert!(denies(&ruleset, fetch(text)), "{text:?} goes to `{host}`");
});
