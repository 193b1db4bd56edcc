//! Keys that belong to an installation.

use std::{
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::open_private;

/// Reads a key of the installation, or makes one.
///
/// # Errors
/// When the file is open to others, or cannot be read or made.
pub(crate) fn key_of_installation(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            getrandom::fill(&mut key).map_err(io::Error::other)?;
            file.write_all(&key)?;
            file.sync_all()?;
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let file = open_private(OpenOptions::new().read(true), path).map_err(io::Error::other)?;
            let mut bytes = Vec::new();
            file.take(64).read_to_end(&mut bytes)?;
            // Torn while it was made: nothing was made with it yet.
            let wrong = || io::Error::other("it holds no key of 32 bytes: remove it, and the next start makes one");
            key = bytes.try_into().map_err(|_| wrong())?;
        }
        Err(e) => return Err(e),
    }
    Ok(key)
}
