use serde_json::json;

use super::*;

fn group(command: &str) -> Value {
    json!({"matcher": "*", "hooks": [{"type": "command", "command": command}]})
}

fn hook(command: &str) -> Vec<Entry> {
    vec![
        Entry::Default(vec!["version"], json!(1)),
        Entry::Element(vec!["hooks", "PreToolUse"], group(command)),
        Entry::Element(vec!["hooks", "Stop"], group(command)),
    ]
}

const OURS: &str = "/usr/bin/rampart hook --format claude-code";

#[test]
fn whatever_stood_there_stands_there_with_it_and_without_it() {
    for before in [
        "{}",
        "{ }\n",
        "{\"version\":1}",
        "{\"version\": 2, \"model\": \"x\"}",
        "{\n  \"version\": 1,\n  \"model\": \"x\"\n}\n",
        "{\n\t// mine\n\t\"version\": 1, \"env\": { \"A\":  1.0 },\n}\n",
        "{\"version\":1,\"hooks\":{\"PreToolUse\":[{\"matcher\":\"Bash\",\"hooks\":[{\"type\":\"command\",\"command\":\"x\"}]}]}}",
        "{\n    \"version\": 1,\n    \"hooks\": {\n        \"PreToolUse\": [\n            { \"hooks\": [] }\n        ],\n        \"Other\": []\n    },\n    \"z\": [1,2]\n}",
    ] {
        let entries = hook(OURS);
        let put_once = put(before, &entries).unwrap();
        let mut expected = value(before).unwrap();
        let now = value(&put_once).unwrap();
        for event in ["PreToolUse", "Stop"] {
            assert_eq!(now["hooks"][event].as_array().unwrap().last(), Some(&group(OURS)), "{put_once}");
        }
        assert_eq!(put(&put_once, &entries).unwrap(), put_once, "once more changes nothing");
        let moved = put(&put_once, &hook("/opt/rampart-shim hook --format claude-code")).unwrap();
        assert_eq!(moved.matches("hook --format").count(), 2, "{moved}");
        let mut taken = value(&take(&moved, &entries).unwrap()).unwrap();
        // A member that every file has is not taken away again.
        for value in [&mut taken, &mut expected] {
            value.as_object_mut().unwrap().remove("version");
        }
        assert_eq!(taken, expected, "{before}");
    }
}

#[test]
fn a_new_file_is_laid_out_and_bare_without_us() {
    let made = put("", &hook(OURS)).unwrap();
    assert!(made.starts_with("{\n  \"") && made.ends_with("}\n"), "{made}");
    assert!(is_bare(&take(&made, &hook(OURS)).unwrap(), &hook(OURS)));
    assert!(!is_bare("{\"model\": 1}", &hook(OURS)));
}

#[test]
fn a_group_put_together_by_hand_is_left_alone() {
    let by_hand = json!({"hooks": {"PreToolUse": [{"hooks": [{"command": "mine"}, {"command": OURS}]}]}}).to_string();
    let entries = [Entry::Element(vec!["hooks", "PreToolUse"], group(OURS))];
    assert_eq!(put(&by_hand, &entries).unwrap(), by_hand);
    assert_eq!(take(&by_hand, &entries).unwrap(), by_hand);
}

#[test]
fn a_list_that_shuts_others_out_is_not_made() {
    let entries = [
        Entry::Listed(vec!["plugins", "allow"], json!("rampart")),
        Entry::Member(vec!["plugins", "entries", "rampart"], json!({"enabled": true})),
    ];
    assert_eq!(
        value(&put("{}", &entries).unwrap()).unwrap(),
        json!({"plugins": {"entries": {"rampart": {"enabled": true}}}})
    );
    let json5 = "{ plugins: { allow: ['x'], }, }";
    let with = put(json5, &entries).unwrap();
    assert_eq!(value(&with).unwrap()["plugins"]["allow"], json!(["x", "rampart"]));
    assert_eq!(value(&take(&with, &entries).unwrap()).unwrap(), value(json5).unwrap());
}

#[test]
fn what_is_not_what_it_should_be_is_an_error() {
    for text in ["[", "[]", "{\"hooks\": []}", "{\"hooks\": {\"PreToolUse\": {}}}", "{\"a\": 1 \"b\": 2}"] {
        assert!(put(text, &hook(OURS)).is_err(), "{text}");
    }
}
