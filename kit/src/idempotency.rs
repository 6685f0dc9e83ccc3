//! The same request twice has one effect and one answer.
//!
//! [`begin`] claims the key inside the transaction that will do the work, so that a parallel
//! retry waits for the first to commit and then repeats its answer. Where the work spans contexts
//! and so transactions, and is safe to repeat by itself, [`find`] looks for an answer first and
//! [`keep`] keeps it last. Outcomes are kept for [`RETENTION`], sealed: an answer may hold a secret
//! that is shown once.

use std::time::Duration;

use prost::Message;
use sea_orm::{ConnectionTrait, Statement};
use sha2::{Digest, Sha256};
use tonic::Status;

use crate::db::{Scope, StoreError, SystemDb, TenantDb, TenantTx, expect_rows};
use crate::env::{Env, Timestamp};
use crate::secrets::Secrets;
use crate::status::{self, Failure};

/// How long an outcome is kept.
pub const RETENTION: Duration = Duration::from_hours(24);

const SEAL_LABEL: &str = "idempotency";

/// Names one request of one caller.
#[derive(Debug, Clone)]
pub struct Key {
    caller: String,
    rpc: &'static str,
    request_id: String,
    request_hash: [u8; 32],
}

impl Key {
    /// The key of a request. `rpc` is the method's name; `caller` as [`crate::Actor::caller`]
    /// gives it.
    pub fn new(
        caller: String,
        rpc: &'static str,
        request_id: &str,
        request: &impl Message,
    ) -> Self {
        let request_hash = Sha256::digest(request.encode_to_vec()).into();
        Self { caller, rpc, request_id: request_id.to_owned(), request_hash }
    }

    fn context(&self) -> Vec<u8> {
        format!("{}\0{}\0{}", self.caller, self.rpc, self.request_id).into_bytes()
    }
}

/// What [`begin`] finds.
#[derive(Debug)]
pub enum Begun {
    /// The request is new: do the work in the claim's transaction.
    Fresh(Claim),
    /// The request was answered before; this is the answer.
    Replay(Replay),
}

/// An answer given before.
#[derive(Debug)]
pub struct Replay(Vec<u8>);

const ANSWERED: u8 = 0;
const REFUSED: u8 = 1;

impl Replay {
    /// The answer: the same response, or the same refusal byte for byte.
    pub fn answer<R: Message + Default>(self) -> Result<R, Status> {
        match self.0.split_first() {
            Some((&ANSWERED, body)) => {
                R::decode(body).map_err(|_| Status::from(Failure::internal()))
            }
            Some((&REFUSED, body)) => Err(status::from_bytes(body)),
            _ => Err(Failure::internal().into()),
        }
    }
}

/// How a request ended, to be kept by [`keep`].
#[derive(Debug)]
pub struct Outcome(Vec<u8>);

impl Outcome {
    /// The request was answered.
    pub fn answered(response: &impl Message) -> Self {
        Self([&[ANSWERED][..], &response.encode_to_vec()].concat())
    }

    /// The request was refused for good: the same request will be refused again.
    pub fn refused(failure: &Failure) -> Self {
        Self([&[REFUSED][..], &failure.to_bytes()].concat())
    }
}

/// Finds the answer of a request whose work is not done in one transaction of ours. Fails with
/// `IDEMPOTENCY_KEY_REUSED` where the key belongs to another request.
pub async fn find(db: &TenantDb, secrets: &Secrets, key: &Key) -> Result<Option<Replay>, Failure> {
    match find_row(db, key).await? {
        Some(row) => replay(secrets, key, row).map(Some),
        None => Ok(None),
    }
}

/// Keeps the outcome of a request whose work is done already and may be done again without harm.
/// Gives the outcome that stands: where a parallel call kept one first, that one.
pub async fn keep(
    db: &TenantDb,
    env: &Env,
    secrets: &Secrets,
    key: Key,
    outcome: Outcome,
) -> Result<Replay, Failure> {
    let sealed = secrets.seal(SEAL_LABEL, &key.context(), &outcome.0);
    let tx = db.begin().await?;
    if insert(&tx, &key, sealed, env.now()).await? {
        tx.commit().await?;
        return Ok(Replay(outcome.0));
    }
    let row = load(&tx, &key).await?;
    tx.rollback().await?;
    replay(secrets, &key, row)
}

fn replay(
    secrets: &Secrets,
    key: &Key,
    (hash, sealed): (Vec<u8>, Vec<u8>),
) -> Result<Replay, Failure> {
    if hash != key.request_hash {
        return Err(Failure::idempotency_key_reused());
    }
    let outcome = secrets
        .open(SEAL_LABEL, &key.context(), &sealed)
        .map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    Ok(Replay(outcome))
}

/// The right to answer a request, and the transaction to do its work in.
#[derive(Debug)]
pub struct Claim {
    tx: TenantTx,
    key: Key,
    secrets: Secrets,
}

/// Claims the request's key, or finds its answer. Fails with `IDEMPOTENCY_KEY_REUSED` where the key
/// belongs to another request.
pub async fn begin(
    db: &TenantDb,
    env: &Env,
    secrets: &Secrets,
    key: Key,
) -> Result<Begun, Failure> {
    let tx = db.begin().await?;
    if insert(&tx, &key, Vec::new(), env.now()).await? {
        return Ok(Begun::Fresh(Claim { tx, key, secrets: secrets.clone() }));
    }
    let row = load(&tx, &key).await?;
    tx.rollback().await?;
    replay(secrets, &key, row).map(Begun::Replay)
}

impl Claim {
    /// The transaction to do the work in.
    pub fn tx(&self) -> &TenantTx {
        &self.tx
    }

    /// Keeps the response and commits the work with it.
    pub async fn commit(self, response: &impl Message) -> Result<(), StoreError> {
        self.finish(Outcome::answered(response)).await
    }

    /// Keeps a refusal and commits. The work must have changed nothing that should not stay.
    pub async fn decline(self, failure: &Failure) -> Result<(), StoreError> {
        self.finish(Outcome::refused(failure)).await
    }

    async fn finish(self, outcome: Outcome) -> Result<(), StoreError> {
        let sealed = self.secrets.seal(SEAL_LABEL, &self.key.context(), &outcome.0);
        let sql = "UPDATE idempotency_keys SET outcome = $1 \
                   WHERE tenant_id = $2 AND caller = $3 AND rpc = $4 AND request_id = $5";
        let values = [
            sealed.into(),
            self.tx.tenant().0.into(),
            self.key.caller.into(),
            self.key.rpc.into(),
            self.key.request_id.into(),
        ];
        let statement = Statement::from_sql_and_values(self.tx.backend(), sql, values);
        let result = self.tx.conn().execute_raw(statement).await?;
        expect_rows("keep an outcome", 1, result.rows_affected())?;
        self.tx.commit().await
    }
}

/// Inserts the key; waits for a parallel claim of it to end. `false` where it is taken.
async fn insert(
    tx: &TenantTx,
    key: &Key,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO idempotency_keys \
               (tenant_id, caller, rpc, request_id, request_hash, outcome, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let values = [
        tx.tenant().0.into(),
        key.caller.clone().into(),
        key.rpc.into(),
        key.request_id.clone().into(),
        key.request_hash.to_vec().into(),
        sealed.into(),
        now.0.into(),
    ];
    let statement = Statement::from_sql_and_values(tx.backend(), sql, values);
    Ok(tx.conn().execute_raw(statement).await?.rows_affected() == 1)
}

async fn load(tx: &TenantTx, key: &Key) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let row = find_row(tx, key).await?;
    row.ok_or_else(|| StoreError::Conflict("an idempotency key was being removed".to_owned()))
}

/// The request's hash and its sealed outcome.
async fn find_row(scope: &impl Scope, key: &Key) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
    let sql = "SELECT request_hash, outcome FROM idempotency_keys \
               WHERE tenant_id = $1 AND caller = $2 AND rpc = $3 AND request_id = $4";
    let values = [
        scope.tenant().0.into(),
        key.caller.clone().into(),
        key.rpc.into(),
        key.request_id.clone().into(),
    ];
    let statement = Statement::from_sql_and_values(scope.backend(), sql, values);
    let row = scope.conn().query_one_raw(statement).await?;
    row.map(|row| Ok((row.try_get("", "request_hash")?, row.try_get("", "outcome")?))).transpose()
}

/// Deletes outcomes older than [`RETENTION`]. Runs once an hour on every node.
pub async fn prune(db: &SystemDb, now: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM idempotency_keys WHERE created_at < $1";
    let values = [now.minus(RETENTION).0.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let deleted = tx.conn().execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}
