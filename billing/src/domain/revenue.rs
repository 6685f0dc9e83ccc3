//! What access brought, added up by groups.

use std::collections::BTreeMap;

use uuid::Uuid;

/// By what revenue is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// By day: a group's key is its number, from the first day of the time.
    Day,
    /// By what was sold: the key is the stored number of the price's mode.
    Product,
    /// By the user who was paid for.
    Recipient,
    /// By price version.
    Price,
}

/// The three parts of amounts, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// The operator's.
    pub operator: i64,
    /// The recipients'.
    pub recipient: i64,
    /// The platform's.
    pub platform: i64,
}

impl Parts {
    /// The sum of the three.
    pub fn sum(self) -> i64 {
        self.operator.saturating_add(self.recipient).saturating_add(self.platform)
    }

    fn add(&mut self, other: Self) {
        self.operator = self.operator.saturating_add(other.operator);
        self.recipient = self.recipient.saturating_add(other.recipient);
        self.platform = self.platform.saturating_add(other.platform);
    }
}

/// What one group brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Number of charges.
    pub charges: i64,
    /// What was charged.
    pub charged: Parts,
    /// What was given back.
    pub refunded: Parts,
}

/// The first groups, by their keys, of those that are added: a page of bounded size, whatever comes.
#[derive(Debug)]
pub struct Groups {
    most: usize,
    sums: BTreeMap<Uuid, Sums>,
}

impl Groups {
    /// Keeps at most `most` groups.
    pub fn new(most: usize) -> Self {
        Self { most, sums: BTreeMap::new() }
    }

    /// Adds to a group. One that is after the first `most` is dropped for good: what comes later
    /// only makes the last of them smaller.
    pub fn add(&mut self, key: Uuid, sums: Sums) {
        let group = self.sums.entry(key).or_default();
        group.charges = group.charges.saturating_add(sums.charges);
        group.charged.add(sums.charged);
        group.refunded.add(sums.refunded);
        if self.sums.len() > self.most {
            self.sums.pop_last();
        }
    }

    /// The groups in the order of their keys.
    pub fn into_vec(self) -> Vec<(Uuid, Sums)> {
        self.sums.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{BTreeMap, Groups, Parts, Sums};

    fn sums(amount: i64) -> Sums {
        let charged = Parts { operator: amount, recipient: 2 * amount, platform: 3 * amount };
        Sums { charges: 1, charged, refunded: Parts { operator: 1, ..Parts::default() } }
    }

    proptest! {
        #[test]
        fn the_first_groups_are_whole_in_whatever_order_they_come(
            added in prop::collection::vec((0_u128..20, 1_i64..100), 0..80),
            most in 1_usize..25,
        ) {
            let mut groups = Groups::new(most);
            let mut all: BTreeMap<Uuid, i64> = BTreeMap::new();
            for (key, amount) in added {
                groups.add(Uuid::from_u128(key), sums(amount));
                *all.entry(Uuid::from_u128(key)).or_default() += amount;
            }
            let kept = groups.into_vec();
            prop_assert_eq!(kept.len(), all.len().min(most));
            for ((key, sums), (expected, amount)) in kept.iter().zip(&all) {
                prop_assert_eq!(key, expected);
                prop_assert_eq!(sums.charged.sum(), 6 * amount);
                prop_assert_eq!(sums.refunded.sum(), sums.charges);
            }
        }
    }
}
