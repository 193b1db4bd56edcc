//! Connecting to the gateway, and making sure that it is ours: owner and mode of the socket, and the uid that the
//! kernel names as its listener.

use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::UnixStream,
        },
    },
    path::Path,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt::socket_peercred},
    process::geteuid,
};

use crate::{Fault, Settings, system::Trusted};

/// What came of one attempt to connect.
pub(crate) enum Attempt {
    /// A non-blocking stream to a gateway that we trust.
    Connected(UnixStream),
    /// The gateway's queue is full; try again in a moment.
    Busy,
}

/// Tries once to connect, without waiting.
pub(crate) fn attempt(Settings { socket, trusted, .. }: &Settings) -> Result<Attempt, Fault> {
    check_file(socket, trusted)?;
    let nobody = |why: String| unreachable(socket, trusted, why);
    let unreachable = |e: Errno| nobody(plain(e));
    let address = SocketAddrUnix::new(socket)
        .map_err(|_| nobody("the path is too long for a socket; choose a shorter RAMPART_HOME".to_owned()))?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd: OwnedFd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(unreachable)?;
    match connect(&fd, &address) {
        Ok(()) => {}
        Err(Errno::AGAIN) => return Ok(Attempt::Busy),
        Err(e) => return Err(unreachable(e)),
    }
    check_peer(socket, &fd, trusted)?;
    Ok(Attempt::Connected(UnixStream::from(fd)))
}

/// Whether somebody listens there. Says nothing about whether it answers.
pub(crate) fn listens(socket: &Path) -> Result<(), Fault> {
    attempt(&Settings::new(socket.to_owned())).map(|_| ())
}

fn unreachable(socket: &Path, trusted: &Trusted, why: String) -> Fault {
    let remedy = if *trusted == Trusted::Own {
        "start one with `rampart serve`"
    } else {
        "it is the machine's, whose administrator starts it with `systemctl start rampart`"
    };
    Fault::Unreachable { socket: socket.display().to_string(), why, remedy }
}

fn check_file(socket: &Path, trusted: &Trusted) -> Result<(), Fault> {
    let untrusted = |why: String| Fault::Untrusted { socket: socket.display().to_string(), why };
    if let Trusted::Nobody(why) = trusted {
        return Err(untrusted(why.clone()));
    }
    let meta = socket.symlink_metadata().map_err(|e| {
        let why = match e.kind() {
            std::io::ErrorKind::NotFound => "there is no socket".to_owned(),
            _ => e.to_string(),
        };
        unreachable(socket, trusted, why)
    })?;
    if !meta.file_type().is_socket() {
        return Err(untrusted("it is not a socket".to_owned()));
    }
    if !is_trusted(meta.uid(), trusted) {
        return Err(untrusted(format!("it belongs to user {}, not to {}", meta.uid(), whom(trusted))));
    }
    // Everybody may ask the machine's gateway.
    if *trusted == Trusted::Own && meta.mode() & 0o077 != 0 {
        return Err(untrusted(format!("others may use it (mode {:o}, 600 was expected)", meta.mode() & 0o777)));
    }
    Ok(())
}

fn check_peer(socket: &Path, fd: impl AsFd, trusted: &Trusted) -> Result<(), Fault> {
    let untrusted = |why: String| Fault::Untrusted { socket: socket.display().to_string(), why };
    let peer = socket_peercred(fd).map_err(|e| untrusted(format!("its listener is unknown: {}", plain(e))))?;
    let uid = peer.uid.as_raw();
    if is_trusted(uid, trusted) {
        Ok(())
    } else {
        Err(untrusted(format!("user {uid} listens there, not {}", whom(trusted))))
    }
}

fn is_trusted(uid: u32, trusted: &Trusted) -> bool {
    uid == 0
        || match trusted {
            Trusted::Own => uid == geteuid().as_raw(),
            Trusted::User(gateway) => uid == *gateway,
            Trusted::Nobody(_) => false,
        }
}

fn whom(trusted: &Trusted) -> String {
    match trusted {
        Trusted::User(uid) => format!("user {uid}, which {} names", crate::system::FILE),
        Trusted::Own | Trusted::Nobody(_) => "you".to_owned(),
    }
}

fn plain(errno: Errno) -> String {
    match errno {
        Errno::CONNREFUSED => "nobody listens".to_owned(),
        other => std::io::Error::from(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::PermissionsExt, net::UnixListener};

    use super::*;

    fn refusal(socket: &Path) -> Fault {
        match attempt(&Settings::new(socket.to_owned())) {
            Err(fault) => fault,
            Ok(_) => panic!("{} was trusted", socket.display()),
        }
    }

    #[test]
    fn only_a_private_socket_of_ours_is_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        assert!(matches!(refusal(&path), Fault::Unreachable { .. }));

        std::fs::write(&path, "").unwrap();
        assert!(refusal(&path).to_string().contains("not a socket"));
        std::fs::remove_file(&path).unwrap();

        let listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(refusal(&path).to_string().contains("others may use it (mode 666"));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(attempt(&Settings::new(path.clone())), Ok(Attempt::Connected(_))));

        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(refusal(&link).to_string().contains("not a socket"));

        drop(listener);
        assert!(refusal(&path).to_string().contains("nobody listens"));
    }

    #[test]
    fn a_socket_of_another_user_is_not_trusted() {
        if !crate::tests::is_root("a_socket_of_another_user_is_not_trusted") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let _listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        assert!(refusal(&path).to_string().contains("belongs to user 12345"));
    }

    #[test]
    fn a_path_too_long_for_a_socket_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("x".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        // A file that passes as a socket as far as the name goes: bound by a short name, then moved.
        let short = dir.path().join("s");
        let _listener = UnixListener::bind(&short).unwrap();
        std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&short, deep.join("s")).unwrap();
        assert!(refusal(&deep.join("s")).to_string().contains("too long"));
    }
}
