use super::*;

const TOOLS: &Tools = &[
    ("exec", Shape::Exec),
    ("type", Shape::Type),
    ("read", Shape::Read),
    ("look", Shape::Look),
    ("glob", Shape::Glob),
    ("write", Shape::Write),
    ("edit", Shape::Edit),
    ("editor", Shape::Editor),
    ("patch", Shape::Patch),
    ("fetch", Shape::Fetch),
    ("prompt", Shape::FetchPrompt),
    ("resource", Shape::Resource),
    ("call", Shape::Wrapper),
];

/// Each action as its word and its subject.
fn heard(tool: &str, input: Value) -> Vec<String> {
    let actions = of(TOOLS, tool, &input, Some("/w")).unwrap();
    actions.iter().map(|action| format!("{} {}", action.tool(), action.subject())).collect()
}

#[track_caller]
fn malformed(tool: &str, input: Value, why: &str) {
    let err = of(TOOLS, tool, &input, None).unwrap_err().to_string();
    assert!(err.contains(why), "{err}");
}

#[test]
fn each_shape_says_what_would_be_done() {
    let cases: &[(&str, Value, &[&str])] = &[
        ("exec", json!({"command": "ls; rm x"}), &["exec ls; rm x"]),
        ("exec", json!({"command": ["rm", "a b"]}), &["exec rm 'a b'"]),
        ("exec", json!({"commands": ["a", {"command": "b"}]}), &["exec a", "exec b"]),
        ("type", json!({"chars": "rm x\n"}), &["exec rm x\n"]),
        ("type", json!({"session_id": 3, "chars": ""}), &["type type"]),
        ("read", json!({"file_path": "/a"}), &["read /a"]),
        ("read", json!({"paths": ["a", "b", "a"], "path": "c"}), &["read c a b"]),
        ("read", json!({"files": [{"path": "a", "start_line": 1}, "b"]}), &["read a b"]),
        ("look", json!({"pattern": "x"}), &["read /w"]),
        ("look", json!({"pattern": "x", "path": "/etc", "glob": "*.env"}), &["read /etc /etc/*.env"]),
        ("look", json!({"pattern": "x", "include": ".env"}), &["read /w /w/.env"]),
        ("look", json!({"pattern": "x", "path": null}), &["read /w"]),
        ("glob", json!({"pattern": "**/*.rs"}), &["read /w /w/**/*.rs"]),
        ("glob", json!({"pattern": "/root/.ssh/*", "path": "/x"}), &["read /x /root/.ssh/*"]),
        ("write", json!({"file_path": "/a", "content": "x"}), &["write /a"]),
        ("edit", json!({"notebook_path": "/a.ipynb", "new_source": "x"}), &["edit /a.ipynb"]),
        ("editor", json!({"path": "a", "new_text": "x"}), &["write a"]),
        ("editor", json!({"path": "a", "old_text": "y", "new_text": "x"}), &["edit a"]),
        ("editor", json!({"path": "a", "command": "view"}), &["read a"]),
        ("editor", json!({"path": "a", "command": "create", "file_text": "x"}), &["write a"]),
        ("editor", json!({"path": "a", "command": "insert", "insert_line": 1}), &["edit a"]),
        ("patch", json!({"input": "*** Add File: n\n+x\n*** Delete File: /etc/d\n"}), &["write n", "edit /etc/d"]),
        ("patch", json!({"command": ["apply_patch", "*** Update File: u\n"]}), &["edit u"]),
        ("fetch", json!({"url": "https://x.io"}), &["fetch GET https://x.io"]),
        (
            "fetch",
            json!({"requests": [{"url": "http://a"}, {"url": "http://b"}]}),
            &["fetch GET http://a", "fetch GET http://b"],
        ),
        (
            "prompt",
            json!({"prompt": "Compare (HTTPS://a.io/x?q=1), \"http://b.io/.\" and nothttp."}),
            &["fetch GET HTTPS://a.io/x?q=1", "fetch GET http://b.io/"],
        ),
        ("resource", json!({"server": "s", "uri": "file:///x"}), &["mcp s/file:///x"]),
        ("call", json!({"id": "exec", "args": {"command": "ls"}}), &["exec ls"]),
        ("call", json!({"name": "call", "arguments": "{\"tool\":\"read\",\"args\":{\"path\":\"p\"}}"}), &["read p"]),
        ("mcp__srv__do__it", json!({"a": 1}), &["mcp srv/do__it"]),
        ("mcp__srv__", json!({}), &["mcp__srv__ mcp__srv__"]),
        ("TodoWrite", json!({"todos": []}), &["TodoWrite TodoWrite"]),
    ];
    for (tool, input, expected) in cases {
        assert_eq!(&heard(tool, input.clone()), expected, "{tool} {input}");
    }
}

#[test]
fn a_relative_working_directory_starts_from_the_sessions() {
    for (own, expected) in [("sub", "/w/sub"), ("/abs", "/abs"), ("", "/w")] {
        let actions = of(TOOLS, "exec", &json!({"command": "ls", "workdir": own}), Some("/w/")).unwrap();
        let [Action::Exec { cwd: Some(cwd), .. }] = actions.as_slice() else { panic!("{actions:?}") };
        assert_eq!(cwd.trim_end_matches('/'), expected);
    }
}

#[test]
fn a_known_tool_that_does_not_say_what_it_does_is_malformed() {
    malformed("exec", json!({}), "`exec` came without a command");
    malformed("exec", json!({"command": 7}), "a command");
    malformed("exec", json!({"command": ["rm", 7]}), "a command");
    malformed("exec", json!({"commands": ["ls", 7]}), "a command");
    malformed("exec", json!({"commands": []}), "a command");
    malformed("read", json!({"file_path": ""}), "a path");
    malformed("read", json!({"files": [{"path": "a"}, 7]}), "not text");
    malformed("read", json!({"file_path": 7}), "not text");
    malformed("write", json!({"content": "x"}), "a path");
    malformed("patch", json!({"input": "nothing"}), "a patch");
    malformed("fetch", json!({"prompt": "x"}), "a URL");
    malformed("fetch", json!({"requests": [{"url": "http://a"}, {"uri": "http://b"}]}), "a URL");
    malformed("call", json!({"args": {}}), "the name of the tool");
    malformed("call", json!({"id": "exec", "args": "{"}), "not JSON");
    let mut nested = json!({"command": "ls"});
    for _ in 0..9 {
        nested = json!({"id": "call", "args": nested});
    }
    malformed("call", nested, "nested too deep");
}

#[test]
fn what_would_be_written_is_told() {
    let written = |tool, input| match of(TOOLS, tool, &input, None).unwrap().remove(0) {
        Action::Write { content, .. } | Action::Edit { content, .. } => content,
        other => panic!("{other:?}"),
    };
    assert_eq!(written("write", json!({"path": "a", "file_text": "t"})).as_deref(), Some("t"));
    assert_eq!(
        written("edit", json!({"path": "a", "edits": [{"new_string": "x"}, {"new_string": "y"}]})).as_deref(),
        Some("x\ny")
    );
    assert_eq!(written("patch", json!({"patch": "*** Add File: a\n+l\n"})).as_deref(), Some("l\n"));
    assert_eq!(written("write", json!({"path": "a"})), None);
}
