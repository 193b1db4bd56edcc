//! Whether it is a person who changes the rules. An early refusal with a clear text: what an agent may do to the gateway
//! is decided by the credential it holds.

use std::io::IsTerminal as _;

use anyhow::bail;
use rampart_gateway::lineage::{self, Agents, Standing};

use crate::{
    args::{
        CaInstall, CaVerb, Doctor, Init, McpInstall, McpVerb, Mode, PinsVerb, PolicyVerb, Rules, RulesVerb, Serve,
        ServeVerb, Setup, Verb,
    },
    environment::Environment,
};

/// Who may run a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anybody,
    /// It changes what is in force, or grants something.
    Person,
    /// It tells how well this machine is protected, and so where it is not.
    Reader,
}

/// Refuses what an agent must not do. What a verb asks of a person besides, such as a terminal, it asks itself.
///
/// # Errors
/// Who was found instead of a person, and what to do.
pub(crate) fn check(verb: &Verb, environment: &Environment) -> anyhow::Result<()> {
    match who(verb, environment) {
        Who::Anybody => Ok(()),
        Who::Person => person(environment, true),
        Who::Reader => match inside(environment) {
            Some(agent) => bail!(
                "this runs inside a session of {agent}, and how this machine is protected, and where it is not, is told to people: \
                 look in a terminal of your own"
            ),
            None => Ok(()),
        },
    }
}

fn who(verb: &Verb, environment: &Environment) -> Who {
    match verb {
        Verb::Wrap(_)
        | Verb::Preload(_)
        | Verb::Run(_)
        | Verb::Env(_)
        | Verb::Hook(_)
        | Verb::Completions { .. }
        | Verb::Man { .. } => Who::Anybody,
        Verb::Test(_) | Verb::Bench(_) | Verb::Convert(_) => Who::Anybody,
        Verb::Status(_) | Verb::Pending(_) | Verb::Log(_) | Verb::Audit { .. } => Who::Anybody,
        Verb::Ca { verb: CaVerb::Rotate(_) | CaVerb::Install(CaInstall { dry_run: false, .. }) } => Who::Person,
        Verb::Ca { .. } | Verb::Config { .. } | Verb::Egress { .. } | Verb::Sidecar { .. } => Who::Anybody,
        Verb::Policy { verb: PolicyVerb::Fetch(_) } => Who::Person,
        Verb::Policy { .. } => Who::Anybody,
        Verb::Rules(Rules { verb: None | Some(RulesVerb::List(_)), .. }) => Who::Anybody,
        Verb::Setup(Setup { dry_run: true, .. } | Setup { agent: None, .. }) => Who::Reader,
        // A draft on standard output changes nothing.
        Verb::Init(Init { from_audit: true, output: None, .. }) => Who::Anybody,
        Verb::Mcp(mcp) => match &mcp.verb {
            Some(McpVerb::Pins { verb: PinsVerb::Approve(_) | PinsVerb::Reset(_) }) => Who::Person,
            Some(McpVerb::Install(McpInstall { dry_run: false, .. })) => Who::Person,
            None | Some(McpVerb::Scan(_) | McpVerb::Serve(_) | McpVerb::Pins { .. } | McpVerb::Install(_)) => {
                Who::Anybody
            }
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
        // What it tells, an agent can find out as well.
        Verb::Doctor(Doctor { probe: true, .. }) => Who::Anybody,
        Verb::Doctor(Doctor { fix: false, .. }) | Verb::Report(_) => Who::Reader,
        // Whatever is not named here.
        _ => Who::Person,
    }
}

/// Goes on only for a person: not below an agent, and at a terminal unless `yes` was given.
///
/// # Errors
/// Who was found instead, and what to do.
pub(crate) fn person(environment: &Environment, yes: bool) -> anyhow::Result<()> {
    if let Some(agent) = inside(environment) {
        bail!(
            "this runs inside a session of {agent}, and what is in force is changed by people: do it in a terminal of your own"
        );
    }
    if !yes && !std::io::stdin().is_terminal() {
        bail!("no terminal is here, so nobody can be seen to mean it; give --yes to change rules from a script");
    }
    Ok(())
}

/// The agent in whose session this runs.
fn inside(environment: &Environment) -> Option<&str> {
    let runs = environment.session.is_some() || environment.inside.is_some() || below_an_agent();
    runs.then(|| environment.agent.as_deref().or(environment.inside).unwrap_or("an agent"))
}

/// Whether a process above this one belongs to an agent's session. What is not visible, such as processes of other users,
/// counts as no agent.
fn below_an_agent() -> bool {
    let Some(parent) = rustix::process::getppid().and_then(|p| u32::try_from(p.as_raw_nonzero().get()).ok()) else {
        return false;
    };
    // What sessions are open, only the gateway knows.
    let agents = Agents { programs: &rampart_agents::programs(), session: &|_| None };
    matches!(lineage::standing(parent, lineage::now(), agents), Standing::Agent { .. })
}
