//! Revocation that bites on every node within seconds, the bus alive or dead.
//!
//! What is revoked is written beside the change it belongs to, in the same transaction. Every node
//! reads the recent rows once a second and turns each into an [`Event::Revoked`]; the bus only
//! makes it sooner. Rows are found by age and not by a growing number: a transaction that took the
//! lower number may commit later and would be skipped.

use std::collections::HashMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Scope, StoreError, SystemDb, TenantTx};
use crate::env::{Env, Timestamp};
use crate::events::{Event, Events, Subject};
use crate::ids::TenantId;

/// How often a node looks for revocations.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How far back each look goes: longer than any transaction may last.
const WINDOW: Duration = Duration::from_mins(1);

/// Writes a revocation in the transaction of the change. After the commit, emit the event.
pub async fn record(
    tx: &TenantTx,
    env: &Env,
    tenant: TenantId,
    subject: Subject,
) -> Result<(), StoreError> {
    let (kind, id) = subject.to_row();
    let sql = "INSERT INTO revocations (id, tenant_id, kind, subject_id, created_at) \
               VALUES ($1, $2, $3, $4, $5)";
    let values = [env.uuid().into(), tenant.0.into(), kind.into(), id.into(), env.now().0.into()];
    tx.conn().execute_raw(Statement::from_sql_and_values(tx.backend(), sql, values)).await?;
    Ok(())
}

/// Reads revocations until `stop`, and keeps the clock in step with the database's.
pub async fn follow(db: SystemDb, env: Env, events: Events, stop: CancellationToken) {
    let mut feed = Feed::default();
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match feed.poll(&db, &env).await {
            Ok(fresh) => fresh.into_iter().for_each(|event| events.emit_here(event)),
            Err(error) => tracing::warn!(%error, "revocations could not be read; trying again"),
        }
    }
}

#[derive(Debug, Default)]
struct Feed {
    seen: HashMap<Uuid, Timestamp>,
}

impl Feed {
    async fn poll(&mut self, db: &SystemDb, env: &Env) -> Result<Vec<Event>, StoreError> {
        let now = db.now().await?;
        env.follow(now);
        let since = now.minus(WINDOW);
        self.seen.retain(|_, created_at| *created_at >= since);
        let mut fresh = Vec::new();
        for row in recent(db, since).await? {
            if self.seen.insert(row.id, row.created_at).is_none()
                && let Some(subject) = Subject::from_row(row.kind, row.subject)
            {
                fresh.push(Event::Revoked { tenant: row.tenant, subject });
            }
        }
        Ok(fresh)
    }
}

struct Row {
    id: Uuid,
    tenant: TenantId,
    kind: i16,
    subject: Uuid,
    created_at: Timestamp,
}

async fn recent(db: &SystemDb, since: Timestamp) -> Result<Vec<Row>, StoreError> {
    let sql = "SELECT id, tenant_id, kind, subject_id, created_at FROM revocations \
               WHERE created_at >= $1";
    let statement = Statement::from_sql_and_values(db.backend(), sql, [since.0.into()]);
    db.conn()
        .query_all_raw(statement)
        .await?
        .into_iter()
        .map(|row| {
            Ok(Row {
                id: row.try_get("", "id")?,
                tenant: TenantId(row.try_get("", "tenant_id")?),
                kind: row.try_get("", "kind")?,
                subject: row.try_get("", "subject_id")?,
                created_at: Timestamp(row.try_get("", "created_at")?),
            })
        })
        .collect()
}

/// Deletes revocations that every node has long seen. Runs once an hour on every node.
pub async fn prune(db: &SystemDb, now: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let values = [now.minus(Duration::from_hours(24)).0.into()];
    let sql = "DELETE FROM revocations WHERE created_at < $1";
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let deleted = tx.conn().execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}
