//! The SDKs, each used by a program of its language against a real gateway.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::world::{Ran, World, have, root};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: sdk
    rules:
      - action: deny
        when: {path_matches: ["**/secret*"]}
        message: no secrets
      - action: ask
        when: {command_matches: ["deploy *"]}
        message: may I
"#;

const PYTHON: &str = r#"
import asyncio, sys
from rampart import AsyncRampart, Rampart, Refused, Unreachable

rampart = Rampart(agent="py", session="s1")
print("allowed", rampart.require("exec", command="git status").allowed)
print("preflight", rampart.preflight("read", path="/x/secret").allowed)

@rampart.guard("write")
def save(path, content="nothing"):
    print("saved", path)
    return 7

print(save("/tmp/fine"))
try:
    save("/tmp/secret")
except Refused as refused:
    print(type(refused).__name__, refused)

class Store:
    @rampart.guard("read", lambda self, name: {"path": f"/store/{name}"})
    def load(self, name):
        return name

print(Store().load("a"))
try:
    Store().load("secret")
except PermissionError as refused:
    print("no", refused.decision.rule.policy)

async def main():
    other = AsyncRampart(agent="py", session="s1")
    @other.guard("fetch")
    async def get(url):
        return "got " + url
    print(await get("https://example.com/"))
    both = await asyncio.gather(*(other.decide("read", path=p) for p in ("/a", "/secret")))
    print([d.allowed for d in both])
asyncio.run(main())
if len(sys.argv) > 1:
    print("asked", rampart.require("exec", command="deploy it").decision)
for nobody in (Rampart(home="/nowhere"), Rampart(url="http://127.0.0.1:9", token="x"), Rampart(url=sys.argv[-1] if len(sys.argv) > 2 else "http://127.0.0.1:9", token="wrong")):
    try:
        nobody.require("exec", command="true")
        print("went on")
    except Unreachable as refused:
        print("closed", refused.decision.reason)
"#;

const NODE: &str = r#"
import { Rampart, Refused, Unreachable } from "SDK"
const rampart = new Rampart({ agent: "js", session: "s1" })
console.log("allowed", (await rampart.require("exec", { command: "git status" })).allowed)
console.log("preflight", (await rampart.preflight("read", { path: "/x/secret" })).allowed)
const save = rampart.guard("write", (path) => ({ path }), async (path) => (console.log("saved", path), 7))
console.log(await save("/tmp/fine"))
try { await save("/tmp/secret") } catch (refused) { console.log(refused instanceof Refused, refused.message) }
const args = process.argv.slice(2)
if (args.length) console.log("asked", (await rampart.require("exec", { command: "deploy it" })).decision)
for (const nobody of [new Rampart({ home: "/nowhere" }), new Rampart({ url: "http://127.0.0.1:9", token: "x" }), new Rampart({ url: args.at(-1) ?? "http://127.0.0.1:9", token: "wrong" })]) {
  try { await nobody.require("exec", { command: "true" }); console.log("went on") }
  catch (error) { console.log(error instanceof Unreachable, error.decision.reason) }
}
"#;

/// Runs the program while a human allows what it asks.
fn run(world: &World, mut command: Command) -> Ran {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.status()["pending"] == 0 {
        if Instant::now() > deadline || child.try_wait().unwrap().is_some() {
            // It asked nobody; the test sees what it said instead.
            let _ = child.kill();
            return Ran::from(child.wait_with_output().unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let listed = world.run(&["pending", "--json"]).expect(0).stdout;
    let question: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    world.run(&["approve", question["id"].as_str().unwrap()]).expect(0);
    Ran::from(child.wait_with_output().unwrap())
}

fn recorded(world: &World, agent: &str) {
    let decisions = world.decisions();
    let own: Vec<_> = decisions.iter().filter(|d| d["actor"]["agent"] == agent).collect();
    assert!(own.iter().any(|d| d["outcome"] == "deny" && d["rule"]["policy"] == "sdk"), "{decisions:#?}");
    assert!(own.iter().all(|d| d["actor"]["session"] == "s1" && d["actor"]["surface"] == "api"), "{own:#?}");
}

#[test]
fn python_asks_before_it_acts_and_does_not_act_without_an_answer() {
    if !have("python_asks_before_it_acts_and_does_not_act_without_an_answer", &["python3"]) {
        return;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let port = format!("http://{}", world.status()["listen"].as_str().unwrap());
    let mut command = world.command("python3");
    command.arg("-c").arg(PYTHON).args(["ask", &port]).env("PYTHONPATH", root().join("sdks/python/src"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = run(&world, command).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..4], ["allowed True", "preflight False", "saved /tmp/fine", "7"], "{ran:?}");
    assert!(lines[4].starts_with("Refused Rampart refused this: no secrets Rule: sdk (custom.yaml:"), "{ran:?}");
    assert_eq!(lines[5..9], ["a", "no sdk", "got https://example.com/", "[True, False]"], "{ran:?}");
    assert_eq!(
        lines[9..],
        ["asked ask", "closed gateway_unreachable", "closed gateway_unreachable", "closed gateway_unreachable"],
        "{ran:?}"
    );
    recorded(&world, "py");
}

#[test]
fn node_asks_before_it_acts_and_does_not_act_without_an_answer() {
    if !have("node_asks_before_it_acts_and_does_not_act_without_an_answer", &["node"]) {
        return;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let port = format!("http://{}", world.status()["listen"].as_str().unwrap());
    let sdk = root().join("sdks/node/index.js");
    let script = world.write("project/agent.mjs", NODE.replace("SDK", sdk.to_str().unwrap()));
    let mut command = world.command("node");
    command.arg(script).args(["ask", &port]);
    let ran = run(&world, command).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..4], ["allowed true", "preflight false", "saved /tmp/fine", "7"], "{ran:?}");
    assert!(lines[4].starts_with("true Rampart refused this: no secrets Rule: sdk (custom.yaml:"), "{ran:?}");
    assert_eq!(
        lines[5..],
        ["asked ask", "true gateway_unreachable", "true gateway_unreachable", "true gateway_unreachable"],
        "{ran:?}"
    );
    recorded(&world, "js");
}
