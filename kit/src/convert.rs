//! Conversions between the contract's well-known types and ours.

use std::time::Duration;

use crate::env::Timestamp;

/// A moment as the contract writes it.
pub fn timestamp(moment: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: moment.0.div_euclid(1_000_000),
        nanos: i32::try_from(moment.0.rem_euclid(1_000_000) * 1_000).unwrap_or_default(),
    }
}

/// A moment that the contract wrote; nanoseconds below a microsecond are dropped.
pub fn moment(value: &prost_types::Timestamp) -> Timestamp {
    Timestamp(
        value.seconds.saturating_mul(1_000_000).saturating_add(i64::from(value.nanos) / 1_000),
    )
}

/// A duration as the contract writes it.
pub fn duration(value: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(value.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(value.subsec_nanos()).unwrap_or_default(),
    }
}

/// A duration that the contract wrote and its rules have checked to be 0 or more.
pub fn span(value: &prost_types::Duration) -> Duration {
    Duration::new(
        u64::try_from(value.seconds).unwrap_or_default(),
        u32::try_from(value.nanos).unwrap_or_default(),
    )
}
