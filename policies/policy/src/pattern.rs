//! One glob grammar an operand, and the sets that hold all patterns of one operand.
//!
//! Restrictive readings are broad, grants are exact: a pattern is compiled for one [`Reading`] or the other.

mod domain;
mod path;
mod set;
mod text;
mod url;

pub(crate) use domain::{Domain, fold as fold_host, host_of_url};
pub(crate) use path::{Extent, PathGlob, plain as plain_path};
pub(crate) use set::{Ids, Set, SetBuilder};
pub(crate) use text::TextGlob;
pub(crate) use url::{UrlGlob, UrlParts};

/// How a pattern is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// For rules that stop or record: anything the pattern may mean.
    Broad,
    /// For rules that allow, and for exceptions from rules that stop: only what the pattern surely means.
    Exact,
}
