//! Values that are believed for a while after they were looked up.

use std::hash::Hash;
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// Values by key. One that is too old is as good as absent; one that changed is to be removed by
/// whoever hears of it. Cheaper than a cache that counts how often each is used: the hot path looks
/// here several times a message.
#[derive(Debug)]
pub struct Aged<K: Hash + Eq, V> {
    entries: DashMap<K, (Instant, V)>,
    age_max: Duration,
    entries_max: usize,
}

impl<K: Hash + Eq, V: Clone> Aged<K, V> {
    /// Believes each value for `age_max`. Beyond `entries_max` values those too old are dropped and,
    /// where that is not enough, all.
    pub fn new(age_max: Duration, entries_max: usize) -> Self {
        Self { entries: DashMap::new(), age_max, entries_max }
    }

    /// The value, if it is young enough.
    pub fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key)?;
        (entry.0.elapsed() < self.age_max).then(|| entry.1.clone())
    }

    /// Puts a value that was looked up just now.
    pub fn insert(&self, key: K, value: V) {
        if self.entries.len() >= self.entries_max {
            self.entries.retain(|_, (since, _)| since.elapsed() < self.age_max);
            if self.entries.len() >= self.entries_max {
                self.entries.clear();
            }
        }
        self.entries.insert(key, (Instant::now(), value));
    }

    /// Drops a value.
    pub fn remove(&self, key: &K) {
        self.entries.remove(key);
    }

    /// Drops every value.
    pub fn clear(&self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Aged;

    #[test]
    fn a_value_is_believed_until_it_is_old_or_removed() {
        let aged = Aged::new(Duration::from_mins(1), 10);
        aged.insert(1, "one");
        assert_eq!(aged.get(&1), Some("one"));
        aged.remove(&1);
        assert_eq!(aged.get(&1), None);
        aged.insert(2, "two");
        aged.clear();
        assert_eq!(aged.get(&2), None);

        let old = Aged::new(Duration::ZERO, 10);
        old.insert(1, "one");
        assert_eq!(old.get(&1), None);
    }

    #[test]
    fn there_are_never_more_than_its_bound() {
        for age_max in [Duration::ZERO, Duration::from_mins(1)] {
            let aged = Aged::new(age_max, 10);
            for number in 0..100 {
                aged.insert(number, ());
                assert!(aged.entries.len() <= 10);
            }
        }
    }
}
