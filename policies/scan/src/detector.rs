//! What a detector is.

use rampart_call::FindingClass;

/// One kind of thing that the scanner recognises.
#[derive(Debug)]
pub struct Detector {
    id: String,
    class: FindingClass,
    description: String,
}

impl Detector {
    /// The stable id that findings and policies name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What kind of thing it finds.
    pub fn class(&self) -> FindingClass {
        self.class
    }

    /// What it finds, in words for people.
    pub fn description(&self) -> &str {
        &self.description
    }
}

/// All detectors, in the order of their files.
pub fn detectors() -> impl Iterator<Item = &'static Detector> {
    [].iter()
}
