//! `rampart quickstart`: a policy, the agents that are used here, a running gateway, a look at all of it, and a try of each
//! agent's hook.

mod trial;

use rampart_agents::setup;
use rampart_call::Outcome;
use rampart_client::wire;
use rampart_gateway::Home;
use rampart_scan::visible;

use crate::{
    args::{Doctor, Quickstart, Service, Setup},
    commands::{
        doctor, init, service,
        setup::{Detail, State, one, state},
    },
    environment::Environment,
    exit::Exit,
    printer::{BOLD, Printer, outcome_style, styled},
    reach,
};

pub(crate) fn run(args: &Quickstart, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let heading = |text: &str| printer.note(styled(BOLD, text));
    heading("Policy");
    if args.dry_run {
        printer.note("the profile `standard`, unless there is a policy already");
    } else {
        init::first(&Home::at(&environment.home), printer)?;
        printer.note("`rampart test COMMAND` shows what it decides");
    }
    heading("Agents");
    let mut whole = true;
    let mut seen = false;
    for setup in setup::ALL.iter().filter(|setup| state(setup, environment) != State::Absent) {
        seen = true;
        let wanted = Setup {
            agent: Some(setup.agent.name.to_owned()),
            remove: false,
            force: false,
            dry_run: args.dry_run,
            project: false,
            mcp: false,
            patch_tools: false,
        };
        if let Err(error) = one(setup, &wanted, Detail::Files, environment, printer) {
            printer.note(format!("rampart: {}: {error:#}", setup.title));
            whole = false;
        }
    }
    printer.note(match (seen, args.dry_run) {
        (false, _) => "none that has hooks is seen here; start yours with `rampart wrap -- AGENT`",
        (true, true) => "`rampart setup AGENT --dry-run` shows each line",
        (true, false) => "`rampart setup AGENT --remove` undoes it, and with --dry-run shows each line",
    });
    heading("Gateway");
    if args.service {
        let service = Service { system: false, dry_run: args.dry_run, no_start: false };
        service::install(&service, environment, printer)?;
    } else if args.dry_run {
        printer.note("would be started in the background");
    } else {
        reach::ensure(environment)?;
        printer.note("runs in the background; with `rampart serve install` it starts with the machine");
    }
    if args.dry_run {
        return Ok(if whole { Exit::Yes } else { Exit::Error });
    }
    heading("Health");
    let health = doctor::run(&Doctor { fix: false, probe: false, json: false }, environment, printer)?;
    heading("What it says of three commands, of which none was run");
    whole &= probe(environment, printer);
    let protected: Vec<_> = setup::ALL.iter().filter(|it| state(it, environment) == State::SetUp).collect();
    if !protected.is_empty() {
        heading("What each agent's hook says of two of them, asked as the agent asks");
        for setup in protected {
            whole &= trial::of(setup, environment, printer)?;
        }
    }
    heading("Try next");
    for (command, what) in [
        ("rampart watch", "decisions as they are made, and what waits for you"),
        ("rampart policy explain \"rm -rf /\"", "how a command is decided, step by step"),
        ("rampart dashboard", "the same in a browser, with search and rules"),
    ] {
        printer.note(format!("  {}  {what}", styled(BOLD, format!("{command:<36}"))));
    }
    Ok(if whole { health } else { Exit::Error })
}

/// Asks the gateway about commands that show that it decides, and runs none of them. False where it has no answer.
fn probe(environment: &Environment, printer: Printer) -> bool {
    let client = reach::client(environment);
    for command in ["git status", "cat ~/.ssh/id_ed25519", "rm -rf /"] {
        let request = wire::ToolRequest {
            params: serde_json::json!({ "command": command }),
            workspace: Some(environment.cwd.display().to_string()),
            home: Some(environment.user_home.display().to_string()),
            ..wire::ToolRequest::default()
        };
        match client.preflight("exec", &request) {
            Ok(decision) => {
                let outcome = serde_json::from_value(decision.decision.clone().into()).unwrap_or(Outcome::Deny);
                let said = styled(outcome_style(outcome), format!("{outcome:<5}"));
                printer.note(format!("  {said}  {command:<24}  {}", visible(&decision.message)).trim_end());
            }
            Err(fault) => {
                printer.note(format!("rampart: {fault}"));
                return false;
            }
        }
    }
    true
}
