//! `rampart mcp -- SERVER`: stands between an MCP client and a server on standard input and output.

use std::{ffi::OsString, path::Path, sync::Arc, time::Duration};

use anyhow::bail;
use rampart_call::{FindingClass, Origin};
use rampart_client::{
    Client, Settings, Unanswered, blocking,
    wire::{LONGEST_SERVER, OpenSession},
};
use rampart_mcp::{Checking, Schemas, environment::clean, stdio};
use rampart_scan::{placeholder, redact, scan, visible};
use tokio::signal::unix::{SignalKind, signal};

use super::mcp_pins;
use crate::{
    args::{Mcp, McpVerb, SessionMode, Shapes},
    environment::Environment,
    exit::Exit,
    outbound,
    printer::Printer,
    reach,
};

pub(crate) fn run(args: Mcp, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if let Some(verb) = args.verb {
        return match verb {
            McpVerb::Scan(scan) => super::mcp_scan::run(scan, environment, printer),
            McpVerb::Serve(serve) => super::mcp_serve::run(*serve, environment, printer),
            McpVerb::Pins { verb } => super::mcp_pins::run(verb, environment, printer),
            McpVerb::Install(install) => super::mcp_install::run(&install, environment, printer),
        };
    }
    if let Err(error) = reach::ensure(environment) {
        // The session goes on, and every request is refused in its own protocol: the client learns why.
        printer.note(format!("rampart: {error:#}"));
    }
    let home = environment.user_home.display().to_string();
    let mut road = reach::road(environment);
    let agent = environment.agent.clone().unwrap_or(args.agent_id);
    let session = args.session_id.or_else(|| environment.session.clone());
    let mut session = session.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    if road.token.is_none() {
        let wanted = OpenSession {
            agent: agent.clone(),
            session: Some(session.clone()),
            monitor: args.mode == SessionMode::Monitor,
            ..OpenSession::default()
        };
        match blocking::Client::new(road.clone()).open_session(&wanted) {
            Ok(opened) => {
                reach::note_enforced(args.mode, &opened, printer);
                road = reach::road_of(&opened, environment);
                session = opened.session;
            }
            // As above: what is refused, is refused in its own protocol.
            Err(error) => printer.note(format!("rampart: {error}")),
        }
    } else if args.mode == SessionMode::Monitor {
        printer.note("rampart: --mode monitor is not heard here: this session began outside and stays as it is");
    }
    let server = args.name.clone().unwrap_or_else(|| server_name(&args.server));
    let traffic = Traffic { agent: &agent, road: &road, environment, printer };
    let proxy = if args.no_proxy { Vec::new() } else { traffic.through_the_proxy(&server) };
    let how = match (&road.token, &road.unanswered) {
        (None, _) => "every call is refused",
        (Some(_), Unanswered::GoOn(_)) => "calls are recorded and none is refused",
        (Some(_), _) => "every call is judged",
    };
    printer.note(format!("rampart: in front of `{server}`: {how}; `rampart log --session {session}` shows them"));
    let identity = mcp_pins::identity(&server, &args.server, environment);
    let options = stdio::Options {
        pins: mcp_pins::store(args.pins, &server, identity, environment)?,
        schemas: schemas(args.schemas),
        filter_tools: args.filter_tools,
        server,
        env: clean(std::env::vars_os()).into_iter().chain(proxy).chain(explicit(&args.env)?).collect(),
        command: args.server,
        origin: Origin {
            agent,
            session,
            workspace: Some(environment.workspace().display().to_string()),
            home: Some(home),
            trace: environment.trace,
            ..Origin::default()
        },
        clean: Some(cleaned),
        orphans: stdio::Orphans::End,
        limits: stdio::Limits { answer: args.timeout.map(Duration::from_secs), ..stdio::Limits::default() },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let gate = Arc::new(Client::new(road));
        let (client_in, client_out) = (stdio::Handle::new(std::io::stdin())?, stdio::Handle::new(std::io::stdout())?);
        // A task, as waking the future of `block_on` takes a turn of the runtime's driver.
        let session = tokio::spawn(stdio::run(options, gate, client_in, client_out, signals()?));
        let outcome = session.await.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        Ok(Exit::Child(match outcome {
            Ok(outcome) => {
                if let Some(told) = summed_up(&outcome.summary) {
                    printer.note(format!("rampart: {told}"));
                }
                outcome.exit_code
            }
            Err(error) => {
                printer.note(format!("rampart: {error}"));
                error.exit_code()
            }
        }))
    })
}

/// What became of a session's messages, where not all of them passed as they were.
fn summed_up(summary: &stdio::Summary) -> Option<String> {
    let stdio::Summary { forwarded, redacted, refused, dropped, .. } = *summary;
    (redacted + refused + dropped > 0).then(|| {
        format!(
            "{forwarded} messages passed, {redacted} of them redacted; {refused} were refused, {dropped} went nowhere"
        )
    })
}

/// The schemas of a server's tools, and what is held to them.
pub(super) fn schemas(which: Shapes) -> Schemas {
    Schemas::new(match which {
        Shapes::Off => Checking::Off,
        Shapes::Check => Checking::Shape,
        Shapes::Closed => Checking::Closed,
    })
}

/// A line of the server's standard error without secrets and without what drives or deceives a terminal.
pub(super) fn cleaned(line: &str) -> String {
    let plain = anstream::adapter::strip_str(line).to_string();
    let mut findings = scan(&plain);
    findings.retain(|finding| finding.class == FindingClass::Secret);
    visible(&redact(&plain, &findings, |finding, _| placeholder(finding)))
}

/// What servers of a session do on the network by themselves.
pub(super) struct Traffic<'a> {
    pub(super) agent: &'a str,
    /// How the session's surfaces reach the gateway.
    pub(super) road: &'a Settings,
    pub(super) environment: &'a Environment,
    pub(super) printer: Printer,
}

impl Traffic<'_> {
    /// The variables that send a server's own traffic through the egress proxy, under the server's name in the session; none
    /// where the gateway has no proxy or cannot be asked, or where the session keeps clear of the proxy.
    pub(super) fn through_the_proxy(&self, server: &str) -> Vec<(OsString, OsString)> {
        let Some(token) = &self.road.token else { return Vec::new() };
        let proxy = Environment::variable("HTTPS_PROXY").map(|proxy| proxy.to_string_lossy().into_owned());
        let set = proxy.is_some_and(|proxy| proxy.contains(token));
        if self.environment.credential.is_some() && !set {
            return Vec::new();
        }
        let agent = self.agent.to_owned();
        let wanted = OpenSession { agent, server: Some(server_word(server)), ..OpenSession::default() };
        let opened = blocking::Client::new(self.road.clone()).open_session(&wanted).map_err(anyhow::Error::from);
        let variables = opened.and_then(|opened| match opened.egress {
            None => Ok(Vec::new()),
            // In a jail those files are out of reach, and what belongs to them is set.
            Some(_) if set => outbound::other_credential(&opened),
            Some(_) => outbound::variables(&opened, &outbound::Files::of(self.environment)?, None),
        });
        match variables {
            Ok(variables) => variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            Err(error) => {
                let what = if set { "is not told from its session's" } else { "is not judged" };
                self.printer.note(format!("rampart: the own traffic of `{server}` {what}: {error:#}"));
                Vec::new()
            }
        }
    }
}

/// A server's name as the gateway takes it. One that is the text of a script is told as far as names go.
pub(super) fn server_word(server: &str) -> String {
    let mut name: String = server.chars().filter(|c| !c.is_control()).collect();
    name.truncate(name.floor_char_boundary(LONGEST_SERVER));
    name
}

/// The server's name when nobody gives it one: the package or script, not the interpreter that runs it.
pub(super) fn server_name(command: &[OsString]) -> String {
    let named = naming_word(command).or_else(|| command.first().map(|w| w.to_string_lossy().into_owned()));
    named.map(|word| base_name(&word).to_owned()).unwrap_or_default()
}

/// The word of a command that says which server it is.
pub(super) fn naming_word(command: &[OsString]) -> Option<String> {
    let runners =
        ["npx", "uvx", "node", "python", "python3", "deno", "bun", "bunx", "pipx", "run", "sh", "bash", "env"];
    let words = command.iter().map(|w| w.to_string_lossy().into_owned());
    words.filter(|w| !w.starts_with('-')).find(|w| !runners.contains(&base_name(w)))
}

/// `server-files` of `@scope/server-files@1.2`, `/opt/server-files/dist/index.js` and `server-files.py`.
pub(super) fn base_name(word: &str) -> &str {
    let path = Path::new(word);
    let vague = ["index", "main", "dist", "build", "src", "cli", "bin", "__main__"];
    let parts = path.iter().rev().filter_map(|p| p.to_str());
    let stems = parts.map(|p| p.split('.').next().unwrap_or(p));
    let name = stems.into_iter().find(|s| !vague.contains(s) && !s.is_empty()).unwrap_or(word);
    name.split('@').find(|s| !s.is_empty()).unwrap_or(name)
}

/// `NAME` (taken from our environment) or `NAME=VALUE`.
pub(super) fn explicit(given: &[String]) -> anyhow::Result<Vec<(OsString, OsString)>> {
    let mut env = Vec::new();
    for word in given {
        match word.split_once('=') {
            Some(("", _)) => bail!("--env {word}: write NAME or NAME=VALUE"),
            Some((name, value)) => env.push((name.into(), value.into())),
            None => match std::env::vars_os().find(|(name, _)| name == word.as_str()) {
                Some(pair) => env.push(pair),
                None => bail!("--env {word}: there is no such variable here; give it a value with {word}=VALUE"),
            },
        }
    }
    Ok(env)
}

/// The signals that came for us, as their numbers.
fn signals() -> std::io::Result<impl futures_util::Stream<Item = i32>> {
    let kinds = [SignalKind::child(), SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    for kind in kinds {
        let (mut stream, send) = (signal(kind)?, send.clone());
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let _ = send.send(kind.as_raw_value());
            }
        });
    }
    Ok(futures_util::stream::unfold(receive, |mut receive| async move {
        receive.recv().await.map(|number| (number, receive))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_called_after_its_package() {
        for (command, name) in [
            ("npx -y @modelcontextprotocol/server-filesystem .", "server-filesystem"),
            ("npx -y @modelcontextprotocol/server-filesystem@2026.8.31 /x", "server-filesystem"),
            ("node /opt/server-memory/dist/index.js", "server-memory"),
            ("uvx mcp-server-git", "mcp-server-git"),
            ("python3 -m mcp_server_time", "mcp_server_time"),
            ("./my-server --flag", "my-server"),
            ("sh -c 'x'", "'x'"),
        ] {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            assert_eq!(server_name(&words), name, "{command}");
        }
    }
}
