//! What the kernel says of a process that asks: who its ancestors are, whether one of them is an agent, and whether it
//! has a terminal. Only what `/proc` shows counts; what the process says of itself does not.
//!
//! On a machine where person and agent are one user this tells an agent from a person as long as the agent's processes
//! stay below it. One that leaves the tree (a daemon whose ancestors ended, a job handed to `cron` or `systemd`) has no
//! terminal, and so it can read but not act; if it also reads a token from its file, only another user or a jail stops it.

mod port;

use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::clock;

pub use port::{Holders, holders};

/// The variable that `rampart wrap` leaves in everything it starts.
const SESSION: &[u8] = b"RAMPART_SESSION=";
/// The verbs of this program that run an agent or its servers below themselves.
const RUNNERS: [&str; 4] = ["wrap", "run", "preload", "mcp"];
/// Programs whose own name says nothing: the script does.
const INTERPRETERS: [&str; 5] = ["node", "nodejs", "bun", "deno", "python"];
/// More ancestors than any terminal has.
const MOST_ANCESTORS: usize = 128;
/// How often a walk begins anew because an ancestor ended meanwhile.
const ATTEMPTS: usize = 3;
/// Ticks of `/proc` a second: `USER_HZ`, which is 100 on every architecture that Rust's standard library runs on.
const TICKS: u64 = 100;

/// A process, told apart from a later one that got the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in ticks since the machine did.
    pub started: u64,
}

/// What a process is as far as the kernel tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is not below an agent.
    Free {
        /// Whether it has a controlling terminal, so that a person can be in front of it.
        terminal: bool,
    },
    /// It is an agent or stands below one.
    Agent {
        /// The process that says so.
        pid: u32,
        /// What that process is.
        what: String,
        /// The session that was opened for it.
        session: Option<String>,
    },
    /// It ended, or its number belongs to another process by now.
    Gone,
}

/// What is known of agents besides what `/proc` shows.
#[derive(Clone, Copy)]
pub struct Agents<'a> {
    /// Names of programs that are agents.
    pub programs: &'a [&'a str],
    /// What was opened for a process and everything below it.
    pub session: &'a dyn Fn(Process) -> Option<Session>,
}

/// What was opened for a process and everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// The agent whose it is; empty where that was not said.
    pub agent: String,
}

/// What `/proc/PID/stat` says (proc_pid_stat(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    /// Number of the process that leads its session.
    leader: u32,
    terminal: bool,
    started: u64,
}

impl Process {
    /// The process that has this number now.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(pid: u32) -> io::Result<Self> {
        Ok(Self { pid, started: stat(pid)?.started })
    }

    /// The process that leads the session (setsid(2)) of this one, such as the shell of a terminal. Where that one ended
    /// or stands outside the container, it is the farthest ancestor in the same session.
    ///
    /// # Errors
    /// When the process or one of these ancestors is gone.
    pub fn leader_of(pid: u32) -> io::Result<Self> {
        let mut seen = stat(pid)?;
        let leader = seen.leader;
        if let Ok(process) = Self::of(leader) {
            return Ok(process);
        }
        let mut farthest = Self { pid, started: seen.started };
        for _ in 0..MOST_ANCESTORS {
            let pid = seen.parent;
            if pid == 0 {
                break;
            }
            seen = stat(pid)?;
            if seen.leader != leader {
                break;
            }
            farthest = Self { pid, started: seen.started };
        }
        Ok(farthest)
    }

    /// Whether it still runs.
    pub fn lives(self) -> bool {
        stat(self.pid).is_ok_and(|now| now.started == self.started)
    }
}

/// What the process is that had this number `connected` milliseconds after the machine started.
pub fn standing(pid: u32, connected: u64, agents: Agents<'_>) -> Standing {
    attempt(|| walk(pid, connected, agents, &agent))
}

/// The same of a process that opens a session: a `rampart wrap` and its like is not yet an agent by what it will run.
pub fn opener(pid: u32, connected: u64, agents: Agents<'_>) -> Standing {
    let looks = |at: u32, stat: &Stat, programs: &[&str]| {
        let is_itself = at == pid && is_runner(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default());
        if is_itself { marked(at).then(|| stat.name.clone()) } else { agent(at, stat, programs) }
    };
    attempt(|| walk(pid, connected, agents, &looks))
}

fn attempt(walk: impl Fn() -> io::Result<Standing>) -> Standing {
    for _ in 0..ATTEMPTS {
        match walk() {
            Ok(standing) => return standing,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(_) => break,
        }
    }
    Standing::Gone
}

/// The session that was opened for the nearest ancestor, or for the process itself, that had this number `connected`
/// milliseconds after the machine started. It reads no more than who the ancestors are.
pub fn session_above(pid: u32, connected: u64, session: &dyn Fn(Process) -> Option<Session>) -> Option<Session> {
    let (mut pid, mut seen) = (pid, stat(pid).ok()?);
    if seen.started * 1000 / TICKS > connected {
        return None;
    }
    for _ in 0..MOST_ANCESTORS {
        let found = session(Process { pid, started: seen.started });
        if found.is_some() || seen.parent <= 1 {
            return found;
        }
        pid = seen.parent;
        seen = stat(pid).ok()?;
    }
    None
}

/// What this process itself is.
pub fn own(agents: Agents<'_>) -> Standing {
    standing(std::process::id(), clock::boot_ms(), agents)
}

/// Milliseconds since the machine started, to be remembered when a process connects.
pub fn now() -> u64 {
    clock::boot_ms()
}

/// Says which agent a process looks like, if it does.
type Looks<'a> = &'a dyn Fn(u32, &Stat, &[&str]) -> Option<String>;

fn walk(pid: u32, connected: u64, agents: Agents<'_>, looks: Looks<'_>) -> io::Result<Standing> {
    let first = stat(pid)?;
    // Times are cut to whole ticks, so the process that connected never seems to start after it did.
    if first.started * 1000 / TICKS > connected {
        return Ok(Standing::Gone);
    }
    let mut standing = Standing::Free { terminal: first.terminal };
    let (mut pid, mut seen) = (pid, first);
    for _ in 0..MOST_ANCESTORS {
        // What was opened here says more than what a process looks like, so that is looked for to the end.
        if let Some(Session { name, agent }) = (agents.session)(Process { pid, started: seen.started }) {
            let what = if agent.is_empty() { "an agent".to_owned() } else { agent };
            return Ok(Standing::Agent { pid, what, session: Some(name) });
        }
        if let Some(what) = looks(pid, &seen, agents.programs) {
            standing = Standing::Agent { pid, what, session: None };
        }
        if seen.parent <= 1 {
            return Ok(standing);
        }
        pid = seen.parent;
        seen = stat(pid)?;
    }
    Ok(Standing::Agent { pid, what: format!("more than {MOST_ANCESTORS} processes"), session: None })
}

/// The agent that a process looks like, if it does. What is not readable, such as processes of other users, says nothing.
fn agent(pid: u32, stat: &Stat, programs: &[&str]) -> Option<String> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let cmdline = read("cmdline");
    let names = program(&cmdline).into_iter().chain([stat.name.clone()]);
    if let Some(name) = names.into_iter().find(|name| programs.contains(&name.as_str())) {
        return Some(name);
    }
    (is_runner(&cmdline) || marked(pid)).then(|| stat.name.clone())
}

/// Whether a process was started in a session.
fn marked(pid: u32) -> bool {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environ.split(|b| *b == 0).any(|v| v.strip_prefix(SESSION).is_some_and(|id| !id.is_empty()))
}

fn is_runner(cmdline: &[u8]) -> bool {
    let mut words = cmdline.split(|b| *b == 0);
    let program = words.next().unwrap_or_default().rsplit(|b| *b == b'/').next();
    program == Some(b"rampart") && words.next().is_some_and(|verb| RUNNERS.iter().any(|r| r.as_bytes() == verb))
}

/// The name of a program by its command line: that of the script where an interpreter runs one.
fn program(cmdline: &[u8]) -> Option<String> {
    let words = cmdline.split(|b| *b == 0).map(String::from_utf8_lossy);
    let mut names = words.map(|word| word.rsplit('/').next().unwrap_or_default().to_owned());
    let first = names.next().filter(|name| !name.is_empty())?;
    let unversioned = first.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit());
    if !INTERPRETERS.contains(&unversioned) {
        return Some(first);
    }
    let script = names.find(|name| !name.is_empty() && !name.starts_with('-'))?;
    let stem = [".js", ".mjs", ".cjs", ".py"].iter().find_map(|ending| script.strip_suffix(ending));
    Some(stem.map_or(script.clone(), str::to_owned))
}

fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).map_err(|e| match e.raw_os_error() {
        // The process ended between opening and reading.
        Some(code) if code == rustix::io::Errno::SRCH.raw_os_error() => io::ErrorKind::NotFound.into(),
        _ => e,
    })?;
    parse(&text).ok_or_else(|| io::Error::other("the system tells processes in a way that is not understood"))
}

fn parse(text: &[u8]) -> Option<Stat> {
    let text = String::from_utf8_lossy(text);
    // The name may hold anything, so it ends at the last bracket.
    let (front, behind) = text.rsplit_once(") ")?;
    let name = front.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = behind.split(' ').collect();
    let field = |number: usize| fields.get(number - 3).and_then(|f| f.trim().parse::<i64>().ok());
    Some(Stat {
        name,
        parent: u32::try_from(field(4)?).ok()?,
        leader: u32::try_from(field(6)?).ok()?,
        terminal: field(7)? != 0,
        started: u64::try_from(field(22)?).ok()?,
    })
}

#[cfg(test)]
mod tests;
