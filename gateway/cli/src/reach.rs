//! Reaching the gateway of this home, and starting one where none runs.

use rampart_client::{Settings, Unanswered, blocking::Client, start};
use rampart_shim::on_demand;

use crate::environment::Environment;

/// Makes sure that a gateway runs, where the environment allows to start one.
pub(crate) fn ensure(environment: &Environment) -> anyhow::Result<()> {
    if environment.autostart {
        start::ensure(&on_demand(&environment.home, std::env::current_exe()?, Environment::variable))?;
    }
    Ok(())
}

/// How a person's command asks the gateway: with `RAMPART_TOKEN` where it is set.
fn settings(environment: &Environment) -> Settings {
    Settings { token: environment.token.clone(), ..Settings::new(rampart_client::socket(&environment.home)) }
}

/// How a road asks the gateway: never with more than the credential of its session.
pub(crate) fn road(environment: &Environment) -> Settings {
    Settings {
        token: environment.credential.clone(),
        unanswered: Unanswered::AsTold(environment.home.clone()),
        ..Settings::new(rampart_client::socket(&environment.home))
    }
}

/// A client of the gateway; nothing is started.
pub(crate) fn client(environment: &Environment) -> Client {
    Client::new(settings(environment))
}
