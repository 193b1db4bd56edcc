//! Two lists of risks that people ask about, what Rampart does about each, what of that was seen, and what it does not do.
//!
//! Titles are those of the OWASP Top 10 for Agentic Applications (2026) and of the OWASP MCP Top 10 (2025).

use serde::Serialize;

use super::signs::{Sign, Signs};

/// How much of a risk Rampart stands against where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Covers {
    /// Most of it, on every road that leads through Rampart.
    Mostly,
    /// A part of it.
    Partly,
    /// Hardly anything of it.
    Hardly,
}

impl Covers {
    /// The same in JSON and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mostly => "mostly",
            Self::Partly => "partly",
            Self::Hardly => "hardly",
        }
    }
}

/// One risk.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Its number in its list.
    pub id: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// How much of it is covered.
    pub covers: Covers,
    /// By what.
    pub how: &'static str,
    /// What is not.
    pub gap: &'static str,
    /// What the trail shows of it.
    pub evidence: Vec<Evidence>,
}

/// How often something was seen.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// What.
    pub what: &'static str,
    /// How often.
    pub times: u64,
    /// The rules or reasons that decided there, and how often; the busiest.
    pub rules: Vec<(String, u64)>,
    /// The roads it came by; the busiest.
    pub surfaces: Vec<(String, u64)>,
}

/// A risk, without what was seen.
pub(super) type Risk = (&'static str, &'static str, Covers, &'static str, &'static str, &'static [Sign]);

pub(super) fn of(risks: &[Risk], signs: &Signs) -> Vec<Coverage> {
    let coverage = |(id, title, covers, how, gap, seen): &Risk| Coverage {
        id,
        title,
        covers: *covers,
        how,
        gap,
        evidence: seen.iter().map(|sign| signs.of(*sign)).collect(),
    };
    risks.iter().map(coverage).collect()
}

pub(super) const AGENTIC: &[Risk] = &[
    (
        "ASI01",
        "Agent Goal Hijack",
        Covers::Partly,
        "Answers are searched for instructions and hidden text before the model reads them; whatever an agent was talked into still meets the rules.",
        "Nobody judges what an agent is after: a changed goal shows only where an action meets a rule, and an injection in plain words may not be found.",
        &[Sign::AnswerStopped, Sign::Stopped],
    ),
    (
        "ASI02",
        "Tool Misuse and Exploitation",
        Covers::Mostly,
        "Each call is judged before it happens, by what it would do and not by how it is written.",
        "A harmful call that no rule is about passes where the default is to allow.",
        &[Sign::Judged, Sign::Stopped],
    ),
    (
        "ASI03",
        "Identity and Privilege Abuse",
        Covers::Partly,
        "Agents are known by the kernel's word or their session's credential; taking rights and using credentials is asked about or refused; a known secret goes only where it belongs.",
        "An agent runs with the rights of its user: whatever it reaches past Rampart's roads, it reaches as that user.",
        &[Sign::Privilege, Sign::Secret, Sign::SecretLeaves, Sign::Claimed, Sign::AccessRefused],
    ),
    (
        "ASI04",
        "Agentic Supply Chain Vulnerabilities",
        Covers::Partly,
        "What MCP servers offer is pinned, and what changed is hidden until a person looked; installs of odd packages and loading of foreign code are asked about.",
        "What an accepted package or model contains is not looked into; its code is met on the roads only.",
        &[Sign::NotPinned, Sign::Package, Sign::Code],
    ),
    (
        "ASI05",
        "Unexpected Code Execution (RCE)",
        Covers::Mostly,
        "Commands are taken apart by a shell parser; code from the network, code that is computed and code that runs later is refused or asked about.",
        "A program that was allowed can do inside itself what it likes, until it starts another, opens a file under the library, or uses the network.",
        &[Sign::Unseen, Sign::Code, Sign::Persistence],
    ),
    (
        "ASI06",
        "Memory and Context Poisoning",
        Covers::Partly,
        "Changes of agents' settings, hooks and instruction files are asked about; secrets and hidden text are cut from answers.",
        "Memories that an agent or its provider keeps elsewhere are out of reach.",
        &[Sign::AgentSettings, Sign::AnswerStopped],
    ),
    (
        "ASI07",
        "Insecure Inter-Agent Communication",
        Covers::Hardly,
        "An agent that another started is known as such, and messages over MCP and HTTP are judged like any others.",
        "Agents are not authenticated to each other, and messages between them by other ways are not seen.",
        &[Sign::SubAgent],
    ),
    (
        "ASI08",
        "Cascading Failures",
        Covers::Partly,
        "Calls are limited by rate, size and number; nobody floods people with questions; what cannot be recorded does not happen.",
        "Nothing stops a chain of agents as a whole: each call is judged, with what its own session did before.",
        &[Sign::Limit],
    ),
    (
        "ASI09",
        "Human-Agent Trust Exploitation",
        Covers::Partly,
        "A question shows exactly what would run, with hidden characters visible; an answer holds for that and for nothing else, and is on record with who gave it.",
        "A person who says yes without reading is not stopped.",
        &[Sign::Asked, Sign::Answered],
    ),
    (
        "ASI10",
        "Rogue Agents",
        Covers::Partly,
        "Rampart's own files, processes and settings are out of bounds; the trail cannot be changed unnoticed; `rampart doctor` says what an agent could walk around.",
        "An agent that comes by no road of Rampart's is not seen at all.",
        &[Sign::SelfTamper, Sign::AccessRefused, Sign::Unrecorded],
    ),
];

pub(super) const MCP: &[Risk] = &[
    (
        "MCP01",
        "Token Mismanagement and Secret Exposure",
        Covers::Partly,
        "Secrets in arguments and answers are found and cut or refused; credentials can be placeholders that the proxy fills in; no secret stands in the trail.",
        "Tokens that a server keeps for itself, and secrets that no detector knows, are not seen.",
        &[Sign::SecretLeaves, Sign::Secret, Sign::McpAnswerStopped],
    ),
    (
        "MCP02",
        "Privilege Escalation via Scope Creep",
        Covers::Partly,
        "A tool that is new or takes other arguments than before is refused until a person approved it; rules name servers and tools.",
        "The scopes of a token that a server holds at its own provider are not known.",
        &[Sign::NotPinned, Sign::McpStopped],
    ),
    (
        "MCP03",
        "Tool Poisoning",
        Covers::Mostly,
        "Descriptions and schemas are pinned and searched for instructions and hidden text; the model never sees what changed.",
        "A description that misled from the start, in plain words, is a matter for whoever approves it.",
        &[Sign::NotPinned, Sign::McpAnswerStopped],
    ),
    (
        "MCP04",
        "Software Supply Chain Attacks and Dependency Tampering",
        Covers::Partly,
        "`rampart mcp scan` looks at what a server offers before it is used; installs are judged; a server's process gets a clean environment and its own proxy identity.",
        "The server's own code and its dependencies are not looked into.",
        &[Sign::Package, Sign::NotPinned],
    ),
    (
        "MCP05",
        "Command Injection and Execution",
        Covers::Mostly,
        "Commands, paths and URLs in arguments are judged by the rules of their kind, wherever they stand; messages that do not mean one thing are refused.",
        "What a server makes of a harmless argument is seen only where its process meets the proxy.",
        &[Sign::McpCommand, Sign::McpMalformed],
    ),
    (
        "MCP06",
        "Intent Flow Subversion",
        Covers::Partly,
        "Answers are searched before the model reads them, and what a server asks of the client (sampling, elicitation) is judged too.",
        "An instruction in plain words that no detector knows reaches the model; the calls it leads to are judged.",
        &[Sign::McpAnswerStopped, Sign::McpStopped],
    ),
    (
        "MCP07",
        "Insufficient Authentication and Authorization",
        Covers::Partly,
        "Who calls is known by the kernel or a credential; tokens have scopes and ends; each tool can be allowed, asked about or refused for each agent.",
        "Servers that are reached without Rampart have the authentication that they have.",
        &[Sign::AccessRefused, Sign::Claimed, Sign::McpStopped],
    ),
    (
        "MCP08",
        "Lack of Audit and Telemetry",
        Covers::Mostly,
        "Every message is on record before it is answered, in a chain that shows changes; records go to syslog, SIEM and OpenTelemetry.",
        "What was not whole is listed under troubles; without a witness, the end of a trail can be cut off unnoticed.",
        &[Sign::Recorded, Sign::Trouble],
    ),
    (
        "MCP09",
        "Shadow MCP Servers",
        Covers::Partly,
        "`rampart mcp install` puts Rampart in front of the servers that clients have, and the report lists those that were used.",
        "A server that an agent or a person starts without Rampart is not seen, except by its HTTP traffic.",
        &[Sign::McpCall],
    ),
    (
        "MCP10",
        "Context Injection and Over-Sharing",
        Covers::Partly,
        "Secrets seen in one place do not leave to another; what answers carry is searched; labels of a session tighten rules for what follows.",
        "Whether a text that holds no secret should have been shared, nobody knows.",
        &[Sign::SecretLeaves, Sign::McpAnswerStopped],
    ),
];
