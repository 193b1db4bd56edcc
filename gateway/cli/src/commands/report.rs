//! `rampart report`: what a trail tells somebody who was not there, as a summary, a page or JSON.

mod page;
mod summary;

use std::{
    fs::OpenOptions,
    io::{IsTerminal as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    thread,
};

use anyhow::{Context as _, bail};
use rampart_gateway::{
    Home,
    audit::{
        read::{Filter, forward},
        report::{Findings, Gatherer, SCHEMA},
        verify::{self, Options, verify},
    },
    parse_duration, rfc3339, wall_ms,
};
use serde::Serialize;

use crate::{args, environment::Environment, exit::Exit, printer::Printer};

/// All that a report says. Stable as JSON (`docs/report.md`).
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    /// When it was made, and from when on records are in it (RFC 3339).
    made: String,
    since: String,
    version: &'static str,
    home: String,
    /// The whole trail verified, whatever the period.
    chain: verify::Report,
    #[serde(flatten)]
    found: Findings,
}

pub(crate) fn run(args: args::Report, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let args::Report { html, json, last, output } = args;
    let lasts = parse_duration(&last).and_then(|ms| u64::try_from(ms).ok());
    let lasts = lasts.with_context(|| format!("`{last}` is not a time; write it as 24h, 7d or 90d"))?;
    if html && output.is_none() && std::io::stdout().is_terminal() {
        bail!("a page is for a browser: write it into a file with `--output FILE`");
    }
    let home = Home::at(&environment.home);
    home.prepare()?;
    let now = wall_ms();
    let since = now.saturating_sub(lasts);
    let (chain, found) = read(&home.audit(), since).context("cannot read the audit trail")?;
    let report = Report {
        schema: SCHEMA,
        made: rfc3339(now),
        since: rfc3339(since),
        version: env!("CARGO_PKG_VERSION"),
        home: environment.home.display().to_string(),
        chain,
        found,
    };
    let text = if html {
        page::of(&report)
    } else if json {
        serde_json::to_string(&report)? + "\n"
    } else {
        summary::of(&report)
    };
    match output {
        None => printer.out_raw(text),
        Some(path) => {
            // Colours are for terminals.
            let text = if html || json { text } else { anstream::adapter::strip_str(&text).to_string() };
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            let file = file.and_then(|mut file| file.write_all(text.as_bytes()));
            file.with_context(|| format!("cannot write a new file {}", path.display()))?;
            printer.note(format!("{}: {} records, {} decisions", path.display(), report.found.records, report.calls()));
        }
    }
    Ok(if report.chain.ok { Exit::Yes } else { Exit::No })
}

/// Verifies the trail, and gathers what stands in it since then, at once.
fn read(audit: &Path, since_ms: u64) -> std::io::Result<(verify::Report, Findings)> {
    thread::scope(|scope| {
        let verified = scope.spawn(|| verify(audit, &Options::default(), |_| {}));
        let sieve = Filter { since_ms: Some(since_ms), ..Filter::default() }.sieve();
        let mut gatherer = Gatherer::default();
        let told = std::io::stderr().is_terminal();
        for (count, record) in (1_u64..).zip(forward(audit, 0)) {
            let record = record?;
            if sieve.admits(&record) {
                gatherer.add(&record);
            }
            if told && count.is_multiple_of(100_000) {
                let _ = write!(anstream::stderr(), "\r{count} records");
            }
        }
        if told {
            let _ = write!(anstream::stderr(), "\r\x1b[K");
        }
        let chain = verified.join().map_err(|_| std::io::Error::other("the verification ended early"))??;
        Ok((chain, gatherer.finish()))
    })
}

impl Report {
    /// How many calls were judged before they happened.
    fn calls(&self) -> u64 {
        self.found.decisions.values().sum()
    }

    /// Of how many policy said this.
    fn decided(&self, outcome: &str) -> u64 {
        self.found.decisions.get(outcome).copied().unwrap_or_default()
    }
}
