//! `rampart audit export`: records for other programs.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use rampart_gateway::audit::{
    export::{Format, export},
    read::{Record, forward},
};
use serde_json::json;

use crate::{
    args::{Export, ExportFormat},
    environment::Environment,
    exit::Exit,
    printer::Printer,
};

pub(super) fn run(dir: &Path, args: Export, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let format = match args.format {
        ExportFormat::Jsonl => Format::Jsonl,
        ExportFormat::Json => Format::Json,
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Cef => Format::Cef,
    };
    let sieve = args.wanted.filter(&environment.user_home).sieve();
    let wanted = |r: &io::Result<Record>| r.as_ref().map_or(true, |record| sieve.admits(record));
    let records = forward(dir, 0).filter(wanted);
    let Some(path) = args.output else {
        return match export(records, format, &mut BufWriter::new(io::stdout())) {
            // a reader that went away (`| head`) is no error of ours
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Yes),
            done => done.map(|_| Exit::Yes).context("cannot export the audit trail"),
        };
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot write a new file {}", path.display()))?;
    let count = export(records, format, &mut BufWriter::new(&file)).and_then(|count| file.sync_all().map(|()| count));
    let count = count.with_context(|| format!("cannot export the audit trail into {}", path.display()))?;
    if args.json {
        printer.json(&json!({ "records": count, "format": format.as_str(), "file": path }))?;
    } else {
        printer.note(format!("{count} records: {}", path.display()));
    }
    Ok(Exit::Yes)
}
