//! The tokens in the home's state: one private file, replaced whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::token::Token;
use crate::{HomeError, home::open_private};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept<T> {
    version: u32,
    tokens: T,
}

/// The tokens in the file; none when there is no file.
pub(super) fn read(path: &Path) -> Result<Vec<Token>, HomeError> {
    let io = |what, source| HomeError::Io { what, path: path.to_owned(), source };
    match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        _ => {}
    }
    let mut text = String::new();
    open_private(OpenOptions::new().read(true), path)?.read_to_string(&mut text).map_err(|e| io("read", e))?;
    let kept: Kept<Vec<Token>> = serde_json::from_str(&text).map_err(|e| io("understand", e.into()))?;
    if kept.version != 1 {
        return Err(io("understand", io::Error::other(format!("it has version {}", kept.version))));
    }
    Ok(kept.tokens)
}

/// Replaces the file. When this returns, the new one is what a restart finds.
pub(super) fn write<'t>(path: &Path, tokens: impl Iterator<Item = &'t Token>) -> io::Result<()> {
    let text = serde_json::to_vec(&Kept { version: 1, tokens: tokens.collect::<Vec<_>>() })?;
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
