//! A line as a reader needs it: its number, its type, its hash, without parsing the JSON in between.

use super::{
    chain::{self, Hash},
    record::Kind,
};

const OPENING: &[u8] = br#"{"v":"rampart.audit.v2","seq":"#;
const TYPE: &[u8] = br#","type":""#;

/// One sealed line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Its number.
    pub(super) seq: u64,
    /// Its type.
    pub(super) kind: Kind,
    /// Every byte that was hashed.
    pub(super) body: &'a [u8],
    /// The hash it claims.
    pub(super) hash: Hash,
}

impl<'a> Line<'a> {
    /// Takes a line (without its newline) apart. None when it is not one of ours.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let (body, hash) = chain::unseal(line)?;
        let rest = body.strip_prefix(OPENING)?;
        let digits = rest.iter().position(|b| !b.is_ascii_digit())?;
        let (digits, rest) = rest.split_at_checked(digits)?;
        let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let rest = rest.strip_prefix(TYPE)?;
        let word = rest.get(..rest.iter().position(|&b| b == b'"')?)?;
        Some(Self { seq, kind: Kind::from_word(std::str::from_utf8(word).ok()?)?, body, hash })
    }
}
