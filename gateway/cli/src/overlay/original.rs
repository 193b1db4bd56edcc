//! How a project was when an agent began to change a copy of it: enough to see later whether somebody else changed it meanwhile.

use std::{collections::BTreeMap, io};

use anyhow::{Context as _, anyhow};
use rustix::fs::{FileType, Stat};

use super::{
    root::{Root, join, kind},
    show::name,
};

/// Every path with what it was like.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Original(BTreeMap<Vec<u8>, Mark>);

/// What tells one state of a file from another. Of a folder it is only the mode: what is in it is marked itself. Nobody sets the time of a
/// change of state back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    mode: u32,
    size: u64,
    inode: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Mark {
    pub(super) fn of(stat: &Stat) -> Self {
        let nothing = Self { mode: stat.st_mode, size: 0, inode: 0, modified: (0, 0), changed: (0, 0) };
        if kind(stat) == FileType::Directory {
            return nothing;
        }
        Self {
            size: stat.st_size.unsigned_abs(),
            inode: stat.st_ino,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
            ..nothing
        }
    }
}

impl Original {
    /// The state that a folder is in.
    ///
    /// # Errors
    /// When something in it cannot be looked at.
    pub(super) fn of(root: &Root) -> anyhow::Result<Self> {
        let mut seen = BTreeMap::new();
        let mut folders = vec![Vec::new()];
        while let Some(folder) = folders.pop() {
            let cannot = |path: &[u8]| format!("cannot look at {} in the project", name(path));
            for entry in root.names(&folder).with_context(|| cannot(&folder))? {
                let path = join(&folder, &entry);
                let stat = root.stat(&path).map_err(|error| match error.kind() {
                    io::ErrorKind::CrossesDevices => {
                        anyhow!("{} is another file system, and a copy of the project would not show it", name(&path))
                    }
                    _ => anyhow::Error::new(error).context(cannot(&path)),
                })?;
                let Some(stat) = stat else { continue };
                seen.insert(path.clone(), Mark::of(&stat));
                if kind(&stat) == FileType::Directory {
                    folders.push(path);
                }
            }
        }
        Ok(Self(seen))
    }

    /// What somebody else did to a path meanwhile.
    pub(super) fn meanwhile(&self, path: &[u8], now: Option<&Stat>) -> Option<&'static str> {
        match (self.0.get(path), now) {
            (None, Some(_)) => Some("made meanwhile"),
            (Some(_), None) => Some("removed meanwhile"),
            (Some(then), Some(now)) if *then != Mark::of(now) => Some("changed meanwhile"),
            _ => None,
        }
    }

    /// As it is kept: a line of numbers and the path, ended by NUL, for each.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (path, Mark { mode, size, inode, modified, changed }) in &self.0 {
            let numbers = format!("{mode} {size} {inode} {} {} {} {} ", modified.0, modified.1, changed.0, changed.1);
            text.extend(numbers.as_bytes());
            text.extend(path);
            text.push(0);
        }
        text
    }

    pub(super) fn from_bytes(text: &[u8]) -> anyhow::Result<Self> {
        let read = |line: &[u8]| {
            let mut parts = line.splitn(8, |byte| *byte == b' ');
            let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse::<i128>().ok();
            let mode = number()?.try_into().ok()?;
            let (size, inode) = (number()?.try_into().ok()?, number()?.try_into().ok()?);
            let mut time = || Some((number()?.try_into().ok()?, number()?.try_into().ok()?));
            let (modified, changed) = (time()?, time()?);
            Some((parts.next()?.to_vec(), Mark { mode, size, inode, modified, changed }))
        };
        let lines = text.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let marks = lines.map(|line| read(line).context("a line is not understood"));
        Ok(Self(marks.collect::<anyhow::Result<_>>()?))
    }
}
