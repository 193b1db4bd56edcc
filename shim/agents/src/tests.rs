use std::{fmt::Write, fs, path::Path};

use rampart_call::{Answer, Call, Edit, Judgement, Outcome, Reason, RuleRef, Span, Verdict, answer_to_verdict};
use serde_json::{Value, json};

use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

fn facts() -> Facts {
    Facts { cwd: Some("/home/dev/project".into()), home: Some("/home/dev".into()), ..Facts::default() }
}

#[expect(clippy::disallowed_methods, reason = "tests play the gate")]
fn verdict(outcome: Outcome, edits: Vec<Edit>) -> Verdict {
    let mut judgement = Judgement::refused(Reason::Rule, "Not here.");
    judgement.outcome = outcome;
    judgement.edits = edits;
    judgement.rule = Some(RuleRef { policy: "p".into(), index: 0, action: outcome, file: "f.yaml".into(), line: 3 });
    answer_to_verdict(Answer { verdict: outcome, judgement, seq: None })
}

fn ruling(outcome: Outcome) -> Ruling {
    Ruling::of([verdict(outcome, Vec::new())])
}

/// Removes the first four bytes of the result.
fn redaction() -> Ruling {
    Ruling::of([verdict(Outcome::Allow, vec![Edit { span: Span { start: 0, end: 4 }, with: "[x]".into() }])])
}

fn fixtures(agent: &str) -> Vec<(String, Value)> {
    let folder = Path::new(FIXTURES).join(agent);
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let captured: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), captured["stdin"].clone())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn told(call: &Call) -> String {
    let o = &call.origin;
    let mut line = format!("{:?} {}: {}", call.phase, call.action.tool(), call.action.subject()).to_lowercase();
    write!(line, " (session {}, run {}, depth {})", o.session, o.run.as_deref().unwrap_or("-"), o.depth).unwrap();
    line
}

fn said(reply: &Reply) -> String {
    let stderr = if reply.stderr.is_empty() { "" } else { " +stderr" };
    format!("{}{stderr} {}", reply.exit, if reply.stdout.is_empty() { "(nothing)" } else { &reply.stdout })
}

/// Everything that an agent's captured payloads become, and every answer to them.
fn transcript(agent: &'static Agent) -> String {
    let mut out = String::new();
    for (name, stdin) in fixtures(agent.name) {
        let heard = agent.parse(stdin.to_string().as_bytes(), &facts()).unwrap_or_else(|e| panic!("{name}: {e}"));
        writeln!(out, "# {name}").unwrap();
        for call in &heard.calls {
            writeln!(out, "{}", told(call)).unwrap();
            assert_eq!(call.origin.agent, agent.name);
            assert!(!call.origin.session.is_empty(), "{name}");
            assert_eq!(call.response.is_some(), heard.moment == Moment::After, "{name}");
        }
        if let Some(response) = heard.calls.first().and_then(|call| call.response.as_ref()) {
            let cut: String = response.text.chars().take(60).collect();
            writeln!(out, "  result {cut:?}").unwrap();
        }
        assert_eq!(heard.calls.is_empty(), heard.moment == Moment::Other, "{name}");
        let allowed = heard.reply(&ruling(Outcome::Allow));
        assert_eq!((allowed.exit, allowed.stderr.as_str()), (0, ""), "{name}");
        writeln!(out, "  allow {}", said(&allowed)).unwrap();
        if heard.moment == Moment::Other {
            continue;
        }
        if heard.calls.iter().any(|call| call.origin.can_ask) {
            writeln!(out, "  ask {}", said(&heard.reply(&ruling(Outcome::Ask)))).unwrap();
        }
        if heard.moment == Moment::After {
            writeln!(out, "  redact {}", said(&heard.reply(&redaction()))).unwrap();
        }
        writeln!(out, "  deny {}", said(&heard.reply(&ruling(Outcome::Deny)))).unwrap();
    }
    out
}

#[test]
fn captured_payloads_are_understood_and_answered() {
    // Of Cursor nothing could be captured; its shapes are tested below.
    for agent in ALL.iter().filter(|agent| agent.name != "cursor") {
        insta::assert_snapshot!(agent.name, transcript(agent));
    }
}

/// Whether every member of a value is in another one, and of the same kind.
fn is_part_of(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, member)| whole.get(name).is_some_and(|other| is_part_of(member, other)))
        }
        _ => std::mem::discriminant(part) == std::mem::discriminant(whole),
    }
}

/// What a hook is tried with is what the agent says, and its answer is read as the agent reads it.
#[test]
fn a_trial_is_of_the_captured_shape_and_its_answer_is_read() {
    for setup in setup::ALL {
        let agent = setup.agent;
        let payload = (setup.before)("rm -rf /", "/home/dev/project");
        if agent.name != "cursor" {
            let captured = fixtures(agent.name);
            let of_shape = |(_, stdin): &&(String, Value)| is_part_of(&payload, stdin);
            assert!(captured.iter().any(|captured| of_shape(&captured)), "{}: {payload}", agent.name);
        }
        let heard = agent.parse(payload.to_string().as_bytes(), &facts()).unwrap();
        let [call] = heard.calls.as_slice() else { panic!("{}: {:?}", agent.name, heard.calls) };
        assert_eq!((heard.moment, call.origin.session.as_str()), (Moment::Before, setup::TRIAL), "{}", agent.name);
        assert!(told(call).starts_with("before exec: rm -rf / "), "{}: {}", agent.name, told(call));
        let refused = |reply: Reply| {
            let answer = serde_json::from_str(&reply.stdout).unwrap_or_default();
            (setup.refused)(&answer, i32::from(reply.exit))
        };
        assert!(!refused(heard.reply(&ruling(Outcome::Allow))), "{}", agent.name);
        assert!(refused(heard.reply(&ruling(Outcome::Deny))), "{}", agent.name);
        assert!(refused(agent.refuse(Reason::GatewayUnreachable, "")), "{}", agent.name);
    }
}

#[test]
fn what_is_not_understood_is_refused_in_the_agents_own_protocol() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_INPUT));
    let inputs: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{\"hook_event_name\":\"PreToolUse\"", "EOF"),
        (br#"{"hook_event_name":"PreToolUse","hook_event_name":"Stop"}"#, "stands twice"),
        (b"{\"a\":\"\xff\"}", "not UTF-8"),
        (b"[1]", "not an object"),
        (b"{}", ""),
        (br#"{"hook_event_name":"Nonsense","hookName":"Nonsense","session_id":"s"}"#, ""),
        (long.as_bytes(), "larger than 4 MiB"),
    ];
    for agent in ALL {
        for (input, why) in inputs {
            let err = agent.parse(input, &facts()).unwrap_err().to_string();
            assert!(err.contains(why), "{}: {err}", agent.name);
        }
    }
    let refusals: Vec<_> = ALL
        .iter()
        .map(|a| format!("{}: {}", a.name, said(&a.refuse(Reason::Malformed, "the input is empty"))))
        .collect();
    insta::assert_snapshot!("refusals", refusals.join("\n"));
}

/// Every value of a payload in turn, taken away or put in place of another kind.
fn mutations(value: &Value) -> Vec<Value> {
    let mut all = vec![Value::Null, json!(7), json!(""), json!([]), json!({})];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let with = |new: Value| {
                    let mut members = members.clone();
                    members.insert(name.clone(), new);
                    Value::Object(members)
                };
                all.extend(mutations(member).into_iter().map(with));
                let mut without = members.clone();
                without.remove(name);
                all.push(Value::Object(without));
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                let with = |new: Value| {
                    let mut items = items.clone();
                    items[place] = new;
                    Value::Array(items)
                };
                all.extend(mutations(item).into_iter().map(with));
            }
        }
        _ => {}
    }
    all
}

#[test]
fn a_damaged_payload_is_judged_or_refused_but_never_taken_for_nothing_to_judge() {
    for agent in ALL.iter().filter(|agent| agent.name != "cursor") {
        for (name, stdin) in fixtures(agent.name) {
            if agent.parse(stdin.to_string().as_bytes(), &facts()).unwrap().moment != Moment::Before {
                continue;
            }
            for damaged in mutations(&stdin) {
                if let Ok(heard) = agent.parse(damaged.to_string().as_bytes(), &facts()) {
                    assert!(heard.moment != Moment::Other && !heard.calls.is_empty(), "{name}: {damaged}");
                }
            }
        }
    }
}

#[test]
fn every_refusal_has_a_reason_on_both_streams() {
    for agent in ALL {
        let reply = agent.refuse(Reason::GatewayUnreachable, "");
        assert!(reply.stderr.contains("Rampart refused this"), "{}", agent.name);
        assert!(serde_json::from_str::<Value>(&reply.stdout).unwrap().is_object(), "{}", agent.name);
        assert!(reply.stdout.contains("Rampart refused this"), "{}", agent.name);
    }
}

#[test]
fn names_and_aliases_are_unique() {
    let mut names: Vec<_> = ALL.iter().flat_map(|a| a.aliases.iter().chain([&a.name])).collect();
    for name in &names {
        assert!(find(name).is_some_and(|a| a.name == **name || a.aliases.contains(name)));
    }
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(find("vim").is_none());
}

#[test]
fn a_question_goes_to_the_host_only_where_it_has_a_prompt() {
    let bash = |event: &str| json!({"hook_event_name": event, "session_id": "s", "tool_name": "Bash", "tool_input": {"command": "ls"}});
    for (agent, event, word) in [
        ("claude-code", "PreToolUse", "\"ask\""),
        ("qwen-code", "PreToolUse", "\"ask\""),
        ("codex", "PreToolUse", "\"deny\""),
        ("gemini-cli", "BeforeTool", "\"deny\""),
    ] {
        let heard = find(agent).unwrap().parse(bash(event).to_string().as_bytes(), &facts()).unwrap();
        let reply = heard.reply(&ruling(Outcome::Ask));
        assert!(reply.stdout.contains(word), "{agent}: {}", reply.stdout);
    }
}

#[test]
fn the_strictest_verdict_counts_and_none_is_asked_for_after_a_refusal() {
    use Outcome::{Allow, Ask, Deny};
    for (outcomes, expected, asked) in [
        (vec![], "allow", 0),
        (vec![Allow, Allow], "allow", 2),
        (vec![Ask, Allow], "ask", 2),
        (vec![Allow, Ask, Deny, Allow], "deny", 3),
    ] {
        let mut count = 0;
        let ruling = Ruling::of(outcomes.iter().map(|o| {
            count += 1;
            verdict(*o, Vec::new())
        }));
        let word = match ruling {
            Ruling::Allow(_) => "allow",
            Ruling::Ask(_) => "ask",
            Ruling::Deny(_) => "deny",
        };
        assert_eq!((word, count), (expected, asked), "{outcomes:?}");
    }
}

#[test]
fn the_session_and_depth_that_rampart_set_come_before_the_agents_own() {
    let stdin = br#"{"hook_event_name":"PreToolUse","session_id":"theirs","agent_id":"a","tool_name":"Read","tool_input":{"file_path":"x"}}"#;
    let facts = Facts { session: Some("ours".into()), depth: 2, workspace: Some("/p".into()), ..facts() };
    let heard = find("claude").unwrap().parse(stdin, &facts).unwrap();
    let origin = &heard.calls.first().unwrap().origin;
    assert_eq!((origin.session.as_str(), origin.depth, origin.workspace.as_deref()), ("ours", 3, Some("/p")));
    assert_eq!(heard.cwd.as_deref(), Some("/home/dev/project"));
}

mod cursor {
    use super::*;

    /// Its payloads are from its SDK's code; nothing could be captured.
    fn heard(event: &str, more: Value) -> Heard {
        let mut payload = json!({
            "conversation_id": "c", "generation_id": "g", "model": "m", "hook_event_name": event,
            "cursor_version": "2.0", "workspace_roots": ["/w"], "user_email": null, "session_id": "c",
        });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        find("cursor").unwrap().parse(payload.to_string().as_bytes(), &facts()).unwrap()
    }

    #[test]
    fn its_events_become_actions() {
        let cases = [
            ("beforeShellExecution", json!({"command": "ls", "cwd": "/x", "sandbox": false}), "before exec: ls"),
            (
                "beforeReadFile",
                json!({"file_path": "/w/.env", "content": "A=1", "attachments": []}),
                "before read: /w/.env",
            ),
            (
                "beforeMCPExecution",
                json!({"tool_name": "echo", "tool_input": "{\"a\":1}", "mcp_server_name": "srv"}),
                "before mcp: srv/echo",
            ),
            (
                "preToolUse",
                json!({"tool_name": "Write", "tool_input": {"path": "a", "content": "x"}, "tool_use_id": "t"}),
                "before write: a",
            ),
            ("preToolUse", json!({"tool_name": "MCP:echo", "tool_input": {}}), "before mcp: echo"),
            ("afterShellExecution", json!({"command": "ls", "output": "a"}), "after exec: ls"),
            (
                "afterFileEdit",
                json!({"file_path": "f", "edits": [{"old_string": "a", "new_string": "b"}]}),
                "after edit: f",
            ),
            (
                "postToolUse",
                json!({"tool_name": "Shell", "tool_input": {"command": "ls"}, "tool_output": "{}"}),
                "after exec: ls",
            ),
        ];
        for (event, more, expected) in cases {
            let heard = heard(event, more);
            assert!(told(heard.calls.first().unwrap()).starts_with(expected), "{event}: {:?}", heard.calls);
        }
        assert_eq!(heard("beforeSubmitPrompt", json!({"prompt": "x"})).moment, Moment::Other);
    }

    #[test]
    fn its_answers() {
        let shell = heard("beforeShellExecution", json!({"command": "ls"}));
        let read = heard("beforeReadFile", json!({"file_path": "/w/.env"}));
        let mcp = heard("postToolUse", json!({"tool_name": "MCP:echo", "tool_input": {}, "tool_output": "secret"}));
        let answers = [
            said(&shell.reply(&ruling(Outcome::Allow))),
            said(&shell.reply(&ruling(Outcome::Ask))),
            said(&shell.reply(&ruling(Outcome::Deny))),
            said(&read.reply(&ruling(Outcome::Ask))),
            said(&mcp.reply(&redaction())),
            said(&mcp.reply(&ruling(Outcome::Deny))),
        ];
        insta::assert_snapshot!("cursor_answers", answers.join("\n"));
    }

    #[test]
    fn it_is_recognised_behind_claude_codes_hooks() {
        let stdin = json!({"cursor_version": "2.0", "hook_event_name": "preToolUse", "conversation_id": "c", "tool_name": "Shell", "tool_input": {"command": "ls"}});
        let heard = find("claude-code").unwrap().parse(stdin.to_string().as_bytes(), &facts()).unwrap();
        assert_eq!(heard.agent.name, "cursor");
        assert!(heard.reply(&ruling(Outcome::Deny)).stdout.contains("\"permission\":\"deny\""));
    }
}
