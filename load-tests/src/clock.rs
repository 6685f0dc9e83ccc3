//! The machine's clock: certificates and manifests carry when they were made.

use std::time::{SystemTime, UNIX_EPOCH};

/// Whole seconds since 1970.
pub fn unix_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a load generator has the machine's clock only")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
