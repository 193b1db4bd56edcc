//! The folder of policy files: which count, what layer each is, and whether anything changed.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rampart_policy::{Diagnostic, Layer, Severity, SourceFile, packs};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

/// The most bytes a policy file may have.
const MAX_BYTES: u64 = 8 << 20;
/// The profile that holds where the human has chosen none.
const DEFAULT_PROFILE: &str = "standard";

/// How the name of a policy ends that was fetched from a registry, before `.yaml`. Like the packs that come with Rampart
/// it adds to a profile.
pub const FETCHED: &str = ".pack";

/// SHA-256 over names and contents.
pub(super) type Fingerprint = [u8; 32];

/// The layer of a file in `policies/`, by its name: the human's overrides, a profile or pack that we ship or that was fetched,
/// or the human's own.
pub fn layer(name: &str) -> Layer {
    let stem = stem(name);
    if stem == "user-overrides" {
        Layer::Overrides
    } else if packs::builtin(stem).is_some() || stem.ends_with(FETCHED) {
        Layer::Profile
    } else {
        Layer::User
    }
}

/// Every policy file of a home's `policies/`, by name, as the gateway loads them. Where there is neither a profile nor a
/// policy of the human's own, the default profile holds: overrides and packs alone are additions to something.
///
/// # Errors
/// When a file cannot be read, or anybody may change it.
pub fn policy_files(folder: &Path) -> Result<Vec<SourceFile>, Vec<Diagnostic>> {
    read(folder).map(|(files, _)| files)
}

pub(super) fn read(folder: &Path) -> Result<(Vec<SourceFile>, Fingerprint), Vec<Diagnostic>> {
    let unreadable = |e: std::io::Error| vec![wrong(&folder.display().to_string(), format!("cannot list it: {e}"))];
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if is_policy(&name) {
            names.push(
                name.into_string().map_err(|name| {
                    vec![wrong(&name.to_string_lossy(), "its name is not UTF-8: rename it".to_owned())]
                })?,
            );
        }
    }
    names.sort();
    let (mut files, mut wrongs) = (Vec::new(), Vec::new());
    for name in names {
        match read_file(&folder.join(&name), Whose::Human) {
            Ok(text) => files.push(SourceFile { layer: layer(&name), name, text }),
            Err(why) => wrongs.push(wrong(&name, why)),
        }
    }
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    if !files.iter().any(stands_alone)
        && let Some(pack) = packs::builtin(DEFAULT_PROFILE)
    {
        files.insert(0, pack.to_file());
    }
    let fingerprint = fingerprint(files.iter().flat_map(|file| [file.name.as_str(), file.text.as_str()]));
    Ok((files, fingerprint))
}

/// What tells one set of complaints from another, so that each is reported once.
pub(super) fn fingerprint_of(diagnostics: &[Diagnostic]) -> Fingerprint {
    let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    fingerprint(texts.iter().map(String::as_str))
}

fn stands_alone(file: &SourceFile) -> bool {
    match file.layer {
        Layer::User => true,
        Layer::Profile => packs::builtin(stem(&file.name)).is_some_and(|pack| pack.profile),
        Layer::Overrides | Layer::Project => false,
    }
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn fingerprint<'t>(texts: impl Iterator<Item = &'t str>) -> Fingerprint {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// Editors leave hidden files and backups beside the real ones; those are not policies.
fn is_policy(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let yaml = Path::new(&*name).extension().is_some_and(|e| e == "yaml" || e == "yml");
    yaml && !name.starts_with(['.', '#', '~'])
}

/// Whose policy file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The human's: may be a link into a folder of dotfiles, and must be nobody else's to change.
    Human,
    /// A project's, which can only restrict. Some mounts show every file as open to all, so its mode tells nothing; a
    /// link could lead to a file whose text then stands in an error.
    Project,
}

/// The text of a policy file, which must be an ordinary file and not too large.
pub(super) fn read_file(path: &Path, whose: Whose) -> Result<String, String> {
    let links = if whose == Whose::Project { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = (links | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file: File = file.map_err(|e| match rustix::io::Errno::from_io_error(&e) {
        Some(rustix::io::Errno::LOOP) => "it is a symbolic link, which is not followed here".to_owned(),
        _ => format!("cannot open it: {e}"),
    })?;
    let meta = file.metadata().map_err(|e| format!("cannot look at it: {e}"))?;
    if !meta.is_file() {
        return Err("it is not an ordinary file".to_owned());
    }
    if whose == Whose::Human && meta.mode() & 0o002 != 0 {
        return Err(format!("anybody may change it (mode {:04o}): run `chmod o-w` on it", meta.mode() & 0o7777));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot read it: {e}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|e| format!("it is not UTF-8 at byte {}", e.utf8_error().valid_up_to() + 1))
}

/// Something wrong with a file as a whole.
pub(super) fn wrong(file: &str, message: String) -> Diagnostic {
    let (severity, code) = (Severity::Error, "unreadable");
    Diagnostic { severity, code, message, file: file.to_owned(), span: None, line: 0, column: 0, help: None }
}
