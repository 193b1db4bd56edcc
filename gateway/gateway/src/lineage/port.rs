//! Which processes hold the other end of a TCP connection on this machine (proc_pid_net(5), proc_pid_fd(5)).

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders {
    /// The user whose socket it is.
    pub user: Option<u32>,
    /// The processes that hold it, as far as we may look.
    pub pids: Vec<u32>,
}

/// Who holds the end `theirs` of a connection to our end `ours`. Nothing is known of a connection from another machine or
/// another network namespace, and no process of another user.
pub fn holders(theirs: SocketAddr, ours: SocketAddr) -> Holders {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let found = tables.iter().flat_map(|table| table.lines().skip(1)).find_map(|line| end(line, theirs, ours));
    let Some((user, inode)) = found else { return Holders::default() };
    let wanted = format!("socket:[{inode}]");
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pids = pids.filter(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.map(|fd| fs::read_link(fd.path())).any(|to| to.is_ok_and(|to| to.as_os_str() == wanted.as_str()))
    });
    Holders { user: Some(user), pids: pids.collect() }
}

/// User and inode of a line whose ends are these.
fn end(line: &str, local: SocketAddr, remote: SocketAddr) -> Option<(u32, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let same = |field: usize, wanted: SocketAddr| {
        let end = fields.get(field).and_then(|text| address(text));
        end.is_some_and(|(ip, port)| (ip, port) == (wanted.ip().to_canonical(), wanted.port()))
    };
    if !same(1, local) || !same(2, remote) {
        return None;
    }
    let inode = fields.get(9)?.parse().ok().filter(|inode| *inode != 0)?;
    Some((fields.get(7)?.parse().ok()?, inode))
}

/// `0100007F:2382`: the address in words of the machine's own byte order, the port as a number.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let mut bytes = hex::decode(ip).ok()?;
    if cfg!(target_endian = "little") {
        bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    }
    let ip: IpAddr = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn both_ends_of_a_connection_of_ours_are_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = listener.local_addr().unwrap();
        let client = TcpStream::connect(ours).unwrap();
        let theirs = client.local_addr().unwrap();
        let user = Some(rustix::process::geteuid().as_raw());
        assert_eq!(holders(theirs, ours), Holders { user, pids: vec![std::process::id()] });
        drop(client);
        assert_eq!(holders("192.0.2.1:9".parse().unwrap(), ours), Holders::default());
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_in_both_families() {
        assert_eq!(address("0100007F:2382"), Some(("127.0.0.1".parse().unwrap(), 9090)));
        let mapped = address("0000000000000000FFFF00000100007F:0050");
        assert_eq!(mapped, Some(("127.0.0.1".parse().unwrap(), 80)));
        assert_eq!(address("00000000000000000000000001000000:0050"), Some(("::1".parse().unwrap(), 80)));
        for junk in ["", ":", "01:2", "0100007F:x"] {
            assert_eq!(address(junk), None, "{junk}");
        }
    }
}
