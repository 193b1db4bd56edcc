//! `rampart watch`: decisions as they are made, and the questions that wait, on the whole terminal.

use std::io::IsTerminal as _;

use rampart_tui::{Filter, Options};

use crate::{args::Watch, environment::Environment, exit::Exit, printer::Printer, reach};

pub(crate) fn run(args: Watch, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        printer.note(
            "rampart: `watch` draws on a terminal, and this is none; `rampart audit tail --follow` prints what it shows",
        );
        return Ok(Exit::Error);
    }
    reach::ensure(environment)?;
    let Watch { decision, tool, agent, session, text } = args;
    let filter = Filter { decision, tool, agent, session, text };
    let color = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
    rampart_tui::run(Options { settings: reach::settings(environment), filter, color })?;
    Ok(Exit::Yes)
}
