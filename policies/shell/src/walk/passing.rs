//! What is kept by nobody, so that destroying it loses nothing: databases in memory, clouds and clusters that a program of
//! this machine plays, data of tests.

use rampart_call::{Effect, EffectKind, Scope, Target};

use super::Walk;
use super::apply::Use;
use crate::knowledge::Role;
use crate::value::Arg;
use crate::{glob, host};

/// Variables that send what a program asks for to another place, by the programs that read them.
const PLACES: &[(&[&str], &[&str])] = &[
    (&["aws"], &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_*"]),
    (
        &["gcloud", "gsutil", "bq", "firebase"],
        &["STORAGE_EMULATOR_HOST", "*_EMULATOR_HOST", "CLOUDSDK_API_ENDPOINT_OVERRIDES_*"],
    ),
    (&["az"], &["AZURE_STORAGE_CONNECTION_STRING"]),
    (&["vault", "bao"], &["VAULT_ADDR", "BAO_ADDR"]),
    (&["consul", "nomad"], &["CONSUL_HTTP_ADDR", "NOMAD_ADDR"]),
    (&["mc"], &["MC_HOST_*"]),
];

/// How the tools of clusters that run on this machine name their contexts.
const CONTEXTS: &[&str] =
    &["kind-*", "k3d-*", "minikube", "docker-desktop", "rancher-desktop", "colima", "colima-*", "orbstack"];

/// What starts clusters and machines on this machine.
const STARTERS: &[&str] = &["kind", "k3d", "ctlptl", "minikube", "multipass", "limactl", "colima"];

impl Walk<'_> {
    /// What the program works on is kept by nobody.
    pub(super) fn is_passing(&self, used: &Use<'_>) -> bool {
        let usage = &used.usage;
        match used.name {
            "sqlite3" | "sqlite" | "duckdb" | "litecli" => {
                usage.operands.first().is_some_and(|place| self.goes(place)) && !self.attaches(used)
            }
            "aws" => given(used, &["--endpoint-url"], is_here) || self.is_sent_here("aws"),
            "az" => given(used, &["--connection-string"], is_here) || self.is_sent_here("az"),
            "awslocal" => true,
            "kubectl" | "oc" | "k" | "kubecolor" | "helm" | "helmfile" | "flux" | "istioctl" | "linkerd" => {
                given(used, &["--context", "--kube-context"], |context| {
                    CONTEXTS.iter().any(|known| glob::matches(known, &context.text))
                })
            }
            name if STARTERS.contains(&name) => self.was_started(used),
            name => self.is_sent_here(name),
        }
    }

    /// Takes back that data was destroyed or sent, of the effects from there on.
    pub(super) fn pass(&mut self, from: usize) {
        let kept = |effect: &Effect| {
            effect.kind != EffectKind::RemoteMutate && !(effect.kind == EffectKind::Net && effect.note == "upload")
        };
        let new: Vec<Effect> = self.out.effects.drain(from..).filter(kept).collect();
        self.out.effects.extend(new);
    }

    /// A variable in front of a command, or one of the shell, sends what the program asks for to this machine.
    fn is_sent_here(&self, program: &str) -> bool {
        let Some((_, names)) = PLACES.iter().find(|(programs, _)| programs.contains(&program)) else { return false };
        let reads = |name: &str| names.iter().any(|known| glob::matches(known, name));
        let here = |value: &Arg| is_here(value);
        match self.given.iter().rev().find(|(name, _)| reads(name)) {
            Some((_, value)) => here(value),
            None => {
                // a variable of the shell alone is seen by none of its programs
                let exports = ["export ", "set -a", "allexport", "declare -x", "typeset -x"];
                if !exports.iter().any(|word| self.source.contains(word)) {
                    return false;
                }
                let mut set = self.env.variables.iter().filter(|(name, _)| reads(name)).peekable();
                set.peek().is_some() && set.all(|(_, values)| values.iter().all(here))
            }
        }
    }

    /// A database in memory or in a temporary folder.
    fn goes(&self, place: &Arg) -> bool {
        place.text == ":memory:"
            || place.is_literal() && matches!(self.target(place, false), Target::Path { scope: Scope::Temp, .. })
    }

    /// `ATTACH 'host=..' AS dw`: what is worked on is in another place too, unless that can only be read.
    fn attaches(&self, used: &Use<'_>) -> bool {
        let values =
            used.usage.values.iter().filter(|(_, role, _)| *role == Role::Code).map(|(_, _, v)| v.text.as_str());
        let operands = used.usage.operands.iter().skip(1).map(|a| a.text.as_str());
        values.chain(operands).chain(used.stdin.text.as_deref()).any(|text| {
            let lower = text.to_lowercase();
            lower.split(';').any(|statement| {
                let Some(rest) = statement.trim_start().strip_prefix("attach") else { return false };
                let place = rest.split('\'').nth(1).unwrap_or("");
                !statement.contains("read_only") && !self.goes(&Arg::literal(place, self.span))
            })
        })
    }

    /// An earlier command started what this one ends: the same program, and every name that is given now.
    fn was_started(&self, used: &Use<'_>) -> bool {
        let starts = |word: &str| matches!(word, "create" | "start" | "launch" | "apply");
        let names: Vec<&str> = names(used);
        let literal = used.usage.operands.iter().all(Arg::is_literal) && !used.usage.flags.iter().any(|f| f == "--all");
        let started = |words: &[&str]| {
            let Some((first, words)) = words.split_first() else { return false };
            super::base_name(first) == used.name
                && words.iter().any(|word| starts(word))
                && names.iter().all(|name| words.iter().any(|word| bare(word) == *name))
                // without a name the one is meant that has none
                && (!names.is_empty() || !words.iter().any(|word| word.starts_with("--name") || *word == "-n"))
        };
        // what a trap ends is started behind it
        let behind = self.source.split_once("trap ").map_or("", |(_, behind)| behind);
        literal
            && (self.out.components.iter().any(|c| started(&c.argv.iter().map(String::as_str).collect::<Vec<_>>()))
                || behind.split([';', '&', '|', '\n']).any(|c| started(&c.split_whitespace().collect::<Vec<_>>())))
    }
}

/// The names among the words of a command: neither options nor what is done to which kind of thing.
fn names<'u>(used: &'u Use<'_>) -> Vec<&'u str> {
    let said = |word: &&str| {
        !matches!(*word, "delete" | "destroy" | "rm" | "purge" | "stop" | "cluster" | "clusters" | "registry" | "node")
    };
    let flags = used.usage.flags.iter().filter_map(|flag| flag.strip_prefix("--name="));
    let values = used.usage.values.iter().filter(|(option, ..)| matches!(option.as_str(), "--name" | "-n" | "-p"));
    let operands = used.usage.operands.iter().map(|a| a.text.as_str());
    operands.chain(values.map(|(_, _, value)| value.text.as_str())).filter(said).chain(flags).collect()
}

/// The value of `--name=value`.
fn bare(word: &str) -> &str {
    word.strip_prefix("--name=").unwrap_or(word)
}

fn given(used: &Use<'_>, options: &[&str], fits: impl Fn(&Arg) -> bool) -> bool {
    used.usage
        .values
        .iter()
        .any(|(option, _, value)| options.contains(&option.as_str()) && value.is_literal() && fits(value))
}

/// An address of this machine, or the storage of Azure that is played on it.
fn is_here(value: &Arg) -> bool {
    let text = value.text.as_str();
    let host = host::of_url(text).map_or_else(|| host::of_word(text).0, |url| url.host);
    value.is_literal() && (text.contains("UseDevelopmentStorage=true") || host::is_loopback(&host))
}
