//! The doors of jails, from the gateway that is handed them to the proxy that serves them.

use std::path::PathBuf;

use anyhow::bail;
use rampart_api::Handed;
use rampart_call::Origin;
use rampart_client::wire::Door;
use rampart_egress::{Doors, Names};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc,
};

/// The same doors as the proxy takes them, each known by the session that handed it in. `home` is that of the gateway's user.
pub(crate) fn doors(mut handed: mpsc::Receiver<Handed>, home: PathBuf) -> mpsc::Receiver<Doors> {
    let (give, given) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(handed) = handed.recv().await {
            match open(handed, &home) {
                Ok(doors) => {
                    if give.send(doors).await.is_err() {
                        break;
                    }
                }
                Err(error) => tracing::warn!("the doors of a session cannot be served: {error:#}"),
            }
        }
    });
    given
}

fn open(Handed { bearer, doors, until }: Handed, home: &std::path::Path) -> anyhow::Result<Doors> {
    let origin = Origin {
        agent: bearer.agent.unwrap_or_default(),
        session: bearer.session.unwrap_or_default(),
        home: Some(home.display().to_string()),
        ..Origin::default()
    };
    let mut opened =
        Doors { origin, redirected: Vec::new(), known: Vec::new(), names: Vec::new(), host: Vec::new(), until };
    let mut packets = None;
    for (door, end) in doors {
        if door == Door::Questions {
            let socket = std::net::UdpSocket::from(end);
            socket.set_nonblocking(true)?;
            packets = Some(UdpSocket::from_std(socket)?);
            continue;
        }
        let listener = std::net::TcpListener::from(end);
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        match door {
            Door::Redirected => opened.redirected.push(listener),
            Door::Known => opened.known.push(listener),
            Door::Host => opened.host.push(listener),
            Door::Questions | Door::LongQuestions => {
                let Some(udp) = packets.take() else { bail!("questions over TCP without those over UDP") };
                opened.names.push(Names { udp, tcp: listener });
            }
        }
    }
    Ok(opened)
}
