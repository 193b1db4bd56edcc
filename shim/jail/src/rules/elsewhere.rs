//! Rules of the packet filter, where there is none that we know.

use std::io;

/// Where the connections of this network namespace are sent instead of to where they were going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirection {
    /// See the description on Linux.
    pub tcp: u16,
    /// See the description on Linux.
    pub dns: u16,
    /// See the description on Linux.
    pub exempt: Option<u32>,
}

/// Why rules are not in force.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// There is no packet filter that we know.
    #[error("only Linux has the packet filter (nftables) that this needs")]
    NotHere,
    /// Never here.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Redirection {
    /// Says that this is not possible here.
    ///
    /// # Errors
    /// Always.
    pub fn install(&self) -> Result<(), RulesError> {
        Err(RulesError::NotHere)
    }

    /// Says that this is not possible here.
    ///
    /// # Errors
    /// Always.
    pub fn stands(&self) -> Result<bool, RulesError> {
        Err(RulesError::NotHere)
    }
}
