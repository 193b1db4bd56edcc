//! `rampart ca install`: the stores of the system and of browsers, each by its own tool.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{args::CaInstall, authority, environment::Environment, exit::Exit, printer::Printer};

/// What the certificate is called in every store.
const NAME: &str = "rampart-local-authority";
/// Where distributions keep what their user adds, and what takes it over.
const SYSTEMS: [(&str, &str, &[&str]); 3] = [
    ("/usr/local/share/ca-certificates", "update-ca-certificates", &[]),
    ("/etc/pki/ca-trust/source/anchors", "update-ca-trust", &["extract"]),
    ("/etc/ca-certificates/trust-source/anchors", "trust", &["extract-compat"]),
];

/// One thing to do.
enum Step {
    Copy { from: PathBuf, to: PathBuf },
    Remove(PathBuf),
    Run { program: &'static str, arguments: Vec<String> },
}

pub(super) fn run(
    args: &CaInstall,
    certificate: &Path,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let steps = steps(args.remove, certificate, environment);
    if steps.is_empty() {
        printer.note(
            "No store is found here that can be changed (the folders of update-ca-certificates, update-ca-trust or trust; \
             certutil and a browser's ~/.pki/nssdb). `rampart env` works without one.",
        );
        return Ok(Exit::No);
    }
    if !args.dry_run {
        authority::person(environment, args.yes)?;
    }
    for step in &steps {
        printer.out(step.text());
        if !args.dry_run {
            step.take()?;
        }
    }
    Ok(Exit::Yes)
}

fn steps(remove: bool, certificate: &Path, environment: &Environment) -> Vec<Step> {
    let mut steps = Vec::new();
    let found = |program: &str| std::env::split_paths(&environment.path).any(|dir| dir.join(program).is_file());
    if let Some((folder, program, arguments)) =
        SYSTEMS.iter().find(|(folder, program, _)| Path::new(folder).is_dir() && found(program))
    {
        let to = Path::new(folder).join(format!("{NAME}.crt"));
        steps.push(if remove { Step::Remove(to) } else { Step::Copy { from: certificate.to_owned(), to } });
        steps.push(Step::run(program, arguments));
    }
    let browsers = environment.user_home.join(".pki/nssdb");
    if browsers.is_dir() && found("certutil") {
        let store = format!("sql:{}", browsers.display());
        let file = certificate.display().to_string();
        steps.push(if remove {
            Step::run("certutil", &["-d", &store, "-D", "-n", NAME])
        } else {
            Step::run("certutil", &["-d", &store, "-A", "-t", "C,,", "-n", NAME, "-i", &file])
        });
    }
    steps
}

impl Step {
    fn run(program: &'static str, arguments: &[&str]) -> Self {
        Self::Run { program, arguments: arguments.iter().map(|a| (*a).to_owned()).collect() }
    }

    /// As a person would type it.
    fn text(&self) -> String {
        match self {
            Self::Copy { from, to } => format!("cp {} {}", from.display(), to.display()),
            Self::Remove(path) => format!("rm -f {}", path.display()),
            Self::Run { program, arguments } => format!("{program} {}", arguments.join(" ")).trim_end().to_owned(),
        }
    }

    fn take(&self) -> anyhow::Result<()> {
        match self {
            Self::Copy { from, to } => {
                fs::copy(from, to).with_context(|| format!("cannot write {} (are you root?)", to.display()))?;
            }
            Self::Remove(path) if path.exists() => {
                fs::remove_file(path).with_context(|| format!("cannot remove {} (are you root?)", path.display()))?;
            }
            Self::Remove(_) => {}
            Self::Run { program, arguments } => {
                let status = Command::new(program).args(arguments).status();
                let status = status.with_context(|| format!("cannot run {program}"))?;
                if !status.success() {
                    bail!("`{}` failed ({status})", self.text());
                }
            }
        }
        Ok(())
    }
}
