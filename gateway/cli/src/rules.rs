//! The rules that a command of this program judges by: those in force here, or files that were named.

use std::path::{Path, PathBuf};

use rampart_gateway::{Home, policy_files};
use rampart_policy::{Diagnostic, Layer, Ruleset, SourceFile, load};

use crate::{diagnostics, environment::Environment, printer::Printer};

/// The policy files in force for the working directory, or exactly the named ones.
///
/// # Errors
/// When a file cannot be read. What is wrong inside of a file shows when it is loaded.
pub(crate) fn files(environment: &Environment, named: &[PathBuf]) -> anyhow::Result<Vec<SourceFile>> {
    if !named.is_empty() {
        return named.iter().map(|path| read(path, Layer::User)).collect();
    }
    let home = Home::at(&environment.home);
    home.prepare()?;
    let mut files = policy_files(&home.policies())
        .map_err(|wrong| anyhow::anyhow!("{}", wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    let project = environment.workspace().join(".rampart").join("policy.yaml");
    if environment.project_policy && project.exists() {
        files.push(read(&project, Layer::Project)?);
    }
    Ok(files)
}

fn read(path: &Path, layer: Layer) -> anyhow::Result<SourceFile> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        anyhow::anyhow!(
            "cannot read {}: {e}; give the path of a policy file, or none to use those in force",
            path.display()
        )
    })?;
    Ok(SourceFile { name: path.display().to_string(), text, layer })
}

/// Compiles the files; shows what is wrong with them when that fails.
pub(crate) fn compile(files: &[SourceFile], printer: Printer) -> anyhow::Result<Ruleset> {
    load(files).map(|loaded| loaded.ruleset).map_err(|wrong| {
        show(&wrong, files, printer);
        anyhow::anyhow!("the policy does not load; `rampart policy lint` shows the same")
    })
}

/// Shows diagnostics with the lines they are about.
pub(crate) fn show(wrong: &[Diagnostic], files: &[SourceFile], printer: Printer) {
    let text_of = |name: &str| files.iter().find(|f| f.name == name).map(|f| f.text.as_str());
    printer.note(diagnostics::render(wrong, text_of));
}
