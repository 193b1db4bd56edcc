//! Scanning what arrives in pieces.

use rampart_call::Finding;

/// A scan of a stream of bytes. Finds what [`crate::scan`] finds in the whole, however it is cut.
#[derive(Debug, Default)]
pub struct Stream {}

impl Stream {
    /// A stream of which nothing has been seen.
    pub fn new() -> Self {
        Self {}
    }

    /// Takes the next bytes. Gives the findings that are now certain, with offsets in the whole stream.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Finding> {
        let _ = chunk;
        Vec::new()
    }

    /// The stream has ended: gives the remaining findings.
    pub fn finish(self) -> Vec<Finding> {
        Vec::new()
    }
}
