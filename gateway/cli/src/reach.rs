//! Reaching the gateway of this home, and starting one where none runs.

use rampart_client::{Settings, Unanswered, blocking::Client, start, wire::OpenedSession};
use rampart_shim::on_demand;

use crate::{args::SessionMode, environment::Environment, printer::Printer};

/// Whether the machine has a gateway for everybody.
pub(crate) fn is_of_the_machine(environment: &Environment) -> bool {
    Settings::of(&environment.home).is_of_the_machine()
}

/// Makes sure that a gateway runs, where the environment allows to start one and the machine has none for everybody.
pub(crate) fn ensure(environment: &Environment) -> anyhow::Result<()> {
    if environment.autostart && !is_of_the_machine(environment) {
        start::ensure(&on_demand(&environment.home, std::env::current_exe()?, Environment::variable))?;
    }
    Ok(())
}

/// How a person's command asks the gateway: with `RAMPART_TOKEN` where it is set.
pub(crate) fn settings(environment: &Environment) -> Settings {
    Settings { token: environment.token.clone(), ..Settings::of(&environment.home) }
}

/// How a road asks the gateway: never with more than the credential of its session.
pub(crate) fn road(environment: &Environment) -> Settings {
    Settings { token: environment.credential.clone(), ..Settings::of(&environment.home) }
}

/// The same in a session that was opened for it, whose processes bear a credential. Where it is only watched, a gateway that
/// does not answer holds up nothing either.
pub(crate) fn road_of(opened: &OpenedSession, environment: &Environment) -> Settings {
    let mut road = Settings { token: Some(opened.credential.clone()), ..road(environment) };
    if opened.monitor && !road.is_of_the_machine() {
        road.unanswered = Unanswered::GoOn(environment.home.clone());
    }
    road
}

/// Says that a wish to be watched only was not heard.
pub(crate) fn note_enforced(wanted: SessionMode, opened: &OpenedSession, printer: Printer) {
    if wanted == SessionMode::Monitor && !opened.monitor {
        printer.note("rampart: --mode monitor is for people; an agent asked, so this session is enforced");
    }
}

/// A client of the gateway; nothing is started.
pub(crate) fn client(environment: &Environment) -> Client {
    Client::new(settings(environment))
}
