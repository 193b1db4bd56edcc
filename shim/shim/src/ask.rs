//! Asking the gateway of a home, which is started when none runs.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use rampart_call::{Call, Reason, Verdict};
use rampart_client::{
    Settings,
    blocking::Client,
    start::{self, Start},
};

/// How a surface asks.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Where the gateway is, and how long to wait for it.
    pub settings: Settings,
    /// How to start one; `None` where that is forbidden.
    pub start: Option<Start>,
}

impl Ask {
    /// Asks the gateway of this home, or that of the machine where there is one.
    pub fn new(home: &Path, start: Option<Start>) -> Self {
        let settings = Settings::of(home);
        // Whoever sets up the machine's gateway also starts it.
        let start = start.filter(|_| !settings.is_of_the_machine());
        Self { settings, start }
    }

    /// The verdict on a call; without an answer a refusal, unless the gateway said otherwise before it went away. Takes no
    /// longer than the settings' patience, the start of a gateway included.
    pub fn judge(&self, call: &Call) -> Verdict {
        let mut failed = None;
        // Where one listens, which is nearly always, there is nothing to look for first.
        let verdict = Client::new(self.settings.clone()).judge_or_start(call, || {
            // Half of the time is left for the answer, or for doing without one.
            let patience = self.settings.patience / 2;
            let start =
                self.start.as_ref().map(|start| Start { patience: start.patience.min(patience), ..start.clone() });
            failed = start.and_then(|start| start::ensure(&start).err());
        });
        match (verdict, failed) {
            // Why it could not be started says more than that nobody listens.
            (Verdict::Deny(mut refusal), Some(why)) if refusal.judgement.reason == Reason::GatewayUnreachable => {
                refusal.judgement.message = why.to_string();
                Verdict::Deny(refusal)
            }
            (verdict, _) => verdict,
        }
    }
}

/// Variables that a gateway is started with. Not the agent's: it must not choose the token or a proxy.
const INHERITED: [&str; 9] = ["HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "RAMPART_LOG"];

/// How to start a gateway in the background with the `rampart` program.
pub fn on_demand(home: &Path, program: PathBuf, variable: impl Fn(&str) -> Option<OsString>) -> Start {
    let inherited = INHERITED.iter().filter_map(|name| Some((OsString::from(name), variable(name)?)));
    Start {
        home: home.to_owned(),
        program,
        args: vec!["serve".into(), "--on-demand".into()],
        env: inherited.chain([(OsString::from("RAMPART_HOME"), home.as_os_str().to_owned())]).collect(),
        patience: Duration::from_secs(8),
    }
}
