//! The library itself, which this program carries along: there need not be a folder that it was built in.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};
use rampart_gateway::Home;
use sha2::Digest as _;

const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preload.so"));

/// Where the library is, written there if it is not yet, or is not what it should be.
///
/// # Errors
/// When this program has none, or it cannot be written, or `LD_PRELOAD` cannot name the place.
pub(super) fn place(home: &Home) -> anyhow::Result<PathBuf> {
    if LIBRARY.is_empty() {
        bail!(
            "there is no preload library for this system; `rampart wrap` puts shells that ask in front of the real ones"
        );
    }
    let hash = hex::encode(sha2::Sha256::digest(LIBRARY));
    let folder = home.state().join("preload");
    let path = folder.join(format!("librampart_preload-{}.so", hash.get(..16).unwrap_or_default()));
    // ld.so(8): the list is separated by colons or spaces, and nothing escapes them.
    if path.as_os_str().as_encoded_bytes().iter().any(|byte| b": ".contains(byte)) {
        bail!(
            "LD_PRELOAD cannot name {}, which has a colon or a space in it; set RAMPART_HOME to another place",
            path.display()
        );
    }
    if fs::read(&path).is_ok_and(|there| there == LIBRARY) {
        return Ok(path);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // Aside and then in place at once: another process may be loading it.
    let draft = folder.join(format!(".{}", std::process::id()));
    fs::write(&draft, LIBRARY)
        .and_then(|()| fs::rename(&draft, &path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
