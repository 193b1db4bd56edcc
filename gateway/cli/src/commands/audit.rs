//! `rampart audit`: read and verify the trail.

mod export;
mod stats;

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rampart_gateway::{
    Home,
    audit::{
        Checkpoint,
        read::{Part, backward, forward, search as look_up},
        verify::{Finding, Options, verify},
    },
};

use crate::{
    args::{AuditVerb, Search, Tail, Verify},
    commands::{
        log::{newest, show},
        replay,
    },
    environment::Environment,
    exit::Exit,
    printer::{DIM, Printer, outcome_style, styled},
};

/// Records that a search holds in memory at a time.
const AT_ONCE: usize = 10_000;

pub(crate) fn run(verb: AuditVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let trail = || {
        let home = Home::at(&environment.home);
        home.prepare().map(|()| home.audit())
    };
    match verb {
        AuditVerb::Tail(args) => tail(&trail()?, args, environment, printer),
        AuditVerb::Search(args) => search(&trail()?, args, environment, printer),
        AuditVerb::Stats(args) => stats::run(&trail()?, args, environment, printer),
        AuditVerb::Export(args) => export::run(&trail()?, args, environment, printer),
        AuditVerb::Replay(args) => replay::run(args, environment, printer),
        AuditVerb::Verify(Verify { dir, witness, expect_head, json }) => {
            let dir = match dir {
                Some(dir) => dir,
                None => trail()?,
            };
            check(&dir, witness, expect_head, json, printer)
        }
    }
}

fn tail(dir: &Path, args: Tail, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let Tail { follow, lines, json, wanted } = args;
    let filter = wanted.filter(&environment.user_home);
    // what is written from here on is followed
    let mut next = backward(dir)?.next().transpose()?.map_or(1, |newest| newest.seq + 1);
    for record in newest(dir, filter.clone(), lines)? {
        show(&record, json, printer)?;
        next = next.max(record.seq + 1);
    }
    let sieve = filter.sieve();
    if follow {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut records = forward(dir, next);
            loop {
                let record = records.wait().await?;
                if !sieve.admits(&record) {
                    continue;
                }
                show(&record, json, printer)?;
                if std::io::stdout().flush().is_err() {
                    return anyhow::Ok(());
                }
            }
        })?;
    }
    Ok(Exit::Yes)
}

/// 0 when there is something, 1 when there is nothing, as `grep` does.
fn search(dir: &Path, args: Search, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let Search { subject, lines, json, mut wanted } = args;
    wanted.text = subject.or(wanted.text);
    let filter = wanted.filter(&environment.user_home);
    let mut found = 0_u64;
    match lines {
        None => {
            let sieve = filter.sieve();
            let mut part = Part { after: Some(0), before: None, limit: AT_ONCE };
            loop {
                let records = look_up(dir, &sieve, part)?;
                records.iter().try_for_each(|record| show(record, json, printer))?;
                found += records.len() as u64;
                part.after = records.last().map(|record| record.seq);
                if records.len() < AT_ONCE {
                    break;
                }
            }
        }
        Some(lines) => {
            let newest = newest(dir, filter, lines)?;
            newest.iter().try_for_each(|record| show(record, json, printer))?;
            found = newest.len() as u64;
        }
    }
    if found == 0 && !json {
        printer.note("No such records.");
    }
    Ok(if found > 0 { Exit::Yes } else { Exit::No })
}

fn check(
    dir: &Path,
    witness: Vec<PathBuf>,
    expect_head: Option<String>,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let mut witnesses = Vec::new();
    for path in witness {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let seen = Checkpoint::all_in(&text);
        if seen.is_empty() {
            anyhow::bail!("{} holds no checkpoint", path.display());
        }
        witnesses.extend(seen);
    }
    let progress = |records: u64| {
        if std::io::stderr().is_terminal() && records.is_multiple_of(100_000) && records > 0 {
            let _ = write!(anstream::stderr(), "\r{records} records");
        }
    };
    let report = verify(dir, &Options { witnesses, expect_head }, progress)
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
