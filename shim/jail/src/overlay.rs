//! A folder as the process sees it: what it changes there is kept elsewhere (overlayfs), and the folder stays as it is.

use std::{ffi::CString, io, os::unix::ffi::OsStrExt as _, path::Path};

use rustix::mount::{MountFlags, mount};

use crate::{
    confinement::Overlay,
    outcome::{Failed, Part},
};

/// Puts it in place in this mount namespace.
pub(crate) fn lay(overlay: &Overlay) -> Result<(), Failed> {
    let Overlay { folder, upper, work } = overlay;
    let failed = |error: io::Error| {
        Failed::new(Part::Overlay, format!("laying one over {} (overlayfs, Linux 5.11)", folder.display()), error)
    };
    // With the attributes of users, since those of the system are root's (overlayfs, "userxattr").
    let mut options = b"userxattr,lowerdir=".to_vec();
    push(&mut options, folder);
    options.extend(b",upperdir=");
    push(&mut options, upper);
    options.extend(b",workdir=");
    push(&mut options, work);
    let options = CString::new(options).map_err(|error| failed(error.into()))?;
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    let there = rustix::fs::statvfs(folder).map_err(|error| failed(error.into()))?.f_flag;
    if there.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        flags |= MountFlags::NOEXEC;
    }
    mount("rampart", folder, "overlay", flags, options.as_c_str()).map_err(|error| failed(error.into()))
}

/// A path among the options, where colons and commas separate.
fn push(options: &mut Vec<u8>, path: &Path) {
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            options.push(b'\\');
        }
        options.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_among_options() {
        let mut options = Vec::new();
        push(&mut options, Path::new(r"/a,b:c\d e"));
        assert_eq!(options, br"/a\,b\:c\\d e");
    }
}
