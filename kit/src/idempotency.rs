//! The same request twice has one effect and one answer.
//!
//! [`begin`] claims the key inside the transaction that will do the work, so that a parallel
//! retry waits for the first to commit and then repeats its answer. Outcomes are kept for
//! [`RETENTION`], sealed: an answer may hold a secret that is shown once.

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
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

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
    pub fn new(caller: String, rpc: &'static str, request_id: &str, request: &impl Message) -> Self {
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

/// The right to answer a request, and the transaction to do its work in.
#[derive(Debug)]
pub struct Claim {
    tx: TenantTx,
    key: Key,
    secrets: Secrets,
}

/// Claims the request's key, or finds its answer. Fails with IDEMPOTENCY_KEY_REUSED where the key
/// belongs to another request.
pub async fn begin(
    db: &TenantDb,
    env: &Env,
    secrets: &Secrets,
    key: Key,
) -> Result<Begun, Failure> {
    let tx = db.begin().await?;
    if claim(&tx, &key, env.now()).await? {
        return Ok(Begun::Fresh(Claim { tx, key, secrets: secrets.clone() }));
    }
    let (hash, sealed) = load(&tx, &key).await?;
    tx.rollback().await?;
    if hash != key.request_hash {
        return Err(Failure::idempotency_key_reused());
    }
    let outcome = secrets
        .open(SEAL_LABEL, &key.context(), &sealed)
        .map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    Ok(Begun::Replay(Replay(outcome)))
}

impl Claim {
    /// The transaction to do the work in.
    pub fn tx(&self) -> &TenantTx {
        &self.tx
    }

    /// Keeps the response and commits the work with it.
    pub async fn commit(self, response: &impl Message) -> Result<(), StoreError> {
        let outcome = [&[ANSWERED][..], &response.encode_to_vec()].concat();
        self.finish(outcome).await
    }

    /// Keeps a refusal and commits. The work must have changed nothing that should not stay.
    pub async fn decline(self, failure: &Failure) -> Result<(), StoreError> {
        let outcome = [&[REFUSED][..], &failure.to_bytes()].concat();
        self.finish(outcome).await
    }

    async fn finish(self, outcome: Vec<u8>) -> Result<(), StoreError> {
        let sealed = self.secrets.seal(SEAL_LABEL, &self.key.context(), &outcome);
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
async fn claim(tx: &TenantTx, key: &Key, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "INSERT INTO idempotency_keys \
               (tenant_id, caller, rpc, request_id, request_hash, outcome, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let values = [
        tx.tenant().0.into(),
        key.caller.clone().into(),
        key.rpc.into(),
        key.request_id.clone().into(),
        key.request_hash.to_vec().into(),
        Vec::<u8>::new().into(),
        now.0.into(),
    ];
    let statement = Statement::from_sql_and_values(tx.backend(), sql, values);
    Ok(tx.conn().execute_raw(statement).await?.rows_affected() == 1)
}

async fn load(tx: &TenantTx, key: &Key) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let sql = "SELECT request_hash, outcome FROM idempotency_keys \
               WHERE tenant_id = $1 AND caller = $2 AND rpc = $3 AND request_id = $4";
    let values = [
        tx.tenant().0.into(),
        key.caller.clone().into(),
        key.rpc.into(),
        key.request_id.clone().into(),
    ];
    let statement = Statement::from_sql_and_values(tx.backend(), sql, values);
    let row = tx
        .conn()
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| StoreError::Conflict("an idempotency key was being removed".to_owned()))?;
    Ok((row.try_get("", "request_hash")?, row.try_get("", "outcome")?))
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
