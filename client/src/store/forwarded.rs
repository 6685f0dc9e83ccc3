//! What this device has forwarded to own devices that were left out, so that it does so once.

use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS};
use rusqlite::{Connection, params};

use super::{StoreError, integer};
use crate::message::MessageRef;

/// Notes a forward. Answers whether it is new.
pub(crate) fn insert(
    connection: &Connection,
    message: &MessageRef,
    device: DeviceAddress,
    now: u64,
) -> Result<bool, StoreError> {
    let oldest = integer(now.saturating_sub(MAX_LATENCY_SECONDS));
    connection.execute("DELETE FROM forwarded WHERE forward_seconds < ?1", [oldest])?;
    let inserted = connection.execute(
        "INSERT INTO forwarded (writer, written, device, forward_seconds) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
        params![
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..],
            &device.to_bytes()[..],
            integer(now),
        ],
    )?;
    Ok(inserted == 1)
}
