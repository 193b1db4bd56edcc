//! Putting this program in front of a server's command, and taking it away: edits of the text that touch nothing else.

use std::{ops::Range, path::Path};

use super::servers::{Server, Shape, servers};

/// A configuration that was changed.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) text: String,
    /// The servers that were changed.
    pub(super) names: Vec<String>,
    /// Those that were not, and why.
    pub(super) left: Vec<(String, &'static str)>,
}

type Edits = Vec<(Range<usize>, String)>;

/// Wraps every server that is not wrapped yet. `own` is this program's command.
///
/// # Errors
/// When the text is not what it should be.
pub(super) fn wrap(text: &str, shape: Shape, own: &str) -> anyhow::Result<Changed> {
    change(text, shape, |server| (!is_wrapped(server)).then(|| wrapping(text, shape, server, own)))
}

/// Takes away what [`wrap`] puts there.
///
/// # Errors
/// When the text is not what it should be.
pub(super) fn unwrap(text: &str, shape: Shape) -> anyhow::Result<Changed> {
    change(text, shape, |server| unwrapping(text, shape, server))
}

fn change(text: &str, shape: Shape, edits_of: impl Fn(&Server) -> Option<Edits>) -> anyhow::Result<Changed> {
    let mut changed = Changed { text: text.to_owned(), names: Vec::new(), left: Vec::new() };
    let mut edits = Edits::new();
    for found in servers(text, shape)? {
        match found {
            Ok(server) => {
                if let Some(more) = edits_of(&server) {
                    edits.extend(more);
                    changed.names.push(server.name);
                }
            }
            Err(left) => changed.left.push(left),
        }
    }
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, new) in edits {
        changed.text.replace_range(place, &new);
    }
    // What does not say what was meant is not written.
    servers(&changed.text, shape)?;
    Ok(changed)
}

/// This program's command, by whatever path, as a server's.
fn is_wrapped(server: &Server) -> bool {
    let first = server.args.as_ref().and_then(|args| args.items.first());
    is_own(&server.command.text) && first.is_some_and(|first| first.text == "mcp")
}

fn is_own(command: &str) -> bool {
    Path::new(command).file_name().is_some_and(|name| name == "rampart")
}

fn wrapping(text: &str, shape: Shape, server: &Server, own: &str) -> Edits {
    let mut words = vec![literal("mcp"), literal(&format!("--name={}", server.name))];
    for variable in &server.env {
        words.extend([literal("--env"), literal(variable)]);
    }
    let command = text.get(server.command.place.clone()).unwrap_or_default();
    words.extend([literal("--"), command.to_owned()]);
    let words = words.join(", ");
    let (at, new) = match server.args.as_ref().map(|args| (args, args.items.first())) {
        Some((_, Some(first))) => (first.place.start, format!("{words}, ")),
        Some((args, None)) => (args.place.start + 1, words),
        None => {
            let end = server.command.place.end;
            (end, format!("{}{words}]", new_member(text, shape, end)))
        }
    };
    let arguments = (at..at, new);
    vec![(server.command.place.clone(), literal(own)), arguments]
}

/// What begins a list of arguments where there was none.
fn new_member(text: &str, shape: Shape, at: usize) -> &'static str {
    let rest = text.get(at..).unwrap_or_default().trim_start_matches([' ', '\t']);
    match shape {
        Shape::Json(_) => ", \"args\": [",
        Shape::Toml if rest.starts_with([',', '}']) => ", args = [",
        Shape::Toml => "\nargs = [",
    }
}

fn unwrapping(text: &str, shape: Shape, server: &Server) -> Option<Edits> {
    let args = server.args.as_ref()?;
    let ours = |n: usize, is: fn(&str) -> bool| args.items.get(n).is_some_and(|item| is(&item.text));
    // What somebody wrote by hand is theirs.
    if !is_wrapped(server) || !ours(1, |word| word.starts_with("--name=")) {
        return None;
    }
    let end = args.items.iter().position(|item| item.text == "--")?;
    let (first, command) = (args.items.first()?, args.items.get(end + 1)?);
    let original = text.get(command.place.clone())?.to_owned();
    let removal = if let Some(rest) = args.items.get(end + 2) {
        first.place.start..rest.place.start
    } else {
        let between = text.get(server.command.place.end..=args.place.start)?;
        let made = between == new_member(text, shape, args.place.end);
        if made { server.command.place.end..args.place.end } else { first.place.start..command.place.end }
    };
    Some(vec![(server.command.place.clone(), original), (removal, String::new())])
}

/// A text as both JSON and TOML write it.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Shape = Shape::Json(&[&["mcpServers"], &["projects", "*", "mcpServers"]]);

    #[track_caller]
    fn there_and_back(shape: Shape, before: &str, expected: &str) {
        let wrapped = wrap(before, shape, "/bin/rampart").unwrap();
        assert_eq!(wrapped.text, expected);
        assert_eq!(
            wrap(&wrapped.text, shape, "/elsewhere/rampart").unwrap().text,
            expected,
            "once more changes nothing"
        );
        assert_eq!(unwrap(&wrapped.text, shape).unwrap().text, before, "and back");
        assert_eq!(unwrap(before, shape).unwrap().text, before);
    }

    #[test]
    fn json_keeps_every_other_byte() {
        there_and_back(
            JSON,
            "{ // mine\n\t\"x\": 1.0,\n\t\"mcpServers\": {\n\t\t\"files\": { \"args\": [ \"-y\", \"f\\u00e9\" ], \"command\": \"n\\u0070x\", \"env\": {\"KEY\": \"v\"}, },\n\t}\n}\n",
            "{ // mine\n\t\"x\": 1.0,\n\t\"mcpServers\": {\n\t\t\"files\": { \"args\": [ \"mcp\", \"--name=files\", \"--env\", \"KEY\", \"--\", \"n\\u0070x\", \"-y\", \"f\\u00e9\" ], \"command\": \"/bin/rampart\", \"env\": {\"KEY\": \"v\"}, },\n\t}\n}\n",
        );
        there_and_back(
            JSON,
            r#"{"mcpServers":{"a":{"command":"x"}},"projects":{"/p":{"mcpServers":{"b":{"command":"y","args":[ ]}}}}}"#,
            r#"{"mcpServers":{"a":{"command":"/bin/rampart", "args": ["mcp", "--name=a", "--", "x"]}},"projects":{"/p":{"mcpServers":{"b":{"command":"/bin/rampart","args":["mcp", "--name=b", "--", "y" ]}}}}}"#,
        );
        there_and_back(JSON, "{}", "{}");
        there_and_back(JSON, r#"{"mcpServers":[]}"#, r#"{"mcpServers":[]}"#);
    }

    #[test]
    fn toml_keeps_every_other_byte() {
        there_and_back(
            Shape::Toml,
            "# mine\nmodel = \"o\" # this one\n\n[mcp_servers.files]\nargs = [\n  '-y', # yes\n  \"f\",\n]\ncommand = 'npx'\nenv = { KEY = \"v\" }\n\n[mcp_servers.\"a b\"]\ncommand = \"x\"   # alone\n\n[mcp_servers]\nc = { command = \"y\" }\n",
            "# mine\nmodel = \"o\" # this one\n\n[mcp_servers.files]\nargs = [\n  \"mcp\", \"--name=files\", \"--env\", \"KEY\", \"--\", 'npx', '-y', # yes\n  \"f\",\n]\ncommand = \"/bin/rampart\"\nenv = { KEY = \"v\" }\n\n[mcp_servers.\"a b\"]\ncommand = \"/bin/rampart\"\nargs = [\"mcp\", \"--name=a b\", \"--\", \"x\"]   # alone\n\n[mcp_servers]\nc = { command = \"/bin/rampart\", args = [\"mcp\", \"--name=c\", \"--\", \"y\"] }\n",
        );
    }

    #[test]
    fn what_cannot_be_wrapped_is_left_and_named() {
        let text = r#"{"mcpServers":{"u":{"url":"https://x"},"f":{"command":"x","envFile":".env"},"n":{"command":"x","args":[1]},"h":{"command":"rampart","args":["mcp","--","x"]}}}"#;
        let wrapped = wrap(text, JSON, "rampart").unwrap();
        assert_eq!(wrapped.text, text);
        let left: Vec<_> = wrapped.left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["u", "f", "n"]);
        assert_eq!(unwrap(text, JSON).unwrap().text, text, "what was wrapped by hand stays so");
        for broken in ["{\"mcpServers\": ", "[mcp_servers", "{'mcpServers': {}}"] {
            assert!(wrap(broken, JSON, "rampart").is_err(), "{broken}");
        }
    }
}
