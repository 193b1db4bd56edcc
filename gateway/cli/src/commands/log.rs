//! `rampart log`: the newest decisions, and how the questions among them ended.

use std::{collections::HashMap, io, path::Path};

use rampart_call::Outcome;
use rampart_gateway::{
    Home,
    audit::{
        Kind,
        read::{Filter, Part, Record, search},
    },
};
use serde_json::Value;

use crate::{args::Log, environment::Environment, exit::Exit, printer::Printer, record};

/// Steps of questions after a decision among which the end of its own is looked for.
const STEPS: usize = 500;

pub(crate) fn run(args: Log, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let mut filter = args.wanted.filter(&environment.user_home);
    if args.deny {
        filter.decision = Some(Outcome::Deny);
    }
    let shown = [Kind::Decision, Kind::Result];
    let all = filter.kinds.is_empty();
    filter.kinds = shown.into_iter().filter(|kind| all || filter.kinds.contains(kind)).collect();
    let home = Home::at(&environment.home);
    home.prepare()?;
    let trail = home.audit();
    let found = if filter.kinds.is_empty() { Vec::new() } else { newest(&trail, filter, args.lines)? };
    if found.is_empty() && !args.json {
        printer.note("No such decisions yet.");
    }
    if args.json {
        for record in &found {
            printer.out(&record.line);
        }
        return Ok(Exit::Yes);
    }
    let decisions = found.iter().map(|record| Ok((record.seq, serde_json::from_str(&record.line)?)));
    let decisions = decisions.collect::<serde_json::Result<Vec<(u64, Value)>>>()?;
    let endings = endings(&trail, decisions.iter().filter(|(_, decision)| asks(decision)).map(|(seq, _)| *seq))?;
    for (seq, decision) in &decisions {
        record::show_with(decision, endings.get(seq), printer);
    }
    Ok(Exit::Yes)
}

/// The newest records that are wanted, oldest first.
pub(crate) fn newest(trail: &Path, filter: Filter, limit: usize) -> io::Result<Vec<Record>> {
    let mut found = search(trail, &filter.sieve(), Part { after: None, before: None, limit })?;
    found.reverse();
    Ok(found)
}

/// A person may have been asked.
fn asks(decision: &Value) -> bool {
    decision.get("outcome").and_then(Value::as_str).is_some_and(|outcome| matches!(outcome, "ask" | "webhook"))
}

/// How the questions ended that these decisions asked, which are in order: the number of the decision, and the record.
fn endings(trail: &Path, asked: impl Iterator<Item = u64>) -> io::Result<HashMap<u64, Value>> {
    let answers = Filter { kinds: vec![Kind::Approval], ..Filter::default() }.sieve();
    let mut endings = HashMap::new();
    for seq in asked {
        if endings.contains_key(&seq) {
            continue;
        }
        let steps = search(trail, &answers, Part { after: Some(seq), before: None, limit: STEPS })?;
        let read = steps.iter().filter_map(|record| serde_json::from_str::<Value>(&record.line).ok());
        let ends = read.filter(|step| {
            let event = step.get("event").and_then(Value::as_str).unwrap_or_default();
            matches!(event, "granted" | "denied" | "expired" | "cancelled")
        });
        endings.extend(ends.filter_map(|step| Some((step.get("decision")?.as_u64()?, step))));
        if steps.len() < STEPS {
            // Those are all that there are, for later questions too.
            break;
        }
    }
    Ok(endings)
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
