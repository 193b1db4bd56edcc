//! Starting an agent in its jail, and seeing to it that somebody serves its ways out as long as it runs.

use std::{
    io::Read as _,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command},
    thread,
    time::Duration,
};

use rampart_client::{Fault, Settings, hand_in, wire};
use rampart_jail::{Confinement, Door, Failed, Holds};

/// How long to wait before a gateway that went away is looked for again.
const PAUSE: Duration = Duration::from_millis(250);

/// Why there is no jail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoJail {
    /// The system does not give it.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// Nobody serves what leads out of it.
    #[error("the gateway does not serve its ways out: {0}")]
    Unserved(#[from] Fault),
}

/// Starts a process that is confined and, when `told` has said what holds, becomes its program.
///
/// # Errors
/// When it cannot be confined. Then it does not run.
pub(crate) fn start(
    command: Command,
    confinement: &Confinement,
    road: &Settings,
    told: impl FnOnce(Holds),
) -> Result<Child, NoJail> {
    let (starting, doors) = rampart_jail::start(command, confinement)?.doors()?;
    let standing = if doors.is_empty() { None } else { Some(hand(road, &doors)?) };
    let (starting, holds) = starting.ready()?;
    told(holds);
    let child = starting.go()?;
    if let Some(stream) = standing {
        let road = road.clone();
        thread::spawn(move || stay(stream, &road, &doors));
    }
    Ok(child)
}

/// A gateway that ends takes its ends of the doors along, so the next one gets them again.
fn stay(mut stream: UnixStream, road: &Settings, doors: &[(Door, OwnedFd)]) {
    loop {
        // Nothing is said: what comes is the end.
        let _ = stream.read(&mut [0]);
        stream = loop {
            thread::sleep(PAUSE);
            if let Ok(stream) = hand(road, doors) {
                break stream;
            }
        };
    }
}

fn hand(road: &Settings, doors: &[(Door, OwnedFd)]) -> Result<UnixStream, Fault> {
    let doors: Vec<_> = doors.iter().map(|(door, end)| (kind(*door), end.as_fd())).collect();
    hand_in(road, &doors)
}

fn kind(door: Door) -> wire::Door {
    match door {
        Door::Redirected => wire::Door::Redirected,
        Door::Known => wire::Door::Known,
        Door::Questions => wire::Door::Questions,
        Door::LongQuestions => wire::Door::LongQuestions,
        Door::Host(_) => wire::Door::Host,
    }
}
