//! Opening the socket and the port.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, UnixListener};

/// Why nobody can reach the gateway.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error("port {} of {} is in use by another program: stop that, or choose another port with `rampart serve --port N` or `listen:` in config.yaml", .0.port(), .0.ip())]
    InUse(SocketAddr),
    /// The system does not let us have the address.
    #[error("cannot listen on {address}: {source}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot make the socket {}: {source}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes the gateway's socket, mode 0600, in place of what a gateway that is gone left there. The caller holds the
/// home's lock. It appears at once and complete: who sees it can use it.
///
/// # Errors
/// When the path is too long for a socket or cannot be written.
pub fn bind_socket(path: &Path) -> Result<UnixListener, ListenError> {
    bind_with_mode(path, 0o600)
}

/// The same for a socket that every user of the machine may ask, in a folder that only we can write to.
///
/// # Errors
/// As [`bind_socket`].
pub fn bind_shared_socket(path: &Path) -> Result<UnixListener, ListenError> {
    bind_with_mode(path, 0o666)
}

fn bind_with_mode(path: &Path, mode: u32) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Socket { path: path.to_owned(), source };
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = UnixListener::bind(&draft).map_err(failed)?;
    let place = fs::set_permissions(&draft, fs::Permissions::from_mode(mode)).and_then(|()| fs::rename(&draft, path));
    place.map_err(failed)?;
    Ok(listener)
}

/// Opens the port.
///
/// # Errors
/// When it is in use, and when the system does not let us have it.
pub async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        _ => ListenError::Tcp { address, source },
    })
}
