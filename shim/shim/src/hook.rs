//! A hook: one payload in, one answer out, always in the agent's own protocol and always in time.

use std::{
    io::{self, Read},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use rampart_agents::{Agent, Facts, MAX_INPUT, Moment, Reply, Ruling};
use rampart_call::{Call, Reason, Verdict};

use crate::locate;

/// Longest time a hook takes unless it is told what its agent grants. Hosts run the tool when a hook takes too long,
/// and a user may have set less than the host's default.
const USUAL: Duration = Duration::from_mins(1);
/// For starting the process and for writing the answer.
const MARGIN: Duration = Duration::from_secs(2);

/// Input that makes a hook crash, in debug builds.
#[cfg(debug_assertions)]
const FAILPOINT: &[u8] = b"rampart-failpoint";

/// How long a hook may take in all, a human's answer included. `granted` is the timeout its agent was configured with.
pub fn patience(agent: &Agent, granted: Option<Duration>) -> Duration {
    let granted = granted.unwrap_or(agent.timeout.min(USUAL));
    granted.saturating_sub(MARGIN).max(granted / 2)
}

/// Answers a hook. Whatever happens (input that is empty, broken, too large or never ends; a gate that hangs), there is
/// an answer within `patience`. `begins` is told which agent's session begins.
pub fn run(
    agent: &'static Agent,
    facts: Facts,
    stdin: impl Read + Send + 'static,
    patience: Duration,
    judge: impl Fn(&Call) -> Verdict + Send + 'static,
    begins: impl FnOnce(&'static Agent) + Send + 'static,
) -> Reply {
    let (done, answer) = mpsc::sync_channel(1);
    let work = move || {
        // Nobody listens any more when the time is over.
        let _ = done.send(answer_to(agent, &facts, stdin, judge, begins));
    };
    let working = thread::Builder::new().name("hook".to_owned()).spawn(work);
    let refuse = |why: &str| agent.refuse(Reason::GatewayUnreachable, why);
    match working.map(|_| answer.recv_timeout(patience)) {
        Ok(Ok(reply)) => reply,
        Ok(Err(mpsc::RecvTimeoutError::Timeout)) => refuse(&format!("there was no answer within {patience:?}")),
        Ok(Err(mpsc::RecvTimeoutError::Disconnected)) => refuse("Rampart's hook failed; please report this"),
        Err(e) => refuse(&format!("Rampart's hook cannot work: {e}")),
    }
}

fn answer_to(
    agent: &'static Agent,
    facts: &Facts,
    stdin: impl Read,
    judge: impl Fn(&Call) -> Verdict,
    begins: impl FnOnce(&'static Agent),
) -> Reply {
    let input = match read(stdin) {
        Ok(input) => input,
        Err(e) => return agent.refuse(Reason::Malformed, &format!("the input cannot be read: {e}")),
    };
    #[cfg(debug_assertions)]
    assert!(input != FAILPOINT, "the failpoint of tests");
    let mut heard = match agent.parse(&input, facts) {
        Ok(heard) => heard,
        Err(e) => return agent.refuse(Reason::Malformed, &e.to_string()),
    };
    if heard.calls.is_empty() && heard.moment != Moment::Other {
        return agent.refuse(Reason::Malformed, "the input names nothing to judge");
    }
    if heard.begins() {
        begins(heard.agent);
    }
    let cwd = heard.cwd.as_deref().map(Path::new);
    for call in &mut heard.calls {
        locate::resolve(call, cwd);
        locate::place(&mut call.origin, cwd);
    }
    heard.reply(&Ruling::of(heard.calls.iter().map(judge)))
}

/// All of the input, or one byte more than is allowed. What is too much is still taken, so that the host does not fail
/// at writing it; within reason.
fn read(mut stdin: impl Read) -> io::Result<Vec<u8>> {
    let mut input = Vec::with_capacity(4 << 10);
    stdin.by_ref().take(MAX_INPUT as u64 + 1).read_to_end(&mut input)?;
    if input.len() > MAX_INPUT {
        io::copy(&mut stdin.take(16 * MAX_INPUT as u64), &mut io::sink())?;
    }
    Ok(input)
}

#[cfg(test)]
mod tests;
