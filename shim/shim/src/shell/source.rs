//! The text that a shell will run, read once: what is judged is what the real shell gets.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, IsTerminal as _, Read, Seek as _, Write as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use rustix::fs::{MemfdFlags, memfd_create};

use super::{
    Ending, REFUSED, Shell, installed,
    options::{Dialect, Wanted},
};

/// Longest text that is judged, in bytes.
const MAX_TEXT: u64 = 1 << 20;

/// What a shell will run.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Texts of files and of standard input.
    pub(super) texts: Vec<String>,
    /// The text after `-c`, and what follows it.
    pub(super) command: Option<(String, Vec<String>)>,
    /// A human types the commands.
    pub(super) is_interactive: bool,
    /// Standard input for the real shell, where ours was read.
    pub(super) stdin: Option<File>,
    /// Arguments for the real shell, where they cannot stay as they are.
    pub(super) args: Option<Vec<OsString>>,
    /// A script that is not where it was: it stays open for the real shell.
    pub(super) script: Option<File>,
}

pub(super) fn open(wanted: Wanted, shell: &Shell, dialect: Dialect) -> Result<Source, Ending> {
    let mut source = Source::default();
    match wanted {
        Wanted::Nothing => {}
        Wanted::Command { text, parameters, startup } => {
            source.command = Some((text, parameters));
            add_startup(&mut source, shell, startup)?;
        }
        Wanted::Stdin { startup } => {
            add_startup(&mut source, shell, startup)?;
            let mut stdin = io::stdin();
            if stdin.is_terminal() {
                source.is_interactive = true;
            } else {
                let text = text_of(&mut stdin, Path::new("standard input"))?;
                source.stdin = Some(in_memory(&text, MemfdFlags::CLOEXEC)?);
                source.texts.extend(Some(text).filter(|text| !text.trim().is_empty()));
            }
        }
        Wanted::Script(place) => open_script(&mut source, place, shell, dialect)?,
    }
    Ok(source)
}

fn open_script(source: &mut Source, place: usize, shell: &Shell, dialect: Dialect) -> Result<(), Ending> {
    let name = shell.args.get(place).map(OsString::as_os_str).unwrap_or_default();
    let path = script(name, shell, dialect);
    let file = open_file(&path, name)?;
    if installed::is(&file, shell) {
        return Ok(());
    }
    let (text, is_regular) = read_file(file, name)?;
    if !is_regular {
        // It can be read only once (a pipe, such as that of `<(...)`), so the shell gets a copy under another name.
        let copy = in_memory(&text, MemfdFlags::empty())?;
        let mut args = shell.args.clone();
        if let Some(arg) = args.get_mut(place) {
            *arg = format!("/proc/self/fd/{}", copy.as_raw_fd()).into();
        }
        source.args = Some(args);
        source.script = Some(copy);
    }
    source.texts.push(text);
    Ok(())
}

/// Where a script is: bash and zsh look on `PATH` for a name that is not in the working directory.
fn script(name: &OsStr, shell: &Shell, dialect: Dialect) -> PathBuf {
    let here = shell.cwd.join(name);
    if dialect == Dialect::Ash || name.as_encoded_bytes().contains(&b'/') || here.exists() {
        return here;
    }
    let on_path = std::env::split_paths(&shell.path).map(|folder| shell.cwd.join(folder).join(name));
    on_path.into_iter().find(|candidate| candidate.is_file()).unwrap_or(here)
}

fn add_startup(source: &mut Source, shell: &Shell, startup: Option<OsString>) -> Result<(), Ending> {
    if let Some(name) = startup {
        let path = shell.cwd.join(&name);
        // The shell does without one that is not there.
        if path.exists() {
            source.texts.push(read_file(open_file(&path, &name)?, &name)?.0);
        }
    }
    Ok(())
}

fn open_file(path: &Path, name: &OsStr) -> Result<File, Ending> {
    File::open(path).map_err(|e| {
        let exit = if e.kind() == io::ErrorKind::NotFound { 127 } else { REFUSED };
        Ending::new(exit, &format!("cannot read the script {}: {e}", Path::new(name).display()))
    })
}

/// The text of a file, and whether it can be read again.
fn read_file(mut file: File, name: &OsStr) -> Result<(String, bool), Ending> {
    let is_regular = file.metadata().is_ok_and(|meta| meta.is_file());
    Ok((text_of(&mut file, Path::new(name))?, is_regular))
}

fn text_of(reader: &mut impl Read, name: &Path) -> Result<String, Ending> {
    let refuse = |why: String| Ending::new(REFUSED, &format!("refused: {}: {why}", name.display()));
    let mut bytes = Vec::new();
    reader.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(|e| refuse(format!("cannot be read: {e}")))?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(refuse(format!("a script larger than {} MiB is not judged, so it may not run", MAX_TEXT >> 20)));
    }
    // Some shells skip a NUL: what they run is not what a reader sees.
    if bytes.contains(&0) {
        return Err(refuse("a script with NUL bytes means different things to different readers".to_owned()));
    }
    String::from_utf8(bytes).map_err(|e| refuse(format!("it is not UTF-8: {e}")))
}

/// A file without a name that holds the text, at its beginning.
fn in_memory(text: &str, flags: MemfdFlags) -> Result<File, Ending> {
    let file = || {
        let fd = memfd_create("script", flags)?;
        let mut file = File::from(fd);
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        Ok::<_, io::Error>(file)
    };
    file().map_err(|e| Ending::new(REFUSED, &format!("refused: cannot hand the script on: {e}")))
}
