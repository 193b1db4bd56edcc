//! `policies/user-overrides.yaml` of a home: read under a lock, written whole, and in force when the gateway says so.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_client::Fault;
use rampart_gateway::Home;
use rampart_policy::{Layer, SourceFile};

use crate::{
    environment::Environment,
    override_text::{Entry, entries},
    reach,
};

/// How the file is called among the policies.
pub(crate) const NAME: &str = "user-overrides.yaml";

/// How a file that nobody has written yet begins.
pub(crate) const HEAD: &str = "\
# What `rampart allow` and `rampart block` added; only a locked denial stands above it. `rampart rules` lists it, and
# `rampart rules remove NUMBER` takes one back.
version: \"1\"
";

/// The file, which nobody else changes by this program meanwhile.
#[derive(Debug)]
pub(crate) struct UserOverrides {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    _lock: File,
}

impl UserOverrides {
    /// Waits for its turn and reads the file.
    ///
    /// # Errors
    /// When the home or the file cannot be used.
    pub(crate) fn open(environment: &Environment) -> anyhow::Result<Self> {
        let home = Home::at(&environment.home);
        home.prepare()?;
        let gate = home.state().join("user-overrides.lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&gate);
        let lock = lock.with_context(|| format!("cannot open {}", gate.display()))?;
        lock.lock().with_context(|| format!("cannot lock {}", gate.display()))?;
        let path = home.policies().join(NAME);
        let text = text_of(&path)?;
        Ok(Self { path, text, _lock: lock })
    }

    /// Its entries.
    ///
    /// # Errors
    /// When it is no policy file.
    pub(crate) fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        entries(&self.text).with_context(|| format!("{} does not load", self.path.display()))
    }

    /// Puts another text in its place.
    ///
    /// # Errors
    /// When it cannot be written; then the old one stands.
    pub(crate) fn save(&self, text: &str) -> anyhow::Result<()> {
        replace(&self.path, text, 0o600)
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
    let folder = path.parent().context("a file stands in a folder")?;
    // A hidden name, which the gateway does not take for a policy.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        // Whatever the umask says.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| drop(fs::remove_file(&draft))).with_context(|| format!("cannot write {}", path.display()))
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
            None => Ok(format!("policy reloaded ({} rules active)", status.rules)),
            Some(error) => bail!("the file is written, but the gateway goes on by the old rules: {error}"),
        },
        Err(Fault::Unreachable { .. }) => Ok(format!("in force when the gateway starts ({rules} rules)")),
        Err(fault) => Err(fault).context("the file is written, but the gateway did not load it"),
    }
}
