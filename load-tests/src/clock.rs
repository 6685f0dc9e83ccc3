//! The machine's clock: certificates and manifests carry when they were made.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Whole seconds since 1970.
pub fn unix_seconds() -> u64 {
    unix_time().as_secs()
}

/// Microseconds since 1970, as tables keep moments.
pub fn unix_micros() -> u128 {
    unix_time().as_micros()
}

fn unix_time() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a load generator has the machine's clock only")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}
