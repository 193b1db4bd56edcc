//! The YAML of `config.yaml`: its keys, and how each value is read.

use std::{collections::BTreeMap, net::SocketAddr, ops::Range, path::PathBuf, time::Duration};

use rampart_call::{Outcome, Surface};
use rampart_policy::{Diagnostic, Severity, parse_duration};
use serde::Deserialize;
use serde_yaml::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Options, Spanned, budget, options};

use super::{
    ClientCertificate, Config, Limits, Mode, Otel, PublicKey, Registry, Resolve, Upgrade,
    jail::JailSource,
    mcp::McpSource,
    secret::{CredentialSource, SecretsSource, credential, secrets},
};
use crate::{
    audit::{
        Witness,
        sinks::{Layout, Peer, Syslog},
    },
    notify::{Format, Secret, Target},
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Source {
    listen: Option<Word>,
    listen_as: Vec<Word>,
    mode: Option<Word>,
    egress: EgressSource,
    mcp: McpSource,
    audit: AuditSource,
    approvals: ApprovalsSource,
    surfaces: SurfacesSource,
    notify: Vec<NotifySource>,
    syslog: Option<SyslogSource>,
    registry: Option<RegistrySource>,
    otel: Option<OtelSource>,
    upgrade: Option<UpgradeSource>,
    credentials: Vec<CredentialSource>,
    secrets: SecretsSource,
    jail: JailSource,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EgressSource {
    listen: Option<Word>,
    resolve: Vec<Word>,
    upstream_ca: Vec<Word>,
    upstream_crls: Vec<Word>,
    allow_private: Vec<Word>,
    passthrough: Vec<Word>,
    upstream_proxy: Option<String>,
    no_proxy: Vec<Word>,
    client_certificates: Vec<ClientCertificateSource>,
    transparent: Option<Word>,
    require_credentials: Option<Word>,
    sources: Vec<PlaceSource>,
    dns: Vec<Word>,
    dns_listen: Option<Word>,
    block_page: Option<Word>,
    limits: LimitsSource,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsSource {
    connections: Option<Word>,
    connections_per_client: Option<Word>,
    head_size: Option<Word>,
    head_time: Option<Word>,
    body_time: Option<Word>,
    answer_time: Option<Word>,
    idle_time: Option<Word>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceSource {
    from: Word,
    agent: Word,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientCertificateSource {
    host: Word,
    certificate: Word,
    key: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AuditSource {
    durability: Option<Word>,
    on_failure: Option<Word>,
    witnesses: Vec<Word>,
    segment: StretchSource,
    retention: StretchSource,
}

/// So long, or so old.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StretchSource {
    size: Option<Word>,
    age: Option<Word>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ApprovalsSource {
    timeout: Option<Word>,
    headless: Option<bool>,
    base_url: Option<Word>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SurfacesSource {
    fail_open: Vec<Word>,
    deadline: Option<Word>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotifySource {
    url: Word,
    on: Option<Vec<Word>>,
    format: Option<Word>,
    secret: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SyslogSource {
    address: Word,
    format: Option<Word>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrySource {
    url: Word,
    key: Word,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeSource {
    from: Word,
    key: Word,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OtelSource {
    endpoint: Word,
    protocol: Option<Word>,
    headers_file: Option<Word>,
    #[serde(default)]
    resource: BTreeMap<String, String>,
}

/// A value with its place.
pub(super) type Word = Spanned<String>;

pub(super) fn parse(text: &str, file: &str) -> Result<Config, Vec<Diagnostic>> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Config::default());
    }
    let mut reader = Reader { text, file, wrong: Vec::new() };
    let source: Source = match serde_yaml::from_str_with_options(text, strict()) {
        Ok(source) => source,
        Err(error) => {
            let error = error.without_snippet();
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let what = first.split(" at line ").next().unwrap_or(first).to_owned();
            let span = error.location().and_then(|at| bytes(at).or_else(|| line_and_column(text, at)));
            reader.refuse(span, what, None);
            return Err(reader.wrong);
        }
    };
    let mut config = Config::default();
    reader.read(source.listen, address, "an address and port such as `127.0.0.1:9090`", &mut config.listen);
    let name = "a host and port such as `localhost:9090`, as a browser sends it";
    reader.read_all(source.listen_as, authority, name, &mut config.listen_as);
    reader.read(source.mode, mode, "`enforce`, `monitor` or `disabled`", &mut config.mode);
    reader.read(
        source.egress.listen,
        address,
        "an address and port such as `127.0.0.1:9091`",
        &mut config.egress.listen,
    );
    let names = "`host:address`, `host:port:address` or `host:port:address:port`";
    reader.read_all(source.egress.resolve, resolve, names, &mut config.egress.resolve);
    let file_name = "the absolute path of a PEM file";
    reader.read_all(source.egress.upstream_ca, absolute, file_name, &mut config.egress.upstream_ca);
    reader.read_all(source.egress.upstream_crls, absolute, file_name, &mut config.egress.upstream_crls);
    let place = "an address, a network such as `10.0.0.0/8`, a host, or `*.host`";
    reader.read_all(source.egress.allow_private, private, place, &mut config.egress.allow_private);
    reader.read_all(
        source.egress.passthrough,
        private,
        "a host, `*.host`, an address or a network, and `:port` where only that one is meant",
        &mut config.egress.passthrough,
    );
    // Not looked at here, because it may hold a password that no message should show.
    config.egress.upstream_proxy = source.egress.upstream_proxy.map(Secret::new);
    reader.read_all(source.egress.no_proxy, private, place, &mut config.egress.no_proxy);
    for ClientCertificateSource { host, certificate, key } in source.egress.client_certificates {
        let host = reader.value(&host, private, "a host or `*.host`");
        let certificate = reader.value(&certificate, absolute, file_name);
        let key = reader.value(&key, absolute, file_name);
        if let (Some(host), Some(certificate), Some(key)) = (host, certificate, key) {
            config.egress.client_certificates.push(ClientCertificate { host, certificate, key });
        }
    }
    for PlaceSource { from, agent } in source.egress.sources {
        let from = reader.value(&from, private, "an address, a network such as `172.30.91.0/24`, or `any`");
        let agent = reader.value(&agent, private, "a name such as `claude-code`");
        if let (Some(from), Some(agent)) = (from, agent) {
            config.egress.sources.push(super::Source { from, agent });
        }
    }
    let some_address = |word: &str| address(word).map(Some);
    let redirected = "an address and port such as `[::]:15001`";
    reader.read(source.egress.transparent, some_address, redirected, &mut config.egress.transparent);
    let server = |word: &str| address(word).or_else(|| Some(SocketAddr::new(word.parse().ok()?, 53)));
    reader.read_all(
        source.egress.dns,
        server,
        "the address of a DNS server such as `9.9.9.9` or `[::1]:5353`",
        &mut config.egress.dns,
    );
    reader.read(
        source.egress.dns_listen,
        some_address,
        "an address and port such as `127.0.0.1:53`",
        &mut config.egress.dns_listen,
    );
    let page = |word: &str| absolute(word).map(Some);
    reader.read(source.egress.block_page, page, "the absolute path of an HTML file", &mut config.egress.block_page);
    limits(source.egress.limits, &mut reader, &mut config.egress.limits);
    let yes = |word: &str| choice(word, "true", "false");
    reader.read(source.egress.require_credentials, yes, "`true` or `false`", &mut config.egress.require_credentials);
    config.mcp.read(source.mcp, &mut reader);
    config.jail.read(source.jail, &mut reader);
    let strict = |word: &str| choice(word, "strict", "normal");
    reader.read(source.audit.durability, strict, "`normal` or `strict`", &mut config.audit.strict);
    let allow = |word: &str| choice(word, "allow", "deny");
    reader.read(source.audit.on_failure, allow, "`deny` or `allow`", &mut config.audit.allow_on_failure);
    let places = "an absolute path, `https://host/path`, or `udp://`, `tcp://` or `tls://` and `host:port`";
    reader.read_all(source.audit.witnesses, Witness::parse, places, &mut config.audit.witnesses);
    let length = "a size from 64kb such as `64mb` or `10gb`";
    reader.read(source.audit.segment.size, size, length, &mut config.audit.segment_bytes);
    reader.read(source.audit.retention.size, |w| size(w).map(Some), length, &mut config.audit.keep_bytes);
    let age = "a time from 1m such as `24h` or `90d`";
    reader.read(source.audit.segment.age, |w| long_time(w).map(Some), age, &mut config.audit.segment_age);
    reader.read(source.audit.retention.age, |w| long_time(w).map(Some), age, &mut config.audit.keep_age);
    let time = "a time from 1s to 24h such as `90s` or `2m`";
    reader.read(source.approvals.timeout, duration, time, &mut config.approval_timeout);
    config.headless = source.approvals.headless.unwrap_or_default();
    let base =
        "a URL such as `https://rampart.example` (plain http only for localhost), without user, query and fragment";
    reader.read(source.approvals.base_url, |word| base_url(word).map(Some), base, &mut config.approval_base_url);
    let short = "a time from 1s to 1m such as `1500ms` or `5s`";
    reader.read(source.surfaces.deadline, sign_of_life, short, &mut config.surfaces.deadline);
    let surfaces = "one of hook, shell, preload, mcp-stdio, mcp-http, egress, api";
    reader.read_all(source.surfaces.fail_open, surface, surfaces, &mut config.surfaces.fail_open);
    config.notify = source.notify.into_iter().filter_map(|source| target(source, &mut reader)).collect();
    config.syslog = source.syslog.and_then(|SyslogSource { address, format }| {
        let peer = "an address such as `udp://localhost:514`, `tcp://siem.example:514` or `tls://siem.example:6514`";
        let mut syslog = Syslog { peer: reader.value(&address, Peer::parse, peer)?, layout: Layout::Rfc5424 };
        reader.read(format, Layout::from_word, "`rfc5424` or `cef`", &mut syslog.layout);
        Some(syslog)
    });
    config.registry = source.registry.and_then(|RegistrySource { url, key }| {
        let url = reader.value(&url, https, "an address such as `https://example.com/rampart/index.json`")?;
        let key = reader.value(&key, |word| word.parse::<PublicKey>().ok(), "`ed25519:` and 64 hexadecimal digits")?;
        Some(Registry { url, key })
    });
    config.otel = source.otel.and_then(|OtelSource { endpoint, protocol, headers_file, resource }| {
        let collector = "the base address of a collector such as `http://localhost:4318`";
        let mut otel = Otel::new(reader.value(&endpoint, Otel::endpoint, collector)?);
        otel.resource = resource.into_iter().collect();
        let only = "`http/protobuf`; another protocol is not spoken";
        reader.read(protocol, |word| (word == "http/protobuf").then_some(()), only, &mut ());
        reader.read(
            headers_file,
            |word| absolute(word).map(Some),
            "the absolute path of a file",
            &mut otel.headers_file,
        );
        Some(otel)
    });
    config.credentials = source.credentials.into_iter().filter_map(|source| credential(source, &mut reader)).collect();
    config.secrets = secrets(source.secrets, &mut reader);
    config.upgrade = source.upgrade.and_then(|UpgradeSource { from, key }| {
        let place = "an https:// address or the absolute path of a folder";
        let from = reader.value(&from, release_place, place);
        let key = reader.value(&key, |word| word.parse::<PublicKey>().ok(), "`ed25519:` and 64 hexadecimal digits");
        Some(Upgrade { from: from?, key: key? })
    });
    if reader.wrong.is_empty() { Ok(config) } else { Err(reader.wrong) }
}

fn strict() -> Options {
    options! {
        budget: budget! { max_aliases: 0, max_anchors: 0, max_depth: 16, max_nodes: 10_000, max_documents: 1 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Reads values, and collects what is wrong with them.
pub(super) struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    wrong: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub(super) fn read<T>(&mut self, word: Option<Word>, read: impl Fn(&str) -> Option<T>, wanted: &str, into: &mut T) {
        if let Some(word) = word
            && let Some(value) = self.value(&word, read, wanted)
        {
            *into = value;
        }
    }

    pub(super) fn read_all<T>(
        &mut self,
        words: Vec<Word>,
        read: impl Fn(&str) -> Option<T>,
        wanted: &str,
        into: &mut Vec<T>,
    ) {
        into.extend(words.iter().filter_map(|word| self.value(word, &read, wanted)));
    }

    pub(super) fn value<T>(&mut self, word: &Word, read: impl Fn(&str) -> Option<T>, wanted: &str) -> Option<T> {
        let value = read(word.value.trim());
        if value.is_none() {
            let help = Some(format!("write {wanted}"));
            self.refuse(bytes(word.defined), format!("`{}` is not a value for this key", word.value), help);
        }
        value
    }

    /// Says what is wrong around a value, and what to write.
    pub(super) fn wrong_at(&mut self, word: &Word, message: String, wanted: &str) {
        self.refuse(bytes(word.defined), message, Some(format!("write {wanted}")));
    }

    pub(super) fn refuse(&mut self, span: Option<Range<usize>>, message: String, help: Option<String>) {
        let before = span.as_ref().and_then(|span| self.text.get(..span.start));
        let line = before.map_or(0, |text| text.matches('\n').count() + 1);
        let column = before.map_or(0, |text| text.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
        self.wrong.push(Diagnostic {
            severity: Severity::Error,
            code: "config",
            message,
            file: self.file.to_owned(),
            span,
            line,
            column,
            help,
        });
    }
}

pub(super) fn bytes(location: Location) -> Option<Range<usize>> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    Some(start..start + length)
}

/// The same, where the parser knows only line and column.
fn line_and_column(text: &str, location: Location) -> Option<Range<usize>> {
    let line = usize::try_from(location.line()).ok()?.checked_sub(1)?;
    let begin = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let column = usize::try_from(location.column()).ok()?.saturating_sub(1);
    let start = text.get(begin..)?.char_indices().nth(column).map_or(text.len(), |(at, _)| begin + at);
    Some(start..start)
}

fn limits(source: LimitsSource, reader: &mut Reader<'_>, limits: &mut Limits) {
    let count = |word: &str| word.parse().ok().filter(|n| *n > 0).map(Some);
    reader.read(source.connections, count, "a number from 1", &mut limits.connections);
    reader.read(source.connections_per_client, count, "a number from 1", &mut limits.connections_per_client);
    let head = |word: &str| bytes_of(word).filter(|n| (1 << 10..=1 << 20).contains(n)).map(Some);
    reader.read(source.head_size, head, "a size from 1kb to 1mb such as `64kb`", &mut limits.head_size);
    let time = "a time from 1s to 24h such as `5s`";
    reader.read(source.head_time, |word| duration(word).map(Some), time, &mut limits.head_time);
    reader.read(source.body_time, |word| duration(word).map(Some), time, &mut limits.body_time);
    reader.read(source.answer_time, |word| duration(word).map(Some), time, &mut limits.answer_time);
    reader.read(source.idle_time, |word| duration(word).map(Some), time, &mut limits.idle_time);
}

fn target(source: NotifySource, reader: &mut Reader<'_>) -> Option<Target> {
    let NotifySource { url, on, format, secret } = source;
    let outcome = |word: &str| serde_json::from_value::<Outcome>(word.into()).ok();
    let mut outcomes = vec![Outcome::Deny, Outcome::Ask];
    if let Some(words) = on {
        outcomes.clear();
        reader.read_all(words, outcome, "`allow`, `watch`, `ask`, `webhook` or `deny`", &mut outcomes);
    }
    let callable = "an address such as `https://hooks.slack.com/services/...`";
    let mut target = reader.value(&url, |url| Target::new(url, outcomes.clone()), callable)?;
    let known = |word: &str| Format::ALL.into_iter().find(|format| format.as_str() == word);
    reader.read(format, known, "`slack`, `discord`, `teams`, `ntfy` or `webhook`", &mut target.format);
    target.secret = secret.map(Secret::new);
    Some(target)
}

pub(super) fn address(word: &str) -> Option<SocketAddr> {
    word.replacen("localhost:", "127.0.0.1:", 1).parse().ok()
}

fn mode(word: &str) -> Option<Mode> {
    Mode::ALL.into_iter().find(|mode| mode.as_str() == word)
}

fn surface(word: &str) -> Option<Surface> {
    Surface::ALL.into_iter().find(|surface| surface.as_str() == word)
}

/// What is signed needs no secret way, but an address without TLS tells everybody what runs here.
fn release_place(word: &str) -> Option<String> {
    let is_url = word.starts_with("https://") && word.parse::<http::Uri>().is_ok();
    (is_url || absolute(word).is_some()).then(|| word.to_owned())
}

pub(super) fn absolute(word: &str) -> Option<PathBuf> {
    let path = PathBuf::from(word);
    path.is_absolute().then_some(path)
}

/// An address that is read over TLS only.
fn https(word: &str) -> Option<String> {
    let uri = word.parse::<http::Uri>().ok()?;
    (uri.scheme_str() == Some("https") && uri.host().is_some()).then(|| word.to_owned())
}

/// A place that the egress proxy reads: anything but a URL or something empty.
fn authority(word: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    (!word.is_empty() && word.bytes().all(plain)).then(|| word.to_ascii_lowercase())
}

fn private(word: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-*/[]_".contains(c);
    (!word.is_empty() && word.chars().all(plain) && !word.contains("//")).then(|| word.to_owned())
}

/// True for the word `yes`, false for `no`, otherwise neither.
pub(super) fn choice(word: &str, yes: &str, no: &str) -> Option<bool> {
    (word == yes || word == no).then_some(word == yes)
}

/// `2m`, `90s`, `1h`, `1500ms`.
pub(super) fn duration(word: &str) -> Option<Duration> {
    let digits = word.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = word.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.checked_mul(ms)?);
    (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&duration).then_some(duration)
}

/// `https://host[:port][/path]`, or the same over plain HTTP on this machine: whoever reads a link on its way can use it.
fn base_url(word: &str) -> Option<String> {
    let uri: http::Uri = word.parse().ok()?;
    let authority = uri.authority().filter(|a| !a.as_str().contains('@'))?;
    let local = ["localhost", "127.0.0.1", "[::1]"].contains(&authority.host());
    let safe = uri.scheme_str() == Some("https") || uri.scheme_str() == Some("http") && local;
    (safe && uri.query().is_none() && !word.contains('#')).then(|| word.trim_end_matches('/').to_owned())
}

/// How long to wait for a sign of life. While a question is held there is one every half second, and nobody who sits in
/// front of an agent waits longer than a minute for a gateway that hangs.
fn sign_of_life(word: &str) -> Option<Duration> {
    duration(word).filter(|time| *time <= Duration::from_mins(1))
}

/// `24h`, `90d`, `52w`; a minute at least.
fn long_time(word: &str) -> Option<Duration> {
    let ms = parse_duration(word)?;
    (ms >= 60_000).then(|| Duration::from_millis(ms.unsigned_abs()))
}

/// `512kb`, `64mb`, `10gb`, `1tb`, each 1024 times the one before.
fn size(word: &str) -> Option<u64> {
    bytes_of(word).filter(|bytes| *bytes >= 64 << 10)
}

/// The same, of any length.
fn bytes_of(word: &str) -> Option<u64> {
    let word = word.to_ascii_lowercase();
    let (number, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit())?);
    let power = ["kb", "mb", "gb", "tb"].iter().position(|known| *known == unit)? + 1;
    number.parse::<u64>().ok()?.checked_mul(1 << (10 * power))
}

/// `host[:port]:address[:port]`, the address in brackets where it is IPv6.
fn resolve(word: &str) -> Option<Resolve> {
    let (host, rest) = word.split_once(':')?;
    let (port, target) = match rest.split_once(':') {
        Some((port, target)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (Some(port.parse().ok()?), target)
        }
        _ => (None, rest),
    };
    let (address, to_port) = match target.parse::<SocketAddr>() {
        Ok(both) => (both.ip(), Some(both.port())),
        Err(_) => (target.trim_start_matches('[').trim_end_matches(']').parse().ok()?, None),
    };
    if host.is_empty() || host.contains(['/', '@', '*']) {
        return None;
    }
    Some(Resolve { host: host.to_ascii_lowercase(), port, address, to_port })
}

#[cfg(test)]
mod tests;
