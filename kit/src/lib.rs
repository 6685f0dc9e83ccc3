//! What every service of Plasma shares: who is calling, the tenant-scoped database handle, errors,
//! the clock, ids and randomness, the bus between nodes, secrets at rest, telemetry.
//!
//! Holds no business rule and depends on no service.

pub mod actor;
pub mod aged;
pub mod bus;
pub mod changes;
pub mod convert;
pub mod db;
pub mod env;
pub mod events;
pub mod idempotency;
pub mod ids;
pub mod migration;
pub mod paging;
pub mod rate;
mod redis;
pub mod secrets;
pub mod status;
pub mod telemetry;
pub mod zone;

pub use actor::Actor;
pub use db::{Db, Scope, StoreError, SystemDb, TenantDb, TenantTx};
pub use env::{Env, Timestamp};
pub use status::Failure;
pub use zone::Zone;
