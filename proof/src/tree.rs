//! The Merkle tree of RFC 6962, section 2.1: growing it, its paths, and their check.

use sha2::{Digest, Sha256};

use crate::Hash;

/// Subtrees of 256, 65,536 and so on leaves are kept: every eighth height.
pub const KEPT_HEIGHT: u32 = 8;

/// A perfect subtree: `2^height` leaves, the first of which is `index * 2^height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subtree {
    /// Its height; 0 for a leaf.
    pub height: u32,
    /// Its place among those of its height, from 0.
    pub index: u64,
}

/// Hashes an entry as a leaf.
pub fn leaf(entry: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(entry);
    hash.finalize().into()
}

/// Hashes two subtrees.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// The right edge of a growing tree: the roots of its perfect subtrees, the greatest first. There
/// is one for each bit of the size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Takes a frontier apart from bytes: hashes one after the other. `None` where there is not
    /// one for each bit of the size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && peaks.len() == usize::try_from(size.count_ones()).ok()?;
        fits.then(|| Self { size, peaks: peaks.to_vec() })
    }

    /// The hashes one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and tells `kept` of each subtree that it completes at a height that is kept.
    pub fn append(&mut self, leaf: Hash, mut kept: impl FnMut(Subtree, Hash)) {
        let (mut hash, mut index) = (leaf, self.size);
        for height in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a peak for each bit of the size");
            hash = node(&left, &hash);
            index >>= 1;
            let height = height + 1;
            if height % KEPT_HEIGHT == 0 {
                kept(Subtree { height, index }, hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves; of no leaves, the hash of nothing.
    pub fn root(&self) -> Hash {
        join(&self.peaks).unwrap_or_else(|| Sha256::digest([]).into())
    }
}

/// The hash over perfect subtrees that follow each other, the greatest first: they are joined from
/// the right. `None` of nothing.
pub fn join(subtrees: &[Hash]) -> Option<Hash> {
    subtrees.iter().rev().copied().reduce(|right, left| node(&left, &right))
}

/// The root of a perfect subtree from its nodes of one height below. `None` where they are not a
/// power of two.
pub fn combine(mut nodes: Vec<Hash>) -> Option<Hash> {
    if !nodes.len().is_power_of_two() {
        return None;
    }
    while nodes.len() > 1 {
        nodes = nodes.as_chunks::<2>().0.iter().map(|[left, right]| node(left, right)).collect();
    }
    nodes.pop()
}

/// What a path consists of: for each of its hashes, from the leaf up, the perfect subtrees whose
/// [join] it is. `None` where the tree has no such leaf.
pub fn path(index: u64, size: u64) -> Option<Vec<Vec<Subtree>>> {
    (index < size).then(|| {
        let mut found = Vec::new();
        walk(index, 0, size, &mut found);
        found
    })
}

/// RFC 6962, 2.1.1: PATH(m, D[n]), for the leaves from `from` until before `until`.
fn walk(index: u64, from: u64, until: u64, found: &mut Vec<Vec<Subtree>>) {
    let count = until - from;
    if count == 1 {
        return;
    }
    let middle = from + split(count);
    if index < middle {
        walk(index, from, middle, found);
        found.push(perfect(middle, until));
    } else {
        walk(index, middle, until, found);
        found.push(perfect(from, middle));
    }
}

/// The greatest power of two below a count of 2 or more.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The perfect subtrees of the leaves from `from` until before `until`, where `from` is a multiple
/// of the greatest.
fn perfect(mut from: u64, until: u64) -> Vec<Subtree> {
    let mut found = Vec::new();
    while from < until {
        let height = u64::BITS - 1 - (until - from).leading_zeros();
        found.push(Subtree { height, index: from >> height });
        from += 1 << height;
    }
    found
}

/// The root that a leaf and its path lead to. `None` where the path has another length than that
/// of the leaf's place in a tree of this size.
pub fn root_of(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let sides = sides(index, size)?;
    (sides.len() == path.len()).then(|| {
        sides.iter().zip(path).fold(leaf, |hash, (is_left, other)| {
            if *is_left { node(&hash, other) } else { node(other, &hash) }
        })
    })
}

/// For each step from the leaf up, whether what is below it is on the left.
fn sides(index: u64, size: u64) -> Option<Vec<bool>> {
    if index >= size {
        return None;
    }
    let (mut sides, mut from, mut until) = (Vec::new(), 0, size);
    while until - from > 1 {
        let middle = from + split(until - from);
        sides.push(index < middle);
        if index < middle {
            until = middle;
        } else {
            from = middle;
        }
    }
    sides.reverse();
    Some(sides)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Frontier, Hash, Subtree, combine, join, leaf, node, path, root_of};

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf(&[u8::try_from(n % 251).unwrap(); 32])).collect()
    }

    /// RFC 6962, 2.1, word for word.
    fn root(leaves: &[Hash]) -> Hash {
        if let [one] = leaves {
            return *one;
        }
        let middle = leaves.len().next_power_of_two() / 2;
        node(&root(&leaves[..middle]), &root(&leaves[middle..]))
    }

    fn grown(leaves: &[Hash]) -> Frontier {
        let mut frontier = Frontier::default();
        for leaf in leaves {
            frontier.append(*leaf, |Subtree { height, index }, hash| {
                let first = usize::try_from(index << height).unwrap();
                assert_eq!(hash, root(&leaves[first..first + (1 << height)]));
            });
        }
        frontier
    }

    fn proof(leaves: &[Hash], index: u64) -> Vec<Hash> {
        let subtree = |tree: &Subtree| {
            let first = usize::try_from(tree.index << tree.height).unwrap();
            combine(leaves[first..first + (1 << tree.height)].to_vec()).unwrap()
        };
        let size = u64::try_from(leaves.len()).unwrap();
        let steps = path(index, size).unwrap();
        steps
            .iter()
            .map(|trees| join(&trees.iter().map(subtree).collect::<Vec<_>>()).unwrap())
            .collect()
    }

    #[test]
    fn a_frontier_grows_to_the_root_of_the_specification() {
        for size in (1..70).chain([255, 256, 257, 600]) {
            let leaves = leaves(size);
            let frontier = grown(&leaves);
            assert_eq!(frontier.root(), root(&leaves), "{size}");
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(size, &bytes), Some(frontier));
            assert_eq!(Frontier::from_bytes(size, &bytes[1..]), None);
            assert_eq!(
                Frontier::from_bytes(size + 1, &bytes).is_some(),
                size % 2 == 1 && size.count_ones() == (size + 1).count_ones()
            );
        }
    }

    #[test]
    fn every_leaf_has_a_path_to_the_root_and_to_no_other() {
        for size in 1..40 {
            let leaves = leaves(size);
            let root = root(&leaves);
            for index in 0..size {
                let (at, proof) = (usize::try_from(index).unwrap(), proof(&leaves, index));
                assert_eq!(root_of(leaves[at], index, size, &proof), Some(root));
                assert_ne!(root_of(node(&root, &root), index, size, &proof), Some(root));
                for other in (0..size).filter(|other| *other != index) {
                    assert_ne!(root_of(leaves[at], other, size, &proof), Some(root), "{size}");
                }
            }
            assert_eq!((path(size, size), root_of(root, size, size, &[])), (None, None));
        }
    }

    proptest! {
        #[test]
        fn a_changed_path_leads_elsewhere(size in 2_u64..300, at in any::<u64>(), bit in any::<usize>()) {
            let leaves = leaves(size);
            let index = at % size;
            let mut proof = proof(&leaves, index);
            let own = leaves[usize::try_from(index).unwrap()];
            prop_assert_eq!(root_of(own, index, size, &proof), Some(root(&leaves)));
            let step = bit % proof.len();
            proof[step][bit % 32] ^= 1;
            prop_assert_ne!(root_of(own, index, size, &proof), Some(root(&leaves)));
            proof.pop();
            prop_assert_eq!(root_of(own, index, size, &proof), None);
        }
    }
}
