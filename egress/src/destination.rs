//! Where a request goes, in the one form that is judged, compared and dialled.

use std::{fmt, net::IpAddr};

/// Scheme, folded host and port. Two spellings of one place are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host as the WHATWG URL standard reads it: lower case, IDNA to ASCII, percent-decoded, every spelling of an IPv4
/// address as that address; and without the dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("`{}` is not a host name: {why}", text.escape_debug()));
        let name = match url::Host::parse(text) {
            Ok(url::Host::Ipv4(address)) => return Ok(Self::Address(address.into())),
            Ok(url::Host::Ipv6(address)) => return Ok(Self::Address(address.into())),
            Ok(url::Host::Domain(name)) => name,
            Err(e) => return refuse(&e.to_string()),
        };
        let name = name.strip_suffix('.').unwrap_or(&name);
        if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return refuse("a label is empty or it is too long");
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return refuse("it has characters that host names do not have");
        }
        Ok(Self::Name(name.to_owned()))
    }

    /// The name or address by itself, as certificates and policies write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Address(address) => address.to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Destination {
    /// Reads `host[:port]` (RFC 9110 section 7.2).
    pub(crate) fn parse(scheme: Scheme, authority: &str) -> Result<Self, String> {
        let (host, port) = split_port(authority)?;
        Ok(Self { scheme, host: Host::parse(host)?, port: port.unwrap_or(scheme.default_port()) })
    }

    /// Reads the target of a CONNECT, where the port must stand (RFC 9110 section 9.3.6).
    pub(crate) fn parse_connect(authority: &str) -> Result<Self, String> {
        let (host, port) = split_port(authority)?;
        let port = port.ok_or_else(|| format!("CONNECT to `{}` names no port", authority.escape_debug()))?;
        Ok(Self { scheme: Scheme::Https, host: Host::parse(host)?, port })
    }

    /// `host`, and `:port` where it is not the scheme's own: the form for Host and `:authority`.
    pub(crate) fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let refuse = |why: &str| Err(format!("`{}` is not a destination: {why}", authority.escape_debug()));
    if authority.contains('@') {
        return refuse("user names and passwords do not belong there");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.contains(':') && !host.starts_with('[') {
        return refuse("an IPv6 address stands in brackets");
    }
    match port {
        None | Some("") => Ok((host, None)),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(port) if port != 0 => Ok((host, Some(port))),
            _ => refuse("the port is out of range"),
        },
        Some(_) => refuse("the port is not a number"),
    }
}

/// Whether the path means one place to everybody: an encoded slash or backslash beside dots is a step upwards to some
/// servers and a name to others, and a NUL ends the name for some.
pub(crate) fn path_is_ambiguous(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    if lower.contains("%00") {
        return true;
    }
    let plain = lower.replace("%2e", ".");
    plain.replace("%2f", "/").replace("%5c", "/").split(['/', '\\']).filter(|s| *s == "..").count()
        != plain.split(['/', '\\']).filter(|s| *s == "..").count()
}

/// Whether a WHATWG parser would change the structure of the path, so that its form is the one to send.
pub(crate) fn path_has_steps(path: &str) -> bool {
    path.contains('\\')
        || path.split('/').any(|s| matches!(s.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_place_is_that_place() {
        for (written, read) in [
            ("Example.COM", "example.com:443"),
            ("example.com.:443", "example.com:443"),
            ("webhook.site%2e", "webhook.site:443"),
            ("bücher.example:8443", "xn--bcher-kva.example:8443"),
            ("0x7f.1", "127.0.0.1:443"),
            ("2130706433", "127.0.0.1:443"),
            ("0177.0.0.01.", "127.0.0.1:443"),
            ("①②⑦.0.0.1", "127.0.0.1:443"),
            ("[::1]:80", "[::1]:80"),
            ("[0:0:0:0:0:FFFF:7F00:1]", "[::ffff:127.0.0.1]:443"),
            ("a_b.example.com", "a_b.example.com:443"),
            ("example.com:", "example.com:443"),
        ] {
            let got = Destination::parse(Scheme::Https, written).map(|d| d.to_string());
            assert_eq!(got.as_deref(), Ok(read), "{written}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for written in [
            "",
            ":443",
            "user@example.com",
            "example.com:0",
            "example.com:65536",
            "example.com:+80",
            "example.com:x",
            "::1",
            "[::1",
            "[fe80::1%25eth0]",
            "exa mple.com",
            "example..com",
            ".example.com",
            "a\u{0}b.com",
            "1.2.3.4.5",
            "256.1.1.1",
            "0x100000000",
            "exam*ple.com",
            "example.com/",
            "example.com#x",
            "a%00b",
        ] {
            assert!(Destination::parse(Scheme::Https, written).is_err(), "{written:?}");
        }
        assert!(Destination::parse(Scheme::Https, &format!("{}.com", "a".repeat(64))).is_err());
        assert!(Destination::parse_connect("example.com").unwrap_err().contains("names no port"));
    }

    #[test]
    fn paths_that_servers_read_differently_are_found() {
        for path in ["/..%2fetc", "/a/..%5cb", "/%2e%2e%2fx", "/a%2f..%2fb", "/x%00.png", "/%2f%2e%2e"] {
            assert!(path_is_ambiguous(path), "{path}");
        }
        for path in ["/", "/@scope%2fname", "/a/../b", "/a%2fb/..", "/...%2fx", "/a..b%2fc"] {
            assert!(!path_is_ambiguous(path), "{path}");
        }
        assert!(path_has_steps("/a/%2E./b") && path_has_steps("/.") && path_has_steps("/a\\b"));
        assert!(!path_has_steps("/a..b/...") && !path_has_steps("/"));
    }

    /// What stands in the place of a host in the tests that browsers share.
    const AUTHORITIES: &str = include_str!("../tests/outside/corpora/authorities.tsv");

    #[test]
    fn a_host_is_the_one_that_browsers_read_or_none() {
        let (mut same, mut refused) = (0, Vec::new());
        for line in AUTHORITIES.lines().filter(|l| !l.starts_with('#')) {
            let mut fields = line.split('\t');
            let scheme = if fields.next() == Some("https") { Scheme::Https } else { Scheme::Http };
            let written: String = serde_json::from_str(&format!("\"{}\"", fields.next().unwrap())).unwrap();
            let host = fields.next().unwrap();
            match (Destination::parse(scheme, &written), host) {
                (Err(_), "-") => {}
                (Ok(to), "-") => panic!("{line}: {to} where browsers go nowhere"),
                (Err(why), _) => refused.push(format!("{line}: {why}")),
                (Ok(to), host) => {
                    // The dot at the end is the same name, and an IPv4 address in IPv6 may be written in either way.
                    let expected = Host::parse(host).unwrap();
                    assert_eq!((&to.host, to.port), (&expected, fields.next().unwrap().parse().unwrap()), "{line}");
                    same += 1;
                }
            }
        }
        assert!(same > 50, "{same}");
        // What is stricter here than in browsers: no credentials, no port 0, no empty labels.
        let stricter = ["@", "characters that host names", "out of range", "a label is empty"];
        let odd: Vec<_> = refused.iter().filter(|r| !stricter.iter().any(|why| r.contains(why))).collect();
        assert!(odd.is_empty(), "{odd:#?}");
    }
}
