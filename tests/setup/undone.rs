//! What others do to the files between setting up and undoing.

use serde_json::{Value, json};

use super::{everything, read, used};
use crate::world::World;

#[test]
fn what_others_change_meanwhile_stays() {
    let world = used();
    let path = "home/.gemini/settings.json";
    world.run(&["setup", "gemini"]).expect(0);
    world.write(path, read(&world, path).replacen("\"theme\":\"x\"", "\"theme\":\"y\", \"new\": [1]", 1));
    world.run(&["setup", "gemini"]).expect(0);
    world.run(&["setup", "gemini", "--remove"]).expect(0);
    let left: Value = serde_json::from_str(&read(&world, path)).unwrap();
    assert_eq!(left, json!({"theme": "y", "new": [1]}));
}

#[test]
fn trust_follows_a_hook_that_others_moved() {
    let world = used();
    world.run(&["setup", "codex"]).expect(0);
    let hooks = "home/.codex/hooks.json";
    let first = "\"PreToolUse\": [\n      {\"hooks\": [{\"type\": \"command\", \"command\": \"mine\"}]},";
    world.write(hooks, read(&world, hooks).replacen("\"PreToolUse\": [", first, 1));
    world.run(&["setup", "codex"]).expect(0);
    let config = read(&world, "home/.codex/config.toml");
    assert!(config.contains(":pre_tool_use:1:0") && !config.contains(":pre_tool_use:0:0"), "{config}");
    world.run(&["setup", "codex", "--remove"]).expect(0);
    let config = read(&world, "home/.codex/config.toml");
    assert!(!config.contains("trusted_hash"), "{config}");
    assert!(read(&world, hooks).contains("\"mine\"") && !read(&world, hooks).contains("rampart"));
}

#[test]
fn what_was_set_up_and_is_no_longer_is_noticed_and_mended() {
    let mut world = used();
    world.serve(&[]);
    for (agent, path, lost) in [
        ("claude-code", "home/.claude/settings.json", "{}"),
        ("codex", "home/.codex/config.toml", "model = \"x\"\n"),
        ("openclaw", "home/.openclaw/openclaw.json", "{}"),
        ("opencode", "home/.config/opencode/plugins/rampart.js", ""),
    ] {
        world.run(&["setup", agent]).expect(0);
        let whole = read(&world, path);
        world.run(&["doctor"]).expect(0);
        world.write(path, lost);
        let seen = world.run(&["doctor"]).expect(1);
        assert!(seen.stdout.contains("was set up, and its settings are no longer so"), "{agent}: {seen:?}");
        let mended = world.run(&["doctor", "--fix"]);
        assert!(mended.stdout.contains("asks Rampart again"), "{agent}: {mended:?}");
        assert!(
            read(&world, path).contains(if agent == "openclaw" { "agents/openclaw" } else { "rampart" }),
            "{agent}: {whole}"
        );
        world.run(&["doctor"]).expect(0);
    }
}

#[test]
fn a_hook_of_somebody_elses_gives_way_only_by_force_and_comes_back() {
    let world = used();
    let path = "home/.cline/hooks/PreToolUse";
    world.write(path, "#!/bin/sh\necho '{}'\n");
    let ran = world.run(&["setup", "cline"]).expect(2);
    assert!(ran.stderr.contains("somebody else's; --force"), "{ran:?}");
    assert!(!world.path("home/.cline/hooks/PostToolUse").exists(), "all of it or nothing");
    world.run(&["setup", "cline", "--force"]).expect(0);
    assert!(read(&world, path).contains("hook --format cline"));
    world.run(&["setup", "cline", "--remove"]).expect(0);
    assert_eq!(read(&world, path), "#!/bin/sh\necho '{}'\n");
}

#[test]
fn what_cannot_be_read_or_is_a_link_stays_what_it_is() {
    let world = used();
    let path = "home/.qwen/settings.json";
    world.write(path, "{ \"a\": ");
    let ran = world.run(&["setup", "qwen"]).expect(2);
    assert!(ran.stderr.contains("settings.json") && ran.stderr.contains("cannot be read"), "{ran:?}");
    assert_eq!(read(&world, path), "{ \"a\": ");
    let world = World::new();
    world.write("dotfiles/claude.json", "{}");
    std::fs::create_dir_all(world.path("home/.claude")).unwrap();
    let link = world.path("home/.claude/settings.json");
    std::os::unix::fs::symlink(world.path("dotfiles/claude.json"), &link).unwrap();
    world.run(&["setup", "claude-code"]).expect(0);
    assert!(link.is_symlink() && read(&world, "dotfiles/claude.json").contains("rampart"));
    world.run(&["setup", "claude-code", "--remove"]).expect(0);
    assert!(link.is_symlink());
    assert_eq!(read(&world, "dotfiles/claude.json"), "{}");
}

#[test]
fn all_agents_are_given_back_at_once() {
    let world = used();
    let before = everything(&world);
    let nothing = world.run(&["setup", "--remove"]).expect(0);
    assert!(nothing.stderr.contains("nothing to remove"), "{nothing:?}");
    for agent in ["claude-code", "codex", "cursor"] {
        world.run(&["setup", agent]).expect(0);
    }
    let shown = world.run(&["setup", "--remove", "--dry-run"]).expect(0);
    assert_eq!(shown.stderr.matches("would be as it was").count(), 3, "{shown:?}");
    let ran = world.run(&["setup", "--remove"]).expect(0);
    assert_eq!(ran.stderr.matches("no longer asks Rampart").count(), 3, "{ran:?}");
    let of_agents = |all: Vec<(String, Vec<u8>)>| {
        all.into_iter().filter(|(path, _)| !path.contains(".rampart")).collect::<Vec<_>>()
    };
    assert_eq!(of_agents(everything(&world)), of_agents(before));
}
