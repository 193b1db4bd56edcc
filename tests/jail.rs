//! `rampart run`: an agent whose one way out is the gateway. What an agent that wants to get out would try, tried.

mod clients;
mod confined;
mod files;
mod ladder;
mod leaks;
mod lives;
mod overlay;

use std::process::{Command, Stdio};

use crate::{
    egress::Road,
    world::{Ran, have},
};

/// Python that calls each function, and prints its name with what came of it: what it returned, or the error.
const TRY: &str = r"
import ctypes, os, socket, subprocess, sys
def attempt(name, what):
    try:
        print(name, 'DONE', what())
    except OSError as error:
        print(name, 'failed', error.errno and os.strerror(error.errno) or error)
    except Exception as error:
        print(name, 'failed', type(error).__name__, error)
";

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: no-denied-test
    match: { tool: fetch }
    rules:
      - action: deny
        when: { domain_matches: ["denied.test", "secret-name.test"] }
        message: This host is off limits
"#;

/// A user who is nobody else on this machine, and not the one that others' numbers are shown as in a user namespace.
const USER: u32 = 23456;

/// A road whose agents are jailed.
struct Jail {
    road: Road,
    /// Everything belongs to an ordinary user and runs as that.
    ordinary: bool,
}

impl Jail {
    fn open(test: &str) -> Option<Self> {
        Self::with(test, POLICY)
    }

    fn with(test: &str, policy: &str) -> Option<Self> {
        if !have(test, &["python3", "ip"]) {
            return None;
        }
        Some(Self { road: Road::with(test, policy, "")?, ordinary: false })
    }

    /// The same as an ordinary user, where the tests run as root.
    fn ordinary(test: &str) -> Option<Self> {
        let mut jail = Self::open(test)?;
        if jail.road.world.is_roots() {
            let world = &mut jail.road.world;
            world.run(&["serve", "stop"]).expect(0);
            world.gateway().wait().unwrap();
            world.give_to(USER);
            world.serve(&[]);
            jail.ordinary = true;
        }
        Some(jail)
    }

    /// Hands what was written since to the user.
    fn own(&mut self) {
        if self.ordinary {
            self.road.world.give_to(USER);
        }
    }

    /// `rampart run` with these words.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.road.world.rampart(&[&["run"], words].concat());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(words).output().unwrap())
    }

    /// A shell that is an agent.
    fn shell(&self, script: &str) -> Ran {
        self.shell_with(&[], script)
    }

    fn shell_with(&self, flags: &[&str], script: &str) -> Ran {
        self.run(&[flags, &["-q", "--agent", "mine", "--", "/bin/sh", "-c", script]].concat())
    }

    /// Python that is an agent, after [`TRY`].
    fn python(&self, script: &str) -> Ran {
        self.python_with(&[], script)
    }

    fn python_with(&self, flags: &[&str], script: &str) -> Ran {
        let script = format!("{TRY}\n{script}");
        self.run(&[flags, &["-q", "--agent", "mine", "--", PYTHON, "-c", &script]].concat())
    }
}

/// The machine's own: others are shell scripts around it.
const PYTHON: &str = "/usr/bin/python3";
