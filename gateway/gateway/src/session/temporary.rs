//! When temporary rules end. A rule says so by the clock on the wall, which can be set; from the moment it is first seen,
//! its time runs by the boot clock, over restarts too, and what has ended stays ended.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use rampart_policy::Ruleset;
use tracing::warn;

use crate::clock::{Deadline, Now};

/// The ends of the temporary rules in force.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    ends: BTreeMap<String, End>,
}

#[derive(Debug)]
struct End {
    deadline: Deadline,
    /// The same in terms of the boot clock as it runs now.
    boot_ms: u64,
    /// What the rule itself says.
    wall_ms: u64,
}

impl Temporary {
    /// The ends that were known before a restart stand in the file.
    pub(super) fn open(path: PathBuf, now: &Now) -> io::Result<Self> {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self { path, ends: BTreeMap::new() }),
            Err(e) => return Err(e),
        };
        let known: BTreeMap<String, Deadline> = serde_json::from_slice(&text)?;
        let end = |deadline: Deadline| End { boot_ms: deadline.boot_ms(now), deadline, wall_ms: u64::MAX };
        Ok(Self { path, ends: known.into_iter().map(|(id, deadline)| (id, end(deadline))).collect() })
    }

    /// Takes in the rules in force, and forgets those that no longer are.
    pub(super) fn take_in(&mut self, ruleset: &Ruleset, now: &Now) {
        let mut before = std::mem::take(&mut self.ends);
        let had = before.len();
        let mut fresh = false;
        for rule in ruleset.rules() {
            let Some(wall_ms) = rule.expires_at_ms.map(|at| u64::try_from(at).unwrap_or(0)) else { continue };
            let known = before.remove(&rule.id);
            fresh |= known.is_none();
            let deadline = known.map_or_else(|| Deadline::at(wall_ms, now), |end| end.deadline);
            self.ends.insert(rule.id.clone(), End { boot_ms: deadline.boot_ms(now), deadline, wall_ms });
        }
        if (fresh || had != self.ends.len())
            && let Err(why) = self.write()
        {
            warn!("a restart could give temporary rules more time, their ends cannot be written down: {why}");
        }
    }

    /// The rules whose time is over.
    pub(super) fn over(&self, wall_ms: u64, boot_ms: u64) -> Vec<String> {
        let over = self.ends.iter().filter(|(_, end)| end.boot_ms <= boot_ms || end.wall_ms <= wall_ms);
        over.map(|(id, _)| id.clone()).collect()
    }

    /// They are known to be over elsewhere from now on.
    pub(super) fn forget(&mut self, ids: &[String]) {
        self.ends.retain(|id, _| !ids.contains(id));
    }

    fn write(&self) -> io::Result<()> {
        let known: BTreeMap<&String, &Deadline> = self.ends.iter().map(|(id, end)| (id, &end.deadline)).collect();
        let draft = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(&known)?)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}
