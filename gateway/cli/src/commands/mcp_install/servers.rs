//! The servers in a client's configuration, and where in the text each part of them stands.

use std::{collections::BTreeMap, ops::Range};

use anyhow::Context as _;
use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{Object, Value},
    common::Ranged as _,
    parse_to_ast,
};
use serde::Deserialize;
use toml::Spanned;

/// How a file keeps its servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// JSON, with comments where the client allows them: the members that lead to the servers; `*` is any.
    Json(&'static [&'static [&'static str]]),
    /// TOML with a table `mcp_servers`.
    Toml,
}

/// A server that is started by a command.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) command: Piece,
    pub(super) args: Option<List>,
    /// Names of the variables that the client sets for it.
    pub(super) env: Vec<String>,
}

/// A text, and the place of its literal.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) place: Range<usize>,
}

#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Vec<Piece>,
    pub(super) place: Range<usize>,
}

/// A server, or its name and why it cannot be wrapped.
pub(super) type Found = Result<Server, (String, &'static str)>;

/// Everything that is a server.
///
/// # Errors
/// When the file is not what it should be.
pub(super) fn servers(text: &str, shape: Shape) -> anyhow::Result<Vec<Found>> {
    match shape {
        Shape::Json(ways) => in_json(text, ways),
        Shape::Toml => in_toml(text),
    }
}

fn in_json(text: &str, ways: &[&[&str]]) -> anyhow::Result<Vec<Found>> {
    let strict = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        ..ParseOptions::default()
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &strict).context("it cannot be read")?;
    let mut found = Vec::new();
    if let Some(Value::Object(root)) = &parsed.value {
        for way in ways {
            follow(root, way, &mut found);
        }
    }
    Ok(found)
}

fn follow(object: &Object<'_>, way: &[&str], found: &mut Vec<Found>) {
    let Some((step, rest)) = way.split_first() else {
        found.extend(object.properties.iter().map(|server| json_server(server.name.as_str(), &server.value)));
        return;
    };
    for member in object.properties.iter().filter(|m| *step == "*" || m.name.as_str() == *step) {
        if let Value::Object(inner) = &member.value {
            follow(inner, rest, found);
        }
    }
}

fn json_server(name: &str, value: &Value<'_>) -> Found {
    let left = |why| Err((name.to_owned(), why));
    let Some(server) = value.as_object() else { return left("it is no object") };
    if server.get("command").is_none() {
        return left("it is reached by a URL; `rampart mcp serve` stands in front of such a server");
    }
    let piece = |value: &Value<'_>| {
        value.as_string_lit().map(|s| Piece { text: s.value.clone().into_owned(), place: s.start()..s.end() })
    };
    let Some(command) = server.get("command").and_then(|c| piece(&c.value)) else {
        return left("its command is no text");
    };
    if server.get("envFile").is_some() {
        return left("its variables come from a file, and which they are cannot be told");
    }
    let args = match server.get("args").map(|args| &args.value) {
        None => None,
        Some(Value::Array(array)) => {
            let items: Option<Vec<Piece>> = array.elements.iter().map(piece).collect();
            let Some(items) = items else { return left("not all of its arguments are texts") };
            Some(List { items, place: array.start()..array.end() })
        }
        Some(_) => return left("its arguments are no list"),
    };
    let env = server.get_object("env").map(|env| env.properties.iter().map(|v| v.name.as_str().to_owned()).collect());
    Ok(Server { name: name.to_owned(), command, args, env: env.unwrap_or_default() })
}

#[derive(Deserialize)]
struct Toml {
    #[serde(default)]
    mcp_servers: BTreeMap<String, TomlServer>,
}

#[derive(Deserialize)]
struct TomlServer {
    command: Option<Spanned<String>>,
    args: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    env: BTreeMap<String, toml::Value>,
    #[serde(default)]
    env_vars: Vec<toml::Value>,
}

fn in_toml(text: &str) -> anyhow::Result<Vec<Found>> {
    let parsed: Toml = toml::from_str(text).context("it cannot be read")?;
    let piece = |text: Spanned<String>| Piece { place: text.span(), text: text.into_inner() };
    let server = |(name, server): (String, TomlServer)| {
        let Some(command) = server.command else {
            return Err((name, "it is reached by a URL; `rampart mcp serve` stands in front of such a server"));
        };
        let args = server
            .args
            .map(|list| List { place: list.span(), items: list.into_inner().into_iter().map(piece).collect() });
        let forwarded = server.env_vars.iter().filter_map(|v| {
            let name = v.as_str().or_else(|| v.get("name")?.as_str());
            name.map(str::to_owned)
        });
        let env = server.env.keys().cloned().chain(forwarded).collect();
        Ok(Server { name, command: piece(command), args, env })
    };
    Ok(parsed.mcp_servers.into_iter().map(server).collect())
}
