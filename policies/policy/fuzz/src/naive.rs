//! Patterns read as their documentation says, by plain backtracking and without any index. A pattern that the engine
//! refuses is never asked about, so nothing is checked here.

/// Whether a pattern is read for all it may mean, or for what it surely means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As a rule that stops reads it.
    Broad,
    /// As an exception from such a rule reads it.
    Exact,
}

/// `*` is any text, `\*` a star; a pattern that ends in ` *` also matches without anything behind it.
pub fn text(pattern: &str, subject: &str) -> bool {
    let optional = pattern.strip_suffix(" *").filter(|front| !front.contains('*'));
    if optional == Some(subject) {
        return true;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let subject: Vec<char> = subject.chars().collect();
    characters(&pattern, &subject)
}

fn characters(pattern: &[char], subject: &[char]) -> bool {
    match pattern {
        [] => subject.is_empty(),
        ['\\', '*', rest @ ..] => subject.split_first().is_some_and(|(c, more)| *c == '*' && characters(rest, more)),
        ['*', rest @ ..] => (0..=subject.len()).any(|at| characters(rest, &subject[at..])),
        [own, rest @ ..] => subject.split_first().is_some_and(|(c, more)| c == own && characters(rest, more)),
    }
}

/// `*`, `?` and `[a-z]` stay in a segment, `**` crosses segments, `{a,b}` are alternatives.
pub fn path(pattern: &str, subject: &str, reading: Reading) -> bool {
    alternatives(pattern).iter().any(|pattern| one_path(pattern, subject, reading))
}

fn alternatives(pattern: &str) -> Vec<String> {
    let Some(open) = pattern.find('{') else { return vec![pattern.to_owned()] };
    let (mut depth, mut cuts) = (0, vec![open]);
    for (at, c) in pattern.char_indices().skip_while(|(at, _)| *at <= open) {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => cuts.push(at),
            '}' if depth == 0 => {
                cuts.push(at);
                let (front, back) = (&pattern[..open], &pattern[at + 1..]);
                let parts = cuts.windows(2).map(|cut| &pattern[cut[0] + 1..cut[1]]);
                return parts.flat_map(|part| alternatives(&format!("{front}{part}{back}"))).collect();
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    Vec::new()
}

fn one_path(pattern: &str, subject: &str, reading: Reading) -> bool {
    let pattern = match pattern.strip_prefix("$HOME") {
        Some(rest) => format!("~{rest}"),
        None if pattern == "./" => ".".to_owned(),
        None => pattern.strip_prefix("./").unwrap_or(pattern).to_owned(),
    };
    let mut steps: Vec<&str> = pattern.strip_suffix('/').unwrap_or(&pattern).split('/').collect();
    if reading == Reading::Broad && !pattern.contains('/') && pattern != "~" {
        steps.insert(0, "**");
    }
    let names: Vec<&str> = if subject == "/" { vec![""] } else { subject.split('/').collect() };
    segments(&steps, &names, reading)
}

fn segments(steps: &[&str], names: &[&str], reading: Reading) -> bool {
    match (steps, names) {
        ([], _) => names.is_empty(),
        (["**", "**", rest @ ..], _) => segments(&[&["**"], rest].concat(), names, reading),
        (["**"], []) => reading == Reading::Broad,
        (["**"], _) => true,
        (["**", rest @ ..], _) => (0..=names.len()).any(|at| segments(rest, &names[at..], reading)),
        ([_, ..], []) => false,
        ([step, steps @ ..], [name, names @ ..]) => {
            let (step, name): (Vec<char>, Vec<char>) = (step.chars().collect(), name.chars().collect());
            segment(&step, &name) && segments(steps, names, reading)
        }
    }
}

fn segment(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|at| segment(rest, &name[at..])),
        ['[', rest @ ..] => {
            let Some(close) = rest.iter().position(|c| *c == ']') else { return false };
            let (class, behind) = (&rest[..close], &rest[close + 1..]);
            name.split_first().is_some_and(|(c, more)| in_class(class, *c) && segment(behind, more))
        }
        [own, rest @ ..] => {
            name.split_first().is_some_and(|(c, more)| (*own == '?' || own == c) && segment(rest, more))
        }
    }
}

fn in_class(class: &[char], c: char) -> bool {
    match class {
        ['!' | '^', members @ ..] => !in_ranges(members, c),
        members => in_ranges(members, c),
    }
}

fn in_ranges(members: &[char], c: char) -> bool {
    match members {
        [] => false,
        [a, '-', z, rest @ ..] => (*a..=*z).contains(&c) || in_ranges(rest, c),
        [a, rest @ ..] => *a == c || in_ranges(rest, c),
    }
}

/// `x.io` is that host, `*.x.io` every host below it, `*` every host; `*` elsewhere stays in its label.
pub fn domain(written: &str, host: &str, reading: Reading) -> bool {
    let pattern = written.trim_end_matches('.');
    let pattern = if pattern.contains('*') { starred(pattern) } else { fold(written).unwrap_or_default() };
    if pattern == "*" {
        return !host.is_empty();
    }
    let labels: Vec<&str> = host.split('.').collect();
    if let Some(below) = pattern.strip_prefix("*.") {
        let below: Vec<&str> = below.split('.').collect();
        let least = usize::from(reading == Reading::Exact);
        let Some(front) = labels.len().checked_sub(below.len()) else { return false };
        return front >= least && all_match(&below, &labels[front..]);
    }
    all_match(&pattern.split('.').collect::<Vec<_>>(), &labels)
}

/// A pattern with a star holds ASCII only, but for what stands behind a star of its own label, which is a host.
fn starred(pattern: &str) -> String {
    match pattern.strip_prefix("*.") {
        Some(below) if !below.contains('*') => format!("*.{}", fold(below).unwrap_or_default()),
        _ => pattern.to_ascii_lowercase(),
    }
}

fn all_match(patterns: &[&str], labels: &[&str]) -> bool {
    patterns.len() == labels.len() && patterns.iter().zip(labels).all(|(pattern, label)| text(pattern, label))
}

/// A host as browsers read it, without trailing dots.
pub fn fold(host: &str) -> Option<String> {
    let bracketed = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
    match url::Host::parse(&bracketed).ok()? {
        url::Host::Domain(name) if name.ends_with('.') => {
            let bare = name.trim_end_matches('.');
            fold(bare).or_else(|| (!bare.is_empty()).then(|| bare.to_owned()))
        }
        url::Host::Domain(name) => Some(name),
        url::Host::Ipv4(ip) => Some(ip.to_string()),
        url::Host::Ipv6(ip) => Some(ip.to_string()),
    }
}

/// `scheme://host:port/path?query`: the host is a domain glob, the others are text globs; what is left out is any where
/// the reading is broad, and the usual where it is exact. Without `://` it is a text glob over the whole URL.
pub fn url(pattern: &str, url: &url::Url, reading: Reading) -> bool {
    let mut sent = url.clone();
    sent.set_fragment(None);
    let Some((scheme, behind)) = pattern.split_once("://") else { return text(pattern, sent.as_str()) };
    let at = behind.find(['/', '?']).unwrap_or(behind.len());
    let (authority, rest) = behind.split_at(at);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()),
        _ => (authority, None),
    };
    let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
    let resource = format!("{}{query}", url.path());
    let exact = reading == Reading::Exact;
    let usual = match url.scheme() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    let ports = match port {
        Some(_) => url.port_or_known_default() == port,
        None => !exact || usual.is_some() && url.port_or_known_default() == usual,
    };
    let resources = if rest.is_empty() { !exact || resource == "/" } else { text(rest, &resource) };
    let own_host = url.host_str().and_then(fold).unwrap_or_else(|| url.host_str().unwrap_or_default().to_lowercase());
    text(&scheme.to_ascii_lowercase(), url.scheme())
        && domain(host, &own_host, reading)
        && ports
        && resources
        && !(exact && (!url.username().is_empty() || url.password().is_some()))
}

#[cfg(test)]
mod tests {
    use super::{Reading::*, *};

    #[test]
    fn the_naive_reading_is_the_documented_one() {
        for (pattern, subject, expect) in
            [("rm *", "rm", true), ("rm *", "rmx", false), (r"echo \*", "echo *", true), ("a*b*c", "abc", true)]
        {
            assert_eq!(text(pattern, subject), expect, "{pattern} on {subject}");
        }
        for (pattern, subject, reading, expect) in [
            ("/etc/**", "/etc", Broad, true),
            ("/etc/**", "/etc", Exact, false),
            ("/etc/**/x", "/etc/x", Exact, true),
            ("*.pem", "/a/b.pem", Broad, true),
            ("*.pem", "/a/b.pem", Exact, false),
            ("/{a,b{c,d}}/[!x-z]", "/bd/w", Exact, true),
        ] {
            assert_eq!(path(pattern, subject, reading), expect, "{pattern} on {subject}");
        }
        for (pattern, subject, reading, expect) in [
            ("*.x.io", "x.io", Broad, true),
            ("*.x.io", "x.io", Exact, false),
            ("*.x.io", "a.b.x.io", Exact, true),
            ("api-*.x.io", "api-eu.y.x.io", Broad, false),
        ] {
            assert_eq!(domain(pattern, subject, reading), expect, "{pattern} on {subject}");
        }
        let parsed = url::Url::parse("https://a.x.io:8443/v1?q").unwrap();
        assert!(url("https://*.x.io/v1*", &parsed, Broad) && !url("https://*.x.io/v1*", &parsed, Exact));
    }
}
