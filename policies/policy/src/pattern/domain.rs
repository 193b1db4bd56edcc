//! Domain globs: `x.io` is that host, `*.x.io` is every host below it, `*` is every host. Case, a trailing dot and
//! international names are folded on both sides. Read broadly, `*.x.io` holds `x.io` too.

use super::Reading;

/// A compiled domain glob.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Domain {
    labels: Vec<String>,
    reading: Reading,
}

impl Domain {
    /// # Errors
    /// What is wrong with the pattern, for its author.
    pub(crate) fn new(pattern: &str, reading: Reading) -> Result<Self, String> {
        if pattern.contains("://") || pattern.contains('/') {
            return Err(format!("`{pattern}` is a URL or a path; a domain is a host name such as `*.example.com`"));
        }
        let folded = match pattern.strip_prefix("*.") {
            Some(below) => format!("*.{}", fold_pattern(below)?),
            None => fold_pattern(pattern)?,
        };
        Ok(Self { labels: folded.split('.').map(str::to_owned).collect(), reading })
    }

    /// Whether a folded host matches.
    pub(crate) fn is_match(&self, host: &str) -> bool {
        if let [only] = self.labels.as_slice()
            && only == "*"
        {
            return !host.is_empty();
        }
        let below = match self.labels.split_first() {
            Some((first, below)) if first == "*" => Some(below),
            _ => None,
        };
        let patterns = below.unwrap_or(&self.labels);
        let labels = host.split('.').count();
        let in_front = labels.checked_sub(patterns.len()).is_some_and(|front| match (below, self.reading) {
            (None, _) => front == 0,
            (Some(_), Reading::Broad) => true,
            (Some(_), Reading::Exact) => front > 0,
        });
        in_front && host.rsplit('.').zip(patterns.iter().rev()).all(|(label, pattern)| fits(pattern, label))
    }

    /// A text that every match contains.
    pub(crate) fn literal(&self) -> String {
        if self.labels.iter().skip(1).any(|l| l.contains('*')) {
            let longest = self.labels.iter().filter(|l| !l.contains('*')).max_by_key(|l| l.len());
            return longest.cloned().unwrap_or_default();
        }
        let from = usize::from(self.labels.first().is_some_and(|l| l.contains('*')));
        self.labels.get(from..).unwrap_or_default().join(".")
    }

    /// It matches every host, or a whole top-level domain.
    pub(crate) fn is_sweeping(&self) -> bool {
        self.labels.first().is_some_and(|l| l == "*") && self.labels.len() <= 2
    }
}

fn fits(pattern: &str, label: &str) -> bool {
    if pattern.contains('*') { super::TextGlob::new(pattern).is_match(label) } else { pattern == label }
}

fn fold_pattern(pattern: &str) -> Result<String, String> {
    let bare = pattern.trim_end_matches('.');
    if bare.starts_with('[') || !bare.contains(':') {
        if bare.contains('*') {
            let labels_ok = bare.split('.').all(|l| !l.is_empty());
            let plain = labels_ok && bare.is_ascii();
            return plain.then(|| bare.to_ascii_lowercase()).ok_or_else(|| format!("`{pattern}` is not a host name"));
        }
        return fold(pattern).ok_or_else(|| format!("`{pattern}` is not a host name"));
    }
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return fold(&format!("[{bare}]")).ok_or_else(|| format!("`{pattern}` is not an address"));
    }
    Err(format!("`{pattern}` holds a port; name it under `port`"))
}

/// A host as the WHATWG rules read it, in lower case, without trailing dots; addresses in their plain form. None when
/// it is no host.
pub(crate) fn fold(host: &str) -> Option<String> {
    if is_folded(host) {
        return Some(host.to_owned());
    }
    match url::Host::parse(host).ok()? {
        // without its dots `1..` is another host
        url::Host::Domain(name) if name.ends_with('.') => {
            let bare = name.trim_end_matches('.');
            fold(bare).or_else(|| (!bare.is_empty()).then(|| bare.to_owned()))
        }
        url::Host::Domain(name) => Some(name),
        url::Host::Ipv4(ip) => Some(ip.to_string()),
        url::Host::Ipv6(ip) => Some(ip.to_string()),
    }
}

/// Whether a host stands there as [`fold`] would write it; some are folded already and not known for it. Most hosts are
/// known, and each is looked at several times for one request.
pub(super) fn is_folded(host: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    // a last label of digits makes an address of it
    let last = host.rsplit('.').next().unwrap_or_default();
    last.starts_with(|c: char| c.is_ascii_lowercase()) && host.bytes().all(plain) && !host.contains("xn--")
}

/// The host of a URL as [`fold`] writes it.
pub(crate) fn host_of_url(url: &str) -> Option<String> {
    let authority = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = authority.and_then(|rest| rest.get(..rest.find([':', '/', '?', '#', '@', '\\'])?));
    match host.filter(|host| is_folded(host)) {
        // before a colon may stand a user
        Some(host) if authority.is_some_and(|rest| rest.as_bytes().get(host.len()) == Some(&b'/')) => {
            Some(host.to_owned())
        }
        _ => url::Url::parse(url).ok()?.host_str().and_then(fold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_for_folded_is_what_a_parser_makes_of_it() {
        let hosts = [
            "a",
            "a.b",
            "a..b",
            ".a",
            "-a.b-c",
            "a_b.c",
            "1.a",
            "1.2.3.a1",
            "0x7f.a",
            "a--b.c",
            "ab--c.d",
            "a.b-",
            "a.-",
            "a-.b",
            "a.1",
            "a.b.",
            "1.2.3.4",
            "xn--a.b",
            "a.xn--bcher-kva",
            "A.b",
            "",
            ".",
            "a%2eb",
            "a.0x1",
            "a.b1",
            "a.f-",
        ];
        for host in hosts {
            let parsed = match url::Host::parse(host) {
                Ok(url::Host::Domain(name)) => Some(name),
                _ => None,
            };
            assert!(!is_folded(host) || parsed.as_deref() == Some(host), "{host}: {parsed:?}");
            for url in
                ["https://H/", "http://H:8/x", "https://u:p@H/", "https://H:x@b/", "https://H", "https://H?/", "h://H/"]
            {
                let url = url.replace('H', host);
                let parsed = url::Url::parse(&url).ok().and_then(|url| url.host_str().and_then(fold));
                assert_eq!(host_of_url(&url), parsed, "{url}");
            }
        }
        assert!(is_folded("api.x-y.io") && is_folded("localhost"));
    }

    #[test]
    fn a_domain_is_exact_and_a_star_is_what_lies_below() {
        use Reading::{Broad, Exact};
        for (pattern, reading, host, expect) in [
            ("webhook.site", Broad, "WEBHOOK.SITE", true),
            ("webhook.site", Broad, "webhook.site.", true),
            ("webhook.site", Broad, "webhook%2esite", true),
            ("webhook.site", Broad, "notwebhook.site", false),
            ("webhook.site", Broad, "webhook.site.evil.io", false),
            ("webhook.site", Broad, "x.webhook.site", false),
            ("*.x.io", Broad, "a.b.x.io", true),
            ("*.x.io", Broad, "x.io", true),
            ("*.x.io", Exact, "x.io", false),
            ("*.x.io", Exact, "a.x.io", true),
            ("*.x.io", Exact, "ax.io", false),
            ("api-*.x.io", Exact, "api-eu.x.io", true),
            ("api-*.x.io", Exact, "api-eu.y.x.io", false),
            ("*", Exact, "anything.at.all", true),
            ("*.*.x.io", Exact, "a.b.x.io", true),
            ("*.*.x.io", Exact, "b.x.io", false),
            ("*.eu-*.x.io", Broad, "a.eu-1.x.io", true),
            ("webhook.site..", Broad, "webhook.site..", true),
            ("27..", Broad, "27..", true),
            ("337.25..", Broad, "337.25..", true),
            ("münchen.de", Broad, "xn--mnchen-3ya.de", true),
            ("169.254.169.254", Broad, "0xA9FEA9FE", true),
            ("::1", Broad, "[::1]", true),
        ] {
            let folded = fold(host).unwrap_or_default();
            let domain = Domain::new(pattern, reading).unwrap();
            assert_eq!(domain.is_match(&folded), expect, "{pattern} on {host}");
            assert!(!expect || folded.contains(&domain.literal()), "{pattern} on {host}: {}", domain.literal());
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for pattern in ["https://x.io", "x.io/path", "x.io:443", "x..*", "a b"] {
            assert!(Domain::new(pattern, Reading::Broad).is_err(), "{pattern}");
        }
    }
}
