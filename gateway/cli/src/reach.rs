//! Reaching the gateway of this home, and starting one where none runs.

use rampart_client::{Settings, blocking::Client, start};
use rampart_shim::on_demand;

use crate::environment::Environment;

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

/// A client of the gateway; nothing is started.
pub(crate) fn client(environment: &Environment) -> Client {
    Client::new(settings(environment))
}
