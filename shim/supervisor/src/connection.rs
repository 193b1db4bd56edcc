//! A connection that a process wants to make, where those are watched. The socket and the address are taken once, and the
//! connection is made from here, over the same socket, so that what was judged is what happens.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use rampart_call::Action;
use rustix::{
    fd::OwnedFd,
    fs::fstat,
    io::Errno,
    net::{AddressFamily, sockopt::socket_domain},
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

use crate::{deed::Deed, listener::Notification, memory::Memory, place::Thread};

/// The longest address that is read (`struct sockaddr_storage`).
const LONGEST: usize = 128;

/// What is done, and what has to be allowed first. None where the socket is of a kind that reaches no address of a network: the
/// process connects it itself, since the other end asks the kernel who has.
///
/// # Errors
/// What the kernel would say.
pub(crate) fn find(notification: &Notification) -> io::Result<Option<(Deed, Option<Action>)>> {
    let [descriptor, address, length, ..] = notification.arguments;
    let socket = taken(Thread(notification.thread), descriptor as i32)?;
    if ![AddressFamily::INET, AddressFamily::INET6].contains(&socket_domain(&socket)?) {
        return Ok(None);
    }
    let length = usize::try_from(length as i32).ok().filter(|length| *length <= LONGEST).ok_or(Errno::INVAL)?;
    let bytes = Memory::of(notification.thread).bytes(address, length)?;
    let Some(address) = address_in(&bytes)? else {
        return Ok(Some((Deed::Disconnect { socket }, None)));
    };
    let host: IpAddr = address.ip().to_canonical();
    let action = Action::Connect { host: host.to_string(), port: address.port(), addresses: vec![host] };
    Ok(Some((Deed::Connect { socket, address }, Some(action))))
}

/// The same socket as one of the thread's descriptors (pidfd_getfd(2)).
fn taken(thread: Thread, descriptor: i32) -> io::Result<OwnedFd> {
    let there = fstat(thread.descriptor(descriptor)?)?;
    let process = Pid::from_raw(thread.process()?).ok_or(Errno::SRCH)?;
    let process = pidfd_open(process, PidfdFlags::empty())?;
    let socket = pidfd_getfd(process, descriptor, PidfdGetfdFlags::empty())?;
    let here = fstat(&socket)?;
    // A thread may have descriptors that are not its process's (clone(2) without CLONE_FILES).
    if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino) { Ok(socket) } else { Err(Errno::ACCESS.into()) }
}

/// An address as the kernel reads it (ip(7), ipv6(7)); none where it says that there is none (connect(2), AF_UNSPEC).
fn address_in(bytes: &[u8]) -> io::Result<Option<SocketAddr>> {
    let number = |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_ne_bytes);
    let family = bytes.first_chunk().map(|two| i32::from(u16::from_ne_bytes(*two))).ok_or(Errno::INVAL)?;
    if family == libc::AF_UNSPEC {
        return Ok(None);
    }
    let port = bytes.get(2..4).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes).ok_or(Errno::INVAL)?;
    match family {
        libc::AF_INET if bytes.len() >= 16 => {
            let host: [u8; 4] = bytes.get(4..8).and_then(|four| four.try_into().ok()).ok_or(Errno::INVAL)?;
            Ok(Some(SocketAddrV4::new(Ipv4Addr::from(host), port).into()))
        }
        // A scope was not always part of it.
        libc::AF_INET6 if bytes.len() >= 24 => {
            let host: [u8; 16] = bytes.get(8..24).and_then(|all| all.try_into().ok()).ok_or(Errno::INVAL)?;
            let (flow, scope) = (number(4).unwrap_or_default(), number(24).unwrap_or_default());
            Ok(Some(SocketAddrV6::new(Ipv6Addr::from(host), port, flow, scope).into()))
        }
        libc::AF_INET | libc::AF_INET6 => Err(Errno::INVAL.into()),
        _ => Err(Errno::AFNOSUPPORT.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let family = |family: i32| (family as u16).to_ne_bytes();
        let four = [&family(libc::AF_INET)[..], &[1, 187, 192, 0, 2, 7], &[0; 8]].concat();
        let six = |rest: &[u8]| [&family(libc::AF_INET6)[..], &[0, 80], &[0; 4], &[0; 15], &[1], rest].concat();
        let read = |bytes: &[u8]| address_in(bytes).map(|address| address.map(|address| address.to_string()));
        assert_eq!(read(&four).unwrap().as_deref(), Some("192.0.2.7:443"));
        assert_eq!(read(&[&four[..], &[9; 99]].concat()).unwrap().as_deref(), Some("192.0.2.7:443"));
        assert_eq!(read(&six(&[])).unwrap().as_deref(), Some("[::1]:80"));
        assert_eq!(read(&six(&3_u32.to_ne_bytes())).unwrap().as_deref(), Some("[::1%3]:80"));
        assert_eq!(read(&family(libc::AF_UNSPEC)).unwrap(), None);
        for (bytes, error) in [
            (&[][..], Errno::INVAL),
            (&[2], Errno::INVAL),
            (&four[..15], Errno::INVAL),
            (&six(&[])[..23], Errno::INVAL),
            (&[&family(libc::AF_UNIX)[..], b"/x"].concat(), Errno::AFNOSUPPORT),
        ] {
            assert_eq!(read(bytes).unwrap_err().raw_os_error(), Some(error.raw_os_error()), "{bytes:?}");
        }
    }
}
