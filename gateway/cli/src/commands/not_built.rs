//! Verbs that a later version brings: they say so, and what does the nearest thing today.

use crate::{args::NotBuilt, exit::Exit, printer::Printer};

pub(crate) fn run(verb: &NotBuilt, printer: Printer) -> Exit {
    let (name, today) = match verb {
        NotBuilt::Report(_) => ("report", "see `rampart log`"),
    };
    printer.note(format!("rampart: `{name}` is not built in this version; {today}"));
    Exit::Error
}
