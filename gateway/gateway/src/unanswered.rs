//! Calls that get no answer: what surfaces shall do about them is left in a file at the start, and what they wrote down of
//! those that went on comes from another into the trail.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
    sync::Weak,
    time::Duration,
};

use rampart_call::{Lost, Standing};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::{
    Config, Gateway, Home, HomeError,
    audit::{Entry, Unanswered},
    config::Surfaces,
    home::open_private,
};

/// How often it is looked whether surfaces wrote something down: a gateway that stood still for a while finds it too.
const ROUND: Duration = Duration::from_secs(5);
/// Whoever has the file open when it is taken away still adds its line; that takes no longer than this.
const SETTLE: Duration = Duration::from_millis(500);
/// Calls that stand in one record.
const IN_ONE: usize = 100;

/// Says what surfaces shall do when there is no answer, from now on and after the end of this gateway.
pub(crate) fn tell(home: &Home, config: &Config) -> Result<(), HomeError> {
    let Surfaces { fail_open, deadline } = &config.surfaces;
    let deadline_ms = u64::try_from(deadline.as_millis()).ok();
    let standing = Standing { mode: config.mode.to_string(), fail_open: fail_open.clone(), deadline_ms };
    let path = home.standing();
    let draft = path.with_extension("new");
    let io = |source| HomeError::Io { what: "write", path: path.clone(), source };
    let mut file = open_private(OpenOptions::new().write(true).create(true).truncate(true), &draft)?;
    let text = serde_json::to_vec(&standing).map_err(|e| io(e.into()))?;
    file.write_all(&text).and_then(|()| fs::rename(&draft, &path)).map_err(io)
}

/// Takes what surfaces wrote down into the trail, as long as the gateway lives.
pub(crate) async fn attend(gateway: Weak<Gateway>) {
    while let Some(gateway) = gateway.upgrade() {
        if let Err(e) = take_in(&gateway).await {
            warn!("calls that went on while no gateway answered cannot be put on record: {e}");
        }
        drop(gateway);
        tokio::time::sleep(ROUND).await;
    }
}

/// What a file of the surfaces says.
#[derive(Debug, Default)]
struct Told {
    calls: Vec<Lost>,
    garbled: u64,
    more: bool,
    sha256: String,
}

async fn take_in(gateway: &Gateway) -> io::Result<()> {
    let notes = gateway.home.lost();
    // What a gateway took before and did not get on record comes first.
    let taken = notes.with_extension("taken");
    if taken.symlink_metadata().is_err() {
        match fs::rename(&notes, &taken) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
            Ok(()) => tokio::time::sleep(SETTLE).await,
        }
    }
    let told = match read(&taken) {
        Ok(told) => told,
        Err(e) => {
            warn!("what surfaces wrote down of calls without an answer is not believed: {e}");
            let cause = e.to_string();
            record(gateway, Unanswered { passed: 0, garbled: 0, more: false, file: "", cause: &cause, calls: &[] })
                .await?;
            return fs::rename(&taken, notes.with_extension("refused"));
        }
    };
    let mut groups = told.calls.chunks(IN_ONE);
    let mut first = Some(groups.next().unwrap_or_default());
    let (mut garbled, mut more) = (told.garbled, told.more);
    while let Some(calls) = first.take().or_else(|| groups.next()) {
        let passed = calls.len() as u64;
        let cause = "as surfaces wrote it down while no gateway answered; nothing proves it";
        record(gateway, Unanswered { passed, garbled, more, file: &told.sha256, cause, calls }).await?;
        (garbled, more) = (0, false);
    }
    gateway.metrics.unanswered.inc_by(told.calls.len() as u64);
    warn!(calls = told.calls.len(), garbled = told.garbled, "calls went on while no gateway answered");
    fs::remove_file(&taken)
}

async fn record(gateway: &Gateway, unanswered: Unanswered<'_>) -> io::Result<()> {
    gateway.trail.append(Entry::Unanswered(unanswered)).await.map(drop).map_err(io::Error::other)
}

/// Reads what is not longer than surfaces make it. A file that others could have written is refused.
fn read(path: &Path) -> Result<Told, HomeError> {
    let file = open_private(OpenOptions::new().read(true), path)?;
    let mut text = Vec::new();
    let most = Lost::FILE_BYTES + Lost::LINE_BYTES as u64;
    let read = file.take(most).read_to_end(&mut text);
    read.map_err(|source| HomeError::Io { what: "read", path: path.to_owned(), source })?;
    let mut told = Told {
        more: text.len() as u64 >= Lost::FILE_BYTES,
        sha256: hex::encode(Sha256::digest(&text)),
        ..Told::default()
    };
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match Lost::parse(line) {
            Some(lost) => told.calls.push(lost),
            None => told.garbled += 1,
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const LINE: &str =
        r#"{"at_ms":1,"surface":"hook","agent":"a","session":"s","tool":"exec","phase":"before","why":"silent"}"#;

    fn told(text: &[u8], mode: u32) -> Result<Told, HomeError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lost.taken");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read(&path)
    }

    #[test]
    fn lines_that_no_surface_writes_are_counted_and_not_repeated() {
        let text =
            format!("{LINE}\nhello\n{LINE}\n{}\n\u{0}{LINE}\n{}", LINE.replace("\"a\"", "\"GH_TOKEN\""), &LINE[..40]);
        let told = told(text.as_bytes(), 0o600).unwrap();
        assert_eq!((told.calls.len(), told.garbled, told.more), (2, 4, false), "{told:?}");
    }

    #[test]
    fn a_file_without_end_is_read_to_its_bound() {
        let text = format!("{LINE}\n").repeat(20_000);
        let told = told(text.as_bytes(), 0o600).unwrap();
        assert!(told.more && told.calls.len() < 3000, "{}", told.calls.len());
    }

    #[test]
    fn what_others_may_write_is_refused() {
        assert!(matches!(told(LINE.as_bytes(), 0o666), Err(HomeError::Open { .. })));
    }
}
