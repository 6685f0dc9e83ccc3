//! Values that are believed for a while after they were looked up.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// Values by key. One that is too old is as good as absent; one that changed is to be removed by
/// whoever hears of it. Cheaper than a cache that counts how often each is used: the hot path looks
/// here several times a message.
///
/// A value that was looked up before its removal must not come back after it: whoever looks one up
/// takes a [`Look`] first, and the value is kept only if nothing of its kind was removed meanwhile.
#[derive(Debug)]
pub struct Aged<K: Hash + Eq, V> {
    entries: DashMap<K, (Instant, V)>,
    age_max: Duration,
    entries_max: usize,
    /// Raised by each removal, by a part of the keys.
    removals: Box<[AtomicU64]>,
}

/// Into so many parts keys fall by their hash: a removal spoils the look-ups of one part alone.
const PARTS: usize = 1_024;

/// That a value is being looked up, and what had been removed before.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Look {
    removals: u64,
}

impl<K: Hash + Eq, V: Clone> Aged<K, V> {
    /// Believes each value for `age_max` at most. Where there are `entries_max` values the oldest
    /// are dropped.
    pub fn new(age_max: Duration, entries_max: usize) -> Self {
        let removals = (0..PARTS).map(|_| AtomicU64::new(0)).collect();
        Self { entries: DashMap::new(), age_max, entries_max, removals }
    }

    /// The value, if it is young enough: younger than `age`, too.
    pub fn get(&self, key: &K, age: Duration) -> Option<V> {
        let entry = self.entries.get(key)?;
        (entry.0.elapsed() < self.age_max.min(age)).then(|| entry.1.clone())
    }

    /// Begins to look a value up.
    pub fn look(&self, key: &K) -> Look {
        Look { removals: self.part(key).load(Ordering::SeqCst) }
    }

    /// Keeps what was looked up, unless it was removed since the look began.
    pub fn insert(&self, key: K, value: V, look: Look)
    where
        K: Copy,
    {
        if self.part(&key).load(Ordering::SeqCst) != look.removals {
            return;
        }
        if self.entries.len() >= self.entries_max {
            self.shrink();
        }
        self.entries.insert(key, (Instant::now(), value));
        // A removal between the look at the number and the insertion found nothing to remove.
        if self.part(&key).load(Ordering::SeqCst) != look.removals {
            self.entries.remove(&key);
        }
    }

    fn part(&self, key: &K) -> &AtomicU64 {
        &self.removals[self.entries.hash_usize(key) % PARTS]
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
        self.part(key).fetch_add(1, Ordering::SeqCst);
        self.entries.remove(key);
    }

    /// Drops every value.
    pub fn clear(&self) {
        for part in &self.removals {
            part.fetch_add(1, Ordering::SeqCst);
        }
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Aged;

    fn put<V: Clone>(aged: &Aged<u32, V>, key: u32, value: V) {
        let look = aged.look(&key);
        aged.insert(key, value, look);
    }

    #[test]
    fn a_value_is_believed_until_it_is_old_or_removed() {
        let (minute, now) = (Duration::from_mins(1), Duration::ZERO);
        let aged = Aged::new(minute, 10);
        put(&aged, 1, "one");
        assert_eq!(aged.get(&1, minute), Some("one"));
        assert_eq!(aged.get(&1, now), None);
        aged.remove(&1);
        assert_eq!(aged.get(&1, minute), None);
        put(&aged, 2, "two");
        aged.clear();
        assert_eq!(aged.get(&2, minute), None);

        let old = Aged::new(now, 10);
        put(&old, 1, "one");
        assert_eq!(old.get(&1, minute), None);
    }

    #[test]
    fn there_are_never_more_than_its_bound() {
        for age_max in [Duration::ZERO, Duration::from_mins(1)] {
            let aged = Aged::new(age_max, 10);
            for number in 0..100 {
                put(&aged, number, ());
                assert!(aged.entries.len() <= 10);
            }
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let aged = Aged::new(Duration::from_secs(1), 8);
        for number in 0..8 {
            put(&aged, number, ());
            std::thread::sleep(Duration::from_millis(100));
        }
        put(&aged, 8, ());
        assert!(aged.get(&8, Duration::from_mins(1)).is_some());
        assert!(!aged.entries.contains_key(&0) && aged.entries.contains_key(&7));
    }

    #[test]
    fn what_is_removed_while_it_is_looked_up_does_not_come_back() {
        let minute = Duration::from_mins(1);
        let aged = Aged::new(minute, 10);
        let look = aged.look(&1);
        aged.remove(&1);
        aged.insert(1, "old", look);
        assert_eq!(aged.get(&1, minute), None);

        let look = aged.look(&1);
        aged.clear();
        aged.insert(1, "old", look);
        assert_eq!(aged.get(&1, minute), None);

        put(&aged, 1, "new");
        assert_eq!(aged.get(&1, minute), Some("new"));
    }
}
