//! The Merkle tree hash of RFC 6962 section 2.1 over the hashes of all records, kept as its right edge: at most one
//! subtree of each size, so that a million records need twenty hashes.

use sha2::{Digest, Sha256};

use super::chain::Hash;

/// A growing tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree {
    size: u64,
    /// Roots of the complete subtrees, largest first; one for each bit that is set in `size`.
    peaks: Vec<Hash>,
}

impl Tree {
    /// The tree of `size` leaves whose complete subtrees have these roots. None when their number cannot be right.
    pub(super) fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == peaks.len()).then_some(Self { size, peaks })
    }

    /// Number of leaves.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first.
    pub(super) fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, hash: &Hash) {
        self.push_leaf(leaf(hash));
    }

    /// Adds a leaf that was [made](leaf) already.
    pub(super) fn push_leaf(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = parent(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root; of an empty tree the hash of nothing.
    pub(super) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return Sha256::digest([]).into();
        };
        peaks.fold(*last, |right, left| parent(left, &right))
    }
}

/// The node of a leaf.
pub(super) fn leaf(hash: &Hash) -> Hash {
    Sha256::new().chain_update([0]).chain_update(hash).finalize().into()
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> Hash {
        [n; 32]
    }

    /// The definition of RFC 6962 section 2.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => Sha256::new().chain_update([0]).chain_update(one).finalize().into(),
            many => {
                let half = many.len().next_power_of_two() / 2;
                parent(&by_definition(&many[..half]), &by_definition(&many[half..]))
            }
        }
    }

    #[test]
    fn the_growing_root_is_the_root_of_the_rfc() {
        let leaves: Vec<Hash> = (0..130).map(hash).collect();
        let mut tree = Tree::default();
        assert_eq!(tree.root(), by_definition(&[]));
        for (n, hash) in leaves.iter().enumerate() {
            tree.push(hash);
            assert_eq!(tree.root(), by_definition(&leaves[..=n]), "{} leaves", n + 1);
        }
    }

    #[test]
    fn a_tree_goes_on_from_its_peaks() {
        let mut whole = Tree::default();
        (0..77).for_each(|n| whole.push(&hash(n)));
        let mut resumed = Tree::from_peaks(77, whole.peaks().to_vec()).unwrap();
        whole.push(&hash(1));
        resumed.push(&hash(1));
        assert_eq!(whole, resumed);
        assert_eq!(Tree::from_peaks(3, vec![hash(0)]), None);
    }
}
