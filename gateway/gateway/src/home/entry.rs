//! One file or folder of the home: created private, and never trusted by its name alone.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{OFlags, StatVfsMountFlags};

use super::HomeError;

/// Creates a folder with mode 0700, or checks the one that is there: ours, no link, and none of the bits `closed` set.
pub(super) fn create_folder(path: &Path, closed: u32) -> Result<(), HomeError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(HomeError::Io { what: "create", path: path.to_owned(), source }),
    }
    let meta =
        path.symlink_metadata().map_err(|source| HomeError::Io { what: "look at", path: path.to_owned(), source })?;
    if meta.is_symlink() {
        return Err(HomeError::Link(path.to_owned()));
    }
    if !meta.is_dir() {
        return Err(HomeError::NotFolder(path.to_owned()));
    }
    check_owner(path, &meta, closed, 0o700)
}

/// Opens a file that only we may use, creating it when the options say so. Follows no link and waits for no pipe.
pub(crate) fn open_private(options: &mut OpenOptions, path: &Path) -> Result<File, HomeError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let io = |what, source| HomeError::Io { what, path: path.to_owned(), source };
    let file = options.mode(0o600).custom_flags(flags).open(path).map_err(|e| match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => HomeError::Link(path.to_owned()),
        Ok(meta) if !meta.is_file() => HomeError::NotFile(path.to_owned()),
        _ => io("open", e),
    })?;
    let meta = file.metadata().map_err(|source| io("look at", source))?;
    check_file(path, &meta, 0o077)?;
    Ok(file)
}

/// Checks a file: ours, ordinary, one name, and none of the bits `closed` set.
pub(super) fn check_file(path: &Path, meta: &Metadata, closed: u32) -> Result<(), HomeError> {
    if meta.is_symlink() {
        return Err(HomeError::Link(path.to_owned()));
    }
    if !meta.is_file() {
        return Err(HomeError::NotFile(path.to_owned()));
    }
    if meta.nlink() > 1 {
        return Err(HomeError::HardLinked { path: path.to_owned(), links: meta.nlink() });
    }
    check_owner(path, meta, closed, 0o600)
}

fn check_owner(path: &Path, meta: &Metadata, closed: u32, wanted: u32) -> Result<(), HomeError> {
    // Where only writing is a concern: what a container was given read-only has the owner that it has outside.
    if closed & 0o055 == 0 && is_mounted_read_only(path) {
        return Ok(());
    }
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != us {
        return Err(HomeError::Foreign { path: path.to_owned(), uid: meta.uid(), us });
    }
    let mode = meta.mode() & 0o7777;
    if mode & closed != 0 {
        return Err(HomeError::Open { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

/// Whether nobody can change it here, whoever owns it (statvfs(3), ST_RDONLY).
fn is_mounted_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|about| about.f_flag.contains(StatVfsMountFlags::RDONLY))
}
