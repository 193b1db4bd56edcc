//! A settings file of another program, which is changed here: shown as a difference, kept as it was, and undone.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_call::FindingClass;
use rampart_gateway::Home;
use rampart_scan::{placeholder, redact, scan, visible};
use sha2::Digest as _;
use similar::{ChangeTag, TextDiff};

use crate::{environment::Environment, printer::Printer, user_overrides::replace};

/// Where it is kept how a file was before `what` changed it.
pub(crate) fn backup(path: &Path, what: &str, environment: &Environment) -> PathBuf {
    let id = hex::encode(sha2::Sha256::digest(path.as_os_str().as_encoded_bytes()));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    environment.home.join(what).join("before").join(format!("{}-{name}", id.get(..12).unwrap_or_default()))
}

/// Keeps how a file was. It may hold secrets.
pub(crate) fn keep(backup: &Path, text: &str, environment: &Environment) -> anyhow::Result<()> {
    Home::at(&environment.home).prepare()?;
    make_folder_of(backup)?;
    replace(backup, text, 0o600)
}

/// The folder that a file stands in, made where it is not there.
pub(crate) fn make_folder_of(path: &Path) -> anyhow::Result<()> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display())),
        None => Ok(()),
    }
}

/// The text of a file, if there is one.
pub(crate) fn text_if_any(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Puts `after` in place of a file that must still be as it was read; `None` is no file. The mode stays as it is, or is
/// `mode` for a new file.
pub(crate) fn swap(path: &Path, before: Option<&str>, after: Option<&str>, mode: u32) -> anyhow::Result<()> {
    if text_if_any(path)?.as_deref() != before {
        bail!("somebody changed it meanwhile; try again");
    }
    match after {
        Some(text) => {
            make_folder_of(path)?;
            replace(path, text, fs::metadata(path).map_or(mode, |meta| meta.mode() & 0o777))
        }
        None => fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// Prints the lines that change, without the secrets in them.
pub(crate) fn show(before: &str, after: &str, printer: Printer) {
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => "-",
            ChangeTag::Insert => "+",
        };
        let line = change.value().trim_end_matches('\n');
        let mut findings = scan(line);
        findings.retain(|finding| finding.class == FindingClass::Secret);
        printer.out(format!("{sign}{}", shown(&redact(line, &findings, |finding, _| placeholder(finding)))));
    }
}

/// How many lines come, and how many go.
pub(crate) fn lines_changed(before: &str, after: &str) -> (usize, usize) {
    let tags: Vec<ChangeTag> =
        TextDiff::from_lines(before, after).iter_all_changes().map(|change| change.tag()).collect();
    let count = |wanted| tags.iter().filter(|tag| **tag == wanted).count();
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}

/// A text of somebody else's on one line, with nothing in it that a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}
