//! Questions on disk, so that a restart does not lose them: a file each in `state/approvals/`, without secrets, replaced
//! at once, gone when the question is over. What became of a question stands in the trail.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rampart_call::{Call, Judgement};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{Agreed, Question};
use crate::{
    clock::{Deadline, Now},
    home::open_private,
};

/// Largest file that is read back, in bytes: a call, its judgement, and what JSON adds.
const LARGEST: u64 = 64 << 20;

/// A question as its file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    version: u32,
    id: String,
    payload: String,
    call: serde_json::Value,
    judgement: serde_json::Value,
    decision: u64,
    asked_ms: u64,
    expires_ms: u64,
    end: Deadline,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    approvals: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    agreed: Vec<Agreed>,
}

const fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_one(approvals: &u8) -> bool {
    *approvals == 1
}

const VERSION: u32 = 1;

impl Kept {
    /// A question as it is kept; `redacted` are its call and judgement without secrets.
    pub(crate) fn new(question: &Question, redacted: (serde_json::Value, serde_json::Value), end: Deadline) -> Self {
        let (call, judgement) = redacted;
        let &Question { decision, asked_ms, expires_ms, approvals, .. } = question;
        let (id, payload, agreed) = (question.id.clone(), question.payload.clone(), question.agreed.clone());
        let version = VERSION;
        Self { version, id, payload, call, judgement, decision, asked_ms, expires_ms, end, approvals, agreed }
    }

    /// Number of the record that says it was asked.
    pub(crate) fn decision(&self) -> u64 {
        self.decision
    }

    /// The question, with its end in terms of the boot clock as it runs now.
    pub(crate) fn question(self, now: &Now) -> Result<Question, serde_json::Error> {
        let expires_boot_ms = self.end.boot_ms(now);
        let Self { id, payload, call, judgement, decision, asked_ms, expires_ms, approvals, agreed, .. } = self;
        let (call, judgement): (Call, Judgement) = (serde_json::from_value(call)?, serde_json::from_value(judgement)?);
        Ok(Question {
            id,
            payload,
            call,
            judgement,
            decision,
            asked_ms,
            expires_ms,
            expires_boot_ms,
            approvals,
            agreed,
        })
    }
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes it when it is missing. `path` stands in a folder that only we can enter.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.symlink_metadata()?.is_dir() => {}
            Err(e) => return Err(e),
        }
        Ok(Self { path })
    }

    /// Writes a question. It is on disk when this returns.
    pub(crate) fn keep(&self, kept: &Kept) -> io::Result<()> {
        let path = self.file(&kept.id);
        let draft = path.with_extension("new");
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(&serde_json::to_vec(kept)?)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            self.sync()
        };
        write().inspect_err(|_| drop(fs::remove_file(&draft)))
    }

    /// Removes a question. It is gone for good when this returns.
    pub(crate) fn forget(&self, id: &str) -> io::Result<()> {
        match fs::remove_file(self.file(id)) {
            Ok(()) => self.sync(),
            // What could not be kept need not be forgotten.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Every question there is. What is no question is left alone, and said.
    pub(crate) fn all(&self) -> io::Result<Vec<Kept>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("json") => match read(&path) {
                    Ok(kept) => all.push(kept),
                    Err(why) => warn!("{} holds no question and is passed over: {why}", path.display()),
                },
                // One that was being written when the gateway was killed: it was not asked yet.
                Some("new") => drop(fs::remove_file(&path)),
                _ => {}
            }
        }
        Ok(all)
    }

    fn file(&self, id: &str) -> PathBuf {
        self.path.join(id).with_extension("json")
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn read(path: &Path) -> Result<Kept, String> {
    let file = open_private(OpenOptions::new().read(true), path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
    let named = path.file_stem().and_then(|stem| stem.to_str()) == Some(&kept.id);
    if kept.version == VERSION && named { Ok(kept) } else { Err("it is another version's, or another's".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        let (id, payload) = ("0123456789ab".to_owned(), "p".to_owned());
        let (call, judgement) = (serde_json::Value::Null, serde_json::Value::Null);
        let end = Deadline::at(9, &Now::read());
        let (approvals, agreed) = (1, Vec::new());
        Kept {
            version: VERSION,
            id,
            payload,
            call,
            judgement,
            decision: 7,
            asked_ms: 1,
            expires_ms: 9,
            end,
            approvals,
            agreed,
        }
    }

    #[test]
    fn what_is_kept_is_found_and_what_is_broken_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("approvals");
        let folder = Folder::open(path.clone()).unwrap();
        folder.keep(&kept()).unwrap();
        let mode = |path: &Path| std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap()) & 0o777;
        assert_eq!((mode(&path), mode(&path.join("0123456789ab.json"))), (0o700, 0o600));
        // Torn, foreign, open to others, a link, a draft.
        let text = fs::read(path.join("0123456789ab.json")).unwrap();
        let write = |name: &str, mode, bytes: &[u8]| {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path.join(name));
            file.unwrap().write_all(bytes).unwrap();
        };
        write("aaaaaaaaaaaa.json", 0o600, &text[..40]);
        write("bbbbbbbbbbbb.json", 0o600, &text);
        write("cccccccccccc.new", 0o600, &text[..10]);
        std::os::unix::fs::symlink(path.join("0123456789ab.json"), path.join("dddddddddddd.json")).unwrap();
        let all = Folder::open(path.clone()).unwrap().all().unwrap();
        assert_eq!(all.iter().map(|k| k.id.as_str()).collect::<Vec<_>>(), ["0123456789ab"]);
        assert!(!path.join("cccccccccccc.new").exists());
        folder.forget("0123456789ab").unwrap();
        folder.forget("0123456789ab").unwrap();
        assert!(folder.all().unwrap().is_empty());
    }
}
