//! No secret that a detector knows reaches the trail, wherever it stands in what is recorded.

use rampart_call::{Effect, EffectKind, FindingClass, Located, Target};
use serde_json::json;

use super::{examples::hits, *};
use crate::audit::redact::Redactor;

/// A text somewhere in everything that is recorded of a call.
fn entries(text: &str) -> Vec<(&'static str, Action)> {
    let command = |line: String| Action::Exec { command: CommandLine::Command(line), cwd: Some("/tmp".into()) };
    let paths = vec![Located::written("notes.txt")];
    let fetch = |url: String, headers, body| Action::Fetch {
        method: "POST".into(),
        url,
        headers,
        body,
        body_size: None,
        addresses: vec![],
    };
    let url = || "https://x.example/".to_owned();
    vec![
        ("a command", command(format!("deploy \\\n  --with {text}\n"))),
        ("words", Action::Exec { command: CommandLine::Argv(vec!["deploy".into(), text.into()]), cwd: None }),
        ("a header", fetch(url(), vec![("x-custom".into(), text.into())], None)),
        ("a body", fetch(url(), vec![], Some(format!("{{\n\t{text}\n}}")))),
        ("a file", Action::Write { paths: paths.clone(), content: Some(format!("line\n{text}\nline")) }),
        ("an edit", Action::Edit { paths, content: Some(text.into()) }),
        (
            "an argument",
            Action::Mcp {
                server: "s".into(),
                method: "tools/call".into(),
                tool: "t".into(),
                arguments: json!({"deep": [{"list": ["x", text]}], "n": 1}).into(),
                beside: serde_json::Value::Null,
            },
        ),
        (
            "what stands beside an argument",
            Action::Mcp {
                server: "s".into(),
                method: "tools/call".into(),
                tool: "t".into(),
                arguments: serde_json::Value::Null.into(),
                beside: json!({"_meta": {"x/y": text}}),
            },
        ),
        ("a tool's input", Action::Tool { name: "Custom".into(), input: json!({"member": text}) }),
        ("the name of a member", Action::Tool { name: "Custom".into(), input: json!({text: true}) }),
    ]
}

/// What is secret in a text, as it would stand in JSON. Single letters and such could stand anywhere.
fn secrets(text: &str) -> Vec<String> {
    let findings = rampart_scan::scan(text);
    let kept = findings.iter().filter(|f| matches!(f.class, FindingClass::Secret | FindingClass::Personal));
    let spans = kept.map(|f| text[f.span.start..f.span.end].to_owned());
    let inner = |secret: String| json!(secret).to_string().trim_matches('"').to_owned();
    spans.map(inner).filter(|secret| secret.len() > 5).collect()
}

#[test]
fn no_secret_reaches_a_record_wherever_it_stands() {
    let redactor = Redactor::new([1; 32]);
    let mut checked = 0;
    for text in hits() {
        let secrets = secrets(&text);
        for (place, action) in entries(&text) {
            let target = Target::Program { name: "deploy".into(), argv: vec!["deploy".into(), text.clone()] };
            let judgement = Judgement {
                effects: vec![Effect::new(EffectKind::Exec, Some(target))],
                ..Judgement::refused(Reason::Rule, format!("not with {text}"))
            };
            let call = Call { action, ..exec("") };
            let entry = Decision { call: &call, judgement: &judgement, verdict: Outcome::Deny, mode: "enforce" };
            let body = Entry::Decision(entry).draft(&redactor).body;
            for secret in &secrets {
                assert!(!body.contains(secret.as_str()), "{secret} of {text:?} as {place} stands in {body}");
                checked += 1;
            }
        }
        let (judgement, mut named) = (Judgement::allowed(Reason::Default), exec("ls"));
        named.origin.agent.clone_from(&text);
        named.origin.session.clone_from(&text);
        (named.origin.run, named.origin.workspace) = (Some(text.clone()), Some(text.clone()));
        named.action = Action::Tool { name: text.clone(), input: json!({}) };
        let verdict = Outcome::Allow;
        for entry in [
            Entry::Decision(Decision { call: &named, judgement: &judgement, verdict, mode: "enforce" }),
            Entry::Approval(Approval { message: &text, ..Approval::default() }),
            Entry::Config(Change { message: &text, subject: &text, by: &text, ..Change::default() }),
            Entry::Gap(Untold { reason: "notify", dropped: 1, cause: &text }),
        ] {
            let body = entry.draft(&redactor).body;
            assert!(!secrets.iter().any(|secret| body.contains(secret.as_str())), "{text:?} stands in {body}");
        }
    }
    assert!(checked > 3000, "{checked}");
}

#[test]
fn who_is_named_in_an_address_is_replaced() {
    let redactor = Redactor::new([1; 32]);
    for (text, secret) in [
        ("git clone https://alice:hunter2hunter2@git.example/a", "hunter2hunter2"),
        ("psql postgres://app:s3cr3t-pa55w0rd@db.example/main", "s3cr3t-pa55w0rd"),
        ("curl 'https://x.example/?api_key=9f8e7d6c5b4a39281706f5e4d3c2b1a0&x=1'", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
        (
            "curl -H 'Authorization: Bearer 9f8e7d6c5b4a39281706f5e4d3c2b1a0' x.example",
            "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        ),
    ] {
        assert!(text.contains(secret));
        let redacted = redactor.text(text);
        assert!(!redacted.contains(secret) && redacted.contains("hmac-sha256:"), "{redacted}");
    }
}
