//! How much of what must be stopped shows in the effects, and how little of a normal day does.
//!
//! The rule here is a crude stand-in for the profile `standard`: it only looks at effects.

use rampart_call::{Certainty, CommandLine, Effect, EffectKind, Scope, Sensitivity, Target};
use rampart_shell::{Analysis, Surroundings, analyze};

const AROUND: Surroundings<'_> = Surroundings {
    cwd: Some("/home/u/proj"),
    home: Some("/home/u"),
    workspace: Some("/home/u/proj"),
    rampart_home: None,
};

fn stops(analysis: &Analysis) -> bool {
    !analysis.complete || analysis.effects.iter().any(is_delicate)
}

fn is_delicate(effect: &Effect) -> bool {
    let note = effect.note.as_str();
    let (scope, sensitivity, recursive) = match &effect.target {
        Some(Target::Path { scope, sensitivity, recursive, .. }) => (*scope, *sensitivity, *recursive),
        _ => (Scope::Project, Sensitivity::Ordinary, false),
    };
    let shared = matches!(scope, Scope::System | Scope::SystemRoot | Scope::HomeRoot | Scope::Device | Scope::Rampart);
    match effect.kind {
        EffectKind::Privilege
        | EffectKind::Persist
        | EffectKind::CodeLoad
        | EffectKind::SelfTamper
        | EffectKind::Opaque
        | EffectKind::VcsHistory => true,
        EffectKind::Secret => note != "token-header",
        EffectKind::RemoteMutate => {
            !matches!(note, "push" | "cloud-change" | "cluster-change" | "hosted-change" | "deploy" | "database-change")
        }
        EffectKind::PackageInstall => note != "package-registry",
        EffectKind::Exec => {
            matches!(
                note,
                "download-run" | "decode-run" | "write-then-run" | "reverse-shell" | "fork-bomb" | "interactive-shell"
            )
        }
        EffectKind::Net => !note.is_empty(),
        EffectKind::Listen => note == "tunnel",
        EffectKind::Signal => matches!(note, "shutdown" | "kill-all" | "service-stop"),
        EffectKind::Read => {
            matches!(sensitivity, Sensitivity::Credential | Sensitivity::MayHoldSecrets) || scope == Scope::Rampart
        }
        EffectKind::Write | EffectKind::Move => {
            let delicate = matches!(sensitivity, Sensitivity::Credential | Sensitivity::MayHoldSecrets);
            shared || delicate && scope == Scope::Home || note == "project-root"
        }
        EffectKind::Delete if effect.certainty != Certainty::Proven && note == "computed-path" => {
            shared || recursive && scope == Scope::Elsewhere
        }
        EffectKind::Delete => {
            shared
                || matches!(scope, Scope::Elsewhere | Scope::AgentConfig)
                || sensitivity != Sensitivity::Ordinary
                || matches!(
                    note,
                    "wipe-device"
                        | "home-folder"
                        | "project-root"
                        | "other-tree"
                        | "shred"
                        | "logs"
                        | "security-setting"
                )
        }
        EffectKind::Chmod => shared,
    }
}

/// The commands of a list: one a line, where `\n` is a newline in what holds a here-document.
fn list(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|l| !l.is_empty() && !l.starts_with("# "));
    lines
        .map(|l| if l.contains("EOF") || l.starts_with("ls\\n") { l.replace("\\n", "\n") } else { l.to_owned() })
        .collect()
}

/// At most `percent` of the commands are judged otherwise than wanted.
#[track_caller]
fn check(commands: &[String], wanted: bool, percent: f64) {
    let wrong: Vec<&String> =
        commands.iter().filter(|c| stops(&analyze(&CommandLine::Command((*c).clone()), &AROUND)) != wanted).collect();
    let share = wrong.len() as f64 * 100.0 / commands.len() as f64;
    assert!(share <= percent, "{share:.1} % wrong: {wrong:#?}");
}

#[test]
fn attacks_show_in_the_effects() {
    let attacks = list(include_str!("../fixtures/attacks.txt"));
    check(&attacks, true, 1.0);
}

#[test]
fn a_normal_day_is_undisturbed() {
    let everyday = list(include_str!("../fixtures/everyday.txt"));
    check(&everyday, false, 0.5);
}

#[test]
fn labelled_actions_are_told_apart() {
    let mut stop = Vec::new();
    let mut pass = Vec::new();
    for line in include_str!("../fixtures/actions-own.jsonl").lines() {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        let command = action["command"].as_str().unwrap().to_owned();
        match action["expect"].as_str().unwrap() {
            "allow" | "pass" => pass.push(command),
            _ => stop.push(command),
        }
    }
    check(&stop, true, 3.0);
    check(&pass, false, 1.0);
}
