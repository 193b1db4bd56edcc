//! Servers that `rampart mcp serve` stands in front of.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::source::{Reader, Word, address, bytes};
use crate::notify::Secret;

/// One listener, and the servers behind it by their names in rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mcp {
    /// Where clients reach them, each at `/mcp/NAME`.
    pub listen: SocketAddr,
    /// What clients have before these paths, such as `https://mcp.example`, where that is another address.
    pub public_url: Option<String>,
    /// The certificates and the key of the listener, in PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// A file with the tokens of which clients must show one, each on a line.
    pub token_file: Option<PathBuf>,
    /// The servers.
    pub servers: BTreeMap<String, Server>,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// How it is reached.
    pub place: Place,
    /// What of its offer passes: `first-use`, `approved` or `off`.
    pub pins: Option<String>,
    /// What arguments and results are held to: `off`, `check` or `closed`.
    pub schemas: Option<String>,
    /// Whether lists leave out the tools that policy refuses whatever they are called with.
    pub filter_tools: Option<bool>,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At a URL, which may hold a key.
    Url(Secret),
    /// On standard input and output of this command, which gets these variables (`NAME` or `NAME=VALUE`).
    Command(Vec<String>, Vec<Secret>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct McpSource {
    listen: Option<Word>,
    public_url: Option<Word>,
    tls: Option<TlsSource>,
    token_file: Option<PathBuf>,
    servers: BTreeMap<String, ServerSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsSource {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerSource {
    url: Option<Word>,
    #[serde(default)]
    command: Vec<Word>,
    #[serde(default)]
    env: Vec<Word>,
    pins: Option<Word>,
    schemas: Option<Word>,
    filter_tools: Option<bool>,
}

impl Mcp {
    pub(super) fn read(&mut self, source: McpSource, reader: &mut Reader<'_>) {
        reader.read(source.listen, address, "an address and port such as `127.0.0.1:9092`", &mut self.listen);
        let public = |word: &str| public(word).map(Some);
        reader.read(source.public_url, public, "an address such as `https://mcp.example`", &mut self.public_url);
        self.tls = source.tls.map(|tls| (tls.certificate, tls.key)).or(self.tls.take());
        self.token_file = source.token_file.or(self.token_file.take());
        for (name, server) in source.servers {
            if !fits(&name) {
                let help = "write letters, digits, `-`, `_` and `.`: it is part of the server's address".to_owned();
                reader.refuse(None, format!("`{name}` is no name for an MCP server"), Some(help));
            } else if let Some(server) = read(&name, server, reader) {
                self.servers.insert(name, server);
            }
        }
    }
}

/// An address without a path, as clients have it.
fn public(word: &str) -> Option<String> {
    let url: http::Uri = word.parse().ok()?;
    let plain = matches!(url.scheme_str(), Some("http" | "https")) && url.path() == "/" && url.query().is_none();
    (plain && url.host().is_some()).then(|| word.trim_end_matches('/').to_owned())
}

fn read(name: &str, source: ServerSource, reader: &mut Reader<'_>) -> Option<Server> {
    let ServerSource { url, command, env, pins, schemas, filter_tools } = source;
    let words = |words: Vec<Word>| words.into_iter().map(|word| word.value);
    let place = match (url, command.is_empty()) {
        (Some(url), true) if env.is_empty() => {
            // Not shown when it is wrong, because of what it may hold.
            let sensible = |url: &http::Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
            if !url.value.parse::<http::Uri>().is_ok_and(|url| sensible(&url)) {
                let help = Some("write an address such as `https://example.com/mcp`".to_owned());
                reader.refuse(bytes(url.defined), format!("the `url` of the MCP server `{name}` is none"), help);
                return None;
            }
            Place::Url(Secret::new(url.value))
        }
        (None, false) => Place::Command(words(command).collect(), words(env).map(Secret::new).collect()),
        (url, _) => {
            let help = "write either `url`, or `command` as a list of words and, if it needs variables, `env`";
            let message = format!("it is not clear how the MCP server `{name}` is reached");
            let span = url.as_ref().or(command.first()).and_then(|word| bytes(word.defined));
            reader.refuse(span, message, Some(help.to_owned()));
            return None;
        }
    };
    let one_of = |words: &'static [&str]| move |word: &str| words.contains(&word).then(|| Some(word.to_owned()));
    let mut server = Server { place, pins: None, schemas: None, filter_tools };
    let known = one_of(&["first-use", "approved", "off"]);
    reader.read(pins, known, "`first-use`, `approved` or `off`", &mut server.pins);
    reader.read(schemas, one_of(&["off", "check", "closed"]), "`off`, `check` or `closed`", &mut server.schemas);
    Some(server)
}

/// Whether a name can stand in a path and in a rule as it is.
fn fits(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && name.len() <= 64 && name.chars().all(plain) && !name.starts_with('.')
}
