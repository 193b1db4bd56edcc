//! `rampart test --run`: the tests that stand in policy files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_gateway::Home;
use rampart_policy::{Layer, SourceFile, TestOutcome, run_tests};
use serde_json::json;

use crate::{args::Test, environment::Environment, exit::Exit, printer::Printer, rules};

/// Folders nested deeper than this hold no suites.
const DEEPEST: usize = 16;

/// Runs the tests of the policies in force, or of the files and folders that `paths` names.
///
/// A named file that says its own `default_action` is judged by itself; any other adds to the policies in force, or to
/// those of `--policy`.
///
/// # Errors
/// When a path holds no tests, or a file does not load.
pub(crate) fn run(paths: &[PathBuf], args: &Test, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let base = rules::files(environment, &args.policy)?;
    let outcomes = if paths.is_empty() {
        of_those_in_force(&base, printer)?
    } else {
        let mut all = Vec::new();
        for suite in discover(paths)? {
            all.extend(of_suite(&suite, &base, environment, printer)?);
        }
        all
    };
    let failed = outcomes.iter().filter(|test| !test.passed).count();
    for test in &outcomes {
        let (subject, got) = (test.call.action.subject(), test.judgement.outcome);
        let by = test.judgement.decided_by();
        if args.json {
            printer.json(&json!({
                "file": test.file, "line": test.line, "tool": test.call.action.tool(), "subject": subject,
                "expected": test.expected, "policy": test.policy, "decision": got.as_str(),
                "decided_by": by, "passed": test.passed,
            }))?;
        } else if !test.passed {
            let subject = rampart_scan::visible(&subject);
            let wanted = test.policy.as_ref().map(|p| format!(" by {p}")).unwrap_or_default();
            printer.out(format!(
                "{}:{}: {subject}: expected {}{wanted}, got {got} [{by}]",
                test.file, test.line, test.expected
            ));
        }
    }
    if !args.json {
        printer.out(format!("{} passed, {failed} failed", outcomes.len() - failed));
    }
    Ok(if failed == 0 { Exit::Yes } else { Exit::No })
}

fn outcomes(files: &[SourceFile], printer: Printer) -> anyhow::Result<Vec<TestOutcome>> {
    run_tests(files).map_err(|wrong| {
        rules::show(&wrong, files, printer);
        anyhow::anyhow!("the policy does not load")
    })
}

/// What Rampart ships says what it promises by itself: profiles alone, packs on top of a profile. The tests of a person's
/// own files are about everything that is in force.
fn of_those_in_force(base: &[SourceFile], printer: Printer) -> anyhow::Result<Vec<TestOutcome>> {
    let shipped = |file: &SourceFile| file.layer == Layer::Profile;
    let is_whole = |file: &SourceFile| has_key(&file.text, "default_action");
    let mut all = outcomes(base, printer)?;
    all.retain(|test| base.iter().any(|file| file.name == test.file && !shipped(file)));
    for file in base.iter().filter(|file| shipped(file)) {
        let mut files = vec![file.clone()];
        if !is_whole(file) {
            files.extend(base.iter().filter(|f| shipped(f) && is_whole(f)).cloned());
        }
        all.extend(outcomes(&files, printer)?.into_iter().filter(|test| test.file == file.name));
    }
    Ok(all)
}

/// The tests of one file.
fn of_suite(
    path: &Path,
    base: &[SourceFile],
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Vec<TestOutcome>> {
    let mut files = rules::files(environment, &[path.to_owned()])?;
    let suite = files.first().context("a file that is named is read")?.clone();
    if !has_key(&suite.text, "default_action") {
        // A file of the home is in force already.
        let home = Home::at(&environment.home).policies();
        let same = |name: &str| fs::canonicalize(home.join(name)).ok() == fs::canonicalize(path).ok();
        files.extend(base.iter().filter(|f| !same(&f.name)).cloned());
    }
    let tests = outcomes(&files, printer)?;
    Ok(tests.into_iter().filter(|test| test.file == suite.name).collect())
}

/// The files that are named, and those with tests below the folders that are named, each once.
fn discover(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let known = found.len();
        if path.is_dir() {
            below(path, 0, &mut found)?;
            if found.len() == known {
                bail!("no YAML file below {} has `tests:`", path.display());
            }
        } else {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            if !has_key(&text, "tests") {
                bail!("{} has no `tests:`", path.display());
            }
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let cannot = || format!("cannot list {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let (path, kind) = (entry.path(), entry.file_type().with_context(cannot)?);
        let name = entry.file_name().to_string_lossy().into_owned();
        // Of what is hidden, only a project's own rules are looked at.
        if name.starts_with('.') && name != ".rampart" {
            continue;
        }
        let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if kind.is_dir() && depth < DEEPEST {
            below(&path, depth + 1, found)?;
        } else if kind.is_file() && yaml && fs::read_to_string(&path).is_ok_and(|text| has_key(&text, "tests")) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a key stands at the top of a file. Enough to choose files; what is in them is read when they are loaded.
fn has_key(text: &str, key: &str) -> bool {
    text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':')))
}
