use super::*;
use crate::config::{Place, Source};

#[track_caller]
fn refused(text: &str, place: &str, words: &str) {
    let wrong = parse(text, "config.yaml").unwrap_err();
    let said: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    let begin = if place.is_empty() { "config.yaml:".to_owned() } else { format!("config.yaml:{place}:") };
    assert!(said.iter().any(|d| d.starts_with(&begin) && d.contains(words)), "{said:?}");
}

#[test]
fn a_file_that_says_everything_is_read() {
    let text = "
listen: localhost:19090
mode: monitor
listen_as: ['LOCALHOST:9090']
egress:
  listen: 127.0.0.1:19091
  resolve: ['Example.test:127.0.0.1', 'x.io:443:10.0.0.1:8443', 'y.io:80:[::1]']
  upstream_ca: [/etc/corp.pem]
  upstream_crls: [/etc/corp.crl]
  allow_private: [10.0.0.0/8, '*.corp.test']
  passthrough: ['pinned.test:443', '*.bank.test']
  upstream_proxy: 'http://me:pw@proxy.corp.test:3128'
  no_proxy: ['*.corp.test']
  client_certificates: [{host: api.corp.test, certificate: /etc/me.pem, key: /etc/me.key}]
  transparent: '[::]:15001'
  require_credentials: true
  sources: [{from: 172.30.91.0/24, agent: coder}]
  dns: [9.9.9.9, '[::1]:5353']
  dns_listen: 127.0.0.1:53
  block_page: /etc/blocked.html
  limits: {connections: 10, connections_per_client: 5, head_size: 16kb, head_time: 2s, body_time: 20s, answer_time: 30s, idle_time: 30m}
mcp:
  listen: localhost:19092
  servers:
    files: {command: [npx, -y, server-files, .], env: [HOME, 'TOKEN=x'], pins: approved}
    docs: {url: 'https://docs.example/mcp?key=k'}
audit:
  durability: strict
  on_failure: allow
  witnesses: [/mnt/other, 'https://w.example/x', 'tcp://siem.example']
  segment: {size: 128mb, age: 24h}
  retention: {size: 10GB, age: 90d}
approvals: {timeout: 30s, headless: true, base_url: 'https://rampart.example/x/'}
surfaces: {fail_open: [hook, egress], deadline: 5s}
notify:
  - url: https://hooks.slack.com/services/T/B/x
  - {url: 'http://localhost:8080/ntfy/alerts', on: [watch], format: ntfy, secret: tk_x}
syslog: {address: 'tls://siem.example', format: cef}
registry: {url: 'https://x.example/index.json', key: 'ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'}
otel: {endpoint: 'http://localhost:4318/', protocol: http/protobuf, headers_file: /etc/key, resource: {team: red}}
";
    let config = parse(text, "config.yaml").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:19090");
    assert_eq!(config.listen_as, ["localhost:9090"]);
    assert_eq!(config.mode, Mode::Monitor);
    assert_eq!(config.egress.allow_private, ["10.0.0.0/8", "*.corp.test"]);
    assert_eq!(config.egress.passthrough, ["pinned.test:443", "*.bank.test"]);
    assert_eq!(config.egress.no_proxy, ["*.corp.test"]);
    assert!(!format!("{config:?}").contains("pw@"), "a password is shown to nobody");
    assert_eq!(config.egress.client_certificates[0].key.to_str(), Some("/etc/me.key"));
    assert_eq!(config.egress.transparent.unwrap().to_string(), "[::]:15001");
    assert!(config.egress.require_credentials);
    assert_eq!(config.egress.sources, [Source { from: "172.30.91.0/24".into(), agent: "coder".into() }]);
    let servers: Vec<_> = config.egress.dns.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["9.9.9.9:53", "[::1]:5353"]);
    assert_eq!(config.egress.limits.head_size, Some(16 << 10));
    assert_eq!(config.egress.limits.connections, Some(10));
    assert_eq!(config.egress.limits.answer_time, Some(Duration::from_secs(30)));
    assert_eq!(config.egress.limits.idle_time, Some(Duration::from_mins(30)));
    assert_eq!(config.egress.upstream_crls, [PathBuf::from("/etc/corp.crl")]);
    assert_eq!(config.mcp.listen.port(), 19092);
    let Place::Command(words, env) = &config.mcp.servers["files"].place else { panic!("{config:?}") };
    assert_eq!((words.join(" ").as_str(), env[1].reveal()), ("npx -y server-files .", "TOKEN=x"));
    assert_eq!(config.mcp.servers["files"].pins.as_deref(), Some("approved"));
    assert!(matches!(&config.mcp.servers["docs"].place, Place::Url(url) if url.reveal().ends_with("?key=k")));
    assert!(!format!("{config:?}").contains("key=k"), "nor is a key");
    let names: Vec<_> = config.egress.resolve.iter().map(|r| (r.host.as_str(), r.port, r.to_port)).collect();
    assert_eq!(names, [("example.test", None, None), ("x.io", Some(443), Some(8443)), ("y.io", Some(80), None)]);
    assert!(config.audit.strict && config.audit.allow_on_failure);
    let told: Vec<_> = config.audit.witnesses.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["/mnt/other", "webhook at w.example", "tcp://siem.example:514"]);
    let day = Duration::from_hours(24);
    assert_eq!((config.audit.segment_bytes, config.audit.segment_age), (128 << 20, Some(day)));
    assert_eq!((config.audit.keep_bytes, config.audit.keep_age), (Some(10 << 30), Some(90 * day)));
    assert_eq!(config.approval_timeout, Duration::from_secs(30));
    assert!(config.headless);
    assert_eq!(config.approval_base_url.as_deref(), Some("https://rampart.example/x"));
    assert_eq!(config.surfaces.fail_open, [Surface::Hook, Surface::Egress]);
    let told: Vec<_> = config.notify.iter().map(|t| (t.format, t.on.clone(), t.secret.is_some())).collect();
    let usual = vec![Outcome::Deny, Outcome::Ask];
    assert_eq!(told, [(Format::Slack, usual, false), (Format::Ntfy, vec![Outcome::Watch], true)]);
    let registry = config.registry.unwrap();
    assert_eq!((registry.url.as_str(), registry.key.as_bytes()[0]), ("https://x.example/index.json", 0xd7));
    let Syslog { peer, layout } = config.syslog.unwrap();
    assert_eq!((peer.to_string().as_str(), layout), ("tls://siem.example:6514", Layout::Cef));
    let Otel { endpoint, headers_file, resource } = config.otel.unwrap();
    assert_eq!((endpoint.as_str(), headers_file), ("http://localhost:4318", Some("/etc/key".into())));
    assert_eq!(resource, [("team".to_owned(), "red".to_owned())]);
}

#[test]
fn a_file_that_says_nothing_means_the_defaults() {
    assert_eq!(parse("", "config.yaml").unwrap(), Config::default());
    assert_eq!(parse("# nothing yet\n\n", "config.yaml").unwrap(), Config::default());
    assert_eq!(parse("surfaces: {}\n", "config.yaml").unwrap(), Config::default());
}

#[test]
fn what_is_wrong_is_shown_at_its_place() {
    refused("listen: 127.0.0.1:9090\nmodus: enforce\n", "2:1", "modus");
    refused("mode: enforcing\n", "1:7", "`enforcing` is not a value");
    refused("audit:\n  durability: stict\n", "2:15", "write `normal` or `strict`");
    refused("audit: {witnesses: [other]}\n", "1:21", "absolute path");
    refused("audit: {segment: {size: 1kb}}\n", "1:25", "64kb");
    refused("audit: {segment: {size: 5}}\n", "1:25", "64mb");
    refused("audit: {retention: {age: 10s}}\n", "1:26", "90d");
    refused("audit: {retention: 90d}\n", "1:20", "");
    refused("mcp: {servers: {a: {url: 'ftp://x'}}}\n", "1:26", "`url` of the MCP server `a`");
    refused("mcp: {servers: {a: {url: 'https://x/', command: [b]}}}\n", "1:26", "how the MCP server `a` is reached");
    refused("mcp: {servers: {a: {pins: off}}}\n", "", "how the MCP server `a` is reached");
    refused("mcp: {servers: {a: {command: [b], pins: on}}}\n", "1:41", "first-use");
    refused("mcp: {servers: {a/b: {command: [b]}}}\n", "", "`a/b` is no name");
    refused("surfaces: {fail_open: [hook, hooks]}\n", "1:30", "`hooks`");
    refused("surfaces: {deadline: 2m}\n", "1:22", "from 1s to 1m");
    refused("surfaces: {deadline: 900ms}\n", "1:22", "from 1s to 1m");
    refused("approvals: {timeout: 0s}\n", "1:22", "from 1s to 24h");
    for url in ["http://rampart.example", "rampart.example", "https://me@x.io", "https://x.io/?a", "https://x.io/#a"] {
        refused(&format!("approvals: {{base_url: '{url}'}}\n"), "1:23", "only for localhost");
    }
    refused("egress: {resolve: ['*.x.io:127.0.0.1']}\n", "1:20", "host:address");
    refused("mode: enforce\nmode: disabled\n", "2:1", "uplicate");
    refused("egress: {transparent: x}\n", "1:23", "[::]:15001");
    refused("egress: {client_certificates: [{host: a.test, certificate: x, key: /k}]}\n", "1:60", "absolute path");
    refused("listen: &a x\n", "1", "");
    refused("notify: [{url: example.com}]\n", "1:16", "hooks.slack.com");
    refused("notify: [{url: 'http://x.example', on: [refuse]}]\n", "1:41", "`refuse`");
    refused("notify: [{on: [deny]}]\n", "1", "url");
    refused("syslog: {address: 'http://x.example'}\n", "1:19", "udp://localhost:514");
    refused("syslog: {address: 'udp://x.example', format: leef}\n", "1:46", "`leef`");
    refused("registry: {url: 'http://x.example/', key: 'ed25519:00'}\n", "1:17", "https://example.com");
    refused("registry: {url: 'https://x.example/', key: 'ed25519:00'}\n", "1:44", "64 hexadecimal");
    refused("registry: {url: 'https://x.example/'}\n", "1", "key");
    refused("upgrade: {from: 'http://x.example', key: aa}\n", "1:17", "https://");
    refused("upgrade: {from: /srv/releases, key: aa}\n", "1:37", "64 hexadecimal");
    refused("otel: {endpoint: 'localhost:4318'}\n", "1:18", "http://localhost:4318");
    refused("otel: {endpoint: 'http://a:1', protocol: grpc}\n", "1:42", "http/protobuf");
    refused("otel: {endpoint: 'http://a:1', headers_file: key}\n", "1:46", "absolute path");
    refused("listen:\n\t- x\n", "2", "");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    assert_eq!(parse("mode: x\nlisten: y\n", "config.yaml").unwrap_err().len(), 2);
}
