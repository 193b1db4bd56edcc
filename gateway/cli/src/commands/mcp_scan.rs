//! `rampart mcp scan -- SERVER`: what a server offers, what of that gives reason to look twice, a lock to notice changes
//! by, and a policy of least privilege.

mod report;

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use rampart_mcp::{
    environment::clean,
    scan::{self, Drift, Lock, Severity},
};
use rampart_policy::{Layer, SourceFile, load};
use report::Report;

use super::{
    mcp::{explicit, server_name},
    mcp_pins,
};
use crate::{args::Scan, environment::Environment, exit::Exit, printer::Printer, rules, user_overrides::replace};

pub(crate) fn run(args: Scan, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let name = args.name.clone().unwrap_or_else(|| server_name(&args.server));
    let lock_path = environment.cwd.join(&args.lock);
    let mut lock = read_lock(&lock_path)?;
    if args.check && !lock.knows(&name) {
        bail!("{} does not know the server `{name}`; scan it once without --check", lock_path.display());
    }
    if let Some(path) = &args.output
        && path.exists()
        && !args.force
    {
        bail!("{} exists already; give --force to replace it", path.display());
    }
    printer.note(format!("Starting `{name}` to ask what it offers …"));
    let env: Vec<_> = clean(std::env::vars_os()).into_iter().chain(explicit(&args.env)?).collect();
    let mut limits = scan::Limits::default();
    if let Some(seconds) = args.timeout {
        limits.answer = std::time::Duration::from_secs(seconds);
        limits.first_answer = limits.answer;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let walk = runtime.block_on(scan::walk(&args.server, &env, limits))?;
    let mut risks = scan::risks(&walk.catalogue, &rampart_scan::scan);
    let pinned = mcp_pins::others(&name, environment)?;
    let locked = lock.servers().filter(|other| *other != name).filter_map(|other| Some((other, lock.offered(other)?)));
    let others: Vec<_> = pinned.iter().map(|(key, offered)| (key.as_str(), offered)).chain(locked).collect();
    risks.extend(scan::shadows(&walk.catalogue, &others));
    risks.sort_by_key(|risk| std::cmp::Reverse(risk.severity));
    risks.dedup();
    let drift = if lock.knows(&name) { lock.compare(&name, &walk.catalogue) } else { Vec::new() };
    let policy = scan::draft(&name, &walk.catalogue);
    prove(&policy, printer)?;

    let report = Report { name: &name, walk: &walk, risks: &risks, drift: &drift };
    if args.json {
        printer.json(&report.json(&policy))?;
    } else if args.sarif {
        printer.json(&report.sarif(&args.lock))?;
    } else {
        printer.note(report.text());
        match &args.output {
            None if !args.check => printer.out_raw(&policy),
            _ => {}
        }
    }
    if let Some(path) = &args.output {
        replace(&environment.cwd.join(path), &policy, 0o600)?;
        printer.note(format!("policy written: {}; try it with `rampart policy lint {0}`", path.display()));
    }
    if args.check {
        return Ok(if drift.is_empty() && !dangerous(&risks) { Exit::Yes } else { Exit::No });
    }
    lock.pin(&name, &walk.catalogue);
    replace(&lock_path, &lock.write()?, 0o644)?;
    printer.note(format!(
        "lock written: {}; `rampart mcp scan --check -- SERVER` fails when the server changes",
        lock_path.display()
    ));
    Ok(if dangerous(&risks) { Exit::No } else { Exit::Yes })
}

fn dangerous(risks: &[scan::Risk]) -> bool {
    risks.iter().any(|risk| risk.severity == Severity::Error)
}

fn read_lock(path: &Path) -> anyhow::Result<Lock> {
    match fs::read_to_string(path) {
        Ok(text) => Lock::read(&text).with_context(|| {
            format!("{} cannot be relied on; restore it, or remove it and scan again", path.display())
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// What is handed out as a policy loads.
fn prove(policy: &str, printer: Printer) -> anyhow::Result<()> {
    let file = SourceFile { name: "the drafted policy".to_owned(), text: policy.to_owned(), layer: Layer::User };
    if let Err(wrong) = load(std::slice::from_ref(&file)) {
        rules::show(&wrong, &[file], printer);
        bail!("the server's names make no policy that loads");
    }
    Ok(())
}

/// One line about a change.
fn told(drift: &Drift) -> String {
    let shown = |name: &str| rampart_scan::visible(name).replace('\n', "\\n");
    match drift {
        Drift::Added { section, name } => format!("added    {section} {}", shown(name)),
        Drift::Removed { section, name } => format!("removed  {section} {}", shown(name)),
        Drift::Changed { section, name, members } => {
            format!("changed  {section} {}: {}", shown(name), shown(&members.join(", ")))
        }
    }
}
