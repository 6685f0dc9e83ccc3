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
    /// Believes each value for `age_max` at most. Where there are `entries_max` values the oldest
    /// are dropped.
    pub fn new(age_max: Duration, entries_max: usize) -> Self {
        Self { entries: DashMap::new(), age_max, entries_max }
    }

    /// The value, if it is young enough: younger than `age`, too.
    pub fn get(&self, key: &K, age: Duration) -> Option<V> {
        let entry = self.entries.get(key)?;
        (entry.0.elapsed() < self.age_max.min(age)).then(|| entry.1.clone())
    }

    /// Puts a value that was looked up just now.
    pub fn insert(&self, key: K, value: V) {
        if self.entries.len() >= self.entries_max {
            self.shrink();
        }
        self.entries.insert(key, (Instant::now(), value));
    }

    /// Makes room for a quarter at least, so that it is seldom to be made.
    fn shrink(&self) {
        let mut age = self.age_max;
        while self.entries.len() > self.entries_max / 4 * 3 {
            self.entries.retain(|_, (since, _)| since.elapsed() < age);
            age /= 2;
        }
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
        let (minute, now) = (Duration::from_mins(1), Duration::ZERO);
        let aged = Aged::new(minute, 10);
        aged.insert(1, "one");
        assert_eq!(aged.get(&1, minute), Some("one"));
        assert_eq!(aged.get(&1, now), None);
        aged.remove(&1);
        assert_eq!(aged.get(&1, minute), None);
        aged.insert(2, "two");
        aged.clear();
        assert_eq!(aged.get(&2, minute), None);

        let old = Aged::new(now, 10);
        old.insert(1, "one");
        assert_eq!(old.get(&1, minute), None);
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

    #[test]
    fn the_oldest_make_room() {
        let aged = Aged::new(Duration::from_secs(1), 8);
        for number in 0..8 {
            aged.insert(number, ());
            std::thread::sleep(Duration::from_millis(100));
        }
        aged.insert(8, ());
        assert!(aged.get(&8, Duration::from_mins(1)).is_some());
        assert!(!aged.entries.contains_key(&0) && aged.entries.contains_key(&7));
    }
}
