//! What something costs the service, in everything that can run out, and what may be added up.

use std::ops::{Add, AddAssign, Mul, Sub};

use serde::{Deserialize, Serialize};

/// What something costs. Of a message, of a second, or of a whole load: costs add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// CPU of the nodes in microseconds.
    pub node_micros: f64,
    /// CPU of PostgreSQL in microseconds.
    pub postgres_micros: f64,
    /// CPU of Redis in microseconds.
    pub redis_micros: f64,
    /// Bytes of PostgreSQL's write-ahead log.
    pub wal_bytes: f64,
    /// Transactions that write.
    pub write_transactions: f64,
    /// Commands of Redis.
    pub redis_commands: f64,
}

impl Cost {
    /// Applies a function to each part of two costs.
    fn zip(self, other: Self, each: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            node_micros: each(self.node_micros, other.node_micros),
            postgres_micros: each(self.postgres_micros, other.postgres_micros),
            redis_micros: each(self.redis_micros, other.redis_micros),
            wal_bytes: each(self.wal_bytes, other.wal_bytes),
            write_transactions: each(self.write_transactions, other.write_transactions),
            redis_commands: each(self.redis_commands, other.redis_commands),
        }
    }

    /// Whether each part is a number that a cost can be.
    pub fn is_sound(self) -> bool {
        let parts = [
            self.node_micros,
            self.postgres_micros,
            self.redis_micros,
            self.wal_bytes,
            self.write_transactions,
            self.redis_commands,
        ];
        parts.iter().all(|part| part.is_finite() && *part >= 0.0)
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, |one, other| one + other)
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// What is left. A measured difference below nothing is noise, and is nothing.
impl Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.zip(other, |one, other| (one - other).max(0.0))
    }
}

impl Mul<f64> for Cost {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        self.zip(self, |one, _| one * times)
    }
}

#[cfg(test)]
mod tests {
    use super::Cost;

    #[test]
    fn costs_add_up_and_never_fall_below_nothing() {
        let one = Cost { node_micros: 10.0, wal_bytes: 4.0, ..Cost::default() };
        let other = Cost { node_micros: 3.0, wal_bytes: 9.0, ..Cost::default() };
        let sum = one * 2.0 + other;
        assert_eq!((sum.node_micros, sum.wal_bytes), (23.0, 17.0));
        let left = one - other;
        assert_eq!((left.node_micros, left.wal_bytes), (7.0, 0.0));
        assert!(sum.is_sound() && !(one * f64::NAN).is_sound() && !(one * -1.0).is_sound());
    }
}
