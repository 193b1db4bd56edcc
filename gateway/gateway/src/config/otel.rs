//! Where traces, metrics and the log go.

use std::path::PathBuf;

use http::Uri;

/// A collector that speaks OTLP over HTTP with protobuf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otel {
    /// Its base address, without a slash at the end; `/v1/traces` and the like are added.
    pub endpoint: String,
    /// A file with headers for every request, one `name: value` a line.
    pub headers_file: Option<PathBuf>,
    /// What describes this gateway among others, beside its name and version.
    pub resource: Vec<(String, String)>,
}

impl Otel {
    /// A collector at an address from [`Otel::endpoint`].
    pub fn new(endpoint: String) -> Self {
        Self { endpoint, headers_file: None, resource: Vec::new() }
    }

    /// Reads a base address; none when nothing could be sent there.
    pub fn endpoint(text: &str) -> Option<String> {
        let uri: Uri = text.parse().ok()?;
        let callable = matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
        (callable && uri.query().is_none()).then(|| text.trim_end_matches('/').to_owned())
    }
}
