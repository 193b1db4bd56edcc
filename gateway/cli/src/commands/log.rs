//! `rampart log`: the newest decisions.

use rampart_call::Outcome;
use rampart_gateway::{
    Home,
    audit::{
        Kind,
        read::{Record, backward},
    },
};

use crate::{args::Log, environment::Environment, exit::Exit, printer::Printer, record};

pub(crate) fn run(args: Log, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let mut filter = args.wanted.filter(&environment.user_home);
    if args.deny {
        filter.decision = Some(Outcome::Deny);
    }
    let sieve = filter.sieve();
    let home = Home::at(&environment.home);
    home.prepare()?;
    let mut found = Vec::new();
    for record in backward(&home.audit())? {
        let record = record?;
        if matches!(record.kind, Kind::Decision | Kind::Result) && sieve.admits(&record) {
            found.push(record);
        }
        if found.len() == args.lines {
            break;
        }
    }
    if found.is_empty() && !args.json {
        printer.note("No such decisions yet.");
    }
    found.iter().rev().try_for_each(|record| show(record, args.json, printer))?;
    Ok(Exit::Yes)
}

/// Prints a record: as it stands, or as a line for a person.
pub(crate) fn show(record: &Record, json: bool, printer: Printer) -> anyhow::Result<()> {
    if json {
        printer.out(&record.line);
    } else {
        record::show(&serde_json::from_str(&record.line)?, printer);
    }
    Ok(())
}
