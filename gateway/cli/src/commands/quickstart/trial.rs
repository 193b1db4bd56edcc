//! Trying an agent's hook: the command that stands in the agent's settings is started as the agent starts it, told what the
//! agent tells it, and its answer read as the agent reads it. Nothing that it is asked about is run.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rampart_agents::setup::{Setup, TRIAL};
use rampart_call::Outcome;
use rampart_client::wire;
use rampart_scan::shown;
use serde_json::{Value, json};

use crate::{
    commands::setup::hook,
    environment::Environment,
    printer::{Printer, outcome_style, styled},
    reach,
};

/// What it is asked about: one that goes on by the profile `standard`, and one that does not.
const COMMANDS: [&str; 2] = ["git status", "rm -rf /"];
/// How long a hook may take to answer.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 20 });
/// Characters of what a hook says when it fails.
const SAID: usize = 200;

/// Tries a hook and tells how it went. False where it does not answer as the gateway decides.
pub(super) fn of(setup: &Setup, environment: &Environment, printer: Printer) -> anyhow::Result<bool> {
    let say = |outcome: Outcome, word: &str, text: &str| {
        let word = styled(outcome_style(outcome), format!("{word:<5}"));
        printer.note(format!("  {word}  {:<12} {text}", setup.agent.name));
    };
    let Some(words) = hook(setup, environment)? else {
        say(
            Outcome::Deny,
            "FAIL",
            &format!("no hook of ours runs before its tools; `rampart setup {}`", setup.agent.name),
        );
        return Ok(false);
    };
    let mut told = Vec::new();
    let mut refused_any = false;
    for command in COMMANDS {
        let Some(wanted) = decided(setup, command, environment)? else {
            told.push(format!("`{command}` is for a person to answer, so not tried"));
            continue;
        };
        match answer(setup, &words, command, &environment.cwd) {
            Ok(refuses) if refuses == wanted => {
                refused_any |= refuses;
                told.push(format!("`{command}` {}", if refuses { "is refused" } else { "goes on" }));
            }
            Ok(refuses) => {
                let (does, should) = if refuses { ("is refused", "lets it go on") } else { ("goes on", "refuses it") };
                say(Outcome::Deny, "FAIL", &format!("`{command}` {does}, where the gateway {should}"));
                return Ok(false);
            }
            Err(error) => {
                say(Outcome::Deny, "FAIL", &shown::one_line(&format!("{error:#}"), SAID));
                return Ok(false);
            }
        }
    }
    let text = told.join(", ");
    if refused_any {
        say(Outcome::Allow, "ok", &text);
    } else {
        // Rules of one's own, or a gateway that only watches: the answer is right and shows little.
        say(Outcome::Ask, "warn", &format!("{text}; nothing is refused by these rules in this mode"));
    }
    Ok(true)
}

/// Whether the gateway would have the agent kept from this, which is not recorded; none where somebody would be asked.
fn decided(setup: &Setup, command: &str, environment: &Environment) -> anyhow::Result<Option<bool>> {
    let request = wire::ToolRequest {
        agent: setup.agent.name.to_owned(),
        session: TRIAL.to_owned(),
        params: json!({ "command": command }),
        workspace: Some(environment.cwd.display().to_string()),
        home: Some(environment.user_home.display().to_string()),
    };
    let decision = reach::client(environment).preflight("exec", &request)?;
    let asks = matches!(decision.decision.as_str(), "ask" | "webhook") && !decision.allowed;
    Ok((!asks).then_some(!decision.allowed))
}

/// Whether the hook's answer keeps the agent from running a command.
fn answer(setup: &Setup, words: &[String], command: &str, cwd: &Path) -> anyhow::Result<bool> {
    let [program, arguments @ ..] = words else { bail!("its hook is no command") };
    let mut hook = Command::new(program)
        .args(arguments)
        .current_dir(cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{program}` does not start"))?;
    if let Some(mut stdin) = hook.stdin.take() {
        // One that ends without reading says so by its answer.
        let _ = stdin.write_all((setup.before)(command, &cwd.display().to_string()).to_string().as_bytes());
    }
    let (stdout, stderr) = (collected(hook.stdout.take()), collected(hook.stderr.take()));
    let exit = ended(&mut hook)?;
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    let (stdout, stderr) = (text(stdout), text(stderr));
    let answer: Value = serde_json::from_str(&stdout).unwrap_or_default();
    let refuses = (setup.refused)(&answer, exit);
    if !refuses && (exit != 0 || (answer.is_null() && !stdout.trim().is_empty())) {
        bail!("its hook ended with {exit} and said {:?}", [stdout, stderr].concat().trim());
    }
    Ok(refuses)
}

fn collected(stream: Option<impl std::io::Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(stream) = stream {
            let _ = stream.take(64 << 10).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// The exit status, -1 after a signal; one that takes too long is ended.
fn ended(hook: &mut Child) -> anyhow::Result<i32> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = hook.try_wait()? {
            return Ok(status.code().unwrap_or(-1));
        }
        if Instant::now() > until {
            let _ = hook.kill();
            let _ = hook.wait();
            bail!("its hook does not answer within {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hooks answer, and what each agent makes of it.
    #[test]
    fn a_hook_is_believed_only_what_its_agent_would_honour() {
        let denied = r#"{"hookSpecificOutput":{"permissionDecision":"deny"}}"#;
        for (agent, script, wanted) in [
            ("claude-code", "exit 0".to_owned(), Ok(false)),
            ("claude-code", "echo no >&2; exit 2".to_owned(), Ok(true)),
            ("claude-code", format!("echo '{denied}'"), Ok(true)),
            ("claude-code", "echo gone >&2; exit 127".to_owned(), Err("ended with 127 and said \"gone\"")),
            ("claude-code", "echo Segmentation".to_owned(), Err("said \"Segmentation\"")),
            ("claude-code", "sleep 30".to_owned(), Err("does not answer within 1 s")),
            ("cline", "exit 2".to_owned(), Err("ended with 2")),
            ("cline", "cat >/dev/null; echo '{\"cancel\":true}'".to_owned(), Ok(true)),
            ("cursor", "exit 0".to_owned(), Ok(true)),
            ("copilot-cli", format!("echo '{denied}'"), Ok(false)),
            ("opencode", "exit 1".to_owned(), Ok(true)),
        ] {
            let setup = rampart_agents::setup::find(agent).unwrap();
            let words = ["/bin/sh", "-c", &script].map(str::to_owned);
            let found = answer(setup, &words, "rm -rf /", Path::new("/")).map_err(|e| format!("{e:#}"));
            match (wanted, &found) {
                (Ok(wanted), Ok(found)) => assert_eq!(wanted, *found, "{agent}: {script}"),
                (Err(wanted), Err(found)) => assert!(found.contains(wanted), "{agent}: {script}: {found}"),
                _ => panic!("{agent}: {script}: {found:?}"),
            }
        }
        let setup = rampart_agents::setup::ALL[0];
        let gone = answer(setup, &["/nowhere/rampart".to_owned()], "ls", Path::new("/")).unwrap_err();
        assert_eq!(gone.to_string(), "`/nowhere/rampart` does not start");
    }
}
