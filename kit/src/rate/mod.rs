//! Rate limits: token buckets by key, of one process or of all nodes together.
//!
//! A limit of all nodes has one bucket for a key in Redis, and each node has a mirror of it.
//!
//! - [`RateLimit::take`] asks the mirror and costs nothing. What it takes is reported in the
//!   background once a key is used by more than an eighth of its burst, ten times a second for all
//!   such keys together; the answer sets the mirror. Keys used by less are never reported: Redis
//!   has the [`SPARED`] share of them as error, for each node. What nodes take in one
//!   tenth of a second without knowing of each other is owed afterwards, up to one burst, so that
//!   over time the rate holds however many nodes there are.
//! - [`RateLimit::take_everywhere`] asks Redis each time: exact, at the price of a round trip.
//!
//! Redis can be down: then each node's mirror goes on by itself, and no call waits for longer than
//! [`crate::bus::TIMEOUT`] or fails. The counters in Redis have a keyed hash for a name and expire when
//! their bucket is full.

mod bucket;
mod shared;

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio_util::sync::CancellationToken;

pub use fred::error::Error as RedisError;

use crate::env::{Env, micros};
use crate::secrets::Secrets;
use crate::status::Failure;
use bucket::{Bucket, Rule};
use shared::Shared;

/// Most keys remembered; the least used are forgotten first, which only makes the limit kinder.
const KEYS_MAX: u64 = 100_000;
/// How many seconds' worth of a rate may come at once.
const BURST_SECONDS: u32 = 4;
/// The share of a burst up to which a key's use is not reported to the other nodes.
pub const SPARED: f64 = 0.125;

/// What the key is for that names counters in Redis.
const NAMES_LABEL: &str = "rate-names";

/// Makes rate limits that hold for this process, or for all nodes.
#[derive(Debug, Clone)]
pub struct Limits {
    env: Env,
    shared: Option<Arc<Shared>>,
}

impl Limits {
    /// Limits of this process: the embedded default, where there is one.
    pub fn of_this_process(env: Env) -> Self {
        Self { env, shared: None }
    }

    /// Limits of all nodes with the same Redis. Connects in the background for ever: a Redis that
    /// is down at the start is met later. Reports what was taken until `stop`. Their counters have
    /// names that only who has the secrets can make.
    pub fn of_all_nodes(
        env: Env,
        secrets: &Secrets,
        redis_url: &str,
        stop: CancellationToken,
    ) -> Result<Self, RedisError> {
        let shared = Arc::new(Shared::connect(redis_url, secrets.keyed_hasher(NAMES_LABEL))?);
        tokio::spawn(shared::report(Arc::clone(&shared), env.clone(), stop));
        Ok(Self { env, shared: Some(shared) })
    }

    /// Allows `rate` calls a second on average, for each key, and four seconds' worth at once after
    /// a pause. `None` where the rate is 0: no limit.
    pub fn per_second<K>(&self, name: &'static str, rate: u32) -> Option<RateLimit<K>>
    where
        K: Hash + Eq + Send + Sync + 'static,
    {
        let refill = Duration::from_secs(1).checked_div(rate)?;
        Some(self.limit(name, rate.saturating_mul(BURST_SECONDS), refill))
    }

    /// Allows `burst` calls at once and one more every `refill`, for each key. Nodes share the
    /// limits of one name.
    pub fn limit<K>(&self, name: &'static str, burst: u32, refill: Duration) -> RateLimit<K>
    where
        K: Hash + Eq + Send + Sync + 'static,
    {
        let shared = self.shared.as_ref().map(|shared| (Arc::clone(shared), name));
        RateLimit { shared, ..RateLimit::new(self.env.clone(), burst, refill) }
    }
}

/// A token bucket for each key.
#[derive(Debug)]
pub struct RateLimit<K: Hash + Eq + Send + Sync + 'static> {
    rule: Rule,
    buckets: Cache<K, Arc<Bucket>>,
    env: Env,
    shared: Option<(Arc<Shared>, &'static str)>,
}

impl<K: Hash + Eq + Send + Sync + 'static> RateLimit<K> {
    /// Allows `burst` calls at once and one more every `refill`, in this process alone.
    pub fn new(env: Env, burst: u32, refill: Duration) -> Self {
        let rule = Rule::new(burst, micros(refill));
        let idle = refill.saturating_mul(burst).max(Duration::from_secs(1));
        let buckets = Cache::builder().max_capacity(KEYS_MAX).time_to_idle(idle).build();
        Self { rule, buckets, env, shared: None }
    }

    /// Takes one token of the key's bucket, or says when there will be one. Costs nothing; of
    /// other nodes it knows what they reported.
    pub fn take(&self, key: K) -> Result<(), Failure> {
        let Some((shared, name)) = &self.shared else {
            return self.take_here(&self.bucket(key));
        };
        let bucket = if let Some(bucket) = self.buckets.get(&key) {
            bucket
        } else {
            let named = shared.name(name, &key);
            self.buckets.get_with(key, || Arc::new(Bucket::named(named)))
        };
        self.take_here(&bucket)?;
        if bucket.wants_report(self.rule, self.env.now()) {
            shared.queue(bucket, self.rule);
        }
        Ok(())
    }

    /// Takes one token of the key's bucket of all nodes, or says when there will be one. Waits for
    /// Redis, a tenth of a second at most.
    pub async fn take_everywhere(&self, key: K) -> Result<(), Failure> {
        let Some((shared, name)) = &self.shared else {
            return self.take_here(&self.bucket(key));
        };
        let named = shared.name(name, &key);
        let bucket = self.buckets.get_with(key, || Arc::new(Bucket::named(named)));
        self.take_here(&bucket)?;
        match shared.take(bucket.name(), self.rule).await {
            Ok(answer) => {
                bucket.reported(1, Some(answer.full_in), self.env.now(), self.rule);
                answer.taken.map_err(Failure::rate_limited)
            }
            Err(error) => {
                tracing::debug!(%error, "a limit holds for this node alone");
                Ok(())
            }
        }
    }

    fn bucket(&self, key: K) -> Arc<Bucket> {
        self.buckets.get_with(key, || Arc::new(Bucket::named(String::new())))
    }

    fn take_here(&self, bucket: &Bucket) -> Result<(), Failure> {
        bucket.take(self.rule, self.env.now()).map_err(Failure::rate_limited)
    }
}
