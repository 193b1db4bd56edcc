//! What a text tells that speaks to a machine: words of several kinds are looked for around the address, each kind has
//! points, and enough of them make an order that no honest text gives.

use crate::address::Address;
use crate::entry::{Phrased, Tell};
use crate::phrases::{Phrases, folded};
use crate::prefilter::Hit;
use crate::redact::{OPEN, in_placeholder};

/// How much of a paragraph is read before an address and behind it, in bytes.
const BEFORE: usize = 160;
const BEHIND: usize = 420;
/// A blank line so soon behind the address parts it from what it says.
const SOON: usize = 24;

/// Whom a text addresses, and kinds of words with their points.
#[derive(Debug)]
pub(crate) struct Tells {
    address: Address,
    phrases: Phrases<Part>,
    kinds: Vec<Kind>,
    /// How many bytes may stand between the parts of each chain.
    chains: Vec<usize>,
    enough: i32,
}

#[derive(Debug)]
struct Kind {
    points: i32,
    /// What is to be done, which does not count in a clause that forbids it.
    deed: bool,
}

/// What a phrase is.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// It tells of a kind.
    Tell(usize),
    /// The link of a chain, with the number of the chain and its kind, and whether it is the last.
    Link {
        chain: usize,
        kind: usize,
        link: usize,
        last: bool,
    },
    Forbids,
}

impl Tells {
    pub(crate) fn new(address: &crate::entry::Address, tells: &[Tell], forbids: &Phrased, enough: i32) -> Self {
        let mut lists: Vec<(Part, &[String])> = vec![(Part::Forbids, &forbids.words)];
        let mut chains = Vec::new();
        for (kind, tell) in tells.iter().enumerate() {
            lists.push((Part::Tell(kind), &tell.words));
            for links in &tell.chains {
                let chain = chains.len();
                chains.push(tell.apart);
                lists.extend(links.iter().enumerate().map(|(link, words)| {
                    (Part::Link { chain, kind, link, last: link + 1 == links.len() }, words.as_slice())
                }));
            }
        }
        let kinds = tells.iter().map(|t| Kind { points: t.points, deed: t.deed }).collect();
        Self { address: Address::new(address), phrases: Phrases::new(lists), kinds, chains, enough }
    }

    /// From the address at `hit` to the end of what was weighed, where somebody is addressed and that is enough.
    pub(crate) fn weigh(&self, bytes: &[u8], hit: Hit) -> Option<(usize, usize)> {
        let address = self.address.at(bytes, hit)?;
        let (start, end) = paragraph(bytes, address);
        let told = self.told(bytes.get(start..end)?);
        let points = |deed: bool| -> i32 {
            let kinds = self.kinds.iter().zip(&told);
            kinds.filter(|(kind, told)| **told && kind.deed == deed).map(|(kind, _)| kind.points).sum()
        };
        // Deeds alone are told of everywhere.
        let said = points(false);
        (said > 0 && said + points(true) >= self.enough).then_some((address.0, end))
    }

    /// Which kinds `bytes` tell of.
    fn told(&self, bytes: &[u8]) -> Vec<bool> {
        let mut text = folded(bytes);
        blank_placeholders(&mut text);
        let mut told = vec![false; self.kinds.len()];
        // Where the links of each chain that were found last end.
        let mut ends: Vec<[Option<usize>; 4]> = vec![[None; 4]; self.chains.len()];
        let mut forbidden = 0..0;
        self.phrases.each(&text, |part, start, end| {
            let kind = match part {
                Part::Forbids => {
                    if !forbidden.contains(&start) {
                        forbidden = start..end + clause(bytes.get(end..).unwrap_or_default());
                    }
                    return;
                }
                Part::Tell(kind) => kind,
                Part::Link { chain, kind, link, last } => {
                    let Some(ends) = ends.get_mut(chain) else { return };
                    let apart = self.chains.get(chain).copied().unwrap_or_default();
                    let before = link.checked_sub(1).and_then(|before| ends.get(before).copied().flatten());
                    let near = |e: usize| bytes.get(e..start).is_some_and(|b| b.len() <= apart && !ends_sentence(b));
                    if link > 0 && !before.is_some_and(near) {
                        return;
                    }
                    if !last {
                        if let Some(ends) = ends.get_mut(link) {
                            *ends = Some(end);
                        }
                        return;
                    }
                    kind
                }
            };
            let counts = self.kinds.get(kind).is_some_and(|k| !k.deed || !forbidden.contains(&start));
            if let Some(told) = told.get_mut(kind).filter(|_| counts) {
                *told = true;
            }
        });
        told
    }

    #[cfg(test)]
    pub(crate) fn made(&self) -> bool {
        self.address.made() && self.phrases.made()
    }
}

/// What stands for something found says nothing, whatever its detector is called.
fn blank_placeholders(text: &mut [u8]) {
    let opens: Vec<usize> = memchr::memmem::find_iter(text, OPEN).collect();
    for inside in opens {
        let name = text.get_mut(inside + OPEN.len()..).unwrap_or_default();
        name.iter_mut().take_while(|b| **b != b']').for_each(|b| *b = b'.');
    }
}

/// How far the clause goes that `bytes` begin in.
fn clause(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| b".,;:\n".contains(b)).unwrap_or(bytes.len())
}

fn ends_sentence(bytes: &[u8]) -> bool {
    bytes.contains(&b'\n') || bytes.windows(2).any(|w| matches!(w, [b'.' | b'!' | b'?', b' ']))
}

/// The part of the paragraph around `address` that is weighed.
fn paragraph(bytes: &[u8], address: (usize, usize)) -> (usize, usize) {
    let mut from = address.0.saturating_sub(BEFORE);
    if in_placeholder(bytes, from) {
        from += bytes.get(from..address.0).and_then(|b| b.iter().position(|b| *b == b']')).unwrap_or_default();
    }
    let before = bytes.get(from..address.0).unwrap_or_default();
    let start = memchr::memmem::rfind(before, b"\n\n").map_or(from, |at| from + at + 2);
    let to = bytes.len().min(address.1 + BEHIND);
    let soon = to.min(address.1 + SOON);
    let behind = bytes.get(soon..to).unwrap_or_default();
    (start, memchr::memmem::find(behind, b"\n\n").map_or(to, |at| soon + at))
}
