//! The socket at which sessions without any other way out hand in their doors: descriptors do not fit into HTTP. Only the
//! process for which a session was opened does that for it; it stands outside, where what runs in the session cannot be.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rampart_client::{
    MOST_DOORS,
    wire::{Door, HandIn, HandedIn},
};
use rampart_gateway::{Gateway, credentials::Bearer, lineage::Process};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How long what is handed in may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest text of it, in bytes.
const LONGEST: usize = 16 << 10;
/// Sessions at a time.
const MOST: usize = 256;

/// Doors that somebody serves from now on.
#[derive(Debug)]
pub struct Handed {
    /// Whose they are.
    pub bearer: Bearer,
    /// What was handed in.
    pub doors: Vec<(Door, OwnedFd)>,
    /// They are served until then.
    pub until: CancellationToken,
}

/// How many sessions have their doors served.
#[derive(Debug, Clone, Default)]
pub struct Jailed(Arc<AtomicUsize>);

impl Jailed {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Takes doors until `stop`, and gives them to `server`. Each is served as long as its connection stands.
pub async fn serve_doors(
    socket: UnixListener,
    gateway: Arc<Gateway>,
    server: mpsc::Sender<Handed>,
    jailed: Jailed,
    stop: CancellationToken,
) {
    let seats = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (gateway, server, jailed, stop) = (Arc::clone(&gateway), server.clone(), jailed.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = converse(stream, &gateway, &server, &jailed) => {}
            }
            drop(seat);
        });
    }
}

async fn converse(mut stream: UnixStream, gateway: &Gateway, server: &mpsc::Sender<Handed>, jailed: &Jailed) {
    let until = CancellationToken::new();
    let _ends_with_us = until.clone().drop_guard();
    let Ok(taken) = timeout(PATIENCE, take(&stream, gateway)).await else { return };
    let said = match taken {
        Ok((bearer, doors, confined)) => {
            let whose = bearer.clone();
            match server.send(Handed { bearer, doors, until }).await {
                Ok(()) => Ok((whose, confined)),
                Err(_) => Err(("no_proxy", "the gateway runs without its egress proxy".to_owned())),
            }
        }
        Err(refused) => Err(refused),
    };
    let (bearer, confined) = match said {
        Ok(said) => said,
        Err((code, message)) => {
            let who = stream.peer_cred().map_or_else(|_| "nobody".to_owned(), |peer| format!("user {}", peer.uid()));
            gateway.record_refusal("doors of a session", &who, &message).await;
            let refused = HandedIn::Refused { code: code.to_owned(), message };
            let _ = say(&mut stream, &refused).await;
            return;
        }
    };
    jailed.0.fetch_add(1, Ordering::Relaxed);
    if confined && !gateway.credentials().confine(&bearer, true) {
        gateway.record_refusal("a confined session", &bearer.name, "only a person opens one").await;
    }
    if say(&mut stream, &HandedIn::Served).await.is_ok() {
        // Nothing more is said: what comes is the end.
        tokio::select! {
            () = bearer.life.cancelled() => {}
            _ = stream.read_u8() => {}
        }
    }
    if confined {
        gateway.credentials().confine(&bearer, false);
    }
    jailed.0.fetch_sub(1, Ordering::Relaxed);
}

async fn say(stream: &mut UnixStream, what: &HandedIn) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

type Refused = (&'static str, String);

async fn take(stream: &UnixStream, gateway: &Gateway) -> Result<(Bearer, Vec<(Door, OwnedFd)>, bool), Refused> {
    let unread = |error: io::Error| ("unreadable", format!("what was handed in cannot be read: {error}"));
    let (text, ends) = loop {
        stream.readable().await.map_err(unread)?;
        match stream.try_io(Interest::READABLE, || receive(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => break received.map_err(unread)?,
        }
    };
    let HandIn { credential, doors, confined } =
        rampart_call::strict::from_slice(&text).map_err(|e| unread(io::Error::other(e)))?;
    if doors.len() != ends.len() {
        return Err(("unreadable", format!("{} doors came with {} descriptors", doors.len(), ends.len())));
    }
    let stranger = || ("unauthorized", "only the process that opened a session hands in its doors".to_owned());
    let bearer = gateway.credentials().bearer(&credential).ok_or_else(stranger)?;
    let peer = stream.peer_cred().map_err(unread)?;
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok()).ok_or_else(stranger)?;
    let process = Process::of(pid).map_err(|_| stranger())?;
    if gateway.credentials().opener(&bearer) != Some(process) || !stands_beside_us(pid) {
        return Err(stranger());
    }
    Ok((bearer, doors.into_iter().zip(ends).collect(), confined))
}

/// Whether a process knows the same users as this one (user_namespaces(7)); a jail knows one alone, and whoever is in it can
/// give itself no more. What runs in a jail can open a session as well, and would let itself out by a door of its own making.
/// The namespace itself is shown of no process that keeps others from reading it.
fn stands_beside_us(pid: u32) -> bool {
    let users = |process: &str| std::fs::read_to_string(format!("/proc/{process}/uid_map"));
    matches!((users(&pid.to_string()), users("self")), (Ok(theirs), Ok(ours)) if theirs == ours)
}

/// One message with its descriptors.
fn receive(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut text = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DOORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut text)], &mut control, flags)?;
    let mut ends = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            ends.extend(descriptors);
        }
    }
    text.truncate(received.bytes);
    Ok((text, ends))
}
