//! The profiles and packs that Rampart ships. The profiles are one file, `standard.yaml`, and what each makes of it.

use std::borrow::Cow;

use crate::{Layer, SourceFile};

/// A policy file that Rampart ships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// Its name, as `rampart init --profile` and `rampart policy fetch` take it.
    pub name: &'static str,
    /// What it is for, in one line.
    pub description: &'static str,
    /// It is a whole profile; others are added to one.
    pub profile: bool,
    /// Its YAML.
    pub text: Cow<'static, str>,
}

const STANDARD: &str = include_str!("../../packs/standard.yaml");
const PARANOID: &str = include_str!("../../packs/paranoid.yaml");

/// Every pack: name, whether it is a profile, what it is for.
const PACKS: [(&str, bool, &str); 12] = [
    ("standard", true, "allows by default, stops what a careful colleague would not let pass unseen"),
    ("paranoid", true, "denies by default, allows looking around and working inside the project"),
    ("ci", true, "standard with nobody to ask: every question is a denial"),
    ("yolo", true, "blocks nothing, records what standard would have stopped"),
    ("mcp-server", false, "tools of MCP servers: looking is free, changing is asked, secrets stay in"),
    ("research-agent", false, "reads the web and the project, and sends nothing"),
    ("aws", false, "Amazon Web Services: looking is free, changing is asked, destroying is denied"),
    ("docker", false, "containers: no host rights, no lost volumes, no surprise publishing"),
    ("kubernetes", false, "clusters: looking is free, changing is asked, destroying is denied"),
    ("terraform", false, "infrastructure as code: plan is free, apply is asked, destroy is denied"),
    ("node", false, "npm, pnpm, yarn and bun: registries only, publishing is asked"),
    ("python", false, "pip, uv and poetry: indexes only, publishing is asked"),
];

/// The names of all packs, profiles first.
pub fn names() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(|(name, _, _)| *name)
}

/// All packs, profiles first.
pub fn all() -> impl Iterator<Item = Pack> {
    names().filter_map(builtin)
}

/// The pack of a name.
pub fn builtin(name: &str) -> Option<Pack> {
    let (name, profile, description) = *PACKS.iter().find(|(n, _, _)| *n == name)?;
    let text = match name {
        "standard" => Cow::Borrowed(STANDARD),
        "ci" => Cow::Owned(ci()),
        "yolo" => Cow::Owned(yolo()),
        "paranoid" => Cow::Owned(paranoid()),
        "mcp-server" => Cow::Borrowed(include_str!("../../packs/mcp-server.yaml")),
        "research-agent" => Cow::Borrowed(include_str!("../../packs/research-agent.yaml")),
        "aws" => Cow::Borrowed(include_str!("../../packs/aws.yaml")),
        "docker" => Cow::Borrowed(include_str!("../../packs/docker.yaml")),
        "kubernetes" => Cow::Borrowed(include_str!("../../packs/kubernetes.yaml")),
        "terraform" => Cow::Borrowed(include_str!("../../packs/terraform.yaml")),
        "node" => Cow::Borrowed(include_str!("../../packs/node.yaml")),
        "python" => Cow::Borrowed(include_str!("../../packs/python.yaml")),
        _ => return None,
    };
    Some(Pack { name, description, profile, text })
}

impl Pack {
    /// The pack as a file to load.
    pub fn to_file(&self) -> SourceFile {
        SourceFile { name: format!("{}.yaml", self.name), text: self.text.clone().into_owned(), layer: Layer::Profile }
    }
}

/// Nobody is there to ask.
fn ci() -> String {
    retold("ci", |line| match line.trim_start() {
        "- action: ask" => Some(line.replace("ask", "deny")),
        "expect: ask" => Some(line.replace("ask", "deny")),
        _ => Some(line.to_owned()),
    })
}

/// Everything passes; what would have been stopped is recorded.
fn yolo() -> String {
    retold("yolo", |line| {
        let text = line.trim_start();
        let indent = line.get(..line.len() - text.len()).unwrap_or_default();
        match text.split_once(": ") {
            _ if text == "locked: true" => None,
            Some(("- action", _)) => Some(format!("{indent}- action: watch")),
            Some(("default_action", _)) => Some("default_action: watch".to_owned()),
            Some(("expect", _)) => Some(format!("{indent}expect: pass")),
            _ => Some(line.to_owned()),
        }
    })
}

/// The rules of standard, and allowances for what a denial by default would stop.
fn paranoid() -> String {
    let rules = retold("paranoid", |line| match line {
        "default_action: allow" => Some("default_action: deny".to_owned()),
        _ => Some(line.to_owned()),
    });
    let rules = rules.split("\ntests:\n").next().unwrap_or_default().to_owned();
    let own = PARANOID.split_once("\npolicies:\n").map_or("", |(_, policies)| policies);
    format!("{rules}\n{own}")
}

/// `standard.yaml` line by line, under another name.
fn retold(name: &str, line: impl Fn(&str) -> Option<String>) -> String {
    let body = STANDARD.lines().skip_while(|l| l.starts_with('#'));
    let mut text = format!("# The profile `{name}`, made from `standard`.\n");
    for line in body.filter_map(line) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}
