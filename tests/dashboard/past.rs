//! Looking back: a session's timeline across roads, exports, a policy tried on what was recorded; and how each road holds.

use super::*;

/// What one session did by two roads, beside another one.
fn recorded() -> World {
    let world = served();
    let ended = |hook: Child| Ran::from(hook.wait_with_output().unwrap());
    for (session, command) in
        [("s-1", "git status"), ("s-2", "ls"), ("s-1", "rm -rf <b>x</b>"), ("s-1", "npm install x")]
    {
        ended(hook(&world, session, command));
    }
    let fetch =
        json!({"agent": "codex", "session": "s-1", "params": {"method": "GET", "url": "https://docs.rs/serde"}});
    call(&world, "fetch", &fetch);
    world
}

#[test]
fn a_session_is_followed_across_roads_and_taken_along() {
    if !ready("a_session_is_followed_across_roads_and_taken_along") {
        return;
    }
    let world = recorded();
    let seen = play(&world, "session", &json!({"session": "s-1"}), &[]);
    assert_eq!(seen["lanes"], json!(["api", "hook"]), "{seen}");
    let rows: Vec<&str> = seen["rows"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    assert_eq!(rows.len(), 4, "{rows:#?}");
    for (row, (decision, what)) in rows.iter().zip([
        ("allow", "git status"),
        ("deny", "rm -rf <b>x</b>"),
        ("allow", "npm install x"),
        ("allow", "https://docs.rs/serde"),
    ]) {
        assert!(row.contains(decision) && row.contains(what), "{row}");
    }
    let text = |format: &str| {
        let file = &seen["exports"][format];
        assert_eq!(file["name"], format!("rampart-audit.{format}"));
        file["text"].as_str().unwrap().to_owned()
    };
    // What is taken along is what was looked for, byte for byte as the trail has it.
    let trail: Vec<String> =
        world.records().iter().filter(|r| r["actor"]["session"] == "s-1").map(Value::to_string).collect();
    let lines = text("jsonl");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(Value::to_string).collect::<Vec<_>>(), trail);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&text("json")).unwrap(), lines);
    assert_eq!((text("csv").lines().count(), text("cef").lines().count()), (5, 4));
}

#[test]
fn a_policy_is_tried_on_what_was_recorded_and_nothing_changes() {
    if !ready("a_policy_is_tried_on_what_was_recorded_and_nothing_changes") {
        return;
    }
    let world = recorded();
    let before = world.status()["policy"]["hash"].clone();
    let policy = "version: \"1\"\npolicies:\n  - name: no-installs\n    match: {tool: exec}\n    rules:\n      \
                  - action: ask\n        when: {command_matches: [\"npm install *\"]}\n        message: Ask first\n";
    let seen = play(&world, "whatIf", &json!({ "policy": policy }), &["status of 400", "status of 422"]);
    assert_eq!(seen["early"], true, "nothing is to be tried yet: {seen}");
    let told = seen["told"].as_str().unwrap();
    assert!(told.contains("1 of 5 calls would be decided differently"), "{told}");
    assert!(told.contains("npm install x") && told.contains("allow") && told.contains("ask"), "{told}");
    assert!(seen["refused"].as_str().unwrap().contains("policies") && seen["left"] == 0, "{seen}");
    assert_eq!(world.status()["policy"]["hash"], before);
}

#[test]
fn each_road_is_told_with_what_shows_it() {
    if !ready("each_road_is_told_with_what_shows_it") {
        return;
    }
    let world = served();
    world.write("home/.codex/config.toml", "");
    let seen = play(&world, "roads", &json!({}), &[]);
    let roads = seen["roads"].as_array().unwrap();
    let road = |name: &str| roads.iter().find_map(|row| row.as_str().filter(|row| row.starts_with(name)));
    for (name, protection, evidence) in [
        ("mcp", "advisory", "no client"),
        ("http", "advisory", "the proxy answers at"),
        ("codex", "open", "rampart setup codex"),
    ] {
        let row = road(name).unwrap_or_else(|| panic!("{name}: {seen}"));
        assert!(row.contains(protection) && row.contains(evidence), "{row}");
    }
    assert!(road("jail").is_none(), "no session runs in one: {seen}");
}
