//! Tokens: who a device or a user being enrolled is, in 15-minute pieces.
//!
//! A token is verified once and then known by its hash until it expires, so that the hot path
//! costs one hash and one look-up. What is revoked is forgotten by an event.

mod challenge;
mod keys;
mod known;
mod token;

use std::sync::Arc;
use std::time::Duration;

use plasma_identity::DeviceAddress;
use plasma_kit::actor::{Actor, DeviceActor, EnrollmentActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::events::{Event, for_each};
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, Failure, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::ports::{Standing, Tenants};
use crate::store;
use keys::Keys;
use known::Known;
use token::{Claims, Subject};

/// How long a token lives.
pub const TOKEN_LIFETIME: Duration = Duration::from_mins(15);

/// How often tokens that have expired are forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// How often a verification that a revocation overtook begins again.
const ATTEMPTS: usize = 3;

/// Issues and verifies tokens. A clone shares what is known.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    env: Env,
    secrets: Secrets,
    tenants: Arc<dyn Tenants>,
    keys: Keys,
    known: Known,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

/// A token and its end.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Sessions {
    /// Derives the signing keys.
    pub fn new(db: Db, env: Env, secrets: Secrets, tenants: Arc<dyn Tenants>) -> Self {
        let keys = Keys::derive(&secrets);
        let known = Known::default();
        Self { inner: Arc::new(Inner { db, env, secrets, tenants, keys, known }) }
    }

    /// Forgets what events revoke and what has expired, until `stop`.
    pub fn watch(&self, events: broadcast::Receiver<Event>, stop: CancellationToken) {
        let sessions = self.clone();
        let handle = move |event| sessions.inner.known.handle(event);
        tokio::spawn(for_each(events, stop.clone(), handle));
        let sessions = self.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => sessions.inner.known.sweep(sessions.inner.env.now()),
                }
            }
        });
    }

    /// Says who presents a token: `TOKEN_EXPIRED` for one that was good, `TENANT_SUSPENDED` and
    /// `USER_BLOCKED` for one whose user may not use the service, `UNAUTHENTICATED` for any other.
    pub async fn authenticate(&self, token: &str) -> Result<Actor, Failure> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = self.inner.env.now();
        if let Some((actor, expires_at)) = self.inner.known.find(&hash) {
            return if now < expires_at { Ok(actor) } else { Err(token_expired()) };
        }
        let claims = self.inner.keys.verify(token).ok_or_else(Failure::unauthenticated)?;
        if claims.expires_at() <= now {
            return Err(token_expired());
        }
        self.admit(hash, &claims).await
    }

    /// Asks the database, and remembers the answer unless a revocation came in between.
    async fn admit(&self, hash: [u8; 32], claims: &Claims) -> Result<Actor, Failure> {
        let known = &self.inner.known;
        for _ in 1..ATTEMPTS {
            let generation = known.generation();
            let actor = self.check(claims).await?;
            known.insert(hash, actor, claims.expires_at(), self.inner.env.now());
            if known.generation() == generation {
                return Ok(actor);
            }
            known.remove(&hash);
        }
        self.check(claims).await
    }

    async fn check(&self, claims: &Claims) -> Result<Actor, Failure> {
        let (tenant, user) = claims.user();
        check_standing(self.inner.tenants.standing(tenant, user).await?)?;
        let device = match claims.subject() {
            Subject::Enrollment => {
                return Ok(Actor::Enrollment(EnrollmentActor { tenant, user }));
            }
            Subject::Device(device) => device,
        };
        let db = self.inner.db.tenant(TenantClaim::authenticating(tenant));
        let row = store::devices::find(&db, device)
            .await?
            .filter(|row| row.user == user && claims.issued_at() >= row.tokens_valid_from)
            .ok_or_else(Failure::unauthenticated)?;
        Ok(Actor::Device(DeviceActor { tenant, user, device: row.id }))
    }

    /// Issues a device's access token. It counts as issued at `valid_from` where that lies ahead
    /// of this node's clock, so that a sign-out on another node does not end it.
    pub(crate) fn issue_access(&self, device: &DeviceActor, valid_from: Timestamp) -> Issued {
        let issued_at = self.inner.env.now().max(valid_from);
        let subject = Subject::Device(device.device);
        self.issue((device.tenant, device.user), subject, issued_at)
    }

    /// Issues the token with which a user registers its first device.
    pub(crate) fn issue_enrollment(&self, tenant: TenantId, user: UserId) -> Issued {
        self.issue((tenant, user), Subject::Enrollment, self.inner.env.now())
    }

    fn issue(&self, user: (TenantId, UserId), subject: Subject, issued_at: Timestamp) -> Issued {
        let claims = Claims::new(user, subject, issued_at, TOKEN_LIFETIME, self.inner.env.uuid());
        Issued { token: self.inner.keys.sign(&claims), expires_at: claims.expires_at() }
    }

    /// Makes something fresh for a device to sign.
    pub(crate) fn challenge(&self, device: DeviceAddress) -> Vec<u8> {
        let inner = &self.inner;
        challenge::create(&inner.secrets, inner.env.random(), inner.env.now(), device)
    }

    /// Whether [`Sessions::challenge`] made the challenge for this device, not too long ago.
    pub(crate) fn is_fresh(&self, challenge: &[u8], device: DeviceAddress) -> bool {
        challenge::is_fresh(&self.inner.secrets, challenge, self.inner.env.now(), device)
    }
}

/// Refuses users who may not use the service.
pub(crate) fn check_standing(standing: Standing) -> Result<(), Failure> {
    match standing {
        Standing::Active => Ok(()),
        Standing::Blocked => Err(Failure::user_blocked()),
        Standing::TenantSuspended => Err(Failure::tenant_suspended()),
        Standing::Absent => Err(Failure::unauthenticated()),
    }
}

fn token_expired() -> Failure {
    Failure::new(
        tonic::Code::Unauthenticated,
        plasma_kit::status::ErrorReason::TokenExpired,
        "the access token has expired; refresh the session",
    )
}
