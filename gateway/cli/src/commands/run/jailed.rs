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
use rampart_supervisor::Confined;

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

/// Starts a process that is confined and, when `told` has said what holds, becomes its program. `sees` says of what holds whether
/// nothing that the program does goes unseen, which the gateway is told with the ways out. Also says what it is confined to.
///
/// # Errors
/// When it cannot be confined. Then it does not run.
pub(crate) fn start(
    command: Command,
    confinement: &Confinement,
    road: &Settings,
    sees: impl FnOnce(Holds) -> bool,
    told: impl FnOnce(Holds, bool),
) -> Result<(Child, Confined), NoJail> {
    let (starting, doors) = rampart_jail::start(command, confinement)?.doors()?;
    let (starting, holds, ruleset) = starting.ready()?;
    let ways = Ways { confined: !doors.is_empty() && sees(holds), doors };
    let standing = if ways.doors.is_empty() { None } else { Some(ways.hand(road)?) };
    told(holds, ways.confined);
    let child = starting.go()?;
    if let Some(stream) = standing {
        let road = road.clone();
        thread::spawn(move || ways.stay(stream, &road));
    }
    Ok((child, Confined { ruleset }))
}

/// The ways out of a jail.
struct Ways {
    doors: Vec<(Door, OwnedFd)>,
    confined: bool,
}

impl Ways {
    /// A gateway that ends takes its ends of the doors along, so the next one gets them again.
    fn stay(&self, mut stream: UnixStream, road: &Settings) {
        loop {
            // Nothing is said: what comes is the end.
            let _ = stream.read(&mut [0]);
            stream = loop {
                thread::sleep(PAUSE);
                if let Ok(stream) = self.hand(road) {
                    break stream;
                }
            };
        }
    }

    fn hand(&self, road: &Settings) -> Result<UnixStream, Fault> {
        let doors: Vec<_> = self.doors.iter().map(|(door, end)| (kind(*door), end.as_fd())).collect();
        hand_in(road, &doors, self.confined)
    }
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
