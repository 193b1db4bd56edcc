//! The verbs as somebody new thinks of them: what to begin with, what to run, what to look at, what to say.

use clap::{Command, CommandFactory as _};

use super::Cli;
use crate::printer::{BOLD, styled};

/// Each verb in its group, in the order of the help.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Begin here", &["quickstart", "setup", "doctor", "status"]),
    ("Run agents under it", &["wrap", "run", "overlay", "preload", "mcp", "env", "hook"]),
    ("See what happens", &["watch", "dashboard", "log", "report", "audit", "replay"]),
    ("Answer what waits", &["pending", "approve", "deny"]),
    ("Say what is allowed", &["init", "test", "policy", "allow", "block", "rules", "bench", "convert"]),
    (
        "Keep it running",
        &["serve", "sidecar", "config", "token", "ca", "egress", "upgrade", "completions", "man", "help"],
    ),
];

const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}\n";

/// The command line with its help in groups.
pub(crate) fn command() -> Command {
    let command = Cli::command();
    let about = |name: &str| {
        let about = command.find_subcommand(name).and_then(Command::get_about);
        about.map_or_else(|| "Print this, or the help of a verb".to_owned(), ToString::to_string)
    };
    let mut text = String::new();
    for (title, verbs) in GROUPS {
        text.push_str(&format!("{}{}\n", if text.is_empty() { "" } else { "\n" }, styled(BOLD, title)));
        for verb in verbs {
            text.push_str(&format!("  {verb:<12} {}\n", about(verb)));
        }
    }
    command.help_template(TEMPLATE).after_help(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_verb_has_one_place_and_one_line_in_the_help() {
        let command = command();
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        let unique: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(listed.len(), unique.len(), "{listed:?}");
        let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name);
        let verbs: BTreeSet<&str> = verbs.chain(["help"]).collect();
        assert_eq!(verbs, unique);
        for verb in command.get_subcommands() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!((5..=66).contains(&about.chars().count()), "{}: `{about}`", verb.get_name());
        }
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("quickstart"));
    }
}
