//! What a call does by what its texts say, and by whom they reach: code that is put where it runs, orders to agents,
//! options in the place of words, owners and devices.

use rampart_call::{CommandLine, EffectKind};
use rampart_shell::{Surroundings, verbs::any};
use serde_json::Value;

use super::{
    contents, definitions, deployed, devices, formulas,
    names::Tool,
    orders, ownership, private,
    said::one_of,
    switches,
    texts::{self, argv},
    variables,
};
use crate::{facts::Known, sets::Sets};

/// Words of tools that tell people something, or keep a text as it is.
const TELLS: &[&str] =
    &["comment", "discussion", "document", "file", "files", "gist", "issue", "message", "note", "page", "snippet"];

/// Arguments that hold a definition of what runs elsewhere.
const DEFINES: &[&str] = &[
    "cloudinit",
    "compose",
    "config",
    "configuration",
    "definition",
    "job",
    "manifest",
    "manifests",
    "pipeline",
    "resource",
    "spec",
    "template",
    "workflow",
    "yaml",
    "yml",
];

impl Known<'_> {
    /// What the call as a whole does.
    pub(super) fn add_conduct(&mut self, tool: &Tool, arguments: &Value, around: &Surroundings<'_>, sets: &Sets) {
        let (server, name) = tool.names();
        if ownership::shows_keys(server, name, arguments) {
            self.note(EffectKind::Secret, "token-shown", around, sets);
        }
        if ownership::hands_over(name, arguments) {
            self.note(EffectKind::Privilege, "access-grant", around, sets);
        }
        if devices::replaces(server, name, arguments) {
            self.note(EffectKind::RemoteMutate, "deploy", around, sets);
        }
        if devices::steers(server, name, arguments) || ownership::signs(server, name) {
            self.note(EffectKind::RemoteMutate, "deploy", around, sets);
        }
        if switches::are_turned(server, name, arguments) {
            self.note(EffectKind::RemoteMutate, "deploy", around, sets);
        }
        if private::tells(name, arguments) {
            self.note(EffectKind::Net, "upload", around, sets);
        }
        if orders::is_read_by_agents(server, name, arguments) && orders::are_in(&contents(arguments)) {
            self.note(EffectKind::Persist, "agent-config", around, sets);
        }
        for command in variables::set(name, arguments) {
            self.suspect(&command, around, sets);
        }
        if tool.is_of_cluster() && changes_cluster(name, arguments) {
            let text = contents(arguments).to_ascii_lowercase();
            if text.contains("cluster-admin")
                && (text.contains("rolebinding") || any(name, &["binding", "rolebinding"]))
            {
                self.note(EffectKind::Privilege, "access-grant", around, sets);
            }
            if opens_store(&arguments.to_string().to_ascii_lowercase()) {
                self.note(EffectKind::Privilege, "firewall", around, sets);
            }
        }
        if tool.program() == Some("git") {
            self.add_options(tool, arguments, around, sets);
        }
    }

    /// `target: --output=FILE`: git takes a word with a dash for an option, wherever it stands.
    fn add_options(&mut self, tool: &Tool, arguments: &Value, around: &Surroundings<'_>, sets: &Sets) {
        let texts = arguments.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
        let options: Vec<String> =
            texts.filter(|text| text.starts_with('-') && !text.contains('\n')).map(str::to_owned).collect();
        if !options.is_empty() {
            let words: Vec<String> = tool.sub_command().into_iter().take(1).chain(options).collect();
            self.suspect(&argv("git", &words), around, sets);
        }
    }

    /// What one text does under its name.
    pub(super) fn add_put(&mut self, key: &str, text: &str, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        let (_, name) = tool.names();
        if deployed::is_code(key) && text.contains('(') && !any(name, TELLS) {
            if let Some((kind, note)) = deployed::gives_away(text) {
                self.note(kind, note, around, sets);
            }
            for command in texts::started(text) {
                self.add_fetched(&command, around, sets);
            }
        }
        if one_of(key, DEFINES) {
            for line in definitions::lines(text) {
                self.add_fetched(&CommandLine::Command(line), around, sets);
            }
        }
    }

    /// A text that stands in the place of a word or of an address.
    pub(super) fn add_word(&mut self, text: &str, address: bool, around: &Surroundings<'_>, sets: &Sets) {
        if text.starts_with(['=', '+']) && formulas::sends_cells(text) {
            self.note(EffectKind::Net, "upload", around, sets);
        }
        if !address {
            return;
        }
        // whoever opens it with a shell runs what stands in it
        if text.contains("$(") || text.matches('`').count() > 1 {
            self.note(EffectKind::CodeLoad, "option-code", around, sets);
        } else if !text.contains("://") && ["; ", "&& ", "| "].iter().any(|sign| text.contains(sign)) {
            self.suspect(&CommandLine::Command(format!("ping {text}")), around, sets);
        }
    }
}

/// Whether a call changes something of a cluster, and does not only ask.
fn changes_cluster(name: &[String], arguments: &Value) -> bool {
    const ASKS: &[&str] = &["delete", "describe", "diff", "explain", "get", "list", "logs"];
    let said = ["command", "operation", "action", "verb"].iter().filter_map(|key| arguments.get(*key)?.as_str());
    !super::rights::asks(name) && !any(name, ASKS) && !said.into_iter().any(|word| ASKS.contains(&word))
}

/// Whether a service of a cluster that keeps data is open to everybody. `text` is in lower case.
fn opens_store(text: &str) -> bool {
    const STORES: &[&str] = &[
        "cassandra",
        "clickhouse",
        "database",
        "elastic",
        "etcd",
        "kafka",
        "mongo",
        "mysql",
        "postgres",
        "redis",
        "vault",
    ];
    let open = text
        .split("loadbalancersourceranges")
        .skip(1)
        .any(|rest| rest.chars().take(40).collect::<String>().contains("0.0.0.0/0"));
    open && STORES.iter().any(|store| text.contains(store))
}
