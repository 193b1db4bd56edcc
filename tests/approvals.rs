//! Questions and answers, by the programs that people and agents use: a shell that is held, and `rampart` that answers.

mod crashes;
mod holding;
mod hostile;
mod links;
mod mcp;
mod restarts;
mod rules;
mod several;

pub(crate) use self::restarts::Wall;

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::world::{Ran, World, bin};

const PATIENCE: Duration = Duration::from_secs(20);

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: deploys
    match: { tool: exec }
    rules:
      - action: ask
        when: { command_matches: ["touch *"] }
        message: Production deployment requires approval
"#;

fn asking() -> World {
    World::with_policy(POLICY)
}

/// A shell of session `session` that would make a file, and is held for that.
struct Held {
    child: Child,
    file: PathBuf,
}

fn shell(world: &World, session: &str, command: &str) -> Command {
    let mut shell = world.command(bin("rampart-shim"));
    shell.args(["--shell", "sh", "-c", command]).env("RAMPART_SESSION", session).env("RAMPART_AGENT", "bot");
    // The gateway under test is the only one.
    shell.env("RAMPART_AUTOSTART", "0");
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    shell
}

impl Held {
    fn start(world: &World, session: &str, name: &str) -> Self {
        let child = shell(world, session, &format!("touch {name}")).spawn().unwrap();
        Self { child, file: world.project().join(name) }
    }

    /// Waits for its end. True when it ran.
    #[track_caller]
    fn ran(self) -> bool {
        let output = Ran::from(self.child.wait_with_output().unwrap());
        assert_eq!(output.success(), self.file.exists(), "{output:?}");
        output.success()
    }

    /// Kills it, and says what it was about to make.
    fn kill(mut self) -> PathBuf {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.file
    }
}

/// What waits, once it is so many.
#[track_caller]
fn pending(world: &World, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = world.run(&["pending", "--json"]).expect(0);
        let all: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if all.len() == count {
            return all;
        }
        assert!(Instant::now() < deadline, "{} instead of {count} wait: {all:#?}", all.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The one that waits.
#[track_caller]
fn only(world: &World) -> String {
    id(&pending(world, 1)[0])
}

fn id(question: &Value) -> String {
    question["id"].as_str().unwrap().to_owned()
}

/// What is on record of a question, or of all: `asked`, `granted`, ...
fn steps(world: &World, id: Option<&str>) -> Vec<String> {
    let approvals = world.records().into_iter().filter(|r| r["type"] == "approval");
    let of_it = approvals.filter(|r| id.is_none_or(|id| r["id"] == id));
    of_it.map(|r| r["event"].as_str().unwrap().to_owned()).collect()
}

/// Waits until this is so.
#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many questions are kept on disk.
fn kept(world: &World) -> usize {
    std::fs::read_dir(world.home().join("state/approvals")).map_or(0, Iterator::count)
}
