//! Whether it is a person who changes the rules. An early refusal with a clear text: what an agent may do to the gateway
//! is decided by the credential it holds.

use std::io::IsTerminal as _;

use anyhow::bail;

use crate::{
    args::{CaInstall, CaVerb, Init, McpVerb, Mode, PolicyVerb, Rules, RulesVerb, Serve, ServeVerb, Verb},
    environment::Environment,
};

/// The variable that `rampart wrap` leaves in everything it starts.
const SESSION: &[u8] = b"RAMPART_SESSION=";
/// The verbs of this program that run an agent below themselves.
const RUNNERS: [&str; 3] = ["wrap", "run", "preload"];
/// More ancestors than any terminal has.
const MOST_ANCESTORS: usize = 64;

/// Who may run a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anybody,
    /// It changes what is in force, or grants something.
    Person,
}

/// Refuses what an agent must not do. What a verb asks of a person besides, such as a terminal, it asks itself.
///
/// # Errors
/// Who was found instead of a person, and what to do.
pub(crate) fn check(verb: &Verb, environment: &Environment) -> anyhow::Result<()> {
    match who(verb, environment) {
        Who::Anybody => Ok(()),
        Who::Person => person(environment, true),
    }
}

fn who(verb: &Verb, environment: &Environment) -> Who {
    match verb {
        Verb::Wrap(_) | Verb::Env(_) | Verb::Hook(_) | Verb::Completions { .. } => Who::Anybody,
        Verb::Test(_) | Verb::Bench(_) | Verb::Convert(_) => Who::Anybody,
        Verb::Status(_) | Verb::Pending(_) | Verb::Log(_) | Verb::Audit { .. } => Who::Anybody,
        Verb::Ca { verb: CaVerb::Rotate(_) | CaVerb::Install(CaInstall { dry_run: false, .. }) } => Who::Person,
        Verb::Ca { .. } | Verb::Config { .. } => Who::Anybody,
        Verb::Policy { verb: PolicyVerb::Fetch(_) } => Who::Person,
        Verb::Policy { .. } => Who::Anybody,
        Verb::Rules(Rules { verb: None | Some(RulesVerb::List(_)), .. }) => Who::Anybody,
        // A draft on standard output changes nothing.
        Verb::Init(Init { from_audit: true, output: None, .. }) => Who::Anybody,
        Verb::Mcp(mcp) => match mcp.verb {
            Some(McpVerb::Pins(_) | McpVerb::Install(_)) => Who::Person,
            None | Some(McpVerb::Scan(_) | McpVerb::Serve(_)) => Who::Anybody,
        },
        // A road starts a gateway where none runs. One that lets everything pass, or takes a token of the starter's own
        // choice, is another matter.
        Verb::Serve(Serve { verb: None, mode: None | Some(Mode::Enforce), .. }) if environment.token.is_none() => {
            Who::Anybody
        }
        Verb::Serve(Serve {
            verb: None | Some(ServeVerb::Stop | ServeVerb::Install(_) | ServeVerb::Uninstall(_)),
            ..
        }) => Who::Person,
        // Whatever is not named here.
        _ => Who::Person,
    }
}

/// Goes on only for a person: not below an agent, and at a terminal unless `yes` was given.
///
/// # Errors
/// Who was found instead, and what to do.
pub(crate) fn person(environment: &Environment, yes: bool) -> anyhow::Result<()> {
    if environment.session.is_some() || environment.inside.is_some() || below_an_agent() {
        let agent = environment.agent.as_deref().or(environment.inside).unwrap_or("an agent");
        bail!(
            "this runs inside a session of {agent}, and what is in force is changed by people: do it in a terminal of your own"
        );
    }
    if !yes && !std::io::stdin().is_terminal() {
        bail!("no terminal is here, so nobody can be seen to mean it; give --yes to change rules from a script");
    }
    Ok(())
}

/// Whether a process above this one belongs to an agent's session. What is not visible, such as processes of other users,
/// counts as no agent.
fn below_an_agent() -> bool {
    let mut pid = rustix::process::getppid().map(|p| p.as_raw_nonzero().get());
    for _ in 0..MOST_ANCESTORS {
        let Some(above) = pid.filter(|p| *p > 1) else { return false };
        let read = |file: &str| std::fs::read(format!("/proc/{above}/{file}")).unwrap_or_default();
        let marked =
            read("environ").split(|b| *b == 0).any(|v| v.strip_prefix(SESSION).is_some_and(|id| !id.is_empty()));
        if marked || is_runner(&read("cmdline")) {
            return true;
        }
        pid = parent(&read("stat"));
    }
    false
}

fn is_runner(cmdline: &[u8]) -> bool {
    let mut words = cmdline.split(|b| *b == 0);
    let program = words.next().unwrap_or_default().rsplit(|b| *b == b'/').next();
    program == Some(b"rampart") && words.next().is_some_and(|verb| RUNNERS.iter().any(|r| r.as_bytes() == verb))
}

/// The parent in `/proc/PID/stat` (proc_pid_stat(5)): the second field behind the name, which may hold anything.
fn parent(stat: &[u8]) -> Option<i32> {
    let text = String::from_utf8_lossy(stat);
    let (_, behind) = text.rsplit_once(") ")?;
    behind.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_stands_behind_whatever_name_a_process_has() {
        assert_eq!(parent(b"812 (bash) S 700 812 812 0"), Some(700));
        assert_eq!(parent(b"812 (a) S 1 (b) R 33 1 1"), Some(33));
        assert_eq!(parent(b""), None);
    }

    #[test]
    fn only_the_verbs_that_run_an_agent_make_a_session() {
        for (cmdline, is) in [
            (&b"/usr/bin/rampart\0wrap\0--\0aider\0"[..], true),
            (b"rampart\0run\0--\0x\0", true),
            (b"rampart\0serve\0", false),
            (b"bash\0wrap\0", false),
            (b"", false),
        ] {
            assert_eq!(is_runner(cmdline), is, "{}", String::from_utf8_lossy(cmdline));
        }
    }
}
