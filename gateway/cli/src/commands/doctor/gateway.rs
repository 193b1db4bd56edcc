//! The gateway: whether it answers, what it says of itself, and who it runs as.

use std::os::unix::fs::MetadataExt as _;

use rampart_client::{
    Fault,
    wire::{ConfigStatus, Status},
};

use super::Check;
use crate::{environment::Environment, reach};

/// Adds what was seen, and returns what the gateway says, if it runs.
pub(super) fn checks(environment: &Environment, checks: &mut Vec<Check>) -> Option<Status> {
    let status = match reach::client(environment).status() {
        Ok(status) => status,
        Err(fault @ Fault::Unreachable { .. }) if reach::is_of_the_machine(environment) => {
            checks.push(Check::fail("gateway", fault.to_string(), "until then every surface refuses"));
            return None;
        }
        Err(Fault::Unreachable { .. }) => {
            let remedy = if environment.autostart {
                "roads and hooks start one; to have it always: `rampart serve --background`"
            } else {
                "RAMPART_AUTOSTART=0 forbids starting one, so every road refuses: `rampart serve --background`"
            };
            let found = "no gateway runs in this home";
            checks.push(if environment.autostart {
                Check::warn("gateway", found, remedy)
            } else {
                Check::fail("gateway", found, remedy)
            });
            return None;
        }
        Err(fault) => {
            checks.push(Check::fail("gateway", fault.to_string(), "`rampart serve stop`, then start it again"));
            return None;
        }
    };
    let found = format!("process {} answers, version {}, since {}", status.pid, status.version, status.started);
    checks.push(if status.version == env!("CARGO_PKG_VERSION") {
        Check::ok("gateway", found)
    } else {
        let remedy = "it is not the version of this program: `rampart serve stop`, and the next call starts this one";
        Check::warn("gateway", found, remedy)
    });
    checks.push(match status.mode.as_str() {
        "enforce" => Check::ok("mode", "enforce: decisions hold"),
        mode => Check::warn(
            "mode",
            format!("{mode}: nothing is blocked"),
            "`mode: enforce` in config.yaml, or no --mode flag, makes decisions hold",
        ),
    });
    let ConfigStatus { error, waiting, mode } = &status.config;
    if let Some(mode) = mode {
        let found =
            format!("a flag says {}, config.yaml says {mode}: so runs a gateway that a hook starts", status.mode);
        checks.push(Check::warn("flags", found, "write the mode that you want into config.yaml"));
    }
    if let Some(error) = error {
        let found = format!("what config.yaml says now is not in force: {error}");
        checks.push(Check::fail("configuration", found, "mend the line; it is taken over as soon as it loads"));
    }
    if !waiting.is_empty() {
        let found = format!("changes of {} wait for the next start", waiting.join(", "));
        checks.push(Check::warn("configuration", found, "`rampart serve stop`, and start it again"));
    }
    if !status.fail_open.is_empty() {
        let found = format!("{} go on when the gateway does not answer", status.fail_open.join(", "));
        checks.push(Check::warn("fail-open", found, "remove them from `surfaces.fail_open` in config.yaml"));
    }
    let short = status.policy.hash.get(..12).unwrap_or_default();
    checks.push(match &status.policy.error {
        None => Check::ok("ruleset", format!("{short}: {} rules in force", status.policy.rules)),
        Some(error) => Check::fail(
            "ruleset",
            format!("changed files are not in force: {error}"),
            "`rampart policy lint` shows the line; the last good rules hold meanwhile",
        ),
    });
    checks.push(match &status.audit.problem {
        None => Check::ok("recording", format!("{} records written", status.audit.seq.unwrap_or(0))),
        Some(problem) => Check::fail("recording", problem.clone(), "every call is refused until this is mended"),
    });
    if status.pending > 0 {
        let found = format!("{} questions wait for you", status.pending);
        checks.push(Check::warn("approvals", found, "`rampart pending` shows them"));
    }
    checks.push(user(&status));
    Some(status)
}

/// Agents of the user that the gateway runs as can read its token and write its policies.
fn user(status: &Status) -> Check {
    let us = rustix::process::geteuid().as_raw();
    match std::fs::metadata(format!("/proc/{}", status.pid)).map(|meta| meta.uid()) {
        Ok(uid) if uid == us => Check::warn(
            "user",
            format!("the gateway and your agents run as one user ({us}): what your agents can do, they can do to it"),
            "rules refuse it, and only another user for the gateway or a jail for the agent makes it impossible",
        ),
        Ok(uid) => Check::ok("user", format!("the gateway runs as user {uid}, you as {us}")),
        Err(_) => Check::warn("user", "the gateway's user is not known on this system", "compare `ps` with `id -u`"),
    }
}
