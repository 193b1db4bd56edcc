//! `rampart mcp install`: the configurations of clients, wrapped and as they were.

use serde_json::{Value, json};

use crate::world::{Ran, Talk, World, bin};

const SEED: &str = include_str!("fixtures/seed.yaml");

fn read(world: &World, path: &str) -> String {
    std::fs::read_to_string(world.path(path)).unwrap()
}

/// A configuration of each client, with odd formatting, foreign settings and what cannot be wrapped.
fn configurations(world: &World) -> Vec<(&'static str, &'static str, String)> {
    let server = r#"{ "command":"npx",  "args":["-y","srv"], "env": {"KEY": "v"} }"#;
    let all = vec![
        (
            "claude-code",
            "home/.claude.json",
            format!("{{\"numStartups\":  7,\n \"mcpServers\": {{\"a\": {server}}},\n\"projects\": {{\"/p\": {{\"mcpServers\": {{\"b\":{server}}}, \"history\": []}}}} }}"),
        ),
        ("claude-code", "project/.mcp.json", format!("{{\"mcpServers\": {{\"a\": {server}, \"remote\": {{\"url\": \"https://x.example\"}}}}}}\n")),
        ("claude-desktop", "home/.config/Claude/claude_desktop_config.json", format!("{{\n\t\"mcpServers\": {{\n\t\t\"a\": {server}\n\t}}\n}}")),
        ("cursor", "home/.cursor/mcp.json", format!("{{\"mcpServers\":{{\"a\":{server}}}}}")),
        ("vscode", "project/.vscode/mcp.json", format!("{{\n  // mine\n  \"servers\": {{\"a\": {server},}},\n}}\n")),
        ("codex", "home/.codex/config.toml", "model = \"x\" # kept\r\n\r\n[mcp_servers.a]\r\ncommand = 'npx'\r\nargs = ['-y', 'srv']\r\n[mcp_servers.a.env]\r\nKEY = \"v\"\r\n".into()),
        ("gemini", "home/.gemini/settings.json", format!("{{\"theme\":\"x\",\"mcpServers\":{{\"a\":{server}}}}}")),
        ("cline", "home/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json", format!("{{\"mcpServers\":{{\"a\":{server}}}}}")),
    ];
    for (_, path, text) in &all {
        world.write(path, text);
    }
    all
}

#[test]
fn every_client_is_wrapped_once_and_comes_back_byte_for_byte() {
    let world = World::with_policy(SEED);
    std::fs::create_dir_all(world.path("project/.git")).unwrap();
    let all = configurations(&world);
    crate::world::set_mode(&world.path("home/.cursor/mcp.json"), 0o640);

    let dry = world.run(&["mcp", "install", "--dry-run"]).expect(0);
    assert!(dry.stdout.contains("--name=a") && dry.stderr.contains("would be wrapped: a"), "{dry:?}");
    assert!(all.iter().all(|(_, path, text)| read(&world, path) == *text), "a dry run changes nothing");

    let ran = world.run(&["mcp", "install"]).expect(0);
    assert!(ran.stderr.contains("remote is left as it is: it is reached by a URL"), "{ran:?}");
    let wrapped: Vec<String> = all.iter().map(|(_, path, _)| read(&world, path)).collect();
    for ((client, path, before), now) in all.iter().zip(&wrapped) {
        assert_ne!(before, now, "{client}");
        let own = if path.starts_with("project/") { "\"rampart\"".into() } else { json!(bin("rampart")).to_string() };
        assert!(now.contains(&own), "{client}: {now}");
        assert!(now.contains(r#""mcp", "--name=a", "--env", "KEY", "--", "#), "{client}: {now}");
    }
    let mode = std::os::unix::fs::MetadataExt::mode(&world.path("home/.cursor/mcp.json").metadata().unwrap());
    assert_eq!(mode & 0o777, 0o640);

    let again = world.run(&["mcp", "install"]).expect(0);
    assert!(again.stderr.contains("nothing to wrap") && again.stdout.is_empty(), "{again:?}");
    assert!(all.iter().zip(&wrapped).all(|((_, path, _), text)| read(&world, path) == *text));

    world.run(&["mcp", "install", "--remove"]).expect(0);
    for (client, path, before) in &all {
        assert_eq!(read(&world, path), *before, "{client}");
    }
    let kept = std::fs::read_dir(world.home().join("mcp/before")).unwrap().count();
    assert_eq!(kept, 0, "what was undone needs no backup");
}

#[test]
fn what_others_change_meanwhile_stays() {
    let world = World::with_policy(SEED);
    let path = "home/.cursor/mcp.json";
    world.write(path, r#"{"mcpServers":{"a":{"command":"x","args":[]}}}"#);
    world.run(&["mcp", "install", "cursor"]).expect(0);
    world.write(path, read(&world, path).replace("}}}", r#"},"b":{"command":"y"}},"new":1}"#));
    world.run(&["mcp", "install", "cursor"]).expect(0);
    assert!(read(&world, path).contains("--name=b"));
    world.run(&["mcp", "install", "cursor", "--remove"]).expect(0);
    assert_eq!(read(&world, path), r#"{"mcpServers":{"a":{"command":"x","args":[]},"b":{"command":"y"}},"new":1}"#);
}

#[test]
fn what_cannot_be_read_is_named_and_left() {
    let world = World::with_policy(SEED);
    world.write("home/.cursor/mcp.json", "{\"mcpServers\": {");
    world.write("home/.gemini/settings.json", r#"{"mcpServers":{"a":{"command":"x"}}}"#);
    let ran = world.run(&["mcp", "install"]).expect(2);
    assert!(ran.stderr.contains(".cursor/mcp.json: it cannot be read"), "{ran:?}");
    assert!(read(&world, "home/.gemini/settings.json").contains("--name=a"), "the others are wrapped all the same");
    assert_eq!(read(&world, "home/.cursor/mcp.json"), "{\"mcpServers\": {");
    let none = world.run(&["mcp", "install", "codex"]).expect(2);
    assert!(
        none.stderr.contains("there is no configuration") && none.stderr.contains(".codex/config.toml"),
        "{none:?}"
    );
    let unknown = world.run(&["mcp", "install", "emacs"]).expect(2);
    assert!(unknown.stderr.contains("claude-desktop"), "{unknown:?}");
    let mut agent = world.rampart(&["mcp", "install", "gemini", "--remove"]);
    let refused = Ran::from(agent.env("RAMPART_SESSION", "s1").output().unwrap());
    assert!(!refused.success() && refused.stderr.contains("changed by people"), "{refused:?}");
}

#[test]
fn a_wrapped_server_starts_as_its_client_starts_it() {
    let world = World::with_policy(SEED);
    let script = r#"read -r line; printf '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"%s"}]}}\n' "$KEY"; cat >/dev/null"#;
    let config =
        json!({"mcpServers": {"mine": {"command": "sh", "args": ["-c", script], "env": {"KEY": "from the client"}}}});
    world.write("home/.cursor/mcp.json", config.to_string());
    world.run(&["mcp", "install", "cursor"]).expect(0);
    let config: Value = serde_json::from_str(&read(&world, "home/.cursor/mcp.json")).unwrap();
    let server = &config["mcpServers"]["mine"];
    let mut command = world.command(server["command"].as_str().unwrap());
    command.args(server["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()));
    for (name, value) in server["env"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    let mut talk = Talk::start(command);
    talk.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{}}}"#);
    assert_eq!(talk.hear_json()["result"]["content"][0]["text"], "from the client");
    talk.finish();
    let decision = &world.decisions()[0];
    assert!(decision.to_string().contains("\"mine\""), "policy knows the server by the client's name: {decision:#}");
}
