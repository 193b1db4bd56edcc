//! Pins that several requests share at a time, and the files behind them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rampart_call::{Action, Refusal};
use serde_json::Value;

use super::{
    Pins, Screened,
    store::{Stamp, Store, StoreError},
};
use crate::scan::Offered;

/// The pins of one server.
#[derive(Debug)]
pub(crate) struct Keeper {
    store: Store,
    kept: Mutex<(Pins, Stamp)>,
}

impl Keeper {
    /// The pins of the server that policy knows by this name.
    pub(crate) fn new(store: Store, server: &str) -> Result<Self, StoreError> {
        let stamp = store.stamp();
        let kept = Mutex::new((store.pins(server)?, stamp));
        Ok(Self { store, kept })
    }

    fn held(&self) -> MutexGuard<'_, (Pins, Stamp)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is approved now.
    pub(crate) fn approved(&self) -> Offered {
        self.held().0.approved.clone()
    }

    /// The refusal of a call of something that is not approved.
    pub(crate) fn refusal(&self, action: &Action) -> Option<Refusal> {
        let mut kept = self.held();
        kept.0.refusal(action)?;
        self.look_again(&mut kept);
        kept.0.refusal(action)
    }

    /// Looks at a result, and writes down what it offers.
    pub(crate) fn screen(&self, action: &Action, body: &Value, raw: &str) -> Result<Screened, String> {
        let mut kept = self.held();
        if kept.0.withholds() {
            self.look_again(&mut kept);
        }
        let screened = kept.0.screen(action, body, raw)?;
        if !screened.is_quiet()
            && let Err(error) = self.store.write_down(&screened)
        {
            tracing::warn!(%error, "what the server offers was not written down");
        }
        Ok(screened)
    }

    /// Takes in what somebody has approved meanwhile.
    fn look_again(&self, kept: &mut (Pins, Stamp)) {
        let stamp = self.store.stamp();
        if stamp == kept.1 {
            return;
        }
        kept.1 = stamp;
        match self.store.approved() {
            Ok(approved) => drop(kept.0.approve(approved)),
            Err(error) => tracing::warn!(%error, "the pins were not read again"),
        }
    }
}
