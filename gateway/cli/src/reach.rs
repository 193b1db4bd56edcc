//! Reaching the gateway of this home, and starting one where none runs.

use rampart_client::{Settings, blocking::Client, start};
use rampart_shim::on_demand;

use crate::environment::Environment;

/// Makes sure that a gateway runs, where the environment allows to start one.
pub(crate) fn ensure(environment: &Environment) -> anyhow::Result<()> {
    if environment.autostart {
        start::ensure(&on_demand(&environment.home, std::env::current_exe()?, Environment::variable))?;
    }
    Ok(())
}

/// How this process asks the gateway.
pub(crate) fn settings(environment: &Environment) -> Settings {
    Settings::new(rampart_client::socket(&environment.home))
}

/// A client of the gateway; nothing is started.
pub(crate) fn client(environment: &Environment) -> Client {
    Client::new(settings(environment))
}
