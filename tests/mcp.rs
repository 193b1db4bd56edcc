//! The MCP road: `rampart mcp -- SERVER` between real clients and real servers.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::world::{Ran, Talk, World, bin, clients, run_with};

const SEED: &str = include_str!("fixtures/seed.yaml");

/// The filesystem server's command line, node first.
fn filesystem(clients: &Path, dir: &Path) -> Vec<String> {
    let node = clients.join("node_modules/.bin/node");
    let server = clients.join("node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
    [node, server, dir.to_path_buf()].iter().map(|p| p.to_str().unwrap().to_owned()).collect()
}

fn shared_files(world: &World) -> PathBuf {
    world.write("project/files/.env", "TOKEN=not-for-agents\n");
    world.path("project/files")
}

#[track_caller]
fn refused_env(result: &Value) {
    assert_eq!(result["isError"], true, "{result:#}");
    let text = result["text"].as_str().unwrap();
    assert!(text.contains("block-credential-reads"), "the rule is named: {text}");
    assert!(text.contains("rampart allow"), "the way forward is named: {text}");
    assert!(!text.contains("not-for-agents"), "{text}");
}

#[test]
fn the_typescript_sdk_talks_through_the_firewall() {
    let Some(clients) = clients("the_typescript_sdk_talks_through_the_firewall") else { return };
    let world = World::with_policy(SEED);
    let dir = shared_files(&world);
    // The script stands where its imports are found.
    std::fs::copy(crate::world::root().join("tests/clients/sdk.mjs"), clients.join("sdk.mjs")).unwrap();
    let server = filesystem(&clients, &dir);
    let mut client = world.command(&server[0]);
    client.arg(clients.join("sdk.mjs")).arg(&dir).arg(bin("rampart")).args(["mcp", "--"]).args(&server);
    let seen = Ran::from(client.output().unwrap()).expect(0).json();
    assert_eq!(seen["server"]["name"], "secure-filesystem-server");
    assert_eq!(seen["read"], "written through the firewall");
    assert_eq!(seen["concurrent"], 20, "{seen:#}");
    assert_eq!(seen["cancelled"], true, "{seen:#}");
    assert_eq!(seen["after"], true, "{seen:#}");
    refused_env(&seen["secret"]);
    let denials: Vec<_> = world.decisions().into_iter().filter(|d| d["outcome"] == "deny").collect();
    assert_eq!(denials.len(), 1, "{denials:#?}");
    assert_eq!(denials[0]["actor"]["surface"], "mcp-stdio");
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn the_python_sdk_talks_through_the_firewall() {
    let Some(clients) = clients("the_python_sdk_talks_through_the_firewall") else { return };
    let world = World::with_policy(SEED);
    let dir = shared_files(&world);
    // The SDK's second version, and its first.
    for python in ["python", "python-1"] {
        let mut client = world.command(clients.join(python).join("bin/python"));
        client.arg(crate::world::root().join("tests/clients/sdk.py")).arg(&dir).arg(bin("rampart"));
        client.args(["mcp", "--"]).args(filesystem(&clients, &dir));
        let seen = Ran::from(client.output().unwrap()).expect(0).json();
        assert_eq!(seen["read"], "written through the firewall", "{python}");
        assert_eq!(seen["concurrent"], 20, "{python}: {seen:#}");
        refused_env(&seen["secret"]);
    }
}

#[test]
fn the_inspector_talks_through_the_firewall() {
    let Some(clients) = clients("the_inspector_talks_through_the_firewall") else { return };
    let world = World::with_policy(SEED);
    let dir = shared_files(&world);
    world.write("project/files/a.txt", "plain");
    let inspect = |args: &[&str]| {
        let mut client = world.command(clients.join("node_modules/.bin/node"));
        client.arg(clients.join("node_modules/.bin/mcp-inspector")).arg("--cli").arg(bin("rampart"));
        client.args(["mcp", "--"]).args(filesystem(&clients, &dir)).args(args);
        Ran::from(client.stdin(Stdio::null()).output().unwrap())
    };
    let list = inspect(&["--method", "tools/list"]).expect(0);
    assert!(list.stdout.contains("read_text_file"), "{list:?}");
    let path = |name: &str| format!("path={}", dir.join(name).display());
    let read =
        |name: &str| inspect(&["--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg", &path(name)]);
    assert!(read("a.txt").expect(0).stdout.contains("plain"));
    // 5 is the inspector's code for a tool that returned isError.
    let refused = read(".env").expect(5);
    assert!(refused.stdout.contains("block-credential-reads"), "{refused:?}");
}

/// What goes in and comes out of a server, line by line, directly and through the firewall.
fn transcript(mut command: Command, lines: &[String], answers: usize) -> Vec<String> {
    let mut talk = Talk::start({
        command.stderr(Stdio::null());
        command
    });
    let mut heard = Vec::new();
    for line in lines {
        talk.say(line);
        if line.contains("\"id\"") {
            heard.push(talk.hear());
        }
    }
    assert_eq!(heard.len(), answers);
    heard
}

#[test]
fn what_policy_passes_is_equal_byte_for_byte() {
    let Some(clients) = clients("what_policy_passes_is_equal_byte_for_byte") else { return };
    let world = World::with_policy(SEED);
    let dir = shared_files(&world);
    world.write("project/files/a.txt", "plain \u{1f600} \u{0}text");
    let lines: Vec<String> = [
        json!({"jsonrpc":"2.0","id":"a-1","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"},"_meta":{"x/unknown":[1.50,null]}}}),
        json!({"jsonrpc":"2.0","method":"notifications/initialized"}),
        json!({"jsonrpc":"2.0","id":2,"method":"ping"}),
        // Before the first list, which pins what there is.
        json!({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"no_such_tool","arguments":{}}}),
        json!({"jsonrpc":"2.0","id":3,"method":"tools/list"}),
        json!({"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":dir.join("a.txt")}}}),
        json!({"jsonrpc":"2.0","id":6,"method":"vendor/unknown","params":{"deep":{"er":[{}]}}}),
    ]
    .iter()
    .map(Value::to_string)
    .collect();
    let server = filesystem(&clients, &dir);
    let mut direct = world.command(&server[0]);
    direct.args(&server[1..]);
    let mut through = world.rampart(&["mcp", "--"]);
    through.args(&server);
    assert_eq!(transcript(direct, &lines, 6), transcript(through, &lines, 6));
}

#[test]
fn servers_that_people_use_say_the_same_through_the_firewall() {
    let Some(clients) = clients("servers_that_people_use_say_the_same_through_the_firewall") else { return };
    let world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    let project = world.project();
    let git = |args: &[&str]| {
        let mut git = world.command("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-C"]).arg(&project).args(args);
        assert!(git.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(), "{args:?}");
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    let page = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", page.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in page.incoming().map_while(Result::ok) {
            let _ = connection.read(&mut [0; 4096]);
            let _ =
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    let node = |package: &str| {
        let script = clients.join("node_modules/@modelcontextprotocol").join(package).join("dist/index.js");
        vec![clients.join("node_modules/.bin/node").display().to_string(), script.display().to_string()]
    };
    let python = |name: &str, args: &[&str]| {
        let program = clients.join("python/bin").join(name).display().to_string();
        [vec![program], args.iter().map(|arg| (*arg).to_owned()).collect()].concat()
    };
    let entity = json!({"name": "Ada", "entityType": "person", "observations": ["counts"]});
    let thought = json!({"thought": "t", "nextThoughtNeeded": false, "thoughtNumber": 1, "totalThoughts": 1});
    for (server, tool, arguments) in [
        (node("server-memory"), "create_entities", json!({"entities": [entity]})),
        (node("server-sequential-thinking"), "sequentialthinking", thought),
        (node("server-everything"), "echo", json!({"message": "hi"})),
        (python("mcp-server-git", &[]), "git_log", json!({"repo_path": project})),
        (
            python("mcp-server-time", &[]),
            "convert_time",
            json!({"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}),
        ),
        (
            python("mcp-server-fetch", &["--ignore-robots-txt", "--allow-private-ips"]),
            "fetch",
            json!({"url": url, "raw": true}),
        ),
    ] {
        let lines: Vec<String> = [
            json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}),
            json!({"jsonrpc":"2.0","method":"notifications/initialized"}),
            json!({"jsonrpc":"2.0","id":2,"method":"tools/list"}),
            json!({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":tool,"arguments":arguments}}),
            json!({"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":tool,"arguments":{"wrong":[1]}}}),
        ]
        .iter()
        .map(Value::to_string)
        .collect();
        let heard = |mut command: Command, memory: &str| {
            command.env("MEMORY_FILE_PATH", world.path(memory)).current_dir(&project);
            // What comes without being asked for has no fixed place.
            answers(command, &lines)
        };
        let mut direct = world.command(&server[0]);
        direct.args(&server[1..]);
        let mut through = world.rampart(&["mcp", "--no-proxy", "--env", "MEMORY_FILE_PATH", "--"]);
        through.args(&server);
        let direct = heard(direct, "memory-1");
        assert!(
            direct[2].contains("\"content\"") && !direct[2].contains("\"isError\":true"),
            "{server:?}: {}",
            direct[2]
        );
        let through = heard(through, "memory-2");
        assert_eq!(through, direct, "{server:?}");
    }
}

/// The answers to the requests among these lines, each asked when the one before it is answered.
fn answers(mut command: Command, lines: &[String]) -> Vec<String> {
    let mut talk = Talk::start({
        command.stderr(Stdio::null());
        command
    })
    .that_is_slow();
    let mut heard = Vec::new();
    for line in lines {
        talk.say(line);
        let Value::Number(id) = serde_json::from_str::<Value>(line).unwrap()["id"].clone() else { continue };
        heard.push(loop {
            let line = talk.hear();
            if serde_json::from_str::<Value>(&line).unwrap()["id"] == Value::Number(id.clone()) {
                break line;
            }
        });
    }
    heard
}

/// A server of one line of shell.
fn mcp_sh(world: &World, script: &str) -> Command {
    let mut command = world.rampart(&["mcp", "--", "sh", "-c"]);
    command.arg(script);
    command
}

fn request(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"x","arguments":{{}}}}}}"#)
}

#[test]
fn the_servers_exit_code_and_standard_error_are_ours() {
    let world = World::with_policy(SEED);
    let ran = run_with(mcp_sh(&world, "echo its own words >&2; cat >/dev/null; exit 7"), b"").expect(7);
    assert!(ran.stderr.contains("its own words"), "{ran:?}");
    let told = ran.stderr.lines().find(|line| line.starts_with("rampart: in front of `")).unwrap_or_default();
    let (_, command) = told.split_once("every call is judged; `rampart ").unwrap_or_else(|| panic!("{ran:?}"));
    let log: Vec<&str> = command.trim_end_matches("` shows them").split(' ').collect();
    world.run(&log).expect(0);
    let ran = run_with(world.rampart(&["mcp", "--", "no-such-server-program"]), b"").expect(127);
    assert!(ran.stderr.contains("no-such-server-program"), "{ran:?}");
}

#[test]
fn a_server_that_says_nothing_about_a_request_in_time_loses_it() {
    let world = World::with_policy(SEED);
    let mut command = world.rampart(&["mcp", "--timeout", "1", "--", "sh", "-c"]);
    command.arg(r#"read line; read line; echo "$line" >&2; cat >/dev/null"#);
    let mut talk = Talk::start(command);
    talk.say(&request(1));
    let begun = Instant::now();
    let answer = talk.hear_json();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32603)), "{answer}");
    let ran = talk.finish();
    assert!(ran.stderr.contains("notifications/cancelled"), "the server hears of it: {ran:?}");
}

#[test]
fn a_server_that_dies_answers_every_open_request_with_an_error() {
    let world = World::with_policy(SEED);
    let mut talk = Talk::start(mcp_sh(&world, "read one; read two; kill -9 $$"));
    talk.say(&request(1));
    talk.say(&request(2));
    let mut ids: Vec<_> = (0..2)
        .map(|_| talk.hear_json())
        .map(|answer| {
            assert!(answer["error"]["message"].is_string(), "{answer}");
            answer["id"].as_u64().unwrap()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    assert_eq!(talk.finish().code, Some(128 + 9));
}

#[test]
fn noise_on_standard_output_is_dropped_and_the_session_lives() {
    let world = World::with_policy(SEED);
    let script = r#"echo "Server starting..."; echo '{"half":'; read line; echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; cat >/dev/null"#;
    let mut talk = Talk::start(mcp_sh(&world, script));
    talk.say(&request(1));
    assert_eq!(talk.hear(), r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#);
    talk.finish();
}

#[test]
fn malformed_lines_of_a_client_are_errors_and_never_reach_the_server() {
    let world = World::with_policy(SEED);
    let seen = world.path("seen");
    let mut talk = Talk::start(mcp_sh(&world, &format!("cat > {}", seen.display())));
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":2,"Method":"tools/call"}"#,
        r#"[{"jsonrpc":"2.0","id":3,"method":"ping"}]"#,
        r#"{"jsonrpc":"2.0","id":4"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
    ] {
        talk.say(line);
        let answer = talk.hear_json();
        assert!(answer["error"]["code"].is_i64(), "{answer}");
    }
    talk.finish();
    assert_eq!(std::fs::read_to_string(seen).unwrap_or_default(), "");
}

#[test]
fn a_line_that_is_too_long_ends_the_session_with_an_error() {
    let world = World::with_policy(SEED);
    let long = format!(r#"{{"jsonrpc":"2.0","id":9,"method":"{}"}}"#, "m".repeat(64 << 20));
    let ran = run_with(mcp_sh(&world, "cat"), long.as_bytes());
    assert!(ran.stdout.contains("-32600"), "{ran:?}");
}

#[test]
fn a_signal_ends_the_server_and_its_children() {
    let world = World::with_policy(SEED);
    let pids = world.path("pids");
    let mut talk =
        Talk::start(mcp_sh(&world, &format!("sleep 300 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", pids.display())));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !pids.exists() {
        assert!(Instant::now() < deadline);
    }
    let ours = talk.child().id().to_string();
    assert!(Command::new("kill").args(["-TERM", &ours]).status().unwrap().success());
    talk.child().wait().unwrap();
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        // What was killed still needs a moment on a processor to end.
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ended = |stat: &str| stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ");
        let deadline = Instant::now() + Duration::from_secs(3);
        while !ended(&stat()) {
            assert!(Instant::now() < deadline, "left running: {}", stat());
        }
    }
}

#[test]
fn a_gateway_killed_in_the_middle_refuses_in_the_protocol_within_two_seconds() {
    let mut world = World::with_policy(SEED);
    world.serve(&[]);
    let echo = r#"while read line; do echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; done"#;
    let mut talk = Talk::start(mcp_sh(&world, echo));
    talk.say(&request(1));
    assert!(talk.hear_json()["result"].is_object());
    world.freeze();
    talk.say(&request(2));
    let begun = Instant::now();
    let answer = talk.hear_json();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(answer["id"], 2);
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("gateway"), "{answer}");
    world.thaw();
}

#[test]
fn a_session_that_is_only_watched_refuses_nothing_even_when_the_gateway_is_away() {
    let deny =
        "version: \"1\"\npolicies:\n  - name: none\n    match: { tool: [mcp] }\n    rules:\n      - { action: deny }\n";
    let mut world = World::with_policy(deny);
    world.serve(&[]);
    let echo = r#"while read line; do n=$((n+1)); echo '{"jsonrpc":"2.0","id":'$n',"result":{"content":[]}}'; done"#;
    let mut command = world.rampart(&["mcp", "--mode", "monitor", "--", "sh", "-c"]);
    command.arg(echo);
    let mut talk = Talk::start(command);
    talk.say(&request(1));
    assert!(talk.hear_json()["result"]["content"].is_array());
    let seen = world.decisions();
    let call = seen.iter().find(|d| d["outcome"] == "deny").unwrap_or_else(|| panic!("{seen:#?}"));
    assert_eq!((&call["verdict"], &call["mode"]), (&json!("allow"), &json!("monitor")), "{call:#}");
    world.freeze();
    talk.say(&request(2));
    assert_eq!(talk.hear_json()["result"], json!({"content": []}));
    world.thaw();

    let mut talk = Talk::start(mcp_sh(&world, echo));
    talk.say(&request(1));
    assert_eq!(talk.hear_json()["result"]["isError"], true, "the next session is enforced");
}

#[test]
fn a_daemon_of_the_server_does_not_outlive_the_session_and_none_stays_a_zombie() {
    let world = World::with_policy(SEED);
    // A second fork in a session of its own: no signal to the server's group reaches it.
    let script = "i=0; while [ $i -lt 5 ]; do (setsid true &); i=$((i+1)); done; \
        (setsid sh -c 'trap \"\" TERM HUP; echo $$ > daemon.new; mv daemon.new daemon; while :; do sleep 300; done' \
        >/dev/null 2>&1 </dev/null &); cat >/dev/null";
    let mut talk = Talk::start(mcp_sh(&world, script));
    let daemon = world.project().join("daemon");
    let ours = talk.child().id();
    let status = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombies = || {
        let children = std::fs::read_to_string(format!("/proc/{ours}/task/{ours}/children")).unwrap();
        children.split_whitespace().filter(|pid| status(pid).contains(") Z ")).count()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while !daemon.exists() || zombies() > 0 {
        assert!(Instant::now() < deadline, "{} zombies", zombies());
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = std::fs::read_to_string(&daemon).unwrap().trim().to_owned();
    assert!(!status(&pid).is_empty(), "it lives while its session does");
    talk.finish();
    assert!(status(&pid).is_empty(), "left running: {}", status(&pid));
}

#[test]
fn the_servers_own_traffic_goes_through_the_egress_proxy_as_its_sessions() {
    let world = World::with_policy(SEED);
    let script = "env > environment; curl -sS -m 5 http://example.invalid/ > /dev/null 2>&1; cat >/dev/null";
    let run = |flags: &[&str]| {
        let mut command = world.rampart(
            &[&["mcp", "--session-id", "s-egress", "--name", "mine"], flags, &["--", "sh", "-c", script]].concat(),
        );
        command.env("NODE_OPTIONS", "--require evil.js");
        run_with(command, b"").expect(0);
        std::fs::read_to_string(world.project().join("environment")).unwrap()
    };
    // Where nobody names it, the text of its script does, and that is as good as any name.
    let long = format!("# {}\nenv > environment", "long ".repeat(50));
    run_with(world.rampart(&["mcp", "--session-id", "s-egress", "--", "sh", "-c", &long]), b"").expect(0);
    let environment = std::fs::read_to_string(world.project().join("environment")).unwrap();
    assert!(environment.contains("HTTPS_PROXY=http://s-egress:"), "{environment}");
    let environment = run(&["--no-proxy"]);
    assert!(!environment.contains("PROXY="), "{environment}");
    assert!(!environment.contains("s-egress"), "{environment}");
    let environment = run(&["--env", "NO_PROXY=mine.example"]);
    assert!(environment.contains("HTTPS_PROXY=http://s-egress:"), "{environment}");
    assert!(environment.contains("NO_PROXY=mine.example"), "what the user says comes last: {environment}");
    assert!(environment.contains("NODE_EXTRA_CA_CERTS=") && !environment.contains("evil.js"), "{environment}");
    if crate::world::have("the_servers_own_traffic_goes_through_the_egress_proxy_as_its_sessions", &["curl"]) {
        let seen = world.records().into_iter().find(|r| r["actor"]["surface"] == "egress");
        let seen = seen.unwrap_or_else(|| panic!("nothing went through the proxy: {:#?}", world.records()));
        assert_eq!(
            (&seen["actor"]["session"], &seen["actor"]["server"]),
            (&json!("s-egress"), &json!("mine")),
            "{seen:#}"
        );
    }
}

const REACH: &str = r#"
version: "1"
default_action: allow
policies:
  - name: what-web-reaches
    match: { server: web, tool: [fetch, connect] }
    rules:
      - { action: deny, when: { domain_not_matches: [docs.invalid, files.invalid] } }
      - { action: deny, when: { domain_matches: [files.invalid], during_not_matches: [save] } }
"#;

#[test]
fn one_policy_says_what_a_server_and_a_call_of_it_may_reach() {
    let name = "one_policy_says_what_a_server_and_a_call_of_it_may_reach";
    if !crate::world::have(name, &["curl"]) {
        return;
    }
    let world = World::with_policy(REACH);
    let reach = r#"for host in docs other files; do curl -sS -m 5 "http://$host.invalid/$0" >/dev/null 2>&1; done"#;
    // It tries each host whenever it is called, before it answers.
    let server = format!(
        r#"{reach}; : > ready; while read -r line; do case $line in *'"id":'*) {reach}; printf '{{"jsonrpc":"2.0","id":1,"result":{{"content":[]}}}}\n';; esac; done"#
    );
    let verdicts = |start: &[&str], path: &str| {
        let mut of_path = Vec::new();
        for tool in ["save", "load"] {
            let before = world.records().len();
            let args: Vec<&str> =
                [start, &["mcp", "--pins", "off", "--name", "web", "--", "sh", "-c", &server, path]].concat();
            let mut talk = Talk::start(world.rampart(&args));
            let (ready, since) = (world.project().join("ready"), Instant::now());
            while !ready.exists() {
                assert!(since.elapsed() < Duration::from_mins(1), "the server does not start");
                std::thread::sleep(Duration::from_millis(20));
            }
            std::fs::remove_file(ready).unwrap();
            talk.say(&call_of(tool));
            let heard = talk.hear();
            assert!(heard.contains("content"), "{heard}");
            talk.finish();
            let fetches: Vec<String> = world.records()[before..]
                .iter()
                .filter(|r| r["type"] == "decision" && r["actor"]["surface"] == "egress")
                .map(|r| {
                    let url = r["action"]["url"].as_str().unwrap();
                    format!(
                        "{} {} {}",
                        r["actor"]["server"].as_str().unwrap_or("-"),
                        &url[7..12],
                        r["verdict"].as_str().unwrap()
                    )
                })
                .collect();
            of_path.push(fetches.join(", "));
        }
        of_path
    };
    let before = "web docs. allow, web other deny, web files deny";
    let outside = verdicts(&[], "a");
    assert_eq!(
        outside,
        [format!("{before}, web docs. allow, web other deny, web files allow"), format!("{before}, {before}")]
    );
    // In the session of an agent its server is told from the rest of it just so.
    let rampart = bin("rampart");
    let wrapped = verdicts(&["wrap", "--", rampart.to_str().unwrap()], "b");
    assert_eq!(wrapped, outside);
    let script = reach.replace("$0", "c");
    run_with(world.rampart(&["wrap", "--", "sh", "-c", &script]), b"");
    let own: Vec<Value> =
        world.decisions().into_iter().filter(|r| r["action"]["url"] == "http://other.invalid/c").collect();
    assert!(own.len() == 1 && own[0]["verdict"] == "allow" && own[0]["actor"]["server"].is_null(), "{own:#?}");
}

fn call_of(tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}).to_string()
}

#[test]
fn results_are_cleaned_in_keys_errors_and_standard_error_and_stay_what_they_are() {
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: clean\n    match: { tool: [mcp], phase: after }\n    rules:\n      - { action: redact, when: { detects: [secret, hidden-text] } }\n";
    let world = World::with_policy(policy);
    let secret = ["ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"].concat();
    world.write(
        "project/answers",
        [
            json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": format!("k {secret}\u{1b}]52;c;aGk=\u{7} and \u{e0041}\u{e0042}\u{e0043}")}]}}),
            json!({"jsonrpc": "2.0", "id": 2, "result": {"content": [], "structuredContent": {secret.as_str(): {"n": [1.5, secret.as_str()]}}}}),
            json!({"jsonrpc": "2.0", "id": 3, "error": {"code": -32000, "message": format!("no {secret}"), "data": {"token": secret.as_str()}}}),
        ]
        .map(|answer| answer.to_string() + "\n")
        .concat(),
    );
    world.write("project/complaint", format!("\u{1b}[31mred\u{1b}[0m {secret} \u{202e}\r\u{1b}]0;title\u{7}end\n"));
    let script = "cat complaint >&2; exec 3<answers; while read -r line; do read -r answer <&3 && printf '%s\\n' \"$answer\"; done";
    let mut talk = Talk::start(mcp_sh(&world, script));
    let mut heard = String::new();
    for id in 1..=3 {
        talk.say(&request(id));
        let line = talk.hear();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], id);
        match id {
            1 => assert!(answer["result"]["content"][0]["text"].as_str().unwrap().starts_with("k [redacted"), "{line}"),
            2 => assert_eq!(answer["result"]["structuredContent"]["[redacted: github-pat]"]["n"][0], 1.5, "{line}"),
            _ => assert_eq!(
                (&answer["error"]["code"], answer["error"]["data"]["token"].is_string()),
                (&json!(-32000), true)
            ),
        }
        heard.push_str(&line);
    }
    let ran = talk.finish();
    assert!(ran.stderr.contains("red [redacted: github-pat]") && ran.stderr.contains("end\n"), "{ran:?}");
    for hidden in [&*secret, "\u{1b}", "\\u001b", "\u{202e}", "\u{e0041}", "\r"] {
        assert!(!heard.contains(hidden), "{hidden:?} in {heard}");
        assert!(!ran.stderr.contains(hidden), "{hidden:?} in {ran:?}");
    }
}
