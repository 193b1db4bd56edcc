//! What the kernel would start: the file, what runs it where it is a script, and under which names it has to be judged.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use libc::{AT_FDCWD, O_NOCTTY, O_NONBLOCK};
use rustix::{
    fs::{FileType, fstat},
    io::Errno,
};

use crate::{
    attempt::Attempt,
    is_named_otherwise,
    loader::{is_loader, loaded},
    names::also_by_argument,
    place::{Identity, Thread, real},
    script::{HEAD, Interpreter},
    twins::Twins,
};

/// Interpreters of interpreters that the kernel follows (execve(2)).
const DEEPEST: usize = 5;

/// Why a program is not judged.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The kernel would say so too.
    Fails(Errno),
    /// It could not be judged or verified.
    Unverifiable(&'static str),
}

impl<E: Into<io::Error>> From<E> for Unfit {
    fn from(error: E) -> Self {
        let error: io::Error = error.into();
        Self::Fails(Errno::from_io_error(&error).unwrap_or(Errno::ACCESS))
    }
}

/// What would start.
#[derive(Debug)]
pub(crate) struct Program {
    /// The script, what runs it, and so on. Held open: as long as they are, no other file has the same identity.
    steps: Vec<Step>,
    /// What a loader would load, which is the loader's doing and not the kernel's.
    loaded: Option<Step>,
}

/// One file of it.
#[derive(Debug)]
struct Step {
    _file: OwnedFd,
    identity: Identity,
    /// The absolute path by which it was named.
    named: PathBuf,
    real: PathBuf,
    /// The program of the system that it is a copy of.
    twin: Option<PathBuf>,
    argv: Vec<Vec<u8>>,
}

impl Program {
    /// Finds it as the kernel would.
    pub(crate) fn of(attempt: &Attempt, thread: Thread, twins: &Twins) -> Result<Self, Unfit> {
        let file = if attempt.path.is_empty() {
            thread.descriptor(attempt.directory)?
        } else {
            thread.open(attempt.directory, &attempt.path, attempt.follow)?
        };
        let named = named(thread, attempt.directory, &attempt.path, &file)?;
        let (step, mut interpreter) = Step::new(file, named, attempt.argv.clone(), twins)?;
        let mut steps = vec![step];
        let mut script = attempt.script();
        while let Some(next) = interpreter {
            if steps.len() > DEEPEST {
                return Err(Errno::LOOP.into());
            }
            let file = thread.open(AT_FDCWD, &next.path, true)?;
            let named = thread.named(AT_FDCWD, &next.path)?;
            let argv = next.argv(&script, steps.last().map_or(&[], |step| &step.argv));
            let (step, deeper) = Step::new(file, named, argv, twins)?;
            steps.push(step);
            (script, interpreter) = (next.path, deeper);
        }
        let loaded = steps.last().filter(|step| step.is_loader()).and_then(|step| loaded(&step.argv));
        let loaded = match loaded {
            Some(argv @ [path, ..]) if !path.is_empty() => {
                let file = thread.open(AT_FDCWD, path, true)?;
                Some(Step::new(file, thread.named(AT_FDCWD, path)?, argv.to_vec(), twins)?.0)
            }
            _ => None,
        };
        Ok(Self { steps, loaded })
    }

    /// The argument vectors to judge, each with what really starts in front, whatever the program is told that its name is.
    pub(crate) fn readings(&self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for Step { named, real, twin, argv, .. } in self.steps.iter().chain(&self.loaded) {
            let names = [Some(named.as_path()), is_named_otherwise(named, real).then_some(real), twin.as_deref()];
            let told = argv.first().map(|name| Path::new(OsStr::from_bytes(name)));
            let told = told.filter(|told| also_by_argument(real, named, told));
            for name in names.into_iter().flatten().chain(told) {
                let words = argv.iter().skip(1).map(|word| String::from_utf8_lossy(word).into_owned());
                let reading = std::iter::once(name.to_string_lossy().into_owned()).chain(words).collect();
                if !all.contains(&reading) {
                    all.push(reading);
                }
            }
        }
        all
    }

    /// Whether this is one file that is no script.
    pub(crate) fn is(&self, identity: Identity) -> bool {
        matches!(self.steps.as_slice(), [only] if only.identity == identity)
    }

    /// Whether another attempt is for the same file, wherever that is found, with the same arguments.
    pub(crate) fn is_again(&self, other: &Self) -> bool {
        let asked = |program: &Self| program.steps.first().map(|step| (step.identity, step.argv.clone()));
        asked(self).is_some() && asked(self) == asked(other)
    }

    /// What the kernel has to have started.
    pub(crate) fn expected(&self) -> Option<Started> {
        let last = self.steps.last()?;
        Some(Started {
            program: last.identity,
            arguments: last.argv.iter().flat_map(|w| [w, &[0][..]].concat()).collect(),
        })
    }
}

impl Step {
    /// With what runs it, where it is a script.
    fn new(
        file: OwnedFd,
        named: PathBuf,
        argv: Vec<Vec<u8>>,
        twins: &Twins,
    ) -> Result<(Self, Option<Interpreter>), Unfit> {
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::ACCESS.into());
        }
        let real = real(file.as_fd())?;
        // Without waiting: whoever holds a lease on the file could make us wait.
        let mut content = File::options()
            .read(true)
            .custom_flags(O_NONBLOCK | O_NOCTTY)
            .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .map_err(|_| {
                Unfit::Unverifiable("the program may be run but not read, so that nobody can tell what it is")
            })?;
        let mut head = Vec::with_capacity(HEAD);
        content.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        if is_of_32_bits(&head) {
            return Err(Unfit::Unverifiable("the program is for 32 bits, whose system calls are not looked after"));
        }
        let twin = twins.of(&real, &mut content, stat.st_size.unsigned_abs());
        let interpreter = Interpreter::of(&head);
        Ok((Self { identity: Identity::from(&stat), _file: file, named, real, twin, argv }, interpreter))
    }
}

impl Step {
    fn is_loader(&self) -> bool {
        [Some(&self.named), Some(&self.real), self.twin.as_ref()].into_iter().flatten().any(|path| is_loader(path))
    }
}

/// ELF, ELFCLASS32 (elf(5)).
fn is_of_32_bits(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF\x01")
}

/// What the kernel has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    program: Identity,
    /// Each with its NUL.
    arguments: Vec<u8>,
}

impl Started {
    /// Of a process that has stopped at the end of its exec, where it has one thread and nobody else has its memory.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn of(process: i32) -> io::Result<Self> {
        let program = Identity::from(&rustix::fs::stat(format!("/proc/{process}/exe"))?);
        Ok(Self { program, arguments: std::fs::read(format!("/proc/{process}/cmdline"))? })
    }
}

/// The absolute path by which a file was named: the descriptor's own where it was named by that.
fn named(thread: Thread, directory: i32, path: &[u8], file: &OwnedFd) -> io::Result<PathBuf> {
    if path.is_empty() { real(file.as_fd()) } else { thread.named(directory, path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_mode(path: &Path) {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_program_is_read_under_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let script = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).unwrap();
            set_mode(&folder.join(name));
        };
        script("plain", "#!/bin/sh -e\n");
        script("outer", &format!("#!{}/plain x\n", folder.display()));
        script("loop", &format!("#!{}/loop\n", folder.display()));
        std::os::unix::fs::symlink("/usr/bin/env", folder.join("link")).unwrap();
        std::fs::copy("/usr/bin/env", folder.join("copy")).unwrap();
        std::fs::write(folder.join("old"), b"\x7fELF\x01").unwrap();
        std::fs::create_dir(folder.join("folder")).unwrap();
        let thread = Thread(rustix::thread::gettid().as_raw_nonzero().get());
        let find = |name: &str, argv: &[&str]| {
            let path = folder.join(name).into_os_string().into_encoded_bytes();
            let argv = argv.iter().map(|word| word.as_bytes().to_vec()).collect();
            let attempt = Attempt { directory: AT_FDCWD, path, argv, follow: true, only_check: false };
            Program::of(&attempt, thread, &Twins::default())
        };
        let at = |name: &str| folder.join(name).display().to_string();
        let (plain, outer, link, copy) = (at("plain"), at("outer"), at("link"), at("copy"));
        let env = std::fs::canonicalize("/usr/bin/env").unwrap().display().to_string();
        for (name, argv, expected) in [
            ("plain", &["x", "a"][..], vec![vec![plain.as_str(), "a"], vec!["/bin/sh", "-e", &plain, "a"]]),
            (
                "outer",
                &["x", "a"],
                vec![
                    vec![outer.as_str(), "a"],
                    vec![&plain, "x", &outer, "a"],
                    vec!["/bin/sh", "-e", &plain, "x", &outer, "a"],
                ],
            ),
            ("link", &["x", "a"], vec![vec![&link, "a"], vec![&env, "a"]]),
            ("copy", &["x"], vec![vec![&copy], vec![&env]]),
        ] {
            assert_eq!(find(name, argv).unwrap().readings(), expected, "{name}");
        }
        assert!(matches!(find("loop", &["x"]), Err(Unfit::Fails(Errno::LOOP))));
        assert!(matches!(find("none", &["x"]), Err(Unfit::Fails(Errno::NOENT))));
        assert!(matches!(find("folder", &["x"]), Err(Unfit::Fails(Errno::ACCESS))));
        assert!(matches!(find("old", &["x"]), Err(Unfit::Unverifiable(_))));
    }

    #[test]
    fn this_process_is_what_it_was_started_as() {
        let arguments: Vec<u8> = std::env::args().flat_map(|word| format!("{word}\0").into_bytes()).collect();
        let own = Started::of(rustix::process::getpid().as_raw_nonzero().get()).unwrap();
        let file = rustix::fs::stat(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(own, Started { program: Identity::from(&file), arguments });
    }
}
