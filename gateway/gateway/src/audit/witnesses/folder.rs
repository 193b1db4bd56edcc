//! A folder as a witness, on another disk or another machine's. The system may hang on it for ever, so that a thread of
//! its own waits, and there is only one.

use std::{
    fs::OpenOptions,
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use tokio::sync::oneshot;

/// The file that checkpoints are appended to.
const FILE: &str = "rampart-checkpoints.jsonl";

/// A folder.
pub(super) struct Folder {
    path: PathBuf,
    /// An attempt whose end nobody waited for.
    hanging: Option<oneshot::Receiver<io::Result<()>>>,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, hanging: None }
    }

    /// Appends a line, on disk when this returns.
    pub(super) async fn append(&mut self, line: String) -> Result<(), String> {
        if let Some(hanging) = &mut self.hanging {
            // What that one wrote is older; its end is all that matters.
            let _ = hanging.await;
        }
        let (end, ended) = oneshot::channel();
        let path = self.path.join(FILE);
        let thread = std::thread::Builder::new().name("witness".into());
        thread.spawn(move || drop(end.send(append(&path, &line)))).map_err(|e| e.to_string())?;
        let result = self.hanging.insert(ended).await;
        self.hanging = None;
        result.map_err(|e| e.to_string())?.map_err(|e| format!("{}: {e}", self.path.join(FILE).display()))
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
    let mut file = OpenOptions::new();
    let mut file =
        file.read(true).append(true).create(true).mode(0o600).custom_flags(flags.cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not an ordinary file"));
    }
    // A line that a crash left unfinished ends here.
    let mut last = [b'\n'];
    if file.seek(io::SeekFrom::End(-1)).is_ok() {
        file.read_exact(&mut last)?;
    }
    let begin = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{begin}{line}\n").as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_appended_also_after_one_that_a_crash_left_unfinished() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let mut folder = Folder::new(dir.path().to_owned());
        folder.append("one".into()).await.unwrap();
        std::fs::write(&file, "one\ntw").unwrap();
        folder.append("three".into()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntw\nthree\n");
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(dir.path().join("other"), &file).unwrap();
        let why = folder.append("four".into()).await.unwrap_err();
        assert!(why.contains(FILE), "{why}");
        assert!(!dir.path().join("other").exists(), "no link is followed");
        let why = Folder::new(dir.path().join("missing")).append("five".into()).await.unwrap_err();
        assert!(why.contains("No such file"), "{why}");
    }
}
