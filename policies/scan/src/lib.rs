//! rampart-scan: text in, findings out: secrets, personal data, prompt injection, hidden characters; and redaction.
//!
//! Not here: what to do about a finding (`rampart-policy`), decompression, any I/O. Detectors are data: `detectors/*.toml`.

mod address;
mod assignment;
mod check;
mod confirm;
mod detector;
mod entry;
#[cfg(test)]
mod examples;
mod hidden;
#[cfg(any(test, feature = "hits"))]
mod hits;
mod known;
mod layers;
mod personal;
mod phrases;
mod plausible;
mod prefilter;
mod redact;
mod scanning;
mod seed;
pub mod shown;
mod stream;
mod tells;
mod visible;

use rampart_call::Finding;

pub use check::iban;
pub use detector::{Detector, detectors};
#[cfg(any(test, feature = "hits"))]
pub use hits::hits;
pub use known::{KnownSecrets, exchanged};
pub use redact::{placeholder, redact};
pub use stream::Stream;
pub use visible::visible;

/// Everything that the detectors find in `text`, sorted by where it starts. Encodings are undone up to three deep.
pub fn scan(text: &str) -> Vec<Finding> {
    scanning::scan_bytes(text.as_bytes())
}
