//! `rampart audit`: read and verify the trail.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rampart_gateway::{
    Home,
    audit::{
        Checkpoint,
        read::{backward, forward},
        verify::{Finding, Options, verify},
    },
};

use crate::{
    args::AuditVerb,
    commands::log::show,
    environment::Environment,
    exit::Exit,
    printer::{DIM, Printer, outcome_style, styled},
};

pub(crate) fn run(verb: AuditVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let trail = || {
        let home = Home::at(&environment.home);
        home.prepare().map(|()| home.audit())
    };
    let not_built = match verb {
        AuditVerb::Tail { follow, lines, json } => return tail(&trail()?, follow, lines, json, printer),
        AuditVerb::Verify { dir, witness, expect_head, json } => {
            let dir = match dir {
                Some(dir) => dir,
                None => trail()?,
            };
            return check(&dir, witness, expect_head, json, printer);
        }
        AuditVerb::Stats(_) => "stats",
        AuditVerb::Search(_) => "search",
        AuditVerb::Export(_) => "export",
    };
    printer.note(format!("rampart: `audit {not_built}` is not built in this version; see `rampart log --json`"));
    Ok(Exit::Error)
}

fn tail(dir: &Path, follow: bool, lines: usize, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let newest: Vec<_> = backward(dir)?.take(lines).collect::<Result<_, _>>()?;
    let mut next = 1;
    for record in newest.iter().rev() {
        show(record, json, printer)?;
        next = record.seq + 1;
    }
    if lines == 0
        && let Some(last) = backward(dir)?.next()
    {
        next = last?.seq + 1;
    }
    if follow {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut records = forward(dir, next);
            loop {
                show(&records.wait().await?, json, printer)?;
                if std::io::stdout().flush().is_err() {
                    return anyhow::Ok(());
                }
            }
        })?;
    }
    Ok(Exit::Yes)
}

fn check(
    dir: &Path,
    witness: Option<PathBuf>,
    expect_head: Option<String>,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let witness: Option<Checkpoint> = match witness {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Some(serde_json::from_str(&text).with_context(|| format!("{} is not a checkpoint", path.display()))?)
        }
    };
    let progress = |records: u64| {
        if std::io::stderr().is_terminal() && records.is_multiple_of(100_000) && records > 0 {
            let _ = write!(anstream::stderr(), "\r{records} records");
        }
    };
    let report = verify(dir, &Options { witness, expect_head }, progress)
        .with_context(|| format!("cannot read the trail in {}", dir.display()))?;
    if std::io::stderr().is_terminal() && report.records >= 100_000 {
        let _ = write!(anstream::stderr(), "\r");
    }
    if json {
        printer.json(&report)?;
    } else {
        let line = |finding: &Finding| {
            printer.out(format!("{}:{}: {}", finding.file, finding.line, finding.message));
            printer.out(format!("  {}", styled(DIM, &finding.remedy)));
        };
        report.notes.iter().for_each(line);
        report.problems.iter().for_each(line);
        let counts = format!("records {}, files {}, head {}", report.records, report.segments, report.head);
        if report.ok {
            printer.out(format!("{}: {counts}", styled(outcome_style(rampart_call::Outcome::Allow), "verified")));
        } else {
            let bad = styled(outcome_style(rampart_call::Outcome::Deny), "not what was written");
            printer.out(format!("{bad}: {counts}"));
        }
    }
    Ok(if report.ok { Exit::Yes } else { Exit::No })
}
