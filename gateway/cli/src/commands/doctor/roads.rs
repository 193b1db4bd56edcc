//! The four roads of an agent, each tried or looked at where it begins.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use rampart_agents::setup::Setup;
use rampart_client::wire::Status;
use serde_json::Value;

use super::{Protection, Road};
use crate::{
    commands::setup::{self, Standing, State},
    environment::Environment,
};

/// How long the proxy may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where clients keep their MCP servers: below the home, and in the project.
const CLIENTS: [&str; 6] = [
    ".claude.json",
    ".cursor/mcp.json",
    ".gemini/settings.json",
    ".qwen/settings.json",
    ".config/Claude/claude_desktop_config.json",
    "Library/Application Support/Claude/claude_desktop_config.json",
];
const PROJECT_CLIENTS: [&str; 3] = [".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json"];

pub(super) fn roads(environment: &Environment, status: Option<&Status>) -> Vec<Road> {
    let mut roads: Vec<Road> = status.and_then(jailed).into_iter().collect();
    roads.extend([mcp(environment), http(status), shell(environment)]);
    roads.extend(hooks(environment));
    roads
}

/// The same as far as it does not depend on the shell that somebody works in.
pub(super) fn roads_of_all(environment: &Environment, status: &Status) -> Vec<Road> {
    let http = match proxy(Some(status)) {
        Ok(address) => {
            let evidence = format!("the proxy answers at {address}, for programs whose variables name it");
            road("http", Protection::Advisory, evidence, None)
        }
        Err(closed) => closed,
    };
    let mut roads: Vec<Road> = jailed(status).into_iter().collect();
    roads.extend([mcp(environment), http]);
    roads.extend(hooks(environment));
    roads
}

/// The network of the sessions that run in a jail; none where there are none. The gateway counts those whose doors it
/// holds, so what is in there has no other way out.
fn jailed(status: &Status) -> Option<Road> {
    let sessions = match status.jailed {
        0 => return None,
        1 => "1 session of `rampart run` has".to_owned(),
        count => format!("{count} sessions of `rampart run` have"),
    };
    let evidence =
        format!("{sessions} no network but the doors inside, which lead to this gateway; other sessions are not in it");
    Some(road("jail", Protection::Enforced, evidence, None))
}

fn road(name: &'static str, protection: Protection, evidence: String, remedy: Option<&str>) -> Road {
    Road { name, protection, evidence, remedy: remedy.map(str::to_owned) }
}

/// HTTP: the proxy is asked something that only it answers so, and this shell's variables are compared with it.
fn http(status: Option<&Status>) -> Road {
    let address = match proxy(status) {
        Ok(address) => address,
        Err(closed) => return closed,
    };
    let set = ["HTTPS_PROXY", "https_proxy"].iter().find_map(|name| Environment::variable(name));
    if set.is_some_and(|value| value.to_string_lossy().contains(address)) {
        let evidence = format!("the proxy answers at {address}, and this shell's variables name it");
        return road("http", Protection::Advisory, evidence, None);
    }
    let evidence = format!("the proxy answers at {address}; this shell's variables do not name it");
    road("http", Protection::Open, evidence, Some("eval \"$(rampart env)\", or start the agent with `rampart wrap`"))
}

/// Where the proxy answers, or a road that stands open because it does not.
fn proxy(status: Option<&Status>) -> Result<&str, Road> {
    let Some(address) = status.and_then(|status| status.egress.as_deref()) else {
        let remedy = "`rampart serve --background` opens it";
        return Err(road("http", Protection::Open, "no egress proxy listens".into(), Some(remedy)));
    };
    match probe(address) {
        Ok(()) => Ok(address),
        Err(why) => {
            let evidence = format!("{address} does not answer as the egress proxy: {why}");
            Err(road("http", Protection::Open, evidence, Some("`rampart serve stop`, then start it again")))
        }
    }
}

/// Asks for a page of the proxy's own, which there is not: no decision, and an answer that only the proxy gives.
fn probe(address: &str) -> Result<(), String> {
    let text = |e: std::io::Error| e.to_string();
    let address: SocketAddr = address.parse().map_err(|_| "its address cannot be read".to_owned())?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: probe.invalid\r\nConnection: close\r\n\r\n").map_err(text)?;
    let mut answer = Vec::new();
    stream.take(16 << 10).read_to_end(&mut answer).map_err(text)?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.to_ascii_lowercase().contains("rampart") {
        Ok(())
    } else {
        Err(format!("it says {:?}", answer.lines().next().unwrap_or_default()))
    }
}

/// Commands: whether this very process stands below a shell that asks.
fn shell(environment: &Environment) -> Road {
    let shells = environment.home.join("state").join("shells");
    let first = std::env::split_paths(&environment.path).next();
    match &environment.session {
        Some(session) if first.as_deref() == Some(shells.as_path()) => {
            let evidence = format!("session {session}: PATH begins with shells that ask first");
            road("shell", Protection::Advisory, evidence, None)
        }
        _ => {
            let evidence = "this shell was not started by `rampart wrap`".to_owned();
            road("shell", Protection::Open, evidence, Some("`rampart wrap -- AGENT` gives an agent shells that ask"))
        }
    }
}

/// MCP: which of the servers that clients know are started through `rampart mcp`.
fn mcp(environment: &Environment) -> Road {
    let project = environment.workspace();
    let below = |root: &Path, names: &[&str]| names.iter().map(|name| root.join(name)).collect::<Vec<PathBuf>>();
    let mut files = below(&environment.user_home, &CLIENTS);
    files.extend(below(&project, &PROJECT_CLIENTS));
    let (mut wrapped, mut bare) = (0, Vec::new());
    for file in files {
        let Some(settings) = json(&file) else { continue };
        for servers in server_lists(&settings) {
            for (name, server) in servers {
                if is_wrapped(server) {
                    wrapped += 1;
                } else {
                    bare.push(format!("{name} in {}", file.display()));
                }
            }
        }
    }
    match (wrapped, bare.as_slice()) {
        (0, []) => road("mcp", Protection::Advisory, "no client that is known here has a server".into(), None),
        (count, []) => {
            let evidence = format!("all {count} servers of known clients are started through `rampart mcp`");
            road("mcp", Protection::Advisory, evidence, None)
        }
        (count, bare) => {
            let evidence = format!("{count} servers are started through `rampart mcp`; not: {}", bare.join(", "));
            road("mcp", Protection::Open, evidence, Some("put `rampart mcp --` in front of the server's command"))
        }
    }
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Every list of servers in a client's settings, those of single projects included.
fn server_lists(settings: &Value) -> Vec<&serde_json::Map<String, Value>> {
    let own = ["mcpServers", "servers"].iter().filter_map(|key| settings.get(key)?.as_object());
    let projects = settings.get("projects").and_then(Value::as_object).into_iter().flatten();
    own.chain(projects.filter_map(|(_, project)| project.get("mcpServers")?.as_object())).collect()
}

fn is_wrapped(server: &Value) -> bool {
    let command = server.get("command").and_then(Value::as_str).unwrap_or_default();
    let first = server.get("args").and_then(|args| args.get(0)).and_then(Value::as_str);
    Path::new(command).file_name().is_some_and(|name| name == "rampart") && first == Some("mcp")
}

/// Hooks: whether the settings of the agents that are used here call us.
fn hooks(environment: &Environment) -> Vec<Road> {
    let standing = |setup: &&'static Setup| {
        let name = setup.agent.name;
        let Standing { state, file } = setup::standing(setup, environment);
        match state {
            State::Absent => None,
            State::SetUp => {
                let evidence = format!("{file} calls Rampart; {}", heard(setup, environment));
                Some(road(name, Protection::Advisory, evidence, None))
            }
            State::Used => {
                let remedy = format!("`rampart setup {name}`");
                Some(road(name, Protection::Open, format!("{file} does not call Rampart"), Some(&remedy)))
            }
        }
    };
    rampart_agents::setup::ALL.iter().copied().filter_map(|setup| standing(&setup)).collect()
}

/// When a session of the agent last told that it began.
fn heard(setup: &Setup, environment: &Environment) -> String {
    if !setup.tells_of_sessions {
        return format!("{} does not tell when a session begins; its calls stand in `rampart log`", setup.title);
    }
    let noted = environment.home.join("state/heard").join(setup.agent.name);
    let noted = std::fs::metadata(noted).and_then(|meta| meta.modified());
    match noted.ok().and_then(|at| jiff::Timestamp::try_from(at).ok()) {
        Some(at) => format!("a session began at {}", at.strftime("%F %H:%MZ")),
        None => "no session has begun since".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_in_a_jail_are_enforced() {
        let status = |jailed: u64| -> Status {
            serde_json::from_value(serde_json::json!({
                "version": "0", "pid": 1, "mode": "enforce", "home": "/h", "started": "2026-01-01T00:00:00Z",
                "policy": {"hash": "", "policies": 0, "rules": 0, "files": [], "loaded": "2026-01-01T00:00:00Z"},
                "audit": {"healthy": true}, "pending": 0, "sessions": 2, "jailed": jailed, "fail_open": [],
            }))
            .unwrap()
        };
        assert!(jailed(&status(0)).is_none());
        for (count, told) in
            [(1, "1 session of `rampart run` has no network but"), (2, "2 sessions of `rampart run` have")]
        {
            let road = jailed(&status(count)).unwrap();
            assert_eq!((road.name, road.protection), ("jail", Protection::Enforced));
            assert!(road.evidence.starts_with(told), "{}", road.evidence);
        }
    }
}
