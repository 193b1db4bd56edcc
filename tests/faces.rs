//! The way in: help as somebody new reads it, completions, manual pages.

use std::{collections::BTreeSet, process::Stdio};

use crate::world::{Ran, World, bin, have, run_with};

#[test]
fn the_help_is_in_groups_and_fits_on_a_terminal() {
    let world = World::new();
    for args in [["help"].as_slice(), &["--help"], &["-h"]] {
        let help = world.run(args).expect(0).stdout;
        for group in
            ["Begin here", "Run agents under it", "See what happens", "Answer what waits", "Say what is allowed"]
        {
            assert!(help.contains(&format!("\n{group}\n")), "{group}: {help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 100) && !help.contains('\u{1b}'), "{help}");
        assert!(help.find("quickstart") < help.find("completions"), "{help}");
    }
    // What is typed wrong is answered with what may have been meant.
    let wrong = world.run(&["wacth"]).expect(2);
    assert!(wrong.stderr.contains("watch"), "{wrong:?}");
}

#[test]
fn shells_read_their_completions() {
    let world = World::new();
    let script = |shell: &str| world.run(&["completions", shell]).expect(0).stdout;
    let mut bash = world.command("bash");
    let asked = format!(
        "{}\nCOMP_WORDS=(rampart wa); COMP_CWORD=1; _rampart rampart wa rampart; echo \"${{COMPREPLY[@]}}\"\n\
         COMP_WORDS=(rampart audit t); COMP_CWORD=2; _rampart rampart t audit; echo \"${{COMPREPLY[@]}}\"",
        script("bash")
    );
    bash.arg("--norc");
    let told = run_with(bash, asked.as_bytes()).expect(0).stdout;
    assert_eq!(told.lines().collect::<Vec<_>>(), ["watch", "tail"], "{told}");
    if have("shells_read_their_completions", &["zsh"]) {
        let mut zsh = world.command("zsh");
        zsh.args(["-f", "-n"]);
        run_with(zsh, script("zsh").as_bytes()).expect(0);
        let text = script("zsh");
        assert!(text.starts_with("#compdef rampart") && text.contains("'watch:"), "{text}");
    }
    let fish = script("fish");
    assert!(fish.contains("complete -c rampart") && fish.contains("\"watch\""), "{fish}");
}

#[test]
fn every_verb_has_a_manual_page() {
    let world = World::new();
    let folder = world.path("man");
    world.run(&["man", "--output", folder.to_str().unwrap()]).expect(0);
    let pages: BTreeSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    for page in ["rampart.1", "rampart-watch.1", "rampart-report.1", "rampart-audit-tail.1", "rampart-mcp-pins-diff.1"]
    {
        assert!(pages.contains(page), "{pages:?}");
    }
    for page in &pages {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        let name = page.strip_suffix(".1").unwrap();
        assert!(text.contains(&format!(".TH {name} 1")), "{page}: {text}");
        for section in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(text.contains(section), "{page} has no {section}");
        }
        assert!(!text.contains('\u{1b}'), "{page} has colours");
    }
    let tail = world.run(&["man", "audit", "tail"]).expect(0).stdout;
    assert_eq!(tail, std::fs::read_to_string(folder.join("rampart-audit-tail.1")).unwrap());
    assert!(world.run(&["man", "nothing"]).expect(2).stderr.contains("there is no verb `nothing`"));
    if have("every_verb_has_a_manual_page", &["groff"]) {
        let mut groff = world.command("groff");
        groff.args(["-man", "-Tutf8", "-ww"]).arg(folder.join("rampart-watch.1")).stdin(Stdio::null());
        let shown = Ran::from(groff.output().unwrap()).expect(0);
        assert!(shown.stdout.contains("decision") && shown.stderr.is_empty(), "{shown:?}");
    }
}

/// What shows how things stand fits on a terminal, moved in where a line goes on, and in a pipe is whole and plain.
#[test]
fn what_is_shown_fits_on_a_terminal_and_is_whole_in_a_pipe() {
    if !have("what_is_shown_fits_on_a_terminal_and_is_whole_in_a_pipe", &["script"]) {
        return;
    }
    let mut world = World::new();
    world.run(&["init"]).expect(0);
    world.serve(&[]);
    let long = format!("echo {} && rm -rf /", "one-word-after-the-other ".repeat(6));
    let call = serde_json::json!({"session_id": "s-1", "cwd": world.project(), "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_input": {"command": long}, "tool_use_id": "t"});
    run_with(world.rampart(&["hook", "--format", "codex"]), call.to_string().as_bytes()).expect(2);
    world.run(&["allow", &format!("make {}", "target ".repeat(15)), "--yes"]).expect(0);
    for (verb, wanted) in [
        ("status", "enforce"),
        ("log", "block-destruction"),
        ("audit tail", "user-overrides.yaml"),
        ("pending", "Nothing waits."),
        ("rules", "added by hand"),
        ("policy explain 'rm -rf / --no-preserve-root --verbose'", "Rules that match"),
        ("policy rules", "block-credentials"),
        ("doctor", "Roads"),
    ] {
        let command = format!("{} {verb}", bin("rampart").display());
        let mut terminal = world.command("script");
        terminal.args(["-qec", &format!("stty cols 60; {command}"), "/dev/null"]).stdin(Stdio::null());
        let shown = Ran::from(terminal.env("TERM", "xterm").output().unwrap()).stdout;
        let plain = without_colours(&shown);
        let longest = plain.lines().map(|line| line.trim_end_matches('\r').chars().count()).max();
        assert!(longest <= Some(60), "{verb}: {plain}");
        assert!(plain.contains(wanted), "{verb}: {plain}");
        assert!(verb == "pending" || shown.contains("\u{1b}["), "{verb} has colours: {shown:?}");
        let mut pipe = world.command("sh");
        let piped = Ran::from(pipe.arg("-c").arg(&command).output().unwrap());
        assert!(!piped.stdout.contains('\u{1b}') && !piped.stderr.contains('\u{1b}'), "{verb}: {piped:?}");
    }
    let whole = world.run(&["log"]).expect(0).stdout;
    let line = whole.lines().find(|line| line.contains("one-word")).unwrap();
    assert!(line.contains("[block-destruction] codex"), "{whole}");
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}
