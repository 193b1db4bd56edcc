//! `rampart convert`: the permissions in Claude Code's settings as a policy.
//!
//! What an entry means is taken from Claude Code's documentation of permission rules: `Bash(npm run test:*)` is a prefix,
//! `//` begins an absolute path, `/` one below the project, and denials come before questions before allowances.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_call::strict;
use rampart_policy::{Layer, SourceFile, load};
use serde_json::Value;

use crate::{args::Convert, environment::Environment, exit::Exit, printer::Printer, rules};

/// The lists of the settings, the strictest first, and what their entries become.
const LISTS: [(&str, &str); 3] = [("deny", "deny"), ("ask", "ask"), ("allow", "allow")];

/// What `defaultMode` makes of a call that no entry speaks of.
const MODES: [(&str, &str, &str); 6] = [
    ("default", "ask", "Claude Code asks about what no entry speaks of."),
    ("acceptEdits", "ask", "Claude Code asks about what no entry speaks of; in this mode not about edits."),
    ("plan", "ask", "This mode changes nothing; Claude Code asks about what no entry speaks of."),
    ("auto", "ask", "In this mode a model decides about what no entry speaks of; here a person does."),
    ("dontAsk", "deny", "In this mode Claude Code denies what no entry speaks of."),
    ("bypassPermissions", "allow", "In this mode Claude Code asks about nothing."),
];

/// What an entry comes to: which calls, and the condition on them.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    /// The lines of `match`.
    matching: Vec<String>,
    /// The key in `when`, and its pattern; none for every call that `match` selects.
    condition: Option<(&'static str, String)>,
}

/// Rules that differ in their patterns only: action, `match`, key of the condition.
type Group = (usize, Vec<String>, Option<&'static str>);

pub(crate) fn run(args: &Convert, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let bytes = fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let settings =
        strict::parse(&bytes).with_context(|| format!("{} is no JSON that means one thing", args.file.display()))?;
    let permissions = settings.get("permissions").and_then(Value::as_object);
    let permissions = permissions.with_context(|| {
        format!(
            "{} has no `permissions`; give the settings of Claude Code, such as .claude/settings.json",
            args.file.display()
        )
    })?;
    let root = project_of(&args.file, environment)?;
    let policy = policy(permissions, root.as_deref())?;
    let file = SourceFile { name: "the converted policy".to_owned(), text: policy, layer: Layer::User };
    if let Err(wrong) = load(std::slice::from_ref(&file)) {
        rules::show(&wrong, &[file], printer);
        bail!("an entry of {} has no meaning as a rule", args.file.display());
    }
    printer.out_raw(&file.text);
    Ok(Exit::Yes)
}

/// The project that settings belong to, wherever the command is given: the folder around `.claude`. Those in the home and
/// those that stand elsewhere belong to every project.
fn project_of(file: &Path, environment: &Environment) -> anyhow::Result<Option<PathBuf>> {
    let folder = file.parent().map(|folder| environment.cwd.join(folder)).unwrap_or_default();
    let whole = |path: &Path| path.canonicalize().with_context(|| format!("cannot look at {}", path.display()));
    let folder = whole(&folder)?;
    let around = folder.parent().filter(|_| folder.ends_with(".claude"));
    let home = environment.user_home.canonicalize().unwrap_or_else(|_| environment.user_home.clone());
    Ok(around.filter(|project| **project != home).map(Path::to_owned))
}

fn policy(permissions: &serde_json::Map<String, Value>, root: Option<&Path>) -> anyhow::Result<String> {
    let mut groups: BTreeMap<Group, Vec<(String, String)>> = BTreeMap::new();
    let mut left: Vec<String> = Vec::new();
    for (order, (list, action)) in LISTS.iter().enumerate() {
        let entries = permissions.get(*list).map(|v| v.as_array().with_context(|| format!("`{list}` is no list")));
        for entry in entries.transpose()?.into_iter().flatten() {
            let entry = entry.as_str().with_context(|| format!("`{list}` holds `{entry}`, which is no text"))?;
            match meanings(entry, *action != "allow", root) {
                Ok(meanings) => {
                    for Meaning { matching, condition } in meanings {
                        let (key, pattern) = condition.unzip();
                        let patterns = groups.entry((order, matching, key)).or_default();
                        patterns.push((pattern.unwrap_or_default(), entry.to_owned()));
                    }
                }
                Err(why) => left.push(format!("{list} {entry}: {why}")),
            }
        }
    }
    let known = ["deny", "ask", "allow", "defaultMode"];
    for (key, value) in permissions.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        left.push(format!("{key} {value}: it says how Claude Code itself works"));
    }
    let mode = permissions.get("defaultMode").and_then(Value::as_str).unwrap_or("default");
    let Some((_, default, why)) = MODES.iter().find(|(word, _, _)| *word == mode) else {
        bail!("`defaultMode` is `{mode}`, which is not known here");
    };
    let mut text =
        "# Made by `rampart convert` from the permissions in Claude Code's settings.\nversion: \"1\"\n".to_owned();
    text.push_str(&format!("# {why} Take this line out to leave that to your profile.\ndefault_action: {default}\n"));
    text.push_str(if groups.is_empty() { "policies: []\n" } else { "policies:\n" });
    for (number, ((order, matching, key), patterns)) in groups.iter().enumerate() {
        let (_, action) = LISTS.get(*order).copied().unwrap_or_default();
        text.push_str(&group(number + 1, action, matching, *key, patterns));
    }
    if !left.is_empty() {
        text.push_str("# Without an equivalent here:\n");
        for line in &left {
            text.push_str(&format!("#   {}\n", one_line(line)));
        }
    }
    Ok(text)
}

fn group(number: usize, action: &str, matching: &[String], key: Option<&str>, patterns: &[(String, String)]) -> String {
    let mut text = format!("  - name: claude-code-{action}-{number}\n    match:\n");
    for line in matching {
        text.push_str(&format!("      {line}\n"));
    }
    text.push_str(&format!("    rules:\n      - action: {action}\n        when:\n"));
    if let Some(key) = key {
        text.push_str(&format!("          {key}:\n"));
        for (pattern, entry) in patterns {
            text.push_str(&format!("            - {} # {}\n", scalar(pattern), one_line(entry)));
        }
    } else {
        let entries: Vec<String> = patterns.iter().map(|(_, entry)| one_line(entry)).collect();
        text.push_str(&format!("          default: true # {}\n", entries.join(", ")));
    }
    text
}

/// What an entry means; `restricts` where it stops something, so that more than is meant does no harm.
fn meanings(entry: &str, restricts: bool, root: Option<&Path>) -> Result<Vec<Meaning>, &'static str> {
    let (tool, argument) = match entry.split_once('(') {
        Some((tool, rest)) => (tool.trim(), Some(rest.strip_suffix(')').ok_or("its bracket does not close")?.trim())),
        None => (entry.trim(), None),
    };
    let argument = argument.filter(|a| !matches!(*a, "" | "*" | "**"));
    let all = |tool: &str, key, patterns: Vec<String>| {
        let matching = vec![format!("tool: [{tool}]")];
        patterns.into_iter().map(|p| Meaning { matching: matching.clone(), condition: Some((key, p)) }).collect()
    };
    let every = |tool: &str| vec![Meaning { matching: vec![format!("tool: [{tool}]")], condition: None }];
    match (tool, argument) {
        ("Bash", None) => Ok(every("exec")),
        ("Bash", Some(command)) => Ok(all("exec", "command_matches", vec![command_pattern(command)])),
        ("Read" | "Grep" | "Glob" | "LS" | "NotebookRead", None) => Ok(every("read")),
        ("Read" | "Grep" | "Glob" | "LS" | "NotebookRead", Some(path)) => {
            Ok(all("read", "path_matches", path_patterns(path, restricts, root)?))
        }
        ("Edit" | "Write" | "MultiEdit" | "NotebookEdit", None) => Ok(every("edit, write")),
        ("Edit" | "Write" | "MultiEdit" | "NotebookEdit", Some(path)) => {
            Ok(all("edit, write", "path_matches", path_patterns(path, restricts, root)?))
        }
        ("WebFetch", None) => Ok(every("fetch")),
        ("WebFetch", Some(what)) => match what.strip_prefix("domain:") {
            Some(host) if !host.is_empty() => Ok(all("fetch", "domain_matches", vec![host.to_owned()])),
            _ => Err("only `domain:` is known behind WebFetch"),
        },
        (name, argument) => match name.strip_prefix("mcp__") {
            Some(rest) if argument.is_none() => {
                let (server, tool) = rest.split_once("__").unwrap_or((rest, "*"));
                let tool = if tool == "*" { "mcp".to_owned() } else { scalar(&format!("mcp__{server}__{tool}")) };
                Ok(vec![Meaning {
                    matching: vec![format!("tool: [{tool}]"), format!("server: [{}]", scalar(server))],
                    condition: None,
                }])
            }
            _ if argument.is_some() => Err("a rule about this tool covers all its calls"),
            _ if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                Ok(every(&scalar(name)))
            }
            _ => Err("it is not understood"),
        },
    }
}

/// `npm run test:*` is the old spelling of `npm run test *`; behind a mark such as `/` the word goes on. Other stars are
/// stars.
fn command_pattern(command: &str) -> String {
    match command.strip_suffix(":*") {
        Some(prefix) if prefix.ends_with(|c: char| c.is_alphanumeric()) => format!("{prefix} *"),
        Some(prefix) => format!("{prefix}*"),
        None => command.to_owned(),
    }
}

/// The patterns of a path that is written like a line of `.gitignore`: itself and what is below it.
fn path_patterns(path: &str, restricts: bool, root: Option<&Path>) -> Result<Vec<String>, &'static str> {
    let bare = path.strip_prefix("./").unwrap_or(path);
    let whole = if let Some(absolute) = path.strip_prefix("//") {
        format!("/{absolute}")
    } else if path.starts_with("~/") {
        path.to_owned()
    } else if let Some(root) = root {
        let root = root.display();
        let bare = bare.trim_start_matches('/');
        // A name without a slash is meant in every folder.
        let anywhere = !path.trim_end_matches('/').contains('/');
        if anywhere { format!("{root}/**/{bare}") } else { format!("{root}/{bare}") }
    } else if restricts {
        format!("**/{}", bare.trim_start_matches('/'))
    } else {
        return Err("it is relative to whatever project is open, and an allowance must say which");
    };
    let whole = whole.trim_end_matches('/').to_owned();
    if whole.ends_with("/**") || whole.ends_with('*') {
        return Ok(vec![whole]);
    }
    Ok(vec![format!("{whole}/**"), whole])
}

fn scalar(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// For a comment, which must stay one.
fn one_line(text: &str) -> String {
    rampart_scan::visible(text).replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_mean_what_claude_code_says_they_mean() {
        let root = Path::new("/p");
        for (entry, restricts, expect) in [
            ("Bash", false, "tool: [exec]"),
            ("Bash(*)", false, "tool: [exec]"),
            ("Bash(npm run test:*)", false, "tool: [exec] command_matches npm run test *"),
            ("Bash(curl http://x.io/:*)", false, "tool: [exec] command_matches curl http://x.io/*"),
            ("Bash(git push)", false, "tool: [exec] command_matches git push"),
            ("Read(./.env)", true, "tool: [read] path_matches /p/.env/** | tool: [read] path_matches /p/.env"),
            ("Read(.env)", true, "tool: [read] path_matches /p/**/.env/** | tool: [read] path_matches /p/**/.env"),
            ("Read(~/.ssh/**)", true, "tool: [read] path_matches ~/.ssh/**"),
            ("Edit(/src/**)", false, "tool: [edit, write] path_matches /p/src/**"),
            (
                "Read(//etc/hosts)",
                true,
                "tool: [read] path_matches /etc/hosts/** | tool: [read] path_matches /etc/hosts",
            ),
            ("WebFetch(domain:example.com)", false, "tool: [fetch] domain_matches example.com"),
            ("WebSearch", false, "tool: [\"WebSearch\"]"),
            ("mcp__github", false, "tool: [mcp] server: [\"github\"]"),
            ("mcp__github__*", false, "tool: [mcp] server: [\"github\"]"),
            ("mcp__github__get_issue", false, "tool: [\"mcp__github__get_issue\"] server: [\"github\"]"),
        ] {
            let told: Vec<String> = meanings(entry, restricts, Some(root))
                .unwrap()
                .into_iter()
                .map(|m| {
                    let condition = m.condition.map(|(key, pattern)| format!(" {key} {pattern}")).unwrap_or_default();
                    m.matching.join(" ") + &condition
                })
                .collect();
            assert_eq!(told.join(" | "), expect, "{entry}");
        }
        for entry in ["Task(explorer)", "Bash(x", "WebFetch(url:x)", "two words"] {
            assert!(meanings(entry, true, Some(root)).is_err(), "{entry}");
        }
        assert!(meanings("Edit(src/**)", false, None).is_err());
        assert!(meanings("Edit(src/**)", true, None).is_ok());
    }
}
