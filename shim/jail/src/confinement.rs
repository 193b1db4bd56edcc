//! What a process is confined to, as it is told to the process that confines itself before it becomes that process.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// What a process is confined to. Without a part, that part stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Where its packets go. With this comes a view of the files in which some are hidden; without it, what is hidden is only
    /// closed, and sockets of other programs are neither.
    pub network: Option<Network>,
    /// Where its network is the host's: the one TCP port that it may connect to, at any address.
    pub only_port: Option<u16>,
    /// What it may touch.
    pub files: Option<Files>,
    /// Variables that are for the program alone, and not for the process that confines itself before it becomes that.
    pub variables: Vec<(String, String)>,
}

/// A network of its own, out of which only the doors lead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The address of a proxy that programs are told of; it is answered inside as well.
    pub proxy: Option<SocketAddr>,
    /// Ports of the host's loopback that are reached at the same port inside.
    pub host_ports: Vec<u16>,
}

/// What a process may touch: it reads what is not hidden, and writes where it is said. Paths are absolute and without links.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Files and folders that it may change.
    pub writable: Vec<PathBuf>,
    /// Files and folders below those that it may not change all the same.
    pub fixed: Vec<PathBuf>,
    /// Files and folders that it finds empty and closed.
    pub hidden: Vec<PathBuf>,
    /// Files and folders below those that it still finds as they are.
    pub shown: Vec<PathBuf>,
    /// Files and folders that stay where they are when they lie in a place for temporary files. Sockets in them do not.
    pub around: Vec<PathBuf>,
    /// Sockets that it may connect to besides those that it makes, and folders all of whose sockets it may.
    pub sockets: Vec<PathBuf>,
    /// An empty folder of the caller's, for what stands in place of other things. The caller removes it in the end.
    pub scratch: PathBuf,
    /// A folder that is only changed in its view. Wants a network of its own, with which the view comes.
    #[serde(default)]
    pub overlay: Option<Overlay>,
}

/// Where changes of a folder are kept instead of in it. All are real paths; both places are empty folders of one file system, for
/// this use alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The folder that stays as it is. Other file systems in it are not shown.
    pub folder: PathBuf,
    /// What is changed and made, and marks for what is removed.
    pub upper: PathBuf,
    /// The kernel's own.
    pub work: PathBuf,
}

/// A way out of a network of one's own. Whoever holds what comes with it serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// A listener where every connection arrives; `SO_ORIGINAL_DST` tells where it was going.
    Redirected,
    /// A listener at the proxy's address.
    Known,
    /// A UDP socket where every question for a name arrives.
    Questions,
    /// A listener for questions over TCP.
    LongQuestions,
    /// A listener at a port of the loopback that leads to the same port of the host's.
    Host(u16),
}
