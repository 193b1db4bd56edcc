//! Hosts inside commands, as far as rules on effects need them; the ruleset parses URLs by the WHATWG rules.

mod lists;
pub(crate) mod owners;
mod spelled;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use lists::{COLLECTING, COLLECTORS, METADATA, METADATA_V4, METADATA_V6, TUNNELS};

/// A URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
    pub(crate) local_file: bool,
}

/// Takes a URL apart; a bare `host/path` is one, as curl and wget read it.
pub(crate) fn of_url(text: &str) -> Option<Parsed> {
    let text = text.trim();
    let is_scheme = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", text));
    if scheme.eq_ignore_ascii_case("file") {
        return Some(Parsed { host: String::new(), port: None, path: rest.to_owned(), local_file: true });
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = split_port(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
    let default = match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        "ftp" => Some(21),
        "ssh" | "sftp" | "scp" => Some(22),
        _ => None,
    };
    let path = path.split(['?', '#']).next().unwrap_or("").to_owned();
    let host = fold(&host);
    (!host.is_empty()).then_some(Parsed { host, port: port.or(default), path, local_file: false })
}

/// The host and port of a word such as `user@host:22`.
pub(crate) fn of_word(text: &str) -> (String, Option<u16>) {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let (host, port) = split_port(text);
    (fold(&host), port)
}

fn split_port(text: &str) -> (String, Option<u16>) {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (host.to_owned(), after.strip_prefix(':').and_then(|p| p.parse().ok()));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host.to_owned(), port.parse().ok()),
        _ => (text.to_owned(), None),
    }
}

/// Lower case, percent escapes resolved, no trailing dot.
fn fold(host: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    if host.bytes().all(plain) && !host.ends_with('.') {
        return host.to_owned();
    }
    let mut out = String::with_capacity(host.len());
    let mut rest = host;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if byte.is_ascii() => {
                out.push(char::from(byte));
                rest = after.get(2..).unwrap_or("");
            }
            _ => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    let mut out = out.to_lowercase().replace(['\u{3002}', '\u{ff0e}'], ".");
    while out.ends_with('.') {
        out.pop();
    }
    out
}

/// What is known of a host: one of the words of `NOTES`, or nothing.
pub(crate) fn note(host: &str) -> &'static str {
    if is_metadata(host) {
        return "metadata-address";
    }
    // from the last label on, as far as any domain that is known goes
    let below = host.rmatch_indices('.').filter_map(|(at, _)| host.get(at + 1..));
    below.chain([host]).take(MOST_LABELS).find_map(|domain| KNOWN.get(domain)).copied().unwrap_or("")
}

/// By domain what is known of it and of all that lies below.
static KNOWN: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let tunnels = TUNNELS.iter().map(|domain| (*domain, "tunnel"));
    tunnels.chain(COLLECTORS.iter().map(|domain| (*domain, "collector"))).collect()
});

/// The most labels of a domain that is known.
const MOST_LABELS: usize = 4;

pub(crate) fn ready() {
    LazyLock::force(&KNOWN);
}

/// What is known of an address: of its host, or of what lies there under that path.
pub(crate) fn note_at(host: &str, path: &str) -> &'static str {
    let found = note(host);
    let path = path.trim_start_matches('/');
    let part = |(at, below): &(&str, &str)| {
        host == *at && path.strip_prefix(below).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if found.is_empty() && COLLECTING.iter().any(part) { "collector" } else { found }
}

/// An index of packages that needs no question even though it is named: one on this machine, the one that a package
/// manager asks anyway, or the one that PyTorch's own instructions name.
pub(crate) fn is_package_index(url: &str) -> bool {
    const USUAL: [&str; 9] = [
        "pypi.org",
        // in two parts: no file here names the machine that it is built from
        concat!("registry.", "npmjs.org"),
        "registry.yarnpkg.com",
        "proxy.golang.org",
        "index.crates.io",
        "rubygems.org",
        "repo.maven.apache.org",
        "conda.anaconda.org",
        "download.pytorch.org",
    ];
    let url = url.strip_prefix("sparse+").unwrap_or(url);
    of_url(url).is_some_and(|parsed| {
        is_loopback(&parsed.host) || url.starts_with("https://") && USUAL.contains(&parsed.host.as_str())
    })
}

pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "::1"
        || address(host).is_some_and(|a| a[0] == 127 || a == [0, 0, 0, 0])
}

fn is_metadata(host: &str) -> bool {
    let known = |address: &IpAddr| match address {
        IpAddr::V4(v4) => METADATA_V4.contains(&v4.octets()),
        IpAddr::V6(v6) => is_metadata_v6(&v6.to_string()),
    };
    METADATA.contains(&host)
        || plain_address(host).is_some_and(|a| METADATA_V4.contains(&a))
        || is_metadata_v6(host)
        || spelled::addresses(host).iter().any(known)
}

fn is_metadata_v6(host: &str) -> bool {
    let known = |address: Ipv6Addr| METADATA_V6.iter().any(|known| known.parse() == Ok(address));
    host.starts_with("fd") && host.parse().is_ok_and(known)
}

/// An IPv4 address in any of the spellings that `inet_aton` takes, inside IPv6, and in a name that spells it.
pub(crate) fn address(host: &str) -> Option<[u8; 4]> {
    plain_address(host).or_else(|| match spelled::addresses(host).first()? {
        IpAddr::V4(v4) => Some(v4.octets()),
        IpAddr::V6(v6) => v6.to_ipv4().map(|a| a.octets()),
    })
}

fn plain_address(host: &str) -> Option<[u8; 4]> {
    if host.contains(':') {
        let address: Ipv6Addr = host.parse().ok()?;
        return address.to_ipv4().map(|a| a.octets());
    }
    if !host.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let parts: Vec<&str> = host.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let mut numbers = Vec::with_capacity(4);
    for part in &parts {
        let number = if let Some(hex) = part.strip_prefix("0x") {
            u32::from_str_radix(hex, 16)
        } else if part.len() > 1 && part.starts_with('0') {
            u32::from_str_radix(part, 8)
        } else {
            part.parse()
        };
        numbers.push(number.ok()?);
    }
    let (last, head) = numbers.split_last()?;
    let mut value = u64::from(*last);
    for (number, byte) in head.iter().enumerate() {
        if *byte > 255 {
            return None;
        }
        value += u64::from(*byte) << (24 - 8 * number);
    }
    u32::try_from(value).ok().map(u32::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, MOST_LABELS, address, note, note_at, of_url, of_word};

    #[test]
    fn what_is_known_of_a_domain_holds_below_it_however_deep() {
        assert!(KNOWN.keys().all(|domain| domain.split('.').count() <= MOST_LABELS));
        let deep = "a.".repeat(1000);
        for (host, expect) in [
            ("webhook.site", "collector"),
            ("x.y.webhook.site", "collector"),
            ("mywebhook.site", ""),
            ("webhook.site.example", ""),
            ("tunnel.eu.ngrok.com", "tunnel"),
            ("a.tunnel.eu.ngrok.com", "tunnel"),
            ("eu.ngrok.com", ""),
            ("hidden.onion", "tunnel"),
            (&format!("{deep}ngrok.io"), "tunnel"),
            ("", ""),
            (".", ""),
        ] {
            assert_eq!(note(host), expect, "{host}");
        }
    }

    #[test]
    fn hosts_are_folded() {
        for (url, host) in [
            ("https://WEBHOOK.site/x", "webhook.site"),
            ("https://webhook%2esite/abc", "webhook.site"),
            ("https://webhook.site.:443/", "webhook.site"),
            ("https://good.example@evil.example/", "evil.example"),
            ("evil.example/x?u=https://good", "evil.example"),
            ("http://[::1]:80/", "::1"),
        ] {
            assert_eq!(of_url(url).map(|p| p.host).as_deref(), Some(host), "{url}");
        }
        assert_eq!(of_word("me@host:22"), ("host".to_owned(), Some(22)));
    }

    #[test]
    fn spellings_of_the_metadata_address_are_known() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "::ffff:169.254.169.254",
            "169.254.169.254.nip.io",
            "a9fea9fe.nip.io",
            "app.a9fea9fe.nip.io",
            "www.169-254-169-254.sslip.io",
            "169.254.169.254.traefik.me",
            "7f000001.a9fea9fe.rbndr.us",
            "fd00-ec2--254.sslip.io",
            "fd00:0ec2:0::254",
            "fd20:ce::254",
            "169.254.170.23",
            "metadata.tencentyun.com",
        ] {
            assert_eq!(note(host), "metadata-address", "{host}");
        }
        assert_eq!(address("example.com"), None);
        assert_eq!(address("app.127.0.0.1.nip.io"), Some([127, 0, 0, 1]));
        for host in ["a.nip.io", "127-0-0-1.sslip.io", "fd00::1", "deadbeef.example.com", "nip.io"] {
            assert_eq!(note(host), "", "{host}");
        }
        assert_eq!(note("notwebhook.site"), "");
        assert_eq!(note("x.webhook.site"), "collector");
        for (path, expect) in [("/api/webhooks/1/x", "collector"), ("/api/webhooksx", ""), ("/developers/docs", "")] {
            assert_eq!(note_at("discord.com", path), expect, "{path}");
        }
    }
}
