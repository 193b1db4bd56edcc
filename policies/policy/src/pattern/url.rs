//! URL globs, matched against the parts of the parsed URL: `https://*.x.io/v1/*`. In scheme, path and query `*` is any
//! text; the host is a domain glob. A pattern without `://` is a text glob over the whole URL.

use super::{Domain, Reading, TextGlob, domain::is_folded};

/// A URL that was parsed by the WHATWG rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlParts {
    pub(crate) scheme: String,
    /// Folded; empty for schemes without a host.
    pub(crate) host: String,
    /// The explicit port or the scheme's own.
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
    /// Path and query.
    pub(crate) rest: String,
    /// It carries a user name or password.
    pub(crate) userinfo: bool,
    /// The whole URL as it is sent, without the fragment.
    pub(crate) text: String,
}

impl UrlParts {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(parts) = Self::of_canonical(text) {
            return Some(parts);
        }
        let mut url = url::Url::parse(text.trim()).ok()?;
        url.set_fragment(None);
        let host = url.host_str().unwrap_or_default();
        let folded = super::domain::fold(host).unwrap_or_else(|| host.to_ascii_lowercase());
        let rest = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: folded,
            port: url.port_or_known_default(),
            path: url.path().to_owned(),
            rest,
            userinfo: !url.username().is_empty() || url.password().is_some(),
            text: url.into(),
        })
    }

    /// The same of a URL that a parser would leave as it is; of some such it does not know it. Those of requests are such,
    /// and each is looked at twice.
    fn of_canonical(text: &str) -> Option<Self> {
        let (scheme, behind, port) = match text.split_once("://")? {
            ("https", behind) => ("https", behind, 443),
            ("http", behind) => ("http", behind, 80),
            _ => return None,
        };
        let (authority, rest) = behind.split_at(behind.find('/')?);
        let (host, port) = match authority.split_once(':') {
            Some((host, written)) => {
                let number: u16 = written.parse().ok().filter(|number| *number != port)?;
                (host, Some(number).filter(|number| number.to_string() == written)?)
            }
            None => (authority, port),
        };
        let path = rest.split_once('?').map_or(rest, |(path, _)| path);
        // steps are taken out, however they are written
        let stays = |b: u8| b.is_ascii_alphanumeric() || b"-._~/?=&%+,:;@!$*()".contains(&b);
        let steps = path.contains("/.") || path.contains("%2e") || path.contains("%2E");
        (is_folded(host) && !steps && rest.bytes().all(stays)).then(|| Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: Some(port),
            path: path.to_owned(),
            rest: rest.to_owned(),
            userinfo: false,
            text: text.to_owned(),
        })
    }
}

/// A compiled URL glob.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum UrlGlob {
    /// Part by part.
    Parts { scheme: TextGlob, host: Domain, port: Option<u16>, rest: Option<TextGlob>, reading: Reading },
    /// Over the whole text.
    Whole(TextGlob),
}

impl UrlGlob {
    /// # Errors
    /// What is wrong with the pattern, for its author.
    pub(crate) fn new(pattern: &str, reading: Reading) -> Result<Self, String> {
        let Some((scheme, behind)) = pattern.split_once("://") else {
            return match (reading, pattern.starts_with('*')) {
                (Reading::Broad, true) => Ok(Self::Whole(TextGlob::new(pattern))),
                _ => Err(format!("`{pattern}` has no scheme; write it like `https://example.com/path/*`")),
            };
        };
        let at = behind.find(['/', '?']).unwrap_or(behind.len());
        let (authority, rest) = (behind.get(..at).unwrap_or_default(), behind.get(at..).unwrap_or_default());
        if authority.contains('@') {
            return Err(format!("`{pattern}` holds a user name, which is never part of a match"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
                (host, Some(port))
            }
            _ => (authority, None),
        };
        Ok(Self::Parts {
            scheme: TextGlob::new(&scheme.to_ascii_lowercase()),
            host: Domain::new(host, reading)?,
            port,
            rest: (!rest.is_empty()).then(|| TextGlob::new(rest)),
            reading,
        })
    }

    pub(crate) fn is_match(&self, url: &UrlParts) -> bool {
        match self {
            Self::Whole(glob) => glob.is_match(&url.text),
            Self::Parts { scheme, host, port, rest, reading } => {
                let exact = *reading == Reading::Exact;
                let own_port =
                    matches!((url.scheme.as_str(), url.port), ("http" | "ws", Some(80)) | ("https" | "wss", Some(443)));
                scheme.is_match(&url.scheme)
                    && host.is_match(&url.host)
                    && port.map_or(!exact || own_port, |p| url.port == Some(p))
                    && rest.as_ref().map_or(!exact || url.rest == "/", |r| r.is_match(&url.rest))
                    && !(exact && url.userinfo)
            }
        }
    }

    /// A text that every match contains.
    pub(crate) fn literal(&self) -> String {
        match self {
            Self::Whole(glob) => glob.literal().to_owned(),
            Self::Parts { host, rest, .. } => {
                let host = host.literal();
                match rest.as_ref().map(TextGlob::literal) {
                    Some(rest) if rest.len() > host.len() => rest.to_owned(),
                    _ => host,
                }
            }
        }
    }

    /// It matches every URL, or every host.
    pub(crate) fn is_sweeping(&self) -> bool {
        match self {
            Self::Whole(glob) => glob.is_sweeping(),
            Self::Parts { host, .. } => host.is_sweeping(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_for_canonical_is_what_a_parser_makes_of_it() {
        let mut taken = 0;
        for scheme in ["https", "http", "HTTP", "ftp"] {
            for authority in [
                "a.b",
                "A.b",
                "a.b:8080",
                "a.b:443",
                "a.b:80",
                "a.b:08",
                "a.b:",
                "u@a.b",
                "1.2.3.4",
                "a.1",
                "",
                "a.b:99999",
            ] {
                for rest in [
                    "",
                    "/",
                    "/a?b=%20",
                    "/a/./b",
                    "/..",
                    "/%2e%2e/x",
                    "/a%2Eb",
                    "/?/../",
                    "/a b",
                    "/'",
                    "/?'",
                    "/#x",
                    "/a\\b",
                    "//x",
                    "/{}",
                ] {
                    let text = format!("{scheme}://{authority}{rest}");
                    if let Some(parts) = UrlParts::of_canonical(&text) {
                        taken += 1;
                        let url = url::Url::parse(&text).unwrap();
                        assert_eq!(url.as_str(), text);
                        assert_eq!(url.host_str(), Some(parts.host.as_str()), "{text}");
                        assert_eq!(
                            (url.port_or_known_default(), url.path()),
                            (parts.port, parts.path.as_str()),
                            "{text}"
                        );
                        assert_eq!(&url[url::Position::BeforePath..], parts.rest, "{text}");
                        assert!(url.username().is_empty() && url.scheme() == parts.scheme, "{text}");
                    }
                }
            }
        }
        assert!(taken > 8, "{taken}");
    }

    #[test]
    fn a_url_is_matched_part_by_part() {
        use Reading::{Broad, Exact};
        for (pattern, reading, url, expect) in [
            ("https://api.x.io/v1/*", Exact, "https://api.x.io/v1/users?a=1", true),
            ("https://api.x.io/v1/*", Exact, "https://API.x.io:443/v2/../v1/users", true),
            ("https://api.x.io/v1/*", Exact, "https://api.x.io/v1/../admin", false),
            ("https://*.x.io/*", Exact, "https://evil.com/.x.io/", false),
            ("https://*.x.io/*", Exact, "https://a.x.io@evil.com/", false),
            ("https://*.x.io/*", Exact, "https://a.x.io/", true),
            ("https://a.x.io/*", Exact, "https://u:p@a.x.io/", false),
            ("https://a.x.io/*", Exact, "https://a.x.io:8443/", false),
            ("https://a.x.io/*", Broad, "https://a.x.io:8443/", true),
            ("https://a.x.io:8443/*", Exact, "https://a.x.io:8443/", true),
            ("https://a.x.io", Exact, "https://a.x.io/secret", false),
            ("https://a.x.io", Broad, "https://a.x.io/secret", true),
            ("*://a.x.io/*", Broad, "http://a.x.io/", true),
            ("*evil*", Broad, "https://x.io/?q=evil", true),
        ] {
            let glob = UrlGlob::new(pattern, reading).unwrap();
            let parts = UrlParts::parse(url).unwrap();
            assert_eq!(glob.is_match(&parts), expect, "{pattern} on {url}");
            assert!(!expect || parts.text.contains(&glob.literal()), "{pattern} on {url}");
        }
        assert!(UrlGlob::new("x.io/*", Broad).is_err());
        assert!(UrlGlob::new("*x.io*", Exact).is_err());
    }
}
