//! `rampart pending`: the calls that wait for a human, the same ones together.

use std::io::IsTerminal as _;

use rampart_call::Outcome;
use rampart_client::wire::Pending;
use rampart_gateway::shown;

use crate::{
    args::Json,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    reach,
};

/// Characters of what would be done, and of one operand of it.
const SUBJECT: usize = 1200;
const DETAIL: usize = 300;
/// Where what belongs to a question stands: below what would be done.
const HANG: usize = 22;
/// Characters of names.
const NAME: usize = 60;

pub(crate) fn list(args: &Json, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let pending = reach::client(environment).pending()?;
    if args.json {
        for question in &pending {
            printer.json(question)?;
        }
        return Ok(Exit::Yes);
    }
    if pending.is_empty() {
        printer.note("Nothing waits.");
    }
    let below = |text: String| printer.hung(HANG, format!("{:HANG$}{text}", ""));
    for group in grouped(&pending) {
        let Some(question) = group.first() else { continue };
        let origin = &question.call.origin;
        let rule =
            question.judgement.rule.as_ref().map_or(question.judgement.reason.as_str(), |rule| rule.policy.as_str());
        let agent = if origin.agent.is_empty() { origin.surface.as_str() } else { &origin.agent };
        let who = format!("[{}] {}", shown::one_line(rule, NAME), shown::one_line(agent, NAME));
        printer.hung(
            HANG,
            format!(
                "{}  {}  {}  {}",
                styled(BOLD, &question.id),
                styled(outcome_style(Outcome::Ask), format!("{:>4} s", question.expires_in_ms / 1000)),
                shown::one_line(&question.subject, SUBJECT),
                styled(DIM, who),
            ),
        );
        for detail in &question.details {
            below(format!("{} {}", styled(DIM, format!("{}:", detail.name)), shown::one_line(&detail.text, DETAIL)));
        }
        below(format!("{} {}", styled(DIM, "→"), shown::one_line(&question.judgement.message, DETAIL)));
        if question.approvals > 1 {
            let agreed = question.agreed.iter().map(|by| shown::one_line(by, NAME)).collect::<Vec<_>>().join(", ");
            let so_far = if agreed.is_empty() { "nobody" } else { &agreed };
            below(format!("{} people must agree; so far {so_far}", question.approvals));
        }
        if let [_, more @ ..] = group.as_slice()
            && !more.is_empty()
        {
            let ids: Vec<&str> = more.iter().map(|q| q.id.as_str()).collect();
            // Each is answered on its own.
            below(format!("and {} more of the same: {}", more.len(), ids.join(" ")));
        }
    }
    if let Some(first) = pending.first()
        && std::io::stdout().is_terminal()
    {
        printer
            .note(format!("Let it through with `rampart approve {0}`, or refuse with `rampart deny {0}`.", first.id));
    }
    Ok(Exit::Yes)
}

/// The questions of one agent and session about the same action, together; in the order of their first.
fn grouped(pending: &[Pending]) -> Vec<Vec<&Pending>> {
    let mut groups: Vec<Vec<&Pending>> = Vec::new();
    for question in pending {
        let same = |other: &&Pending| {
            let (ours, theirs) = (&question.call.origin, &other.call.origin);
            (&ours.agent, &ours.session) == (&theirs.agent, &theirs.session)
                && question.call.action == other.call.action
        };
        match groups.iter_mut().find(|group| group.first().is_some_and(same)) {
            Some(group) => group.push(question),
            None => groups.push(vec![question]),
        }
    }
    groups
}
