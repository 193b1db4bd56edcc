//! What a process can no longer do, whatever it starts: no capabilities, none to gain, and system calls that lead out of a
//! jail by a door that namespaces and Landlock do not know of.

use std::{collections::BTreeMap, io};

use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, sock_filter,
};

use crate::{
    outcome::{Failed, Part},
    system,
};

/// Gives up every capability, and what could bring one back: the bounding set, being root, set-user-id programs.
pub(crate) fn drop_all() -> Result<(), Failed> {
    let failed = |step: &'static str| move |error: rustix::io::Errno| Failed::new(Part::Privileges, step, error.into());
    let holds_secure_bits = rustix::thread::capabilities(None).map_err(failed("reading capabilities"))?;
    if holds_secure_bits.effective.contains(CapabilitySet::SETPCAP) {
        let root_is_nobody = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
        set_capabilities_secure_bits(root_is_nobody).map_err(failed("making root like others"))?;
        // Up to the last that this kernel knows, which is the first that it says is none.
        for capability in 0..64 {
            match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << capability)) {
                Err(rustix::io::Errno::INVAL) => break,
                dropped => dropped.map_err(failed("emptying the bounding set"))?,
            }
        }
    }
    clear_ambient_capability_set().map_err(failed("clearing ambient capabilities"))?;
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, none).map_err(failed("dropping capabilities"))?;
    set_no_new_privs(true).map_err(failed("forbidding new privileges"))
}

/// Has the program inherit standard input, output and error, and nothing else that was open here.
pub(crate) fn close_the_rest() -> Result<(), Failed> {
    system::close_on_exec(3).map_err(|error| Failed::new(Part::Privileges, "closing descriptors", error))
}

/// Forbids system calls to this process and all below it, with EPERM. Packets, where they would reach the host's network.
pub(crate) fn forbid_system_calls(no_packets: bool) -> Result<(), Failed> {
    let failed = |error: String| Failed::new(Part::Privileges, "forbidding system calls", io::Error::other(error));
    let program = program(no_packets).map_err(|error| failed(error.to_string()))?;
    // Of two filters the stricter answer counts (seccomp(2)).
    for filter in [&only_our_numbers()[..], &program] {
        apply_filter(filter).map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

/// The bit of system calls of the x32 ABI, which come under the name of the same architecture with numbers of their own. No other
/// architecture has numbers so high.
const X32: u32 = 0x4000_0000;

/// Refuses the second numbers by which the same system calls can be made (bpf(4)).
fn only_our_numbers() -> [sock_filter; 4] {
    use libc::{BPF_ABS, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO};
    let step = |code: u32, jf, k| sock_filter { code: code as u16, jt: 0, jf, k };
    [
        // The number stands first in `struct seccomp_data`.
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0),
        step(BPF_JMP | BPF_JSET | BPF_K, 1, X32),
        step(BPF_RET | BPF_K, 0, SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
        step(BPF_RET | BPF_K, 0, SECCOMP_RET_ALLOW),
    ]
}

/// The kinds of sockets that are left: local ones, IPv4 and IPv6, and questions to the kernel about the own network.
/// AF_VSOCK, which leads from a virtual machine to its host, and the like know no network namespaces.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

fn program(no_packets: bool) -> Result<BpfProgram, seccompiler::Error> {
    let is_not = |argument, value: i32| number(argument, SeccompCmpOp::Ne, value);
    let other_families = FAMILIES.into_iter().map(|family| is_not(0, family)).collect::<Result<Vec<_>, _>>()?;
    let mut sockets = vec![SeccompRule::new(other_families)?];
    if no_packets {
        // Where the network is the host's, only connections are left, and Landlock says to which ports.
        let kind = |family, kind| {
            let masked = SeccompCmpOp::MaskedEq(0xf);
            SeccompRule::new(vec![number(0, SeccompCmpOp::Eq, family)?, number(1, masked, kind)?])
        };
        for family in [libc::AF_INET, libc::AF_INET6] {
            for packets in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
                sockets.push(kind(family, packets)?);
            }
        }
    }
    // Typing into the terminal as its user: what is typed there is read by the shell that comes after us.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].into_iter().map(|request| {
        let request = i32::try_from(request).unwrap_or_default();
        SeccompRule::new(vec![number(1, SeccompCmpOp::Eq, request)?])
    });
    let mut rules = BTreeMap::from([
        (libc::SYS_socket, sockets.clone()),
        (libc::SYS_socketpair, sockets.into_iter().take(1).collect()),
        (libc::SYS_ioctl, typing.collect::<Result<Vec<_>, _>>()?),
    ]);
    // Rings make system calls that no filter sees; keys are shared by all processes of a user.
    let whole = [
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
    ];
    rules.extend(whole.map(|call| (call, Vec::new())));
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

fn number(argument: u8, operation: SeccompCmpOp, value: i32) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operation, u64::from(value.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use rustix::{io::Errno, thread::set_no_new_privs};

    use super::*;

    /// On a thread that ends with it, since filters are a thread's own.
    #[test]
    fn the_kernel_takes_both_filters_and_refuses_what_they_name() {
        let refused = thread::spawn(|| {
            set_no_new_privs(true).unwrap();
            forbid_system_calls(true).unwrap();
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            let filters =
                status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:")).map(str::trim).map(str::to_owned);
            let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None);
            (filters, socket.unwrap_err(), crate::system::number(X32 + 39), crate::system::number(39))
        });
        let (filters, packet, x32, ours) = refused.join().unwrap();
        assert!(filters.is_none_or(|count| count.parse::<u32>().unwrap() >= 2));
        assert_eq!(packet, Errno::PERM);
        if cfg!(target_arch = "x86_64") {
            // Linux without x32 would say ENOSYS.
            assert_eq!(x32.unwrap_err().raw_os_error(), Some(libc::EPERM));
            assert_eq!(ours.unwrap(), i64::from(std::process::id()), "getpid(2) under its usual number");
        }
    }
}
