//! The buckets that nodes share, in Redis: one string a bucket, the moment at which it will be
//! full by the clock of Redis, and one script that takes from it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fred::interfaces::{ClientLike, LuaInterface};
use fred::prelude::{Client, Error};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::bucket::{Bucket, Rule, duration};
use crate::bus::TIMEOUT;
use crate::env::Env;
use crate::redis::{self, Respite};
use crate::secrets::KeyedHasher;

/// How often nodes report what they took.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);
/// Most buckets that wait for a report. What is taken from others is reported later, or never.
const WAITING_MAX: usize = 16_384;
/// Most buckets of one report; the rest waits for the next.
const REPORTED_MAX: usize = 1_024;

/// Takes ARGV[1] tokens of ARGV[2] microseconds each from a bucket that takes ARGV[3] microseconds
/// to fill. With ARGV[4] = "1" only where they are there; otherwise they are owed, up to one
/// burst. Answers in how many microseconds the bucket will be full, and whether they were taken.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fill = tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
full = math.min(full, now + 2 * fill)
local after, taken = full + ARGV[1] * ARGV[2], 1
if ARGV[4] == '1' and after - now - fill > 0.5 then
  after, taken = full, 0
end
after = math.min(after, now + 2 * fill)
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1)
return {math.ceil(after - now), taken}
";

/// The way to the shared buckets, and those that wait for a report.
pub(super) struct Shared {
    client: Client,
    names: KeyedHasher,
    respite: Respite,
    waiting: Mutex<Vec<(Arc<Bucket>, Rule)>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

/// What Redis says of a bucket.
#[derive(Debug)]
pub(super) struct Answer {
    /// In how many microseconds the bucket will be full.
    pub(super) full_in: f64,
    /// Whether the token was there; if not, when one will be.
    pub(super) taken: Result<(), Duration>,
}

impl Shared {
    /// Begins to connect.
    pub(super) fn connect(url: &str, names: KeyedHasher) -> Result<Self, Error> {
        let client = redis::builder(url, TIMEOUT)?.build()?;
        client.connect();
        Ok(Self { client, names, respite: Respite::default(), waiting: Mutex::default() })
    }

    /// The name of a key's bucket, the same on every node.
    pub(super) fn name(&self, limit: &str, key: &impl Hash) -> String {
        redis_key(&self.names, limit, key)
    }

    /// Takes one token if it is there.
    pub(super) async fn take(&self, name: &str, rule: Rule) -> Result<Answer, Error> {
        let (full_in, taken) = self.call(name, rule, 1, true).await?;
        let wait = full_in + rule.refill_micros - rule.fill_micros();
        let taken = if taken { Ok(()) } else { Err(duration(wait.max(1.0))) };
        Ok(Answer { full_in, taken })
    }

    /// Has a bucket reported soon.
    pub(super) fn queue(&self, bucket: Arc<Bucket>, rule: Rule) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push((bucket, rule));
        } else {
            drop(waiting);
            // No longer queued: the next taker tries again.
            let _ = bucket.unreported();
        }
    }

    async fn call(
        &self,
        name: &str,
        rule: Rule,
        count: u32,
        strictly: bool,
    ) -> Result<(f64, bool), Error> {
        self.respite.check()?;
        let arguments = vec![
            count.to_string(),
            rule.refill_micros.to_string(),
            rule.fill_micros().to_string(),
            u8::from(strictly).to_string(),
        ];
        let answer = self.client.eval::<(f64, i64), _, _, _>(TAKE, name, arguments).await;
        let (full_in, taken) = answer.inspect_err(|_| self.respite.begin())?;
        Ok((full_in, taken == 1))
    }
}

/// Reports what was taken, to all nodes, until `stop`.
pub(super) async fn report(shared: Arc<Shared>, env: Env, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(REPORT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let reported = {
            let mut waiting = shared.waiting.lock();
            let rest = waiting.len().min(REPORTED_MAX);
            waiting.drain(..rest).collect::<Vec<_>>()
        };
        let reports = reported.into_iter().map(|(bucket, rule)| {
            let (shared, env) = (&shared, &env);
            async move {
                let count = bucket.unreported();
                let answer = shared.call(bucket.name(), rule, count, false).await;
                let full_in = answer.ok().map(|(full_in, _)| full_in);
                bucket.reported(count, full_in, env.now(), rule);
            }
        });
        futures::future::join_all(reports).await;
    }
}

/// The name of a key's bucket: all of one bucket is on one node of a Redis cluster. Without the
/// service's key nobody finds out whose it is, although ids can be guessed or read elsewhere.
fn redis_key(names: &KeyedHasher, limit: &str, key: &impl Hash) -> String {
    let mut hash = Written(Sha256::new());
    key.hash(&mut hash);
    let name = names.hash(&[limit.as_bytes(), &hash.0.finalize()]);
    format!("plasma:rate:{limit}:{}", URL_SAFE_NO_PAD.encode(&name[..16]))
}

/// Hashes the same on every node, which the hashers of a map do not promise.
struct Written(Sha256);

impl Hasher for Written {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::redis_key;
    use crate::secrets::Secrets;

    #[test]
    fn keys_have_names_that_differ_and_stay_the_same_under_one_key() {
        let names = |key: u8| Secrets::new(vec![[key; 32]]).unwrap().keyed_hasher("rate-names");
        let one = |limit, who: &str| redis_key(&names(1), limit, &who);
        assert_eq!(one("one", "ann"), one("one", "ann"));
        assert_ne!(one("one", "ann"), one("one", "bob"));
        assert_ne!(one("one", "ann"), one("two", "ann"));
        assert_ne!(one("one", "ann"), redis_key(&names(2), "one", &"ann"));
    }
}
