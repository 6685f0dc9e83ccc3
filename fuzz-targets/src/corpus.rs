//! The checked-in corpus: valid structures and mutations of them, from a fixed seed.

use std::path::PathBuf;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::seeds;
use crate::targets::TARGETS;

/// What the mutations of the checked-in corpus are drawn from.
pub const SEED: u64 = 0x706c_6173_6d61;

/// How many mutations of a target are checked in.
const MUTATIONS: usize = 16;

/// One file of the corpus.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The target's name, which is the folder's.
    pub target: &'static str,
    /// The file's name.
    pub file: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Where the corpus is checked in.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus"))
}

/// Makes the whole corpus; a file `valid-…` is accepted by its target, `refused-…` not.
pub fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    for target in TARGETS {
        let valid = seeds::valid(target.name);
        let mutations = (0..MUTATIONS).map(|_| mutate(&valid, &mut rng)).collect::<Vec<_>>();
        let refused = seeds::refused(target.name);
        let kinds = [("valid", valid), ("refused", refused), ("mutated", mutations)];
        for (kind, files) in kinds {
            for (number, bytes) in files.into_iter().enumerate() {
                entries.push(Entry {
                    target: target.name,
                    file: format!("{kind}-{number:02}"),
                    bytes,
                });
            }
        }
    }
    entries
}

/// Returns valid encodings for a target, to be mutated.
pub fn valid(target: &str) -> Vec<Vec<u8>> {
    seeds::valid(target)
}

/// Changes one of `valid` in one to four places.
pub fn mutate<R: Rng + ?Sized>(valid: &[Vec<u8>], rng: &mut R) -> Vec<u8> {
    let mut bytes = valid[below(valid.len(), rng)].clone();
    for _ in 0..=below(4, rng) {
        let at = below(bytes.len().max(1), rng);
        let end = at + below(bytes.len() - at.min(bytes.len()), rng).min(32);
        match below(8, rng) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..end),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.insert(at, rng.next_u32().to_be_bytes()[3]),
            4 => {
                let other = &valid[below(valid.len(), rng)];
                let end = end.min(other.len()).max(at.min(other.len()));
                let piece = other[at.min(other.len())..end].to_vec();
                bytes.splice(at..at, piece);
            }
            kind => overwrite(&mut bytes[at..], kind, rng),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Flips a bit, puts a number at its limits, or puts any byte.
fn overwrite<R: Rng + ?Sized>(bytes: &mut [u8], kind: usize, rng: &mut R) {
    match kind {
        5 => bytes[0] ^= 1 << below(8, rng),
        6 => {
            let length = [1, 2, 4, 8][below(4, rng)].min(bytes.len());
            bytes[..length].fill([0x00, 0x7f, 0x80, 0xff][below(4, rng)]);
        }
        _ => bytes[0] = rng.next_u32().to_be_bytes()[0],
    }
}

fn below<R: Rng + ?Sized>(bound: usize, rng: &mut R) -> usize {
    let bound = u64::try_from(bound.max(1)).unwrap_or(1);
    usize::try_from(rng.next_u64() % bound).unwrap_or(0)
}
