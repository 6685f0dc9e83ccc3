//! The handle of this context: what its services and its neighbours call.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor::Actor;
use plasma_kit::db::{StoreError, TenantClaim};
use plasma_kit::events::{self, Event, Events};
use plasma_kit::idempotency::Claim;
use plasma_kit::ids::TenantId;
use plasma_kit::rate::{Limits, RateLimit};
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, Failure, TenantDb, Timestamp};
use prost::Message;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::cache::Caches;
use crate::error::Error;
use crate::store;

/// Partner platforms. Cheap to clone: the clones share everything.
#[derive(Debug, Clone)]
pub struct Tenants {
    pub(crate) db: Db,
    pub(crate) env: Env,
    pub(crate) secrets: Secrets,
    pub(crate) caches: Caches,
    /// The least delay of account resets that the operator allows.
    pub(crate) account_reset_delay_min: Duration,
    /// How often a tenant's users may be vouched for.
    pub(crate) exchange_limit: Arc<RateLimit<TenantId>>,
    /// Unknown keys that are looked up at a time: fewer than the connections that are kept for
    /// messages, so that made-up keys cannot take them all.
    pub(crate) key_look_ups: Arc<Semaphore>,
    events: Events,
}

/// Platform tokens that a tenant may exchange at once, and how soon one more.
const EXCHANGE_BURST: u32 = 100;
const EXCHANGE_REFILL: Duration = Duration::from_millis(100);
/// Unknown keys that are looked up at a time.
const KEY_LOOK_UPS_MAX: usize = 2;

impl Tenants {
    /// Takes the handles of the node, and the least delay of account resets that the operator
    /// allows.
    pub fn new(
        db: Db,
        env: Env,
        secrets: Secrets,
        events: Events,
        limits: &Limits,
        account_reset_delay_min: Duration,
    ) -> Self {
        let exchange_limit = limits.limit("exchange_token", EXCHANGE_BURST, EXCHANGE_REFILL);
        Self {
            db,
            env,
            secrets,
            caches: Caches::default(),
            account_reset_delay_min,
            exchange_limit: Arc::new(exchange_limit),
            key_look_ups: Arc::new(Semaphore::new(KEY_LOOK_UPS_MAX)),
            events,
        }
    }

    /// Keeps the caches right until `stop`: forgets what other nodes change.
    pub fn watch(&self, stop: CancellationToken) {
        let caches = self.caches.clone();
        let heard = self.events.listen();
        tokio::spawn(events::for_each(heard, stop, move |event| caches.forget(&event)));
    }

    /// Deletes the records of platform tokens that have long expired, and says how many. Runs once
    /// an hour on every node.
    pub async fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        store::used_tokens::prune(&self.db.system(), now).await
    }

    /// The handle of a tenant that the actor may configure.
    pub(crate) fn administered(&self, actor: &Actor, tenant: TenantId) -> Result<TenantDb, Status> {
        Ok(self.db.tenant(TenantClaim::administered(actor, tenant).map_err(refuse)?))
    }

    /// Tells every node, this one first, what changed. After the commit.
    pub(crate) async fn announce(&self, event: Event) {
        self.caches.forget(&event);
        self.events.emit(event).await;
    }
}

/// Lets the operator through where there is no tenant whose claim would have to be shown.
pub(crate) fn operator(actor: &Actor) -> Result<(), Status> {
    match actor {
        Actor::Operator => Ok(()),
        Actor::Anyone | Actor::Key(_) | Actor::Enrollment(_) | Actor::Device(_) => {
            Err(refuse(Failure::principal_not_allowed()))
        }
    }
}

/// Makes the status of a refusal or of a failure of the store.
pub(crate) fn refuse(error: impl Into<Failure>) -> Status {
    Status::from(error.into())
}

/// Ends a request that was begun: keeps its response, or its refusal, with its work.
pub(crate) async fn settle<R: Message>(
    claim: Claim,
    outcome: Result<R, Error>,
) -> Result<R, Failure> {
    match outcome {
        Ok(response) => {
            claim.commit(&response).await?;
            Ok(response)
        }
        Err(error) => {
            let failure = Failure::from(error);
            claim.decline(&failure).await?;
            Err(failure)
        }
    }
}
