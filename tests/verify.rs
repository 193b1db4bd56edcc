//! `rampart-verify` between a real gateway and a model that says what it is told to.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::{Child, Stdio},
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    notify::answering,
    world::{Ran, World, bin},
};

const KEY: &str = "key-of-this-test-0123456789";

/// The service, and what its model hears.
struct Verify {
    child: Child,
    url: String,
    heard: Receiver<(String, Value)>,
}

impl Drop for Verify {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A model that says `text` in the words of its API, and waits before that where it says so.
fn reply(api: &str, text: &str) -> String {
    match api {
        "anthropic" => json!({"id": "m", "type": "message", "role": "assistant", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 9, "output_tokens": 9}})
        .to_string(),
        _ => json!({"id": "c", "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}]})
        .to_string(),
    }
}

impl Verify {
    fn start(world: &World, api: &str, status: &'static str, body: String, delay: Duration, args: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let model = listener.local_addr().unwrap();
        let heard = answering(listener, status, body, delay);
        let base = if api == "anthropic" { format!("http://{model}") } else { format!("http://{model}/v1") };
        let mut command = world.command(bin("rampart-verify"));
        command.args(["--listen", "127.0.0.1:0", "--api", api, "--base-url", &base, "--model", "m"]).args(args);
        command.env("RAMPART_VERIFY_KEY", KEY).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(world.path("verify.log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, url, heard }
    }

    fn next(&self) -> (String, Value) {
        self.heard.recv_timeout(Duration::from_secs(20)).expect("the model is asked")
    }
}

/// A gateway whose rule about `odd` asks the service.
fn gateway(verify: &Verify, world: &mut World, fail_open: bool) {
    world.write(
        "home/.rampart/policies/custom.yaml",
        format!(
            "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: odd\n    rules:\n      - action: webhook\n        \
             when: {{ command_matches: [\"odd *\"] }}\n        message: Looks odd\n        webhook: {{ url: \"{}\", timeout: \
             10s, fail_open: {fail_open} }}\n",
            verify.url
        ),
    );
    world.serve(&["--headless"]);
}

fn runs(world: &World, command: &str) -> Ran {
    let body = json!({"hook_event_name":"BeforeTool","session_id":"s1","cwd":"/tmp","tool_name":"run_shell_command","tool_input":{"command":command}});
    world.run_with(&["hook", "--format", "gemini-cli"], body.to_string().as_bytes())
}

#[test]
fn the_model_s_word_is_the_decision_and_it_is_asked_once() {
    for (api, text, outcome) in [
        ("openai", r#"{"decision":"allow","reason":"only prints"}"#, "allow"),
        ("openai", r#"{"decision":"deny","reason":"sends a key"}"#, "deny"),
        ("anthropic", "```json\n{\"decision\":\"allow\",\"reason\":\"only prints\"}\n```", "allow"),
        ("anthropic", r#"{"decision":"ask","reason":"unsure"}"#, "ask"),
    ] {
        let mut world = World::new();
        let verify = Verify::start(&world, api, "200 OK", reply(api, text), Duration::ZERO, &[]);
        gateway(&verify, &mut world, false);
        let secret = ["ghp_", "0123456789abcdefghijABCDEFGHIJ012345"].concat();
        let command = format!("odd thing --token {secret}");
        for _ in 0..2 {
            runs(&world, &command);
        }
        let decided: Vec<_> = world.decisions().iter().map(|d| d["outcome"].as_str().unwrap().to_owned()).collect();
        assert_eq!(decided, [outcome, outcome], "{api} {text}: {:#?}", world.decisions());
        let (head, body) = verify.next();
        let bears =
            if api == "anthropic" { format!("x-api-key: {KEY}") } else { format!("authorization: Bearer {KEY}") };
        assert!(head.contains(&bears), "{head}");
        let path = if api == "anthropic" { "POST /v1/messages " } else { "POST /v1/chat/completions " };
        assert!(head.starts_with(path), "{head}");
        let asked = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
        assert!(asked.contains("odd thing") && asked.contains("Looks odd"), "{asked}");
        assert!(!body.to_string().contains(&secret), "no secret leaves: {body}");
        assert!(verify.heard.try_recv().is_err(), "the second answer was remembered");
        let log = std::fs::read_to_string(world.path("verify.log")).unwrap();
        assert!(!log.contains(KEY) && !world.gateway_log().contains(KEY));
    }
}

#[test]
fn whatever_goes_wrong_with_the_model_a_human_decides() {
    let allow = || reply("openai", r#"{"decision":"allow","reason":"x"}"#);
    let long = format!("odd {}", "x ".repeat(20_000));
    for (what, status, body, delay, args, command, says) in [
        ("an error", "529 Overloaded", format!("{{\"error\":\"bad key {KEY}\"}}"), 0, &[][..], "odd one", "status 529"),
        ("no JSON", "200 OK", "<html>".to_owned(), 0, &[], "odd one", "no usable answer"),
        ("chatter", "200 OK", reply("openai", "Sure! I would allow it."), 0, &[], "odd one", "one decision"),
        (
            "two minds",
            "200 OK",
            reply("openai", r#"{"decision":"allow","decision":"deny"}"#),
            0,
            &[],
            "odd one",
            "one decision",
        ),
        ("too slow", "200 OK", allow(), 3000, &["--timeout", "300"], "odd one", "longer than 300 ms"),
        ("no budget", "200 OK", allow(), 0, &["--per-day", "0"], "odd one", "budget"),
        ("too long", "200 OK", allow(), 0, &[], long.as_str(), "too long"),
    ] {
        let mut world = World::new();
        let verify = Verify::start(&world, "openai", status, body, Duration::from_millis(delay), args);
        // Even where silence would let it pass.
        gateway(&verify, &mut world, true);
        let began = Instant::now();
        runs(&world, command);
        assert!(began.elapsed() < Duration::from_secs(8), "{what}: {:?}", began.elapsed());
        let decision = world.decisions().remove(0);
        assert_eq!((decision["outcome"].as_str(), decision["verdict"].as_str()), (Some("ask"), Some("deny")), "{what}");
        let message = decision["message"].as_str().unwrap();
        assert!(message.contains(says) && !message.contains(KEY), "{what}: {message}");
    }
}

#[test]
fn it_serves_this_machine_s_gateways_and_says_what_is_wrong_with_its_arguments() {
    let world = World::new();
    for (args, why) in [
        (&["--model", "m", "--listen", "0.0.0.0:0"][..], "loopback only"),
        (&["--model", "m", "--base-url", "http://llm.example"], "plain http is for localhost only"),
        (&["--api", "openai"], "--model"),
    ] {
        let ran = Ran::from(world.command(bin("rampart-verify")).args(args).output().unwrap()).expect(2);
        assert!(ran.stderr.contains(why), "{ran:?}");
    }
    let verify = Verify::start(&world, "openai", "200 OK", String::new(), Duration::ZERO, &[]);
    let send = |kind: &str, body: &str| {
        let header = format!("content-type: {kind}");
        let args = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, "-d", body, &verify.url];
        Ran::from(world.command("curl").args(args).output().unwrap()).expect(0).stdout
    };
    assert_eq!(send("text/plain", "{}"), "415", "a page in a browser could send that");
    assert_eq!(send("application/json", "{}"), "400");
    assert!(verify.heard.try_recv().is_err());
}
