//! Seeded chance: the same seed sends the same messages at the same moments.

use std::time::Duration;

/// Splitmix64: small, seeded, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that nobody has chosen.
    pub fn random_seed() -> u64 {
        u64::from_be_bytes(plasma_testkit::secret::bytes())
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound, which must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // What the remainder favours is far below what a load can show.
        usize::try_from(self.roll() % bound as u64).unwrap_or_default()
    }

    /// A number from 0 to 1, without 1.
    pub fn share(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a f64 holds")]
        let mantissa = (self.roll() >> 11) as f64;
        mantissa / 9_007_199_254_740_992.0
    }

    /// A duration between three quarters and five quarters of another.
    pub fn around(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(0.75 + self.share() / 2.0)
    }

    /// The wait for the next of events that come independently at a mean distance.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        // 1 - share is never 0.
        mean.mul_f64(-(1.0 - self.share()).ln())
    }

    /// Fills bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.roll().to_be_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Dice;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            [dice.roll(), dice.roll(), dice.roll()]
        };
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
    }

    #[test]
    fn waits_have_the_mean_and_the_spread_of_independent_events() {
        let mut dice = Dice::new(5);
        let mean = Duration::from_millis(10);
        let waits: Vec<f64> =
            (0..20_000).map(|_| dice.exponential(mean).as_secs_f64() * 1_000.0).collect();
        let average = waits.iter().sum::<f64>() / 20_000.0;
        assert!((average - 10.0).abs() < 0.3, "{average}");
        // Of an exponential distribution 1/e lie beyond the mean.
        let beyond = waits.iter().filter(|wait| **wait > 10.0).count();
        assert!((7_000..7_700).contains(&beyond), "{beyond}");
    }
}
