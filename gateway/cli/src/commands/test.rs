//! `rampart test`: what the policy decides about a call, without making it.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use rampart_call::{Action, Call, CommandLine, Judgement, Origin, Outcome, Phase, strict};
use rampart_client::wire::Decision;
use rampart_gateway::overrides::params;
use rampart_policy::{Context, History};

use crate::{
    args::Test,
    commands::suite,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    rules,
};

pub(crate) fn run(args: &Test, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if let Some(paths) = &args.run {
        return suite::run(paths, args, environment, printer);
    }
    let files = rules::files(environment, &args.policy)?;
    let call = call(args, environment)?;
    let ruleset = rules::compile(&files, printer)?;
    let (labels, history) = (BTreeSet::new(), History::default());
    let began = std::time::Instant::now();
    let mut judgement = ruleset.judge(&call, &context(&labels, &history, environment));
    judgement.micros = began.elapsed().as_micros() as u64;
    let outcome = judgement.outcome;
    if args.json {
        printer.json(&Decision::of(judgement, outcome.passes(), None))?;
    } else {
        show(&judgement, printer);
    }
    Ok(exit(outcome))
}

/// What the judgement depends on besides call and rules: now, and an agent nothing is known of.
pub(crate) fn context<'a>(
    labels: &'a BTreeSet<String>,
    history: &'a History,
    environment: &'a Environment,
) -> Context<'a> {
    Context {
        now_ms: jiff::Timestamp::now().as_millisecond(),
        headless: false,
        labels,
        confined: false,
        called: &[],
        history,
        counted: false,
        rampart_home: environment.home.to_str(),
    }
}

/// 0: it goes on; 1: it is denied; 3: somebody is asked.
pub(crate) fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Allow | Outcome::Watch => Exit::Yes,
        Outcome::Ask | Outcome::Webhook => Exit::Ask,
        Outcome::Deny => Exit::No,
    }
}

/// The call that the arguments describe.
pub(crate) fn call(args: &Test, environment: &Environment) -> anyhow::Result<Call> {
    let action = match (&args.subject, &args.params) {
        (Some(subject), _) => Action::from_tool(&args.tool, &params(&args.tool, subject))?,
        (None, Some(text)) => {
            let params = strict::parse(text.as_bytes()).context("--params is not JSON that means one thing")?;
            Action::from_tool(&args.tool, &params)?
        }
        (None, None) => {
            bail!("say what to test, such as `rampart test \"rm -rf /\"`; --run runs the policies' own tests")
        }
    };
    Ok(call_of(action, &args.agent, environment))
}

/// The call of an agent here that is this action.
pub(crate) fn call_of(mut action: Action, agent: &str, environment: &Environment) -> Call {
    let cwd = environment.cwd.display().to_string();
    match &mut action {
        Action::Exec { cwd: place @ None, .. } => *place = Some(cwd),
        Action::Read { paths } | Action::Write { paths, .. } | Action::Edit { paths, .. } => {
            for located in paths {
                let path = environment.cwd.join(&located.path);
                located.resolved = std::fs::canonicalize(path).ok().map(|p| p.display().to_string());
            }
        }
        _ => {}
    }
    Call {
        origin: Origin {
            agent: agent.to_owned(),
            workspace: Some(environment.workspace().display().to_string()),
            home: Some(environment.user_home.display().to_string()),
            ..Origin::default()
        },
        phase: Phase::Before,
        action,
        response: None,
    }
}

fn show(judgement: &Judgement, printer: Printer) {
    let outcome = judgement.outcome;
    let mut line = styled(outcome_style(outcome), outcome);
    if !judgement.message.is_empty() {
        line.push_str(&format!("  {}", judgement.message));
    }
    printer.out(line);
    if let Some(rule) = &judgement.rule {
        printer.out(format!("{}  {rule}", styled(DIM, "rule")));
    } else {
        let none = if judgement.matched.is_empty() { "no rule matches" } else { "no rule decides" };
        printer.out(styled(DIM, format!("{none}: {}", judgement.reason)));
    }
    for suggestion in &judgement.suggestions {
        printer.out(format!("{}  {}", styled(DIM, "to allow it"), styled(BOLD, suggestion)));
    }
}

/// The command line of a call, for showing where in it something stands.
pub(crate) fn line_of(call: &Call) -> String {
    match &call.action {
        Action::Exec { command: CommandLine::Command(text), .. } => text.clone(),
        other => other.subject(),
    }
}
