//! Bugs planted on purpose, one at a time, to see whether the fault harness catches them.
//!
//! They are behind the feature `planted-bugs`, which no shipped build has: it does not compile in
//! release mode, no feature switches it on, and a node that has it says so when it starts. Without
//! the feature every question here is a constant `false`, and nothing of a bug is compiled.

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("planted bugs lose messages: they are for the fault harness alone");

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted-bugs"),
    expect(dead_code, reason = "two of them have functions of their own, which are not compiled")
)]
pub(crate) enum Bug {
    /// The hint goes out before what it points at is committed.
    PublishBeforeCommit,
    /// The sender hears OK while the envelope is still on its way to the store.
    OkBeforeStored,
    /// Nobody is told that something was stored.
    DropHint,
    /// Nobody looks for what a lost hint left behind.
    SkipSweep,
    /// Streams are not told that their node is about to end.
    ForgetDrain,
    /// What has a lower number than an envelope offered before counts as offered.
    DeliverByCursor,
}

#[cfg(not(feature = "planted-bugs"))]
pub(crate) use absent::{answer_first, has, is_behind_cursor, moves_cursor, warn};
#[cfg(feature = "planted-bugs")]
pub(crate) use sown::{answer_first, has, is_behind_cursor, moves_cursor, warn};

#[cfg(not(feature = "planted-bugs"))]
mod absent {
    use plasma_kit::ids::EnvelopeId;
    use plasma_proto::messaging::v1::DeliveryState;

    use super::super::batcher::Batcher;
    use super::super::connection::Connection;
    use super::super::parcel::Parcel;
    use super::Bug;

    /// Whether a bug is planted.
    #[inline]
    pub(crate) const fn has(_bug: Bug) -> bool {
        false
    }

    /// What the sender hears at once; `None` where it is to wait for the store.
    #[inline]
    pub(crate) const fn answer_first(_: &Batcher, _: &[Parcel]) -> Option<Vec<DeliveryState>> {
        None
    }

    /// Whether an envelope counts as offered by its number alone.
    #[inline]
    pub(crate) const fn is_behind_cursor(_stream: &Connection, _envelope: EnvelopeId) -> bool {
        false
    }

    /// Notes what was offered; always `true`.
    #[inline]
    pub(crate) const fn moves_cursor(_stream: &Connection, _envelope: EnvelopeId) -> bool {
        true
    }

    /// Says at the start what is planted.
    #[inline]
    pub(crate) const fn warn() {}
}

#[cfg(feature = "planted-bugs")]
mod sown {
    use std::sync::{LazyLock, OnceLock};

    use dashmap::DashMap;
    use plasma_kit::ids::{DeviceId, EnvelopeId};
    use plasma_proto::messaging::v1::DeliveryState;

    use super::super::batcher::Batcher;
    use super::super::connection::Connection;
    use super::super::parcel::Parcel;
    use super::Bug;

    /// Names the bug. The prefix is that of tests, so that a node's configuration lets it be.
    const VARIABLE: &str = "PLASMA_TEST_PLANTED_BUG";
    const NAMES: [(&str, Bug); 6] = [
        ("publish-before-commit", Bug::PublishBeforeCommit),
        ("ok-before-stored", Bug::OkBeforeStored),
        ("drop-hint", Bug::DropHint),
        ("skip-sweep", Bug::SkipSweep),
        ("forget-drain", Bug::ForgetDrain),
        ("deliver-by-cursor", Bug::DeliverByCursor),
    ];

    static PLANTED: OnceLock<Option<Bug>> = OnceLock::new();
    /// The last envelope offered from the store on each stream.
    static CURSORS: LazyLock<DashMap<(DeviceId, i64), EnvelopeId>> = LazyLock::new(DashMap::new);

    /// Whether a bug is planted.
    pub(crate) fn has(bug: Bug) -> bool {
        *PLANTED.get_or_init(read) == Some(bug)
    }

    fn read() -> Option<Bug> {
        let wanted = std::env::var(VARIABLE).ok().filter(|wanted| !wanted.is_empty())?;
        let found = NAMES.iter().find(|(name, _)| *name == wanted);
        let Some((_, bug)) = found else {
            panic!("{VARIABLE} names no bug: {wanted}; there are {:?}", NAMES.map(|(name, _)| name))
        };
        Some(*bug)
    }

    /// What the sender hears at once; `None` where it is to wait for the store. Nobody is told of
    /// the envelopes: the sweep finds those that arrive in the store.
    pub(crate) fn answer_first(
        batcher: &Batcher,
        parcels: &[Parcel],
    ) -> Option<Vec<DeliveryState>> {
        if !has(Bug::OkBeforeStored) {
            return None;
        }
        let (batcher, parcels) = (batcher.clone(), parcels.to_vec());
        let states = vec![DeliveryState::Stored; parcels.len()];
        tokio::spawn(async move { batcher.insert(parcels).await });
        Some(states)
    }

    /// Whether an envelope counts as offered by its number alone.
    pub(crate) fn is_behind_cursor(stream: &Connection, envelope: EnvelopeId) -> bool {
        has(Bug::DeliverByCursor)
            && CURSORS.get(&key(stream)).is_some_and(|cursor| envelope.0 <= cursor.0)
    }

    /// Notes what was offered; always `true`.
    pub(crate) fn moves_cursor(stream: &Connection, envelope: EnvelopeId) -> bool {
        if has(Bug::DeliverByCursor) {
            CURSORS
                .entry(key(stream))
                .and_modify(|cursor| cursor.0 = cursor.0.max(envelope.0))
                .or_insert(envelope);
        }
        true
    }

    fn key(stream: &Connection) -> (DeviceId, i64) {
        (stream.device.device, stream.number)
    }

    /// Says at the start what is planted.
    pub(crate) fn warn() {
        let planted = PLANTED.get_or_init(read);
        tracing::error!(
            "THIS IS A BUILD WITH PLANTED BUGS ({planted:?}): it loses messages; never serve people"
        );
    }
}
