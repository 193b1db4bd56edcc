//! What was seen, and the policy that allows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rampart_call::{Action, Call, CommandLine, Effect, EffectKind, Located, Target};
use rampart_policy::{Ruleset, explain, runs_its_words};
use serde_json::Value;

use super::with_context;

/// Programs whose second word says what they do.
const WITH_VERBS: [&str; 21] = [
    "git",
    "npm",
    "pnpm",
    "yarn",
    "bun",
    "cargo",
    "go",
    "pip",
    "uv",
    "docker",
    "kubectl",
    "helm",
    "terraform",
    "gh",
    "apt",
    "brew",
    "poetry",
    "make",
    "dotnet",
    "gem",
    "systemctl",
];

/// What was seen, by what a rule about it looks like.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Commands that only read files.
    reading: OnFiles,
    /// Commands that also change files, and nothing else.
    changing: OnFiles,
    /// Commands that contact hosts: patterns by host.
    contacts: BTreeMap<String, BTreeSet<String>>,
    /// Commands with other effects, as they were written, or by program and verb.
    others: BTreeSet<String>,
    /// Files by tool.
    files: BTreeMap<&'static str, BTreeSet<String>>,
    /// Hosts by tool.
    hosts: BTreeMap<&'static str, BTreeSet<String>>,
    /// Tools by MCP server.
    servers: BTreeMap<String, BTreeSet<String>>,
    tools: BTreeSet<String>,
}

/// Commands, and the files they work on, as patterns.
#[derive(Debug, Default)]
struct OnFiles {
    commands: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Seen {
    /// Takes in a call. By which rules it is explained does not matter.
    pub(super) fn add(&mut self, call: &Call, ruleset: &Ruleset) {
        let workspace = call.origin.workspace.as_deref();
        match &call.action {
            Action::Exec { command, .. } => self.add_command(call, command, ruleset),
            Action::Read { paths } => self.add_files("read", paths, workspace),
            Action::Write { paths, .. } | Action::Edit { paths, .. } => self.add_files("edit, write", paths, workspace),
            Action::Fetch { url, .. } => {
                self.hosts.entry("fetch").or_default().extend(host_of(call, ruleset).or_else(|| Some(url.clone())));
            }
            Action::Connect { host, .. } => {
                self.hosts.entry("connect").or_default().insert(host.to_lowercase());
            }
            Action::Mcp { server, tool, .. } if !tool.is_empty() => {
                self.servers.entry(server.clone()).or_default().insert(tool.clone());
            }
            Action::Mcp { .. } => {}
            Action::Tool { name, .. } => {
                self.tools.insert(name.clone());
            }
        }
    }

    /// Allows a command as it was written and no other.
    pub(super) fn allow_verbatim(&mut self, command: &CommandLine) {
        self.others.insert(escaped(command.to_line().trim()));
    }

    fn add_command(&mut self, call: &Call, command: &CommandLine, ruleset: &Ruleset) {
        let told = with_context(|context| explain(ruleset, call, context));
        let texts: BTreeSet<String> = told.components.iter().map(|c| generalised(&c.text)).collect();
        let beyond: Vec<&Effect> = told.effects.iter().filter(|e| e.kind != EffectKind::Exec).collect();
        let path = |e: &&Effect| match &e.target {
            Some(Target::Path { path, recursive, .. }) => {
                Some(folder(path, *recursive, call.origin.workspace.as_deref()))
            }
            _ => None,
        };
        let host = |e: &&Effect| match &e.target {
            Some(Target::Host { host, .. }) => Some(host.clone()),
            _ => None,
        };
        let folders: Option<BTreeSet<String>> = beyond.iter().map(path).collect();
        let hosts: Option<BTreeSet<String>> = beyond.iter().map(host).collect();
        match (folders, hosts) {
            (Some(folders), _) if told.complete => {
                let reads = beyond.iter().all(|e| e.kind == EffectKind::Read);
                let group = if reads { &mut self.reading } else { &mut self.changing };
                group.commands.extend(texts);
                group.folders.extend(folders);
            }
            (_, Some(hosts)) if told.complete => {
                for host in hosts {
                    self.contacts.entry(host).or_default().extend(texts.iter().cloned());
                }
            }
            // Nothing narrows these, so only program and verb together are let pass, and anything else as it was.
            _ if told.complete && told.components.len() == 1 && texts.iter().all(|t| has_verb(t)) => {
                self.others.extend(texts);
            }
            _ => self.allow_verbatim(command),
        }
    }

    fn add_files(&mut self, tool: &'static str, paths: &[Located], workspace: Option<&str>) {
        let of = |p: &Located| {
            let absolute = workspace.filter(|_| !p.path.starts_with(['/', '~'])).map(|w| Path::new(w).join(&p.path));
            let path = absolute.map_or_else(|| p.path.clone(), |a| a.display().to_string());
            folder(&path, false, workspace)
        };
        self.files.entry(tool).or_default().extend(paths.iter().map(of));
        let resolved = paths.iter().filter_map(|p| p.resolved.as_deref());
        self.files.entry(tool).or_default().extend(resolved.map(|r| folder(r, false, workspace)));
    }

    /// The policy; `uncovered` is told at its end.
    pub(super) fn policy(&self, uncovered: &[String]) -> String {
        let mut policies = Vec::new();
        for (name, description, OnFiles { commands, folders }) in [
            ("seen-reading", "Commands that read files.", &self.reading),
            ("seen-changing", "Commands that change files.", &self.changing),
        ] {
            if commands.is_empty() {
                continue;
            }
            let mut when = vec![("command_matches", commands.iter().cloned().collect::<Vec<_>>())];
            when.extend((name == "seen-reading").then(|| ("effect", vec!["read".to_owned()])));
            when.extend((!folders.is_empty()).then(|| ("path_matches", widest(folders))));
            policies.push(policy(name, description, "exec", &when));
        }
        for (number, (host, commands)) in (1..).zip(&self.contacts) {
            let when = [
                ("command_matches", commands.iter().cloned().collect::<Vec<_>>()),
                ("domain_matches", vec![host.clone()]),
            ];
            policies.push(policy(
                &format!("seen-contacts-{number}"),
                "Commands, and the host they contacted.",
                "exec",
                &when,
            ));
        }
        if !self.others.is_empty() {
            let when = [("command_matches", self.others.iter().cloned().collect::<Vec<_>>())];
            policies.push(policy(
                "seen-other-commands",
                "Commands with other effects; look at these closely.",
                "exec",
                &when,
            ));
        }
        for (tool, paths) in &self.files {
            let name = format!("seen-{}", tool.replace(", ", "-"));
            policies.push(policy(&name, "Files.", tool, &[("path_matches", widest(paths))]));
        }
        for (tool, hosts) in &self.hosts {
            let when = [("domain_matches", hosts.iter().cloned().collect::<Vec<_>>())];
            policies.push(policy(&format!("seen-{tool}"), "Hosts.", tool, &when));
        }
        for (number, (server, tools)) in (1..).zip(&self.servers) {
            let names = tools.iter().map(|t| scalar(t)).collect::<Vec<_>>().join(", ");
            let server =
                if server.is_empty() { String::new() } else { format!("\n      server: [{}]", scalar(server)) };
            policies.push(policy(
                &format!("seen-mcp-{number}"),
                "Tools of an MCP server.",
                &format!("{names}]{server}"),
                &[],
            ));
        }
        if !self.tools.is_empty() {
            let names = self.tools.iter().map(|t| scalar(t)).collect::<Vec<_>>().join(", ");
            policies.push(policy("seen-tools", "Tools of the agent's own.", &names, &[]));
        }
        let mut text = "# A draft by `rampart init --from-audit`: it allows what was seen and denies the rest. Read it before you use it.\n\
            version: \"1\"\ndefault_action: deny\npolicies:\n"
            .to_owned();
        if policies.is_empty() {
            text = text.replace("policies:\n", "policies: []\n");
        }
        text.push_str(&policies.concat());
        if !uncovered.is_empty() {
            text.push_str("# Seen, and not allowed by these rules:\n");
            for call in uncovered {
                text.push_str(&format!("#   {}\n", rampart_scan::visible(call).replace('\n', " ")));
            }
        }
        text
    }
}

/// One policy with one rule. `tool` is what stands in the brackets behind `tool:`.
fn policy(name: &str, description: &str, tool: &str, when: &[(&str, Vec<String>)]) -> String {
    let close = if tool.contains(']') { "" } else { "]" };
    let mut text =
        format!("  - name: {name}\n    description: {description}\n    match:\n      tool: [{tool}{close}\n");
    text.push_str("    rules:\n      - action: allow\n        when:\n");
    if when.is_empty() {
        text.push_str("          default: true\n");
    }
    for (key, patterns) in when {
        text.push_str(&format!("          {key}:\n"));
        for pattern in patterns {
            text.push_str(&format!("            - {}\n", scalar(pattern)));
        }
    }
    text
}

/// The host of a request, as the judge reads it.
fn host_of(call: &Call, ruleset: &Ruleset) -> Option<String> {
    let told = with_context(|context| explain(ruleset, call, context));
    told.effects.into_iter().find_map(|e| match e.target {
        Some(Target::Host { host, .. }) => Some(host),
        _ => None,
    })
}

/// The pattern begins with a program and what it is to do.
fn has_verb(pattern: &str) -> bool {
    let mut words = pattern.split(' ');
    words.next().is_some_and(|program| WITH_VERBS.contains(&program)) && words.next().is_some_and(|verb| verb != "*")
}

/// Program and verb of a command, then anything; a command without arguments is itself, as is one that could run anything.
fn generalised(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let plain = |w: &str| {
        !w.is_empty() && !w.starts_with('-') && w.chars().all(|c| c.is_ascii_alphanumeric() || "-_:.".contains(c))
    };
    match words.as_slice() {
        [program, verb, rest @ ..] if WITH_VERBS.contains(program) && plain(verb) => {
            // `npm run` says little without the script's name.
            match rest {
                [script, ..] if *verb == "run" && plain(script) => format!("{program} {verb} {script} *"),
                _ => format!("{program} {verb} *"),
            }
        }
        [program, _, ..] if !WITH_VERBS.contains(program) && plain(program) && !runs_its_words(program) => {
            format!("{program} *")
        }
        _ => escaped(text),
    }
}

fn escaped(text: &str) -> String {
    text.replace('*', r"\*")
}

/// A path as a pattern: below the project its topmost folder, outside of it the file itself.
fn folder(path: &str, recursive: bool, workspace: Option<&str>) -> String {
    let own = workspace.and_then(|w| Some((w, Path::new(path).strip_prefix(w).ok()?)));
    let Some((workspace, relative)) = own else {
        let path = globbed(path);
        return if recursive { format!("{}/**", path.trim_end_matches('/')) } else { path };
    };
    let mut parts = relative.components();
    let (Some(top), more) = (parts.next(), parts.next().is_some()) else {
        return format!("{}/**", globbed(workspace));
    };
    let top = globbed(&top.as_os_str().to_string_lossy());
    if more || recursive { format!("{}/{top}/**", globbed(workspace)) } else { format!("{}/{top}", globbed(workspace)) }
}

/// A path whose letters mean themselves in a pattern; those that cannot are stood for by any letter.
fn globbed(path: &str) -> String {
    path.replace(['*', '[', ']', '{', '}'], "?")
}

/// The patterns without those that another one holds.
fn widest(patterns: &BTreeSet<String>) -> Vec<String> {
    let below = |p: &String| {
        patterns.iter().any(|other| other != p && other.strip_suffix("**").is_some_and(|folder| p.starts_with(folder)))
    };
    patterns.iter().filter(|p| !below(p)).cloned().collect()
}

fn scalar(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_generalised_to_what_they_are_about() {
        for (text, expect) in [
            ("npm install lodash", "npm install *"),
            ("npm run build -- --watch", "npm run build *"),
            ("git status", "git status *"),
            ("git -C x log", "git -C x log"),
            ("cat src/main.rs", "cat *"),
            ("ls", "ls"),
            ("python3 -c 'print(1)'", "python3 -c 'print(1)'"),
            ("bash build.sh", "bash build.sh"),
            ("xargs -n1 grep x", "xargs *"),
            ("./run *", r"./run \*"),
        ] {
            assert_eq!(generalised(text), expect);
        }
    }

    #[test]
    fn paths_become_folders_of_the_project_and_files_outside() {
        for (path, recursive, expect) in [
            ("/p/src/a/b.rs", false, "/p/src/**"),
            ("/p/Cargo.toml", false, "/p/Cargo.toml"),
            ("/p/target", true, "/p/target/**"),
            ("/p", false, "/p/**"),
            ("/etc/hosts", false, "/etc/hosts"),
            ("/tmp/x", true, "/tmp/x/**"),
            ("/pp/a", false, "/pp/a"),
        ] {
            assert_eq!(folder(path, recursive, Some("/p")), expect, "{path}");
        }
        let all = ["/p/**", "/p/src/**", "/p/x", "/q"].map(str::to_owned).into();
        assert_eq!(widest(&all), ["/p/**", "/q"]);
    }
}
