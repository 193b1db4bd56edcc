//! What the kernel does with the system calls of a supervised process.

use std::io;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, EPERM, SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
    SECCOMP_RET_USER_NOTIF, SECCOMP_SET_MODE_FILTER, SYS_execve, SYS_execveat, SYS_io_uring_setup,
    SYS_process_vm_writev, SYS_seccomp, c_long, sock_filter, sock_fprog,
};
use rustix::fd::{FromRawFd as _, OwnedFd};

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
const HELD: [c_long; 2] = [SYS_execve, SYS_execveat];

/// Refused: rings do by themselves what a filter would see, and nobody shall write into the memory of a process that has just
/// been verified.
const REFUSED: [c_long; 2] = [SYS_io_uring_setup, SYS_process_vm_writev];

/// Instructions before and after one pair for each system call.
const LENGTH: usize = 5 + 2 * (HELD.len() + REFUSED.len()) + 1;

/// The filter (seccomp(2), bpf(4)).
fn program() -> [sock_filter; LENGTH] {
    let step = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
    let load = |offset| step(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
    let answer = |k| step(BPF_RET | BPF_K, 0, 0, k);
    let refuse = answer(SECCOMP_RET_ERRNO | EPERM.unsigned_abs());
    let mut steps = [answer(SECCOMP_RET_ALLOW); LENGTH];
    let checks = HELD
        .map(|number| (number, answer(SECCOMP_RET_USER_NOTIF)))
        .into_iter()
        .chain(REFUSED.map(|number| (number, refuse)))
        .flat_map(|(number, then)| [step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number as u32), then]);
    let head = [
        load(ARCH),
        // Another architecture: to the refusal behind the next two.
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, ARCHITECTURE),
        load(NUMBER),
        step(BPF_JMP | BPF_JSET | BPF_K, 0, 1, X32),
        refuse,
    ];
    for (place, step) in steps.iter_mut().zip(head.into_iter().chain(checks)) {
        *place = step;
    }
    steps
}

/// Puts the filter over the calling thread and all that comes from it, for good, and gives what its notifications come by. Takes
/// no memory and no lock, so that it may be called between fork and exec.
///
/// # Errors
/// `EBUSY` where there is such a filter already, `EINVAL` where the kernel knows none.
pub(crate) fn install() -> io::Result<OwnedFd> {
    rustix::thread::set_no_new_privs(true)?;
    let usual = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // Only what kills interrupts the wait for an answer; Linux 5.19.
    match set(usual | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => set(usual),
        done => done,
    }
}

fn set(flags: libc::c_ulong) -> io::Result<OwnedFd> {
    let mut steps = program();
    let program = sock_fprog { len: LENGTH as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which outlives the call and whose length is its own.
    let made = unsafe { libc::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match i32::try_from(made) {
        // SAFETY: a descriptor that the kernel has just made, and nobody else knows.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers, found out by running it (bpf(4)).
    fn answer(arch: u32, number: u32) -> u32 {
        let steps = program();
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = steps[at];
            at += 1;
            match u32::from(code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => accumulator = if k == ARCH { arch } else { number },
                code if code == BPF_JMP | BPF_JEQ | BPF_K => at += usize::from(if accumulator == k { jt } else { jf }),
                code if code == BPF_JMP | BPF_JSET | BPF_K => {
                    at += usize::from(if accumulator & k != 0 { jt } else { jf });
                }
                _ => return k,
            }
        }
    }

    #[test]
    fn programs_are_held_and_other_ways_to_call_are_refused() {
        let refused = SECCOMP_RET_ERRNO | EPERM.unsigned_abs();
        for (arch, number, expected) in [
            (ARCHITECTURE, SYS_execve, SECCOMP_RET_USER_NOTIF),
            (ARCHITECTURE, SYS_execveat, SECCOMP_RET_USER_NOTIF),
            (ARCHITECTURE, SYS_io_uring_setup, refused),
            (ARCHITECTURE, SYS_process_vm_writev, refused),
            (ARCHITECTURE, libc::SYS_read, SECCOMP_RET_ALLOW),
            (ARCHITECTURE, libc::SYS_openat, SECCOMP_RET_ALLOW),
            (ARCHITECTURE, libc::SYS_seccomp, SECCOMP_RET_ALLOW),
            // x32 has `execve` as 520 and all others with the same bit; i386 has it as 11.
            (ARCHITECTURE, i64::from(X32) + 520, refused),
            (ARCHITECTURE, i64::from(X32) + SYS_execve, refused),
            (ARCHITECTURE, -1, refused),
            (0x4000_0003, 11, refused),
            (0x4000_0003, 1, refused),
            (0x4000_0028, 11, refused),
        ] {
            assert_eq!(answer(arch, number as u32), expected, "{arch:x} {number}");
        }
    }
}
