//! What a process is about to start, as it stands in its registers and memory.

use std::io;

use libc::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, SYS_execve, SYS_execveat};
use rustix::io::Errno;

use crate::{listener::Notification, memory::Memory};

/// `AT_EXECVE_CHECK` (execveat(2), Linux 6.14): only whether it could be started.
const ONLY_CHECK: i32 = 0x10000;

/// Whether the call of this number is one.
pub(crate) fn starts_a_program(number: i64) -> bool {
    [SYS_execve, SYS_execveat].contains(&number)
}

/// A call of `execve` or `execveat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Where a relative path starts.
    pub(crate) directory: i32,
    /// The program; the descriptor's own file where it is empty.
    pub(crate) path: Vec<u8>,
    /// Its arguments; the kernel has at least one, which is empty.
    pub(crate) argv: Vec<Vec<u8>>,
    /// Whether a link at the end of the path is followed.
    pub(crate) follow: bool,
    /// Nothing starts.
    pub(crate) only_check: bool,
}

impl Attempt {
    /// Reads what a thread waits for.
    ///
    /// # Errors
    /// What the kernel would say of what cannot be read, or that it is not for us.
    pub(crate) fn of(notification: &Notification) -> io::Result<Self> {
        let mut memory = Memory::of(notification.thread);
        let arguments = notification.arguments;
        let (directory, [path, argv], flags) = match arguments {
            [directory, path, argv, _, flags, _] if notification.number == SYS_execveat => {
                (directory as i32, [path, argv], flags as i32)
            }
            [path, argv, ..] => (AT_FDCWD, [path, argv], 0),
        };
        if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | ONLY_CHECK) != 0 {
            return Err(Errno::INVAL.into());
        }
        let path = memory.text(path)?;
        if path.is_empty() && flags & AT_EMPTY_PATH == 0 {
            return Err(Errno::NOENT.into());
        }
        let mut argv = memory.texts(argv)?;
        if argv.is_empty() {
            argv.push(Vec::new());
        }
        let (follow, only_check) = (flags & AT_SYMLINK_NOFOLLOW == 0, flags & ONLY_CHECK != 0);
        Ok(Self { directory, path, argv, follow, only_check })
    }

    /// What the kernel tells an interpreter that the script is called.
    pub(crate) fn script(&self) -> Vec<u8> {
        if self.directory == AT_FDCWD || self.path.starts_with(b"/") {
            return self.path.clone();
        }
        let mut name = format!("/dev/fd/{}", self.directory).into_bytes();
        if !self.path.is_empty() {
            name.push(b'/');
            name.extend_from_slice(&self.path);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::CString, ptr};

    use super::*;

    #[test]
    fn both_calls_are_read() {
        let [path, one, two] = ["dir/x", "name", "-a"].map(|text| CString::new(text).unwrap());
        let argv = [one.as_ptr(), two.as_ptr(), ptr::null()];
        let [path, list] = [path.as_ptr() as u64, argv.as_ptr() as u64];
        let empty = CString::default();
        let read = |number, arguments| {
            let thread = rustix::thread::gettid().as_raw_nonzero().get();
            Attempt::of(&Notification { id: 1, thread, number, arguments })
        };
        let attempt = |directory, path: &str, argv: &[&str], follow, only_check| Attempt {
            directory,
            path: path.into(),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            follow,
            only_check,
        };
        let flags = |flags: i32| flags as u64;
        for (number, arguments, expected, script) in [
            (
                libc::SYS_execve,
                [path, list, 0, 9, 9, 9],
                attempt(AT_FDCWD, "dir/x", &["name", "-a"], true, false),
                "dir/x",
            ),
            (libc::SYS_execve, [path, 0, 0, 9, 9, 9], attempt(AT_FDCWD, "dir/x", &[""], true, false), "dir/x"),
            (
                SYS_execveat,
                [7, path, list, 0, 0, 9],
                attempt(7, "dir/x", &["name", "-a"], true, false),
                "/dev/fd/7/dir/x",
            ),
            (
                SYS_execveat,
                [flags(AT_FDCWD), path, 0, 0, flags(AT_SYMLINK_NOFOLLOW | ONLY_CHECK), 0],
                attempt(AT_FDCWD, "dir/x", &[""], false, true),
                "dir/x",
            ),
            (
                SYS_execveat,
                [7, empty.as_ptr() as u64, list, 0, flags(AT_EMPTY_PATH), 0],
                attempt(7, "", &["name", "-a"], true, false),
                "/dev/fd/7",
            ),
        ] {
            let read = read(number, arguments).unwrap();
            assert_eq!(read, expected);
            assert_eq!(read.script(), script.as_bytes());
        }
        for (number, arguments, error) in [
            (libc::SYS_execve, [8, 0, 0, 0, 0, 0], Errno::FAULT),
            (libc::SYS_execve, [path, 8, 0, 0, 0, 0], Errno::FAULT),
            (libc::SYS_execve, [empty.as_ptr() as u64, 0, 0, 0, 0, 0], Errno::NOENT),
            (SYS_execveat, [7, path, list, 0, 1, 0], Errno::INVAL),
        ] {
            assert_eq!(read(number, arguments).unwrap_err().raw_os_error(), Some(error.raw_os_error()));
        }
    }
}
