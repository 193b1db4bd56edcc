//! `rampart status`: what is running and what is in force, as the gateway measures it.

use rampart_client::{
    Fault,
    wire::{ConfigStatus, TelemetryStatus},
};

use crate::{
    args::Json,
    environment::Environment,
    exit::Exit,
    printer::{DIM, Printer, outcome_style, styled},
    reach,
    record::local_time,
};

pub(crate) fn run(args: &Json, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let status = match reach::client(environment).status() {
        Ok(status) => status,
        Err(fault @ Fault::Unreachable { .. }) => {
            if args.json {
                printer.json(&serde_json::json!({ "running": false, "home": environment.home }))?;
            } else if reach::is_of_the_machine(environment) {
                printer.out(fault.to_string());
                printer.note("Until then every surface refuses.");
            } else {
                printer.out(format!("no gateway runs for {}", environment.home.display()));
                printer
                    .note("Hooks, `rampart wrap` and `rampart mcp` start one; so does `rampart serve --background`.");
            }
            return Ok(Exit::No);
        }
        Err(fault) => return Err(fault.into()),
    };
    if args.json {
        printer.json(&status)?;
        return Ok(Exit::Yes);
    }
    let row = |name: &str, value: String| printer.hung(10, format!("{} {value}", styled(DIM, format!("{name:<9}"))));
    let mode_style =
        outcome_style(if status.mode == "enforce" { rampart_call::Outcome::Allow } else { rampart_call::Outcome::Ask });
    row("mode", styled(mode_style, &status.mode));
    let ConfigStatus { error, waiting, mode } = &status.config;
    if let Some(mode) = mode {
        row("", format!("by a flag; config.yaml says {mode}, and so runs a gateway that a hook starts after this one"));
    }
    if let Some(error) = error {
        let text = format!("not in force: {error}");
        row("config", styled(outcome_style(rampart_call::Outcome::Deny), text));
    }
    if !waiting.is_empty() {
        row("config", format!("changes of {} wait for the next start", waiting.join(", ")));
    }
    row(
        "gateway",
        format!("process {}, version {}, since {}", status.pid, status.version, local_time(&status.started)),
    );
    row("home", status.home.clone());
    row("api", status.listen.clone().map_or_else(|| "none: its port is taken".to_owned(), |a| format!("http://{a}")));
    row("egress", status.egress.map_or_else(|| "none: its port is taken".to_owned(), |a| format!("http://{a}")));
    let short = status.policy.hash.get(..12).unwrap_or_default();
    row(
        "policy",
        format!(
            "{} rules in {} policies, {short}, from {}",
            status.policy.rules,
            status.policy.policies,
            status.policy.files.join(", ")
        ),
    );
    if let Some(error) = &status.policy.error {
        row("", styled(outcome_style(rampart_call::Outcome::Deny), format!("not in force: {error}")));
    }
    for warning in &status.policy.warnings {
        row("", styled(outcome_style(rampart_call::Outcome::Ask), warning));
    }
    row(
        "audit",
        match &status.audit.problem {
            None => format!("healthy, {} records", status.audit.seq.unwrap_or(0)),
            Some(problem) => styled(outcome_style(rampart_call::Outcome::Deny), problem),
        },
    );
    for witness in &status.audit.witnesses {
        let deny = outcome_style(rampart_call::Outcome::Deny);
        let state = match (&witness.problem, witness.size) {
            (Some(problem), _) => styled(deny, format!("takes no checkpoints: {problem}")),
            (None, Some(size)) => format!("saw {size} records"),
            (None, None) => "has seen nothing yet".to_owned(),
        };
        row("witness", format!("{} {state}", witness.witness));
    }
    if !status.fail_open.is_empty() {
        row("open", format!("{} go on without an answer", status.fail_open.join(", ")));
    }
    if let Some(lost @ TelemetryStatus { spans_lost, log_records_lost, requests_lost }) = &status.telemetry {
        let state = format!("lost {spans_lost} spans, {log_records_lost} lines of the log, {requests_lost} requests");
        row("otel", if *lost == TelemetryStatus::default() { "nothing was lost".to_owned() } else { state });
    }
    let waits = outcome_style(rampart_call::Outcome::Ask);
    row(
        "pending",
        match status.pending {
            0 => "nothing waits".to_owned(),
            1 => styled(waits, "1 call waits for you: `rampart pending`, `rampart watch`"),
            count => styled(waits, format!("{count} calls wait for you: `rampart pending`, `rampart watch`")),
        },
    );
    // Said plainly: what stands on a variable or on an agent's good will can be walked around.
    row("roads", "hooks, shell and proxy variables are advisory: a program can walk around them".to_owned());
    let jailed = match status.jailed {
        0 => "no session runs in one".to_owned(),
        1 => "1 session runs in one; its network is enforced".to_owned(),
        count => format!("{count} sessions run in one; their network is enforced"),
    };
    row("jail", jailed);
    Ok(Exit::Yes)
}
