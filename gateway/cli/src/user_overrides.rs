//! The human's own rules: the gateway of the home changes them, and without one this program does, by the same code.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context as _, bail};
use rampart_client::{Fault, Settings, blocking::Client};
use rampart_gateway::{
    Home,
    overrides::{Planned, write_whole},
};
use rampart_policy::{Layer, SourceFile};

use crate::{environment::Environment, reach};

/// Where a change was made, and what came of it there.
#[derive(Debug)]
pub(crate) enum Changed<G, H> {
    /// The gateway made it.
    ByGateway(G),
    /// No gateway runs, so it was made here.
    Here(H),
}

/// Has the gateway make a change, or makes it here where none runs. With `yes` the home's token stands for a person whom
/// nobody sees at a terminal.
///
/// # Errors
/// When it is refused or fails.
pub(crate) fn change<G, H>(
    environment: &Environment,
    yes: bool,
    ask: impl FnOnce(&Client) -> Result<G, Fault>,
    plan: impl FnOnce(&Home) -> anyhow::Result<Planned<H>>,
) -> anyhow::Result<Changed<G, H>> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    let token = environment.token.clone().or_else(|| home.token().ok().filter(|_| yes));
    let client = Client::new(Settings { token, ..Settings::new(rampart_client::socket(&environment.home)) });
    match ask(&client) {
        Ok(done) => Ok(Changed::ByGateway(done)),
        Err(Fault::Unreachable { .. }) => Ok(Changed::Here(plan(&home)?.save()?)),
        Err(fault) => Err(fault.into()),
    }
}

/// What a change of the files comes to, for people.
pub(crate) fn state(by_gateway: bool, rules: usize) -> String {
    if by_gateway {
        format!("policy reloaded ({rules} rules active)")
    } else {
        format!("in force when the gateway starts ({rules} rules)")
    }
}

/// The text of a file; empty when there is none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn text_of(path: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(String::new()),
        text => text.with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Replaces a file at once: whoever reads it sees the old text or the new one, after a crash too.
///
/// # Errors
/// When it cannot be written; then the old one stands.
pub(crate) fn replace(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    write_whole(path, text, mode).with_context(|| format!("cannot write {}", path.display()))
}

/// The policy files as they would be with this text in place of the file `name`.
pub(crate) fn files_with(files: &[SourceFile], name: &str, layer: Layer, text: &str) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = files.iter().filter(|f| f.name != name).cloned().collect();
    files.push(SourceFile { name: name.to_owned(), text: text.to_owned(), layer });
    files
}

/// Makes the gateway load the files again, and says what came of it; `rules` is how many there are without it.
///
/// # Errors
/// When a gateway runs and goes on by the old rules.
pub(crate) fn reloaded(environment: &Environment, rules: usize) -> anyhow::Result<String> {
    match reach::client(environment).reload() {
        Ok(status) => match status.error {
            None => Ok(state(true, status.rules)),
            Some(error) => bail!("the file is written, but the gateway goes on by the old rules: {error}"),
        },
        Err(Fault::Unreachable { .. }) => Ok(state(false, rules)),
        Err(fault) => Err(fault).context("the file is written, but the gateway did not load it"),
    }
}
