//! The database: one handle that holds a tenant, and one exception that does not.
//!
//! Store functions take a [`TenantDb`] or a [`TenantTx`]. Both carry the tenant, and only a
//! verified caller's claim makes them. [`SystemDb`] is the one handle without a tenant, for the
//! few background queries that span tenants.
//!
//! PostgreSQL and SQLite run the same code. On SQLite, writing transactions begin with BEGIN
//! IMMEDIATE and queue fairly on a semaphore of this process, so that they never meet `SQLITE_BUSY`.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, RuntimeErr, SqlErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actor::{Actor, DeviceActor, EnrollmentActor, KeyActor};
use crate::env::Timestamp;
use crate::ids::TenantId;
use crate::status::Failure;

/// How long a writing transaction waits for those before it, on SQLite.
const WRITER_WAIT_MAX: Duration = Duration::from_secs(20);

/// How to reach the database.
#[derive(Clone)]
pub struct DbConfig {
    /// `sqlite://<path>` or `postgres://…`.
    pub url: String,
    /// Most connections for ordinary work.
    pub connections_max: u32,
    /// How long a call waits for a connection before it answers UNAVAILABLE.
    pub acquire_timeout: Duration,
}

impl std::fmt::Debug for DbConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbConfig")
            .field("connections_max", &self.connections_max)
            .field("acquire_timeout", &self.acquire_timeout)
            .finish_non_exhaustive()
    }
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is out of reach, or refused for a reason that may pass.
    #[error("the database is out of reach: {0}")]
    Unavailable(String),
    /// More is to be written than the database takes: nothing was written.
    #[error("too much waits for the database")]
    Overloaded,
    /// A unique key is taken, or another transaction was first.
    #[error("a unique key is taken: {0}")]
    Conflict(String),
    /// A statement touched another number of rows than it must.
    #[error("{what}: {actual} rows instead of {expected}")]
    Rows {
        /// What was being done.
        what: &'static str,
        /// How many rows it must touch.
        expected: u64,
        /// How many it touched.
        actual: u64,
    },
    /// A row or a statement is not what the code believes: a defect.
    #[error("the store is inconsistent: {0}")]
    Inconsistent(String),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(what)) = error.sql_err() {
            return Self::Conflict(what);
        }
        match &error {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Self::Unavailable(error.to_string()),
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => from_sqlx(cause, &error),
            _ => Self::Inconsistent(error.to_string()),
        }
    }
}

/// Sorts what the driver reports: what passes by itself, what lost a race, what is a defect.
fn from_sqlx(cause: &sea_orm::sqlx::Error, error: &DbErr) -> StoreError {
    let text = error.to_string();
    let Some(database) = cause.as_database_error() else {
        return StoreError::Unavailable(text);
    };
    let code = database.code().unwrap_or_default();
    match code.as_ref() {
        // PostgreSQL: serialization failure, deadlock.
        "40001" | "40P01" => StoreError::Conflict(text),
        // PostgreSQL: connection, resources, operator intervention, system errors, read-only.
        code if code.len() == 5
            && ["08", "53", "57", "58", "25"].iter().any(|class| code.starts_with(class)) =>
        {
            StoreError::Unavailable(text)
        }
        // SQLite: busy, locked, read-only, I/O error, full, cannot open (extended codes included).
        code if code
            .parse::<u32>()
            .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14)) =>
        {
            StoreError::Unavailable(text)
        }
        _ => StoreError::Inconsistent(text),
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "the database failed");
                Self::unavailable()
            }
            StoreError::Overloaded => Self::overloaded(),
            StoreError::Conflict(_) => Self::conflict(),
            StoreError::Rows { .. } | StoreError::Inconsistent(_) => {
                tracing::error!(%error, "the store is inconsistent");
                Self::internal()
            }
        }
    }
}

/// A verified tenant: what it takes to hold a tenant's data.
#[derive(Debug, Clone, Copy)]
pub struct TenantClaim(TenantId);

impl TenantClaim {
    /// The tenant of a key that was verified.
    pub fn of_key(actor: &KeyActor) -> Self {
        Self(actor.tenant)
    }

    /// The tenant of a device whose token was verified.
    pub fn of_device(actor: &DeviceActor) -> Self {
        Self(actor.tenant)
    }

    /// The tenant of a user whom its platform vouched for.
    pub fn of_enrollment(actor: &EnrollmentActor) -> Self {
        Self(actor.tenant)
    }

    /// A tenant that the actor may configure: the operator any, a key its own.
    pub fn administered(actor: &Actor, tenant: TenantId) -> Result<Self, Failure> {
        crate::actor::may_act_on(actor, tenant)?;
        Ok(Self(tenant))
    }

    /// The tenant that a credential names while the credential is being verified, before there is
    /// an actor. For authentication only.
    pub fn authenticating(tenant: TenantId) -> Self {
        Self(tenant)
    }

    /// The tenant of a user's peer, who is data of a row or link that the caller has shown to hold.
    pub fn of_peer(tenant: TenantId) -> Self {
        Self(tenant)
    }

    /// The operator's own scope, which belongs to no tenant.
    pub fn operator() -> Self {
        Self(TenantId(uuid::Uuid::nil()))
    }

    /// The tenant.
    pub fn tenant(self) -> TenantId {
        self.0
    }
}

/// Something that holds a tenant and a connection.
pub trait Scope: Sync {
    /// The connection.
    type Connection: ConnectionTrait;

    /// The tenant.
    fn tenant(&self) -> TenantId;

    /// The connection.
    fn conn(&self) -> &Self::Connection;

    /// Which database it is.
    fn backend(&self) -> DbBackend {
        self.conn().get_database_backend()
    }
}

/// The pools of one node.
#[derive(Debug, Clone)]
pub struct Db {
    inner: Arc<Pools>,
}

#[derive(Debug)]
struct Pools {
    work: DatabaseConnection,
    /// Kept for acknowledgements, health and background work, so that a full pool stops neither.
    reserved: DatabaseConnection,
    /// Of the feed of changes alone: what is cached is believed for as long as it is heard.
    feed: DatabaseConnection,
    writer: Option<Arc<Semaphore>>,
}

const RESERVED_CONNECTIONS: u32 = 4;

impl Db {
    /// Opens the pools. Makes the SQLite file where there is none.
    pub async fn connect(config: &DbConfig) -> Result<Self, DbErr> {
        let work = Database::connect(options(config, config.connections_max)).await?;
        let reserved = Database::connect(for_system(config, RESERVED_CONNECTIONS)).await?;
        let feed = Database::connect(for_system(config, 1)).await?;
        let sqlite = work.get_database_backend() == DbBackend::Sqlite;
        let writer = sqlite.then(|| Arc::new(Semaphore::new(1)));
        Ok(Self { inner: Arc::new(Pools { work, reserved, feed, writer }) })
    }

    /// Which database it is.
    pub fn backend(&self) -> DbBackend {
        self.inner.work.get_database_backend()
    }

    /// The handle of a verified tenant.
    pub fn tenant(&self, claim: TenantClaim) -> TenantDb {
        TenantDb { db: self.clone(), tenant: claim.tenant() }
    }

    /// The handle without a tenant, on the reserved connections.
    pub fn system(&self) -> SystemDb {
        SystemDb { db: self.clone() }
    }

    /// The connection for migrations.
    pub fn for_migrations(&self) -> &DatabaseConnection {
        &self.inner.work
    }

    async fn begin(&self, pool: &DatabaseConnection) -> Result<Transaction, StoreError> {
        let permit = match &self.inner.writer {
            Some(writer) => Some(
                tokio::time::timeout(WRITER_WAIT_MAX, Arc::clone(writer).acquire_owned())
                    .await
                    .map_err(|_| StoreError::Overloaded)?
                    .map_err(|_| StoreError::Unavailable("the writer is closed".to_owned()))?,
            ),
            None => None,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: permit.as_ref().map(|_| SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let tx = pool.begin_with_options(options).await?;
        Ok(Transaction { tx, _permit: permit })
    }
}

fn options(config: &DbConfig, connections_max: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(&config.url);
    options
        .max_connections(connections_max)
        .min_connections(1)
        .acquire_timeout(config.acquire_timeout)
        .connect_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_mins(5))
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(Duration::from_secs(5))
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            // Overwrites deleted content: an acknowledged envelope leaves no ciphertext in the file.
            .pragma("secure_delete", "ON")
    });
    options
        .map_sqlx_postgres_opts(|postgres| postgres.application_name("plasma").options(SETTINGS));
    options
}

/// What PostgreSQL is told for every connection.
const SETTINGS: [(&str, &str); 5] = [
    ("statement_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Options of the reserved connections and the feed's. Their statements all have an index, and their
/// tables are empty at one moment and large at the next: a plan that was made for the empty table,
/// which reads it from end to end, would be kept while it grows.
fn for_system(config: &DbConfig, connections_max: u32) -> ConnectOptions {
    let mut options = options(config, connections_max);
    options.map_sqlx_postgres_opts(|postgres| {
        let indexed = [("enable_seqscan", "off"), ("jit", "off")];
        postgres.application_name("plasma").options(SETTINGS).options(indexed)
    });
    options
}

struct Transaction {
    tx: DatabaseTransaction,
    _permit: Option<OwnedSemaphorePermit>,
}

/// A tenant's data, outside a transaction: reads.
#[derive(Debug, Clone)]
pub struct TenantDb {
    db: Db,
    tenant: TenantId,
}

impl TenantDb {
    /// Begins a transaction. Everything that writes does so in one.
    pub async fn begin(&self) -> Result<TenantTx, StoreError> {
        let transaction = self.db.begin(&self.db.inner.work).await?;
        Ok(TenantTx { transaction, tenant: self.tenant })
    }
}

impl Scope for TenantDb {
    type Connection = DatabaseConnection;

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn conn(&self) -> &DatabaseConnection {
        &self.db.inner.work
    }
}

/// A transaction on a tenant's data. Dropped without a commit, it leaves nothing.
pub struct TenantTx {
    transaction: Transaction,
    tenant: TenantId,
}

impl std::fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TenantTx({})", self.tenant)
    }
}

impl TenantTx {
    /// Commits.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.tx.commit().await?)
    }

    /// Rolls back at once, rather than when the connection is used next.
    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.transaction.tx.rollback().await?)
    }
}

impl Scope for TenantTx {
    type Connection = DatabaseTransaction;

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn conn(&self) -> &DatabaseTransaction {
        &self.transaction.tx
    }
}

/// All tenants' data, for the batcher, the sweep, the feed of changes, health, and what billing does
/// in the background alone.
#[derive(Debug, Clone)]
pub struct SystemDb {
    db: Db,
}

impl SystemDb {
    /// The connection for reads.
    pub fn conn(&self) -> &DatabaseConnection {
        &self.db.inner.reserved
    }

    /// The connection of the feed of changes, which nothing else takes.
    pub(crate) fn feed(&self) -> &DatabaseConnection {
        &self.db.inner.feed
    }

    /// Which database it is.
    pub fn backend(&self) -> DbBackend {
        self.db.backend()
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<SystemTx, StoreError> {
        let transaction = self.db.begin(&self.db.inner.reserved).await?;
        Ok(SystemTx { transaction })
    }

    /// Asks the database for its time.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        self.now_on(self.conn()).await
    }

    /// The same, on a connection.
    pub(crate) async fn now_on(&self, conn: &DatabaseConnection) -> Result<Timestamp, StoreError> {
        let sql = match self.backend() {
            DbBackend::Postgres => {
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now"
            }
            _ => "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now",
        };
        let row = conn
            .query_one_raw(Statement::from_string(self.backend(), sql))
            .await?
            .ok_or_else(|| StoreError::Inconsistent("the database gave no time".to_owned()))?;
        Ok(Timestamp(row.try_get("", "now")?))
    }
}

/// A transaction without a tenant.
pub struct SystemTx {
    transaction: Transaction,
}

impl SystemTx {
    /// The connection.
    pub fn conn(&self) -> &DatabaseTransaction {
        &self.transaction.tx
    }

    /// Commits.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.tx.commit().await?)
    }

    /// Rolls back at once, rather than when the connection is used next.
    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.transaction.tx.rollback().await?)
    }
}

/// Checks that a statement touched as many rows as it must.
pub fn expect_rows(what: &'static str, expected: u64, actual: u64) -> Result<(), StoreError> {
    if expected == actual { Ok(()) } else { Err(StoreError::Rows { what, expected, actual }) }
}
