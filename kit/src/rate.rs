//! Rate limits of one process: token buckets by key.

use std::hash::Hash;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use std::sync::Arc;

use crate::env::{Env, micros};
use crate::status::Failure;

/// Most keys remembered; the least used are forgotten first, which only makes the limit kinder.
const KEYS_MAX: u64 = 100_000;

/// A token bucket for each key.
#[derive(Debug)]
pub struct RateLimit<K: Hash + Eq + Send + Sync + 'static> {
    burst: f64,
    refill_micros: f64,
    buckets: Cache<K, Arc<Mutex<Bucket>>>,
    env: Env,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: i64,
}

impl<K: Hash + Eq + Send + Sync + 'static> RateLimit<K> {
    /// Allows `burst` calls at once and one more every `refill`.
    pub fn new(env: Env, burst: u32, refill: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a refill is far below 2^52 microseconds")]
        let refill_micros = micros(refill).max(1) as f64;
        let idle = refill.saturating_mul(burst).max(Duration::from_secs(1));
        let buckets = Cache::builder().max_capacity(KEYS_MAX).time_to_idle(idle).build();
        Self { burst: f64::from(burst), refill_micros, buckets, env }
    }

    /// Takes one token of the key's bucket, or says when there will be one.
    pub fn take(&self, key: K) -> Result<(), Failure> {
        let now = self.env.now().0;
        let bucket = self
            .buckets
            .get_with(key, || Arc::new(Mutex::new(Bucket { tokens: self.burst, filled_at: now })));
        let mut bucket = bucket.lock();
        #[expect(clippy::cast_precision_loss, reason = "an idle bucket is forgotten long before")]
        let elapsed = (now - bucket.filled_at).max(0) as f64;
        bucket.tokens = (bucket.tokens + elapsed / self.refill_micros).min(self.burst);
        bucket.filled_at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - bucket.tokens) * self.refill_micros;
        Err(Failure::rate_limited(Duration::from_secs_f64(wait / 1_000_000.0)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RateLimit;
    use crate::env::{Env, Timestamp};

    #[test]
    fn a_bucket_empties_and_refills() {
        let env = Env::system();
        let limit = RateLimit::new(env.clone(), 2, Duration::from_secs(10));
        assert!(limit.take("a").is_ok());
        assert!(limit.take("a").is_ok());
        assert!(limit.take("a").is_err());
        assert!(limit.take("b").is_ok());
        env.follow(Timestamp(env.now().0 + 11_000_000));
        assert!(limit.take("a").is_ok());
    }
}
