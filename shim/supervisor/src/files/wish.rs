//! What a process wants of a file, as it stands in its registers and memory.

use std::io;

use libc::{AT_FDCWD, AT_REMOVEDIR, O_CREAT, O_TRUNC, O_WRONLY};

use crate::{listener::Notification, memory::Memory};

/// A path, and where it begins if it is relative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) directory: i32,
    pub(crate) path: Vec<u8>,
}

/// A call that reads or changes files by their path, whichever of its kin it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// openat(2).
    Open { what: Named, flags: i32, mode: u32 },
    /// truncate(2).
    Cut { what: Named, length: i64 },
    /// unlinkat(2).
    Remove { what: Named, flags: i32 },
    /// renameat2(2).
    Rename { from: Named, to: Named, flags: u32 },
    /// linkat(2).
    Link { from: Named, to: Named, flags: i32 },
}

impl Wish {
    /// Reads what a thread waits for. None where the call is no such one.
    ///
    /// # Errors
    /// What the kernel would say of what cannot be read; `EPERM` when the memory is not for us.
    pub(crate) fn of(notification: &Notification) -> io::Result<Option<Self>> {
        let mut memory = Memory::of(notification.thread);
        let [first, second, third, fourth, fifth, _] = notification.arguments;
        let mut named =
            |directory: u64, path: u64| memory.text(path).map(|path| Named { directory: directory as i32, path });
        let here = AT_FDCWD as u64;
        Ok(Some(match notification.number {
            libc::SYS_openat => Self::Open { what: named(first, second)?, flags: third as i32, mode: fourth as u32 },
            libc::SYS_truncate => Self::Cut { what: named(here, first)?, length: second.cast_signed() },
            libc::SYS_unlinkat => Self::Remove { what: named(first, second)?, flags: third as i32 },
            libc::SYS_renameat2 => {
                Self::Rename { from: named(first, second)?, to: named(third, fourth)?, flags: fifth as u32 }
            }
            libc::SYS_linkat => {
                Self::Link { from: named(first, second)?, to: named(third, fourth)?, flags: fifth as i32 }
            }
            #[cfg(not(target_arch = "riscv64"))]
            libc::SYS_renameat => Self::Rename { from: named(first, second)?, to: named(third, fourth)?, flags: 0 },
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open => Self::Open { what: named(here, first)?, flags: second as i32, mode: third as u32 },
            #[cfg(target_arch = "x86_64")]
            libc::SYS_creat => {
                Self::Open { what: named(here, first)?, flags: O_CREAT | O_WRONLY | O_TRUNC, mode: second as u32 }
            }
            #[cfg(target_arch = "x86_64")]
            libc::SYS_unlink => Self::Remove { what: named(here, first)?, flags: 0 },
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rmdir => Self::Remove { what: named(here, first)?, flags: AT_REMOVEDIR },
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rename => Self::Rename { from: named(here, first)?, to: named(here, second)?, flags: 0 },
            #[cfg(target_arch = "x86_64")]
            libc::SYS_link => Self::Link { from: named(here, first)?, to: named(here, second)?, flags: 0 },
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[test]
    fn each_kin_of_a_call_is_the_same_wish() {
        let [one, two] = ["one", "/two"].map(|text| CString::new(text).unwrap());
        let [one, two] = [one.as_ptr() as u64, two.as_ptr() as u64];
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        let read = |number, [a, b, c, d, e]: [u64; 5]| {
            Wish::of(&Notification { id: 1, thread, number, arguments: [a, b, c, d, e, 9] })
        };
        let at = |directory, path: &str| Named { directory, path: path.into() };
        let here = |path| at(AT_FDCWD, path);
        for (number, arguments, expected) in [
            (libc::SYS_openat, [7, one, 2, 0o600, 9], Wish::Open { what: at(7, "one"), flags: 2, mode: 0o600 }),
            (libc::SYS_truncate, [one, 5, 9, 9, 9], Wish::Cut { what: here("one"), length: 5 }),
            (libc::SYS_unlinkat, [7, one, 0x200, 9, 9], Wish::Remove { what: at(7, "one"), flags: AT_REMOVEDIR }),
            (
                libc::SYS_renameat2,
                [7, one, 8, two, 1],
                Wish::Rename { from: at(7, "one"), to: at(8, "/two"), flags: 1 },
            ),
            (libc::SYS_linkat, [7, one, 8, two, 4], Wish::Link { from: at(7, "one"), to: at(8, "/two"), flags: 4 }),
        ] {
            assert_eq!(read(number, arguments).unwrap(), Some(expected));
        }
        #[cfg(target_arch = "x86_64")]
        for (number, arguments, expected) in [
            (libc::SYS_open, [one, 1, 2, 9, 9], Wish::Open { what: here("one"), flags: 1, mode: 2 }),
            (libc::SYS_creat, [one, 0o644, 9, 9, 9], Wish::Open { what: here("one"), flags: 0o1101, mode: 0o644 }),
            (libc::SYS_unlink, [one, 9, 9, 9, 9], Wish::Remove { what: here("one"), flags: 0 }),
            (libc::SYS_rmdir, [one, 9, 9, 9, 9], Wish::Remove { what: here("one"), flags: AT_REMOVEDIR }),
            (libc::SYS_rename, [one, two, 9, 9, 9], Wish::Rename { from: here("one"), to: here("/two"), flags: 0 }),
            (libc::SYS_renameat, [7, one, 8, two, 9], Wish::Rename { from: at(7, "one"), to: at(8, "/two"), flags: 0 }),
            (libc::SYS_link, [one, two, 9, 9, 9], Wish::Link { from: here("one"), to: here("/two"), flags: 0 }),
        ] {
            assert_eq!(read(number, arguments).unwrap(), Some(expected));
        }
        assert_eq!(read(libc::SYS_connect, [1, one, 2, 0, 0]).unwrap(), None);
        assert_eq!(read(libc::SYS_openat, [7, 8, 0, 0, 0]).unwrap_err().raw_os_error(), Some(libc::EFAULT));
    }
}
