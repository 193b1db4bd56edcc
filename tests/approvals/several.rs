//! A8: questions that two people must agree to.

use serde_json::json;

use super::*;
use crate::world::have;

const TWO: &str = r#"
version: "1"
default_action: allow
policies:
  - name: deploys
    match: { tool: exec }
    rules:
      - action: ask
        ask: { approvals: 2 }
        when: { command_matches: ["touch *"] }
        message: Two of us decide
  - name: also
    match: { tool: exec }
    rules:
      - { action: ask, when: { command_matches: ["touch *"] }, message: One of us decides }
"#;

fn two() -> World {
    let mut world = World::with_policy(TWO);
    world.serve(&[]);
    world
}

/// A person with a token of their own.
struct Person<'w> {
    world: &'w World,
    token: String,
}

impl<'w> Person<'w> {
    fn new(world: &'w World, name: &str, scopes: &str) -> Self {
        let made = world.run(&["token", "create", "--scope", scopes, "--name", name]).expect(0);
        Self { world, token: made.stdout.trim().to_owned() }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.world.rampart(args);
        Ran::from(command.env("RAMPART_TOKEN", &self.token).stdin(Stdio::null()).output().unwrap())
    }

    #[track_caller]
    fn is_refused(&self, id: &str, why: &str) {
        let ran = self.run(&["approve", id]).expect(2);
        assert!(ran.stderr.contains(why), "{ran:?}");
    }
}

#[test]
fn a8_the_same_person_twice_is_one_and_two_are_two_over_a_restart() {
    let mut world = two();
    let held = Held::start(&world, "s1", "made");
    let question = pending(&world, 1).remove(0);
    assert_eq!((&question["approvals"], &question["agreed"]), (&json!(2), &Value::Null), "the most counts");
    let id = id(&question);
    let refused = world.run(&["approve", &id, "--always"]).expect(2);
    assert!(refused.stderr.contains("needs 2 people each time"), "{refused:?}");
    // The owner, with the token of the home ...
    let agreed = world.run(&["approve", &id, "--reason", "fine"]).expect(0);
    assert!(agreed.stdout.contains("you agreed, and one more person must too: touch made"), "{agreed:?}");
    let again = world.run(&["approve", &id]).expect(2);
    assert!(again.stderr.contains("somebody else must answer"), "{again:?}");
    // ... and at a terminal, and at a dashboard, is one and the same.
    if have("a8_the_same_person_twice_is_one_and_two_are_two_over_a_restart", &["script"]) {
        let line = format!("{} approve {id}", bin("rampart").display());
        let mut terminal = world.command("script");
        let ran = Ran::from(terminal.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap());
        assert!(ran.code == Some(2) && ran.stdout.contains("somebody else must answer"), "{ran:?}");
    }
    let listed = world.run(&["pending"]).expect(0).stdout;
    assert!(listed.contains("2 people must agree; so far user"), "{listed}");
    assert_eq!(steps(&world, Some(&id)), ["asked", "agreed"]);

    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    world.serve(&[]);
    let after = pending(&world, 1).remove(0);
    assert_eq!((id.as_str(), after["agreed"].as_array().map(Vec::len)), (after["id"].as_str().unwrap(), Some(1)));
    let again = world.run(&["approve", &id]).expect(2);
    assert!(again.stderr.contains("somebody else must answer"), "{again:?}");
    let ann = Person::new(&world, "ann", "approve");
    let done = ann.run(&["approve", &id]).expect(0);
    assert!(done.stdout.contains("approved: touch made"), "{done:?}");
    assert!(held.ran());
    until("the answer is used", || steps(&world, Some(&id)).len() >= 3);
    assert_eq!(steps(&world, Some(&id))[..3], ["asked", "agreed", "granted"]);
    let by: Vec<_> = world.records().into_iter().filter(|r| r["type"] == "approval" && r["by"].is_string()).collect();
    assert!(by[0]["by"].as_str().unwrap().contains("the home's token") && by[0]["message"] == "fine", "{by:#?}");
    assert!(by[1]["by"].as_str().unwrap().contains("(ann)"), "{by:#?}");
    let late = ann.run(&["approve", &id]).expect(2);
    assert!(late.stderr.contains("already"), "{late:?}");
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a8_one_who_refuses_decides_before_and_after_others_agreed() {
    let world = two();
    let ann = Person::new(&world, "ann", "approve");
    for agreed_before in [false, true] {
        let held = Held::start(&world, "s1", "made");
        let id = only(&world);
        if agreed_before {
            ann.run(&["approve", &id]).expect(0);
        }
        world.run(&["deny", &id]).expect(0);
        ann.is_refused(&id, "denied by user");
        assert!(!held.ran());
    }
    // Whoever agreed may think better of it.
    let held = Held::start(&world, "s1", "made");
    let id = only(&world);
    ann.run(&["approve", &id]).expect(0);
    ann.run(&["deny", &id]).expect(0);
    assert!(!held.ran());
    assert_eq!(steps(&world, Some(&id)), ["asked", "agreed", "denied"]);
}

#[test]
fn a8_whose_token_asks_does_not_answer_and_one_who_agrees_at_a_dashboard_too_is_one() {
    if !have("a8_whose_token_asks_does_not_answer_and_one_who_agrees_at_a_dashboard_too_is_one", &["curl"]) {
        return;
    }
    let world = two();
    let (ann, bob) = (Person::new(&world, "ann", "approve"), Person::new(&world, "bob", "decide,approve"));
    let url = format!("http://{}", world.status()["listen"].as_str().unwrap());
    let body = json!({"agent": "bot", "session": "s", "params": {"command": "touch made"}}).to_string();
    let mut asking = world.command("curl");
    asking.args(["-s", "--noproxy", "*", &format!("{url}/v1/tool/exec"), "-d", &body]);
    asking.args(["-H", &format!("authorization: Bearer {}", bob.token)]).stdout(Stdio::piped());
    let asking = asking.spawn().unwrap();
    let id = only(&world);
    bob.is_refused(&id, "your own token that asked");
    ann.run(&["approve", &id]).expect(0);

    // Her browser is still her.
    let link = ann.run(&["dashboard", "--json"]).expect(0).json()["url"].as_str().unwrap().to_owned();
    let page = format!("{url}/dashboard/approvals/{id}");
    let curl = |args: &[&str]| {
        let front = ["-s", "-S", "--noproxy", "*", "-b", "jar", "-c", "jar", "-w", " %{http_code}"];
        Ran::from(world.command("curl").args(front).args(args).output().unwrap()).expect(0).stdout
    };
    curl(&[&link]);
    let shown = curl(&[&page]);
    assert!(shown.contains("2 must agree; so far user") && shown.contains("(ann)"), "{shown}");
    let token = shown.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let token = format!("token={token}");
    let told = curl(&[&page, "--data-urlencode", &token, "-d", "decision=approve"]);
    assert!(told.ends_with(" 409") && told.contains("same_person"), "{told}");
    world.run(&["approve", &id]).expect(0);
    let answer = asking.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!((&answer["allowed"], &answer["reason"]), (&json!(true), &json!("approval_granted")), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains(" and "), "{answer}");
}

#[test]
fn a8_a_host_with_a_prompt_of_its_own_is_not_left_to_one_person() {
    let world = two();
    let mut hook = world.rampart(&["hook", "--format", "claude-code"]);
    hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut hook = hook.spawn().unwrap();
    let call = json!({"session_id": "s", "cwd": world.project(), "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": "touch made"}});
    std::io::Write::write_all(&mut hook.stdin.take().unwrap(), call.to_string().as_bytes()).unwrap();
    let id = only(&world);
    world.run(&["approve", &id]).expect(0);
    std::thread::sleep(Duration::from_millis(300));
    assert!(hook.try_wait().unwrap().is_none(), "one is not enough");
    Person::new(&world, "ann", "approve").run(&["approve", &id]).expect(0);
    let ran = Ran::from(hook.wait_with_output().unwrap()).expect(0);
    assert!(!ran.stdout.contains("deny") && !ran.stdout.contains("\"ask\""), "{ran:?}");
}
