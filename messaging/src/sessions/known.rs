//! Tokens that have been verified, by their hash.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use plasma_kit::Timestamp;
use plasma_kit::actor::Actor;
use plasma_kit::events::{Event, Subject};

/// Most tokens remembered; beyond it everything is forgotten and verified anew.
const TOKENS_MAX: usize = 500_000;

/// A token that was verified.
#[derive(Debug, Clone, Copy)]
struct Entry {
    actor: Actor,
    expires_at: Timestamp,
}

/// The tokens, and a number that every revocation raises before it removes any: whoever read the
/// database before a revocation and inserts after it sees the number changed.
#[derive(Debug, Default)]
pub(super) struct Known {
    entries: DashMap<[u8; 32], Entry>,
    generation: AtomicU64,
}

impl Known {
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<(Actor, Timestamp)> {
        self.entries.get(hash).map(|entry| (entry.actor, entry.expires_at))
    }

    pub(super) fn insert(
        &self,
        hash: [u8; 32],
        actor: Actor,
        expires_at: Timestamp,
        now: Timestamp,
    ) {
        if self.entries.len() >= TOKENS_MAX {
            self.sweep(now);
            if self.entries.len() >= TOKENS_MAX {
                self.entries.clear();
            }
        }
        self.entries.insert(hash, Entry { actor, expires_at });
    }

    pub(super) fn remove(&self, hash: &[u8; 32]) {
        self.entries.remove(hash);
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.entries.retain(|_, entry| now < entry.expires_at);
    }

    /// Forgets what an event revokes.
    pub(super) fn handle(&self, event: Event) {
        let Event::Revoked { tenant, subject } = event else {
            if event == Event::Missed {
                self.forget(|_| true);
            }
            return;
        };
        match subject {
            Subject::Tenant => self.forget(|actor| actor.tenant() == Some(tenant)),
            Subject::User(user) => self.forget(|actor| match actor {
                Actor::Device(device) => device.tenant == tenant && device.user == user,
                Actor::Enrollment(of) => of.tenant == tenant && of.user == user,
                Actor::Anyone | Actor::Operator | Actor::Key(_) => false,
            }),
            Subject::Device(device) => self.forget(|actor| {
                matches!(actor, Actor::Device(of) if of.tenant == tenant && of.device == device)
            }),
            Subject::ApiKey(_) => {}
        }
    }

    fn forget(&self, is_revoked: impl Fn(&Actor) -> bool) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.entries.retain(|_, entry| !is_revoked(&entry.actor));
    }
}

#[cfg(test)]
mod tests {
    use plasma_kit::Timestamp;
    use plasma_kit::actor::{Actor, DeviceActor, EnrollmentActor};
    use plasma_kit::events::{Event, Subject};
    use plasma_kit::ids::{DeviceId, TenantId, UserId};
    use uuid::Uuid;

    use super::Known;

    fn filled() -> (Known, TenantId, UserId, DeviceId) {
        let known = Known::default();
        let [tenant, user, device, other] = [1, 2, 3, 4].map(Uuid::from_u128);
        let (tenant, user, device) = (TenantId(tenant), UserId(user), DeviceId(device));
        let actors = [
            Actor::Device(DeviceActor { tenant, user, device }),
            Actor::Device(DeviceActor { tenant, user, device: DeviceId(other) }),
            Actor::Enrollment(EnrollmentActor { tenant, user }),
            Actor::Device(DeviceActor { tenant: TenantId(other), user, device }),
        ];
        for (byte, actor) in (0_u8..).zip(actors) {
            known.insert([byte; 32], actor, Timestamp(10), Timestamp(0));
        }
        (known, tenant, user, device)
    }

    fn left(known: &Known) -> Vec<u8> {
        (0..4).filter(|byte| known.find(&[*byte; 32]).is_some()).collect()
    }

    #[test]
    fn an_event_forgets_what_it_revokes_and_nothing_else() {
        let (_, _, user, device) = filled();
        let cases = [
            (Subject::Device(device), vec![1, 2, 3]),
            (Subject::User(user), vec![3]),
            (Subject::Tenant, vec![3]),
            (Subject::ApiKey(device.0), vec![0, 1, 2, 3]),
        ];
        for (subject, expected) in cases {
            let (known, tenant, ..) = filled();
            known.handle(Event::Revoked { tenant, subject });
            assert_eq!(left(&known), expected);
        }
        let (known, ..) = filled();
        known.handle(Event::Missed);
        assert_eq!(left(&known), [0_u8; 0]);
    }

    #[test]
    fn a_revocation_changes_the_generation_and_other_events_do_not() {
        let (known, tenant, ..) = filled();
        let before = known.generation();
        known.handle(Event::TenantChanged(tenant));
        assert_eq!(known.generation(), before);
        known.handle(Event::Revoked { tenant, subject: Subject::Tenant });
        assert_ne!(known.generation(), before);
    }
}
