//! `rampart env`: prints the variables that send a shell's traffic through the egress proxy.

use rampart_client::{
    blocking::Client,
    wire::{OpenSession, SessionLasts},
};

use rampart_gateway::Home;

use crate::{
    args::{Env, EnvShell},
    configuration,
    environment::Environment,
    exit::Exit,
    outbound,
    printer::Printer,
    reach, secrets,
};

pub(crate) fn run(args: &Env, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    reach::ensure(environment)?;
    // The terminal's own: what a person starts by hand is told apart from what an agent does.
    let config = configuration::read(&Home::at(&environment.home), printer)?;
    let secrets = secrets::of_session(&config, environment);
    let wanted =
        OpenSession { agent: "shell".to_owned(), lasts: SessionLasts::Terminal, secrets, ..OpenSession::default() };
    let opened = Client::new(reach::road(environment)).open_session(&wanted)?;
    let mut variables: Vec<(&str, String)> =
        outbound::variables(&opened, &outbound::Files::of(environment)?, environment.node_options.as_deref())?;
    variables.extend(opened.placeholders.iter().map(|(name, value)| (name.as_str(), value.clone())));
    print(&variables, args.shell, printer)?;
    Ok(Exit::Yes)
}

/// Prints variables so that a shell takes them over.
pub(crate) fn print(variables: &[(&str, String)], shell: EnvShell, printer: Printer) -> anyhow::Result<()> {
    match shell {
        EnvShell::Sh => {
            for (name, value) in variables {
                printer.out(format!("export {name}={}", quoted(value)));
            }
        }
        EnvShell::Fish => {
            for (name, value) in variables {
                printer.out(format!("set -gx {name} {}", quoted(value)));
            }
        }
        EnvShell::Json => {
            let map: serde_json::Map<_, _> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
            printer.json(&map)?;
        }
    }
    Ok(())
}

/// In single quotes, as every POSIX shell and fish read back unchanged; a quote inside is put outside of them.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}
