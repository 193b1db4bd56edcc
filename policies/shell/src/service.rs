//! What a request does beside what its method and host say: publishes, destroys by another verb, reaches what controls a
//! machine. The tables stand in `services.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use rampart_call::EffectKind;
use serde::Deserialize;

use crate::{glob, graphql, host, verbs};

/// Most bytes of a body that are looked at.
const LONGEST: usize = 256 * 1024;

/// A request, as far as it says what is done.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Its URL.
    pub url: &'a str,
    /// Its headers: names in any case, and values.
    pub headers: &'a [(String, String)],
    /// Its body, where it is a text.
    pub body: Option<&'a str>,
}

/// One entry of `services.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Entry {
    hosts: Vec<String>,
    ports: Vec<u16>,
    methods: Vec<String>,
    paths: Vec<String>,
    unless: Vec<String>,
    queries: Vec<String>,
    bodies: Vec<String>,
    local: bool,
    effect: EffectKind,
    note: String,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            ports: Vec::new(),
            methods: Vec::new(),
            paths: Vec::new(),
            unless: Vec::new(),
            queries: Vec::new(),
            bodies: Vec::new(),
            local: false,
            effect: EffectKind::RemoteMutate,
            note: String::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    request: Vec<Entry>,
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let source: Source = crate::embedded("services", include_str!("../services.toml"));
    source.request
});

/// The entries that a request of that method may fit.
static BY_METHOD: LazyLock<HashMap<&str, Vec<&Entry>>> = LazyLock::new(|| {
    let fits = |entry: &&Entry, method| entry.methods.is_empty() || entry.methods.iter().any(|known| known == method);
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "LIST", "OPTIONS"];
    methods.into_iter().map(|method| (method, ENTRIES.iter().filter(|entry| fits(entry, method)).collect())).collect()
});

pub(crate) fn ready() {
    LazyLock::force(&BY_METHOD);
}

/// A request taken apart.
struct Parts<'a> {
    request: &'a Request<'a>,
    host: String,
    port: Option<u16>,
    path: String,
    query: &'a str,
    local: bool,
}

/// What the request does, with the note that says it. Its connection, and what its method alone says, is not among it.
pub fn does(request: &Request<'_>) -> Vec<(EffectKind, &'static str)> {
    let Some(parsed) = host::of_url(request.url) else { return Vec::new() };
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let parts = Parts {
        request,
        local: is_near(&parsed.host),
        host: parsed.host,
        port: parsed.port,
        path: parsed.path,
        query: query.split('#').next().unwrap_or(""),
    };
    let known = BY_METHOD.get(request.method).into_iter().flatten().filter(|entry| parts.fits(entry));
    let mut found: Vec<_> = known.map(|entry| (entry.effect, entry.note.as_str())).collect();
    if !parts.local {
        found.extend(parts.operation());
        if parts.overridden() || parts.names_deletion() || parts.mutates() {
            found.push((EffectKind::RemoteMutate, "remote-delete"));
        }
    }
    let asked = parts.asked_name();
    if parts.carries() || asked.as_deref().is_some_and(looks_up) {
        found.push((EffectKind::Net, "name-lookup"));
    }
    if asked.as_deref().is_some_and(|name| host::note(name) == "collector") {
        found.push((EffectKind::Net, "collector"));
    }
    found
}

/// Whether a host is of this machine or of a test.
#[must_use]
pub fn is_near(host: &str) -> bool {
    host::is_loopback(host) || host.ends_with(".local") || host.ends_with(".test")
}

impl Parts<'_> {
    fn fits(&self, entry: &Entry) -> bool {
        let one = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob::matches(pattern, text));
        let port = || self.port.is_some_and(|port| entry.ports.contains(&port));
        let anywhere = || entry.hosts.is_empty() && entry.ports.is_empty() && (entry.local || !self.local);
        (anywhere() || port() || one(&entry.hosts, &self.host))
            && (entry.paths.is_empty() || one(&entry.paths, &self.path))
            && !one(&entry.unless, &self.path)
            && (entry.queries.is_empty() || !self.query.is_empty() && one(&entry.queries, self.query))
            && (entry.bodies.is_empty() || one(&entry.bodies, &self.plain_body()))
    }

    fn body(&self) -> &str {
        self.request.body.filter(|body| body.len() <= LONGEST).unwrap_or("")
    }

    fn plain_body(&self) -> String {
        self.body().chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The operation that a header, the query or a form names, as the clouds' APIs take it: `Action=TerminateInstances`.
    fn operation(&self) -> Option<(EffectKind, &'static str)> {
        let header = ["x-amz-target", "x-tc-action"].iter().find_map(|name| self.header(name));
        let form = self.body().starts_with("Action=") || self.body().contains("&Action=");
        let pairs = || self.query.split('&').chain(if form { self.body() } else { "" }.split('&'));
        let name = header.or_else(|| pairs().find_map(|pair| pair.strip_prefix("Action=")))?;
        let words = verbs::words(name.rsplit('.').next().unwrap_or(name));
        let has = |known: &[&str]| verbs::any(&words, known);
        if verbs::destroys(&words) || has(&["deletion"]) && has(&["schedule"]) {
            return Some((EffectKind::RemoteMutate, "cloud-delete"));
        }
        let decrypts = || self.plain_body().contains("\"withdecryption\":true");
        if has(&["get"]) && has(&["secret"]) || has(&["parameter", "parameters"]) && decrypts() {
            return Some((EffectKind::Secret, "token-shown"));
        }
        let holder = || has(&["user", "role", "group", "bucket", "key", "resource"]);
        let gives = has(&["attach", "put"]) && has(&["policy"]) && holder()
            || has(&["create"]) && has(&["access"]) && has(&["key"])
            || has(&["create"]) && has(&["login"]);
        gives.then_some((EffectKind::Privilege, "access-grant"))
    }

    /// `X-HTTP-Method-Override: DELETE`: another method than the request's own.
    fn overridden(&self) -> bool {
        let headers = ["x-http-method-override", "x-http-method", "x-method-override"];
        let header = headers.iter().find_map(|name| self.header(name));
        header.is_some_and(|method| method.eq_ignore_ascii_case("delete"))
            || self.query.split('&').any(|pair| pair.eq_ignore_ascii_case("_method=delete"))
    }

    /// `POST /api/chat.delete`: the verb stands in the path.
    fn names_deletion(&self) -> bool {
        const VERBS: [&str; 6] = ["delete", "destroy", "purge", "terminate", "truncate", "unpublish"];
        let last = self.path.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or("");
        if self.request.method != "POST" || !VERBS.iter().any(|verb| last.to_ascii_lowercase().contains(verb)) {
            return false;
        }
        let words = verbs::words(last);
        let verb = |word: Option<&String>| word.is_some_and(|word| VERBS.contains(&word.as_str()));
        (verb(words.last()) || verb(words.first()) && !last.contains('.')) && verbs::destroys(&words)
    }

    /// A mutation of GraphQL.
    fn mutates(&self) -> bool {
        let body = self.body();
        if self.request.method != "POST" || !body.contains("mutation") {
            return false;
        }
        if self.header("content-type").is_some_and(|kind| kind.starts_with("application/graphql")) {
            return graphql::destroys(body);
        }
        if !body.contains("\"query\"") {
            return false;
        }
        let document = serde_json::from_str::<serde_json::Value>(body).ok();
        let query = |value: &serde_json::Value| value.get("query")?.as_str().map(str::to_owned);
        match document {
            Some(serde_json::Value::Array(list)) => list.iter().filter_map(query).any(|text| graphql::destroys(&text)),
            Some(value) => query(&value).is_some_and(|text| graphql::destroys(&text)),
            None => false,
        }
    }

    /// A host whose own name carries data, in more than one of its labels.
    fn carries(&self) -> bool {
        self.host.len() > 2 * SHORTEST && !self.local && self.host.split('.').filter(|label| is_data(label)).count() > 1
    }

    /// The name that somebody looks up over HTTPS: in the query, or in a message of DNS (RFC 8484).
    fn asked_name(&self) -> Option<String> {
        if self.query.is_empty() || !(self.path.ends_with("/resolve") || self.path.ends_with("/dns-query")) {
            return None;
        }
        let pairs = || self.query.split('&');
        let name = pairs().find_map(|pair| pair.strip_prefix("name=")).map(str::to_ascii_lowercase);
        name.or_else(|| name_in_message(pairs().find_map(|pair| pair.strip_prefix("dns="))?))
            .map(|name| name.trim_end_matches('.').to_owned())
    }
}

/// The name of the first question in a message of DNS, behind the twelve bytes of its header (RFC 1035, 4.1).
fn name_in_message(text: &str) -> Option<String> {
    let message = crate::decode::bytes(text)?;
    let (mut rest, mut labels) = (message.get(12..)?, Vec::new());
    while let Some((length, behind)) = rest.split_first().filter(|(length, _)| **length > 0) {
        labels.push(String::from_utf8_lossy(behind.get(..usize::from(*length))?).to_ascii_lowercase());
        rest = behind.get(usize::from(*length)..)?;
    }
    Some(labels.join("."))
}

/// Whether a name carries more than a name does: in one of its labels, or in several that only together are long.
fn looks_up(name: &str) -> bool {
    let coded = |label: &&str| label.len() >= 6 && label.bytes().all(|b| b.is_ascii_hexdigit());
    let joined: String = name.split('.').take_while(|label| coded(label)).collect();
    name.split('.').any(is_data) || is_data(&joined)
}

/// Whether a text is a name that carries data in its labels.
#[must_use]
pub fn carries_data(text: &str) -> bool {
    text.split_whitespace().any(|name| name.contains('.') && name.split('.').any(is_data))
}

/// The fewest characters of a label that carries data.
const SHORTEST: usize = 32;

/// A label of a name that is long and of the digits of hexadecimal or base32. Those with an underscore prove to an authority
/// whose a domain is.
fn is_data(label: &str) -> bool {
    let hexadecimal = label.bytes().all(|b| b.is_ascii_hexdigit());
    let base32 = label.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b));
    let digits = label.bytes().filter(u8::is_ascii_digit).count();
    // letters and digits in turn, as no name has them
    let turns = || {
        let kinds = label.as_bytes().windows(2);
        kinds.filter(|two| matches!(two, [a, b] if a.is_ascii_digit() != b.is_ascii_digit())).count()
    };
    let mixed = || label.bytes().all(|b| b.is_ascii_alphanumeric()) && turns() >= 6;
    label.len() >= SHORTEST && digits >= 4 && (hexadecimal || base32 || mixed())
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, Request, does};

    #[test]
    fn the_notes_are_known() {
        for entry in ENTRIES.iter() {
            assert!(crate::NOTES.iter().any(|(note, _)| *note == entry.note), "{}", entry.note);
        }
    }

    #[test]
    fn requests_are_known_by_more_than_their_method() {
        for (method, url, headers, body, expect) in [
            ("PUT", "https://registry.yarnpkg.com/@acme%2fapi", "", "{}", "publish"),
            ("GET", "https://registry.yarnpkg.com/@acme%2fapi", "", "", ""),
            ("PUT", "https://registry.yarnpkg.com/-/user/org.couchdb.user:a", "", "{}", ""),
            ("POST", "https://upload.pypi.org/legacy/", "", ":action=file_upload", "publish"),
            ("PUT", "https://crates.io/api/v1/crates/new", "", "x", "publish"),
            ("PUT", "https://ghcr.io/v2/a/b/manifests/1", "", "{}", "publish"),
            ("PUT", "http://localhost:5000/v2/a/b/manifests/1", "", "{}", ""),
            ("POST", "https://api.github.com/repos/a/b/releases", "", "{}", "publish"),
            ("POST", "https://api.github.com/repos/a/b/issues", "", "{\"title\": \"x\"}", ""),
            ("PATCH", "https://api.github.com/repos/a/b", "", "{\"private\": false}", "publish"),
            ("PATCH", "https://api.github.com/repos/a/b", "", "{\"private\": true}", ""),
            ("PATCH", "https://api.github.com/repos/a/b/git/refs/heads/main", "", "{\"force\": true}", "force-push"),
            ("PATCH", "https://api.github.com/repos/a/b/git/refs/heads/main", "", "{\"force\": false}", ""),
            ("POST", "https://a.s3.amazonaws.com/?delete", "", "<Delete/>", "cloud-delete"),
            (
                "POST",
                "https://ec2.eu-west-1.amazonaws.com/",
                "",
                "Action=TerminateInstances&InstanceId.1=i",
                "cloud-delete",
            ),
            ("POST", "https://ec2.eu-west-1.amazonaws.com/", "", "Action=DescribeInstances", ""),
            ("GET", "https://iam.amazonaws.com/?Action=DeleteUser&UserName=x", "", "", "cloud-delete"),
            ("POST", "https://dynamodb.eu-west-1.amazonaws.com/", "X-Amz-Target: D.DeleteTable", "{}", "cloud-delete"),
            ("POST", "https://dynamodb.eu-west-1.amazonaws.com/", "X-Amz-Target: D.Query", "{}", ""),
            ("POST", "http://localhost:8000/", "X-Amz-Target: D.DeleteTable", "{}", ""),
            ("POST", "https://api.github.com/repos/a/b", "X-HTTP-Method-Override: DELETE", "", "remote-delete"),
            ("POST", "https://slack.com/api/chat.delete", "", "{}", "remote-delete"),
            ("POST", "https://api.example.com/docs/delete.md", "", "{}", ""),
            ("POST", "https://api.example.com/undelete", "", "{}", ""),
            (
                "POST",
                "https://api.github.com/graphql",
                "",
                "{\"query\": \"mutation { deleteRef(input:{}) { x } }\"}",
                "remote-delete",
            ),
            ("POST", "http://localhost:4000/graphql", "", "{\"query\": \"mutation { deleteTodo(id: 3) { id } }\"}", ""),
            ("POST", "https://10.0.0.5:10250/run/default/p/c", "", "cmd=id", "control-api"),
            ("GET", "https://10.0.0.5:10250/healthz", "", "", ""),
            ("POST", "http://localhost:8080/scriptText", "", "script=x", "control-api"),
            ("POST", "http://localhost:8080/script", "", "{}", ""),
            ("GET", "https://kubernetes.default.svc/api/v1/namespaces/default/secrets", "", "", "token-shown"),
            ("GET", "https://kubernetes.default.svc/api/v1/namespaces/default/pods", "", "", ""),
            ("DELETE", "https://127.0.0.1:6443/api/v1/namespaces/prod", "", "", "cluster-delete"),
            ("GET", "http://127.0.0.1:8200/v1/secret/data/prod/db", "", "", "token-shown"),
            ("GET", "http://127.0.0.1:8200/v1/sys/health", "", "", ""),
            ("DELETE", "http://127.0.0.1:8500/v1/kv/a?recurse", "", "", "remote-delete"),
            ("DELETE", "http://127.0.0.1:8500/v1/kv/a", "", "", ""),
            (
                "GET",
                "https://dns.google/resolve?name=6768705f324f4b73384a49675455474f634757.t.x.example",
                "",
                "",
                "name-lookup",
            ),
            (
                "GET",
                "https://dns.google/resolve?name=41574b33392e7078303037.6f6172.c7k2.oast.fun&type=TXT",
                "",
                "",
                "collector",
            ),
            (
                "GET",
                "https://cloudflare-dns.com/dns-query?name=41574b33392e70783.303037416f61727a7a.c.example.net",
                "",
                "",
                "name-lookup",
            ),
            ("GET", "https://dns.google/dns-query?dns=AAABAAABAAAAAAAABHRlc3QEb2FzdANmdW4AAAEAAQ", "", "", "collector"),
            ("GET", "https://dns.google/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB", "", "", ""),
            ("GET", "https://dns.google/resolve?name=facade.example.com", "", "", ""),
            ("POST", "https://gmail.googleapis.com/gmail/v1/users/me/settings/delegates", "", "{}", "access-grant"),
            ("PUT", "https://huggingface.co/api/models/a/b/settings", "", "{\"private\": false}", "publish"),
            ("PUT", "https://huggingface.co/api/models/a/b/settings", "", "{\"private\": true}", ""),
            (
                "POST",
                "https://x.example.com/api/dashboards/uid/a/public-dashboards",
                "",
                "{\"isEnabled\": true}",
                "publish",
            ),
            (
                "POST",
                "https://a.myshopify.com/admin/api/script_tags.json",
                "",
                "{\"src\": \"https://x.io\"}",
                "option-code",
            ),
            ("GET", "http://192.168.1.9/ota?url=http://192.0.2.1/fw.bin", "", "", "deploy"),
            ("GET", "https://dns.google/resolve?name=_3f2a1c6768705f324f4b73384a49675455.example.com", "", "", ""),
            ("GET", "https://dns.google/resolve?name=www.example.com&type=AAAA", "", "", ""),
            (
                "GET",
                "https://4b3d414b49414a35375a4850535a4c53.504252444c363b533d6e43634a65642b.c.example.net/favicon.ico",
                "",
                "",
                "name-lookup",
            ),
            (
                "GET",
                "https://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi.ipfs.example.net/",
                "",
                "",
                "",
            ),
            ("PUT", "https://api.example.com/lists/1/items", "", "[]", "remote-delete"),
            ("POST", "https://api.linode.com/v4/linode/instances/5/rebuild", "", "{}", "cloud-delete"),
            ("POST", "https://circleci.example.com/api/builds/5/rebuild", "", "{}", ""),
        ] {
            let headers: Vec<(String, String)> =
                headers.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
            let found = does(&Request { method, url, headers: &headers, body: Some(body) });
            let notes: Vec<&str> = found.iter().map(|(_, note)| *note).collect();
            assert_eq!(notes.join(" "), expect, "{method} {url} {body}");
        }
    }
}
