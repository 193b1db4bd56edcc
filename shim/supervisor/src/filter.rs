//! What the kernel does with the system calls of a supervised process.

use std::io;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, ENOSYS, EOPNOTSUPP, EPERM, MSG_FASTOPEN,
    O_CREAT, O_DIRECTORY, O_PATH, O_TMPFILE, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF,
    SECCOMP_SET_MODE_FILTER, SYS_connect, SYS_execve, SYS_execveat, SYS_io_uring_setup, SYS_linkat,
    SYS_open_by_handle_at, SYS_openat, SYS_openat2, SYS_process_vm_writev, SYS_renameat2, SYS_seccomp, SYS_sendmmsg,
    SYS_sendmsg, SYS_sendto, SYS_truncate, SYS_unlinkat, c_int, c_long, sock_filter, sock_fprog,
};
use rustix::fd::{FromRawFd as _, OwnedFd};

use crate::Watched;

/// The architecture whose system calls this program makes (linux/audit.h). Those of another, such as the 32-bit ones of the same
/// processor, have other numbers, and are refused.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const ARCHITECTURE: u32 = 0xc000_00f3;

/// The bit of system calls of the x32 ABI, which come with the same architecture. No other architecture has numbers so high.
const X32: u32 = 0x4000_0000;

/// Offsets in `struct seccomp_data` (seccomp(2)).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// Held until the supervisor answers.
const PROGRAMS: &[c_long] = &[SYS_execve, SYS_execveat];

/// Refused: rings do by themselves what a filter would see, and nobody shall write into the memory of a process that has just
/// been verified.
const REFUSED: &[c_long] = &[SYS_io_uring_setup, SYS_process_vm_writev];

/// Held where files are watched.
const FILES: &[c_long] = &[SYS_linkat, SYS_renameat2, SYS_truncate, SYS_unlinkat];

/// The same where the architecture has calls from before those with `at` in their name.
#[cfg(target_arch = "x86_64")]
const OLDER_FILES: &[c_long] =
    &[libc::SYS_renameat, libc::SYS_creat, libc::SYS_link, libc::SYS_rename, libc::SYS_rmdir, libc::SYS_unlink];
#[cfg(target_arch = "aarch64")]
const OLDER_FILES: &[c_long] = &[libc::SYS_renameat];
#[cfg(target_arch = "riscv64")]
const OLDER_FILES: &[c_long] = &[];

/// Held where files are watched, unless their flags, which stand in this argument, say that nothing is read or written.
#[cfg(target_arch = "x86_64")]
const OPENS: &[(c_long, u32)] = &[(SYS_openat, 2), (libc::SYS_open, 1)];
#[cfg(not(target_arch = "x86_64"))]
const OPENS: &[(c_long, u32)] = &[(SYS_openat, 2)];

/// Refused where files are watched, with an error after which programs do without.
const NOT_FOR_FILES: &[(c_long, c_int)] = &[(SYS_openat2, ENOSYS), (SYS_open_by_handle_at, EPERM)];

/// What connects and sends at once where its flags, which stand in this argument, say so (tcp(7), TCP Fast Open).
const SENDS: &[(c_long, u32)] = &[(SYS_sendto, 3), (SYS_sendmsg, 2), (SYS_sendmmsg, 3)];

const fn step(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

const fn load(offset: u32) -> sock_filter {
    step(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
}

/// The lower half of an argument, where flags are.
const fn load_argument(argument: u32) -> sock_filter {
    let half = if cfg!(target_endian = "little") { 0 } else { 4 };
    load(16 + 8 * argument + half)
}

/// Goes on with the next step where the number is this one, else passes over so many.
const fn is(number: c_long, otherwise: u8) -> sock_filter {
    step(BPF_JMP | BPF_JEQ | BPF_K, 0, otherwise, number as u32)
}

/// Passes over so many steps where one of these bits is set, and over others where none is.
const fn has(bits: c_int, yes: u8, no: u8) -> sock_filter {
    step(BPF_JMP | BPF_JSET | BPF_K, yes, no, bits as u32)
}

const fn answer(k: u32) -> sock_filter {
    step(BPF_RET | BPF_K, 0, 0, k)
}

const ALLOW: sock_filter = answer(SECCOMP_RET_ALLOW);
const HOLD: sock_filter = answer(SECCOMP_RET_USER_NOTIF);

const fn refuse(error: c_int) -> sock_filter {
    answer(SECCOMP_RET_ERRNO | error.unsigned_abs())
}

/// A filter (seccomp(2), bpf(4)).
#[derive(Debug)]
pub(crate) struct Filter(Vec<sock_filter>);

impl Filter {
    /// What holds programs, and what else is watched.
    pub(crate) fn of(watched: Watched) -> Self {
        let mut steps = vec![
            load(ARCH),
            // Another architecture: to the refusal behind the next two.
            step(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, ARCHITECTURE),
            load(NUMBER),
            step(BPF_JMP | BPF_JSET | BPF_K, 0, 1, X32),
            refuse(EPERM),
        ];
        steps.extend(PROGRAMS.iter().flat_map(|number| [is(*number, 1), HOLD]));
        steps.extend(REFUSED.iter().flat_map(|number| [is(*number, 1), refuse(EPERM)]));
        if watched.files {
            // A folder's list and a path for its own sake (O_PATH) are no content. What makes a file says so.
            steps.extend(OPENS.iter().flat_map(|(number, flags)| {
                let makes = O_CREAT | O_TMPFILE & !O_DIRECTORY;
                [
                    is(*number, 6),
                    load_argument(*flags),
                    has(O_PATH, 3, 0),
                    has(makes, 1, 0),
                    has(O_DIRECTORY, 1, 0),
                    HOLD,
                    ALLOW,
                ]
            }));
            steps.extend(FILES.iter().chain(OLDER_FILES).flat_map(|number| [is(*number, 1), HOLD]));
            steps.extend(NOT_FOR_FILES.iter().flat_map(|(number, error)| [is(*number, 1), refuse(*error)]));
        }
        if watched.connections {
            steps.extend([is(SYS_connect, 1), HOLD]);
            steps.extend(SENDS.iter().flat_map(|(number, flags)| {
                [is(*number, 4), load_argument(*flags), has(MSG_FASTOPEN, 0, 1), refuse(EOPNOTSUPP), ALLOW]
            }));
        }
        steps.push(ALLOW);
        Self(steps)
    }

    /// Puts it over the calling thread and all that comes from it, for good, and gives what its notifications come by. Takes no
    /// memory and no lock, so that it may be called between fork and exec.
    ///
    /// # Errors
    /// `EBUSY` where there is such a filter already, `EINVAL` where the kernel knows none.
    pub(crate) fn install(&self) -> io::Result<OwnedFd> {
        rustix::thread::set_no_new_privs(true)?;
        let usual = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        // Only what kills interrupts the wait for an answer; Linux 5.19.
        match self.set(usual | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.set(usual),
            done => done,
        }
    }

    fn set(&self, flags: libc::c_ulong) -> io::Result<OwnedFd> {
        let program = sock_fprog { len: self.0.len() as u16, filter: self.0.as_ptr().cast_mut() };
        // SAFETY: the kernel copies the program, which outlives the call and whose length is its own, and writes nothing.
        let made = unsafe { libc::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
        match i32::try_from(made) {
            // SAFETY: a descriptor that the kernel has just made, and nobody else knows.
            Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers, found out by running it (bpf(4)).
    fn answer(filter: &Filter, arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = filter.0[at];
            at += 1;
            match u32::from(code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    accumulator = match k {
                        ARCH => arch,
                        NUMBER => number,
                        offset => arguments[(offset as usize - 16) / 8] as u32,
                    };
                }
                code if code == BPF_JMP | BPF_JEQ | BPF_K => at += usize::from(if accumulator == k { jt } else { jf }),
                code if code == BPF_JMP | BPF_JSET | BPF_K => {
                    at += usize::from(if accumulator & k != 0 { jt } else { jf });
                }
                _ => return k,
            }
        }
    }

    const HELD: u32 = SECCOMP_RET_USER_NOTIF;
    const ALLOWED: u32 = SECCOMP_RET_ALLOW;
    const REFUSED: u32 = SECCOMP_RET_ERRNO | EPERM.unsigned_abs();

    #[test]
    fn programs_are_held_and_other_ways_to_call_are_refused() {
        let filter = Filter::of(Watched::default());
        for (arch, number, expected) in [
            (ARCHITECTURE, SYS_execve, HELD),
            (ARCHITECTURE, SYS_execveat, HELD),
            (ARCHITECTURE, SYS_io_uring_setup, REFUSED),
            (ARCHITECTURE, SYS_process_vm_writev, REFUSED),
            (ARCHITECTURE, libc::SYS_read, ALLOWED),
            (ARCHITECTURE, SYS_openat, ALLOWED),
            (ARCHITECTURE, SYS_openat2, ALLOWED),
            (ARCHITECTURE, SYS_connect, ALLOWED),
            (ARCHITECTURE, SYS_sendto, ALLOWED),
            (ARCHITECTURE, SYS_seccomp, ALLOWED),
            // x32 has `execve` as 520 and all others with the same bit; i386 has it as 11.
            (ARCHITECTURE, i64::from(X32) + 520, REFUSED),
            (ARCHITECTURE, i64::from(X32) + SYS_execve, REFUSED),
            (ARCHITECTURE, -1, REFUSED),
            (0x4000_0003, 11, REFUSED),
            (0x4000_0003, 1, REFUSED),
            (0x4000_0028, 11, REFUSED),
        ] {
            assert_eq!(answer(&filter, arch, number as u32, [0; 6]), expected, "{arch:x} {number}");
        }
    }

    #[test]
    fn what_reads_or_writes_a_file_is_held_and_what_looks_is_not() {
        let filter = Filter::of(Watched { files: true, connections: false });
        let open = |flags: c_int| answer(&filter, ARCHITECTURE, SYS_openat as u32, [0, 0, flags as u64, 0, 0, 0]);
        for (flags, expected) in [
            (libc::O_RDONLY, HELD),
            (libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC, HELD),
            (libc::O_RDWR, HELD),
            (O_CREAT | libc::O_WRONLY, HELD),
            (O_CREAT | O_DIRECTORY, HELD),
            (O_TMPFILE | libc::O_RDWR, HELD),
            (O_DIRECTORY | libc::O_CLOEXEC, ALLOWED),
            (O_PATH, ALLOWED),
            (O_PATH | O_CREAT | libc::O_RDWR, ALLOWED), // what goes with O_PATH is not heard (open(2))
        ] {
            assert_eq!(open(flags), expected, "{flags:o}");
        }
        for (number, expected) in [
            (SYS_execve, HELD),
            (SYS_unlinkat, HELD),
            (SYS_renameat2, HELD),
            (SYS_linkat, HELD),
            (SYS_truncate, HELD),
            (SYS_openat2, SECCOMP_RET_ERRNO | ENOSYS.unsigned_abs()),
            (SYS_open_by_handle_at, REFUSED),
            (SYS_connect, ALLOWED),
            (libc::SYS_ftruncate, ALLOWED),
            (libc::SYS_statx, ALLOWED),
        ] {
            assert_eq!(answer(&filter, ARCHITECTURE, number as u32, [0; 6]), expected, "{number}");
        }
    }

    #[test]
    fn connections_are_held_and_none_is_made_by_sending() {
        let filter = Filter::of(Watched { files: false, connections: true });
        let fast = u64::from(MSG_FASTOPEN.unsigned_abs());
        let unsupported = SECCOMP_RET_ERRNO | EOPNOTSUPP.unsigned_abs();
        for (number, arguments, expected) in [
            (SYS_connect, [0; 6], HELD),
            (SYS_sendto, [0, 0, 0, fast | 0x4000, 0, 0], unsupported),
            (SYS_sendto, [0, fast, fast, 0x4000, 0, 0], ALLOWED),
            (SYS_sendmsg, [0, 0, fast, 0, 0, 0], unsupported),
            (SYS_sendmmsg, [0, 0, 0, fast, 0, 0], unsupported),
            (SYS_openat, [0; 6], ALLOWED),
        ] {
            assert_eq!(answer(&filter, ARCHITECTURE, number as u32, arguments), expected, "{number} {arguments:?}");
        }
    }
}
