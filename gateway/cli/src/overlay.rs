//! A project of which an agent changed a copy (`rampart run --overlay`): where that is kept, what differs, and how it becomes the
//! project or is thrown away. The kernel's overlayfs wrote it; what is read of it is foreign.

mod accept;
mod changes;
mod original;
mod root;
mod show;

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_gateway::Home;
use rampart_jail::Overlay;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    changes::Changes,
    show::{Shown, show},
};
use self::{original::Original, root::Root};

/// A copy of a project that an agent changes or changed.
pub(crate) struct View {
    /// What people call it.
    pub(crate) id: String,
    /// What is known of it.
    pub(crate) about: About,
    folder: PathBuf,
}

/// What is known of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The folder that stayed as it was.
    pub(crate) project: PathBuf,
    /// Whose changes they are.
    pub(crate) agent: String,
    /// In which session.
    pub(crate) session: String,
    /// When it began (RFC 3339).
    pub(crate) began: String,
    /// Device and inode of the project.
    identity: (u64, u64),
}

const ABOUT: &str = "about.json";

impl View {
    /// Makes an empty one, and notes how the project is now.
    ///
    /// # Errors
    /// When it cannot be made, or the project not be read.
    pub(crate) fn begin(home: &Home, project: &Path, agent: &str, session: &str) -> anyhow::Result<Self> {
        let all = place(home);
        if all.starts_with(project) {
            bail!("{} lies in the project, and there no copy of that can be kept", home.state().display());
        }
        let drawn = uuid::Uuid::now_v7().simple().to_string();
        let id = drawn.get(24..).unwrap_or_default().to_owned();
        let folder = all.join(&id);
        let cannot = || format!("cannot prepare {}", folder.display());
        let private = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        private(&all).with_context(cannot)?;
        fs::DirBuilder::new().mode(0o700).create(&folder).with_context(cannot)?;
        let meta = project.metadata().with_context(cannot)?;
        let about = About {
            project: project.to_owned(),
            agent: agent.to_owned(),
            session: session.to_owned(),
            began: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
            identity: (meta.dev(), meta.ino()),
        };
        let view = Self { id, about, folder };
        view.fill(meta.mode()).inspect_err(|_| drop(remove(&view.folder)))?;
        Ok(view)
    }

    fn fill(&self, mode: u32) -> anyhow::Result<()> {
        let cannot = || format!("cannot prepare {}", self.folder.display());
        for name in ["upper", "work"] {
            fs::create_dir(self.folder.join(name)).with_context(cannot)?;
        }
        fs::set_permissions(self.folder.join("upper"), fs::Permissions::from_mode(mode & 0o7777))
            .with_context(cannot)?;
        let original = Original::of(&self.project()?)?;
        fs::write(self.folder.join("original"), original.to_bytes()).with_context(cannot)?;
        fs::write(self.folder.join(ABOUT), serde_json::to_vec(&self.about)?).with_context(cannot)?;
        Ok(())
    }

    /// All that are kept, oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) fn all(home: &Home) -> anyhow::Result<Vec<Self>> {
        let all = place(home);
        let Ok(list) = fs::read_dir(&all) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in list {
            let entry = entry.with_context(|| format!("cannot list {}", all.display()))?;
            // One that is being made or removed.
            let Ok(text) = fs::read(entry.path().join(ABOUT)) else { continue };
            let about = serde_json::from_slice(&text)
                .with_context(|| format!("{} cannot be read", entry.path().join(ABOUT).display()))?;
            found.push(Self { id: entry.file_name().to_string_lossy().into_owned(), about, folder: entry.path() });
        }
        found.sort_by(|a, b| (&a.about.began, &a.id).cmp(&(&b.about.began, &b.id)));
        Ok(found)
    }

    /// The one whose name begins so.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub(crate) fn find(home: &Home, word: &str) -> anyhow::Result<Self> {
        let mut found: Vec<_> = Self::all(home)?.into_iter().filter(|view| view.id.starts_with(word)).collect();
        match (found.pop(), found.is_empty()) {
            (Some(view), true) if !word.is_empty() => Ok(view),
            (None, _) => bail!("there is no copy `{word}`; `rampart overlay list` shows those that are kept"),
            _ => bail!("`{word}` is more than one; `rampart overlay list` shows them"),
        }
    }

    /// What the kernel has to be told.
    pub(crate) fn overlay(&self) -> Overlay {
        let Self { about, folder, .. } = self;
        Overlay { folder: about.project.clone(), upper: folder.join("upper"), work: folder.join("work") }
    }

    /// What differs from the project as it is now.
    ///
    /// # Errors
    /// When either cannot be read.
    pub(crate) fn changes(&self) -> anyhow::Result<Changes> {
        let upper = Root::open(&self.folder.join("upper"))?;
        let noted = self.folder.join("original");
        let text = fs::read(&noted).with_context(|| format!("cannot read {}", noted.display()))?;
        let original = Original::from_bytes(&text).with_context(|| format!("{} is damaged", noted.display()))?;
        Changes::between(upper, self.project()?, original)
    }

    /// Throws it away.
    ///
    /// # Errors
    /// When something of it stays.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        remove(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }

    /// The project, if it is the same folder still.
    fn project(&self) -> anyhow::Result<Root> {
        let About { project, identity, .. } = &self.about;
        let root = Root::open(project)?;
        if root.identity()? != *identity {
            bail!("{} is another folder than the one that the copy was made of", project.display());
        }
        Ok(root)
    }
}

fn place(home: &Home) -> PathBuf {
    home.state().join("overlays")
}

/// Removes a folder with everything in it, whatever the modes of that are.
fn remove(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests;
