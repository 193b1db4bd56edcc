//! The hosts that were reached, over restarts: a line each, the host and the tool that went there.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Hands every host in the file on. A line that was torn by a crash is a host that is new again.
pub(super) fn read(path: &Path, mut each: impl FnMut(&str, &str)) -> io::Result<()> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let text = String::from_utf8_lossy(&bytes);
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        if let Some((host, tool)) = line.split_once(' ') {
            each(host, tool);
        }
    }
    Ok(())
}

/// Adds hosts to the file.
pub(super) fn append(path: &Path, fresh: &[(String, String)]) -> io::Result<()> {
    let plain = |text: &str| !text.contains([' ', '\n']);
    let lines: Vec<String> =
        fresh.iter().filter(|(h, t)| plain(h) && plain(t)).map(|(h, t)| format!("{h} {t}\n")).collect();
    if lines.is_empty() {
        return Ok(());
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(lines.concat().as_bytes())
}
