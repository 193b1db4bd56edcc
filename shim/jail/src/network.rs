//! A network whose only interface is `lo`. Every address is local to it, so that whatever is sent anywhere arrives at
//! listeners that were opened inside, and are served from outside.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
};

use crate::{
    confinement::{Door, Network},
    netlink::{Attribute, Message, NLM_F_ACK, NLM_F_CREATE, Netlink},
    outcome::{Failed, Part},
    rules::Redirection,
};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// The first interface of every namespace.
const LO: u32 = 1;

/// Brings up the network of this namespace, and returns the ways out of it.
pub(crate) fn set_up(network: &Network) -> Result<Vec<(Door, OwnedFd)>, Failed> {
    let failed = |step: &'static str| move |error: io::Error| Failed::new(Part::Network, step, error);
    let routes = Netlink::open(None).map_err(failed("opening a route socket"))?;
    routes.request(&[interface_up()]).map_err(|(_, error)| failed("bringing `lo` up")(error))?;
    routes.request(&[all_is_local(AF_INET)]).map_err(|(_, error)| failed("routing IPv4 to `lo`")(error))?;
    // A system without IPv6 has nothing of it to close.
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if v6 {
        routes.request(&[all_is_local(AF_INET6)]).map_err(|(_, error)| failed("routing IPv6 to `lo`")(error))?;
    }
    let mut doors = Vec::new();
    // Those whose port is given come first, since any other may be any port.
    if let Some(proxy) = network.proxy {
        let listener = TcpListener::bind(proxy).map_err(failed("listening at the proxy's address"))?;
        doors.push((Door::Known, listener.into()));
    }
    for port in &network.host_ports {
        connections(&mut doors, Door::Host(*port), *port, v6).map_err(failed("listening at a port of the host"))?;
    }
    let tcp = connections(&mut doors, Door::Redirected, 0, v6).map_err(failed("listening for connections"))?;
    let dns = questions(&mut doors, v6).map_err(failed("listening for questions"))?;
    let rules = Redirection { tcp, dns, exempt: None };
    rules
        .install()
        .map_err(|error| Failed::new(Part::Network, "setting the packet filter", io::Error::other(error)))?;
    Ok(doors)
}

fn interface_up() -> Message {
    const IFF_UP: u32 = 1;
    // `struct ifinfomsg`: family and type are any, flags and which of them change.
    let mut header = vec![0; 4];
    for number in [LO, IFF_UP, IFF_UP] {
        header.extend(number.to_ne_bytes());
    }
    Message { kind: RTM_NEWLINK, flags: NLM_F_ACK, header, attributes: Vec::new() }
}

/// `ip route add local default dev lo`: packets to any address are for us (AnyIP).
fn all_is_local(family: u8) -> Message {
    const RT_TABLE_LOCAL: u8 = 255;
    const RTPROT_BOOT: u8 = 3;
    const RT_SCOPE_HOST: u8 = 254;
    const RTN_LOCAL: u8 = 2;
    const RTA_OIF: u16 = 4;
    let header = vec![family, 0, 0, 0, RT_TABLE_LOCAL, RTPROT_BOOT, RT_SCOPE_HOST, RTN_LOCAL, 0, 0, 0, 0];
    let through = Attribute::Value(RTA_OIF, LO.to_ne_bytes().to_vec());
    Message { kind: RTM_NEWROUTE, flags: NLM_F_ACK | NLM_F_CREATE, header, attributes: vec![through] }
}

/// The loopback addresses there are.
fn loopbacks(v6: bool) -> impl Iterator<Item = IpAddr> {
    [IpAddr::from(Ipv4Addr::LOCALHOST)].into_iter().chain(v6.then_some(IpAddr::from(Ipv6Addr::LOCALHOST)))
}

/// Listens for connections at every loopback address, at the same port, and returns which.
fn connections(doors: &mut Vec<(Door, OwnedFd)>, door: Door, port: u16, v6: bool) -> io::Result<u16> {
    let mut at = port;
    for address in loopbacks(v6) {
        let listener = TcpListener::bind(SocketAddr::new(address, at))?;
        at = listener.local_addr()?.port();
        doors.push((door, listener.into()));
    }
    Ok(at)
}

/// Listens for questions for names, by both protocols at the same port.
fn questions(doors: &mut Vec<(Door, OwnedFd)>, v6: bool) -> io::Result<u16> {
    // What is free for one protocol may be taken for the other.
    let mut tries = 0..TRIES;
    loop {
        match both(v6) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries.next().is_some() => {}
            opened => {
                let (at, opened) = opened?;
                doors.extend(opened);
                return Ok(at);
            }
        }
    }
}

/// How often another port is tried.
const TRIES: u8 = 10;

fn both(v6: bool) -> io::Result<(u16, Vec<(Door, OwnedFd)>)> {
    let (mut at, mut opened) = (0, Vec::new());
    for address in loopbacks(v6) {
        let packets = UdpSocket::bind(SocketAddr::new(address, at))?;
        at = packets.local_addr()?.port();
        let listener = TcpListener::bind(SocketAddr::new(address, at))?;
        opened.push((Door::Questions, packets.into()));
        opened.push((Door::LongQuestions, listener.into()));
    }
    Ok((at, opened))
}
