//! How a node deals with tenants' own wallets: what it may connect to, and how long it waits.

use std::time::Duration;

/// The rules of one node. The defaults are those of production; tests are quicker.
#[derive(Debug, Clone, Copy)]
pub struct WalletPolicy {
    /// Whether providers on this machine may be called, and without TLS: for development alone.
    pub loopback: bool,
    /// How long one call may take. The contract names it to partners.
    pub call_timeout: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a call waits for its turn where as many are under way as may be.
    pub turn_timeout: Duration,
    /// How long one node alone drives an operation: longer than a few calls take.
    pub lease: Duration,
    /// How long a reserve that nobody uses is left to a retry of its purchase.
    pub grace: Duration,
    /// How long a provider must keep a reserve.
    pub hold: Duration,
    /// The wait after a first failure; each further one doubles it.
    pub backoff_min: Duration,
    /// The longest wait between two attempts.
    pub backoff_max: Duration,
    /// How often the worker looks for what is due.
    pub worker_interval: Duration,
    /// So many failures in a row keep further calls back.
    pub breaker_failures: u32,
    /// How long they are kept back before one is tried; each further failure doubles it.
    pub breaker_wait: Duration,
    /// The longest such wait.
    pub breaker_wait_max: Duration,
    /// How long a node believes a tenant's settings.
    pub settings_max_age: Duration,
}

impl Default for WalletPolicy {
    fn default() -> Self {
        Self {
            loopback: false,
            call_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(2),
            turn_timeout: Duration::from_secs(2),
            lease: Duration::from_secs(30),
            grace: Duration::from_mins(1),
            hold: Duration::from_hours(7 * 24),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            worker_interval: Duration::from_secs(1),
            breaker_failures: 5,
            breaker_wait: Duration::from_secs(2),
            breaker_wait_max: Duration::from_mins(1),
            settings_max_age: Duration::from_secs(3),
        }
    }
}

impl WalletPolicy {
    /// How long to wait after so many failures in a row: doubled each time, and then between three
    /// quarters of it and all, by `jitter`, so that what failed together does not return together.
    pub(crate) fn backoff(&self, failures: i64, jitter: u8) -> Duration {
        let doublings = u32::try_from(failures.clamp(1, 20) - 1).unwrap_or_default();
        let whole = self.backoff_min.saturating_mul(1 << doublings).min(self.backoff_max);
        whole * (3 * 255 + u32::from(jitter)) / (4 * 255)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::WalletPolicy;

    #[test]
    fn waits_grow_to_their_bound_and_differ() {
        let policy = WalletPolicy::default();
        assert_eq!(policy.backoff(1, 255), Duration::from_secs(1));
        assert_eq!(policy.backoff(1, 0), Duration::from_millis(750));
        assert_eq!(policy.backoff(4, 255), Duration::from_secs(8));
        for failures in [9, 20, 63, i64::MAX] {
            assert!(policy.backoff(failures, 255) <= policy.backoff_max, "{failures}");
        }
        assert_eq!(policy.backoff(i64::MIN, 255), Duration::from_secs(1));
    }
}
