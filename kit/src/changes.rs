//! The feed of changes: what caches on every node depend on, the bus alive or dead.
//!
//! What changes is written beside the change it belongs to, in the same transaction. Every node
//! reads the recent rows twice a second and turns each into an [`Event`]; the bus only makes it
//! sooner. So a cache may keep what it looked up for as long as the feed is heard
//! ([`Freshness`]), and for its few seconds where it is not. Rows are found by age and not by a
//! growing number: a transaction that took the lower number may commit later and would be skipped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Statement};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Scope, StoreError, SystemDb, TenantTx};
use crate::env::{Env, Timestamp};
use crate::events::{Event, Events, Subject};
use crate::ids::{ChatId, TenantId, UserId};

/// How often a node looks for changes.
pub const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How far back each look goes: longer than any transaction may last.
const WINDOW: Duration = Duration::from_mins(1);

/// After a silence of this length some changes may have left the window unseen.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long revocations are kept: strays that were stored meanwhile are found by them.
const REVOCATIONS_KEPT: Duration = Duration::from_hours(24);
/// How long other changes are kept.
const CHANGES_KEPT: Duration = Duration::from_hours(1);

/// What the feed tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Credentials were revoked.
    Revoked(Subject),
    /// A user's manifest changed.
    Account(UserId),
    /// A chat's state or its pass changed.
    Chat(ChatId),
}

impl Change {
    /// The table, the number and the id under which the change is stored.
    fn to_row(self) -> (&'static str, i16, Uuid) {
        match self {
            Self::Revoked(subject) => {
                let (kind, id) = subject.to_row();
                ("revocations", kind, id)
            }
            Self::Account(user) => ("changes", 5, user.0),
            Self::Chat(chat) => ("changes", 6, chat.0),
        }
    }

    /// Reads a stored change; `None` for a number that a newer version wrote.
    fn from_row(kind: i16, id: Uuid) -> Option<Self> {
        match kind {
            5 => Some(Self::Account(UserId(id))),
            6 => Some(Self::Chat(ChatId(id))),
            kind => Subject::from_row(kind, id).map(Self::Revoked),
        }
    }

    /// What nodes tell each other of it.
    pub fn event(self, tenant: TenantId) -> Event {
        match self {
            Self::Revoked(subject) => Event::Revoked { tenant, subject },
            Self::Account(user) => Event::AccountChanged(tenant, user),
            Self::Chat(chat) => Event::ChatChanged(chat),
        }
    }
}

/// Writes a change of the transaction's tenant in the transaction of the change. After the commit,
/// emit the event.
pub async fn record(tx: &TenantTx, env: &Env, change: Change) -> Result<(), StoreError> {
    let (table, kind, id) = change.to_row();
    let tenant = tx.tenant();
    let sql = format!(
        "INSERT INTO {table} (id, tenant_id, kind, subject_id, created_at) \
         VALUES ($1, $2, $3, $4, $5)"
    );
    let values = [env.uuid().into(), tenant.0.into(), kind.into(), id.into(), env.now().0.into()];
    tx.conn().execute_raw(Statement::from_sql_and_values(tx.backend(), sql, values)).await?;
    Ok(())
}

/// Up to when a node has heard of every change. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Freshness {
    begun: Instant,
    /// Microseconds since `begun`; 0 before the first look.
    heard: Arc<AtomicU64>,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { begun: Instant::now(), heard: Arc::default() }
    }
}

impl Freshness {
    /// Whether this node has heard of every change that was committed longer ago than `age`.
    pub fn is_within(&self, age: Duration) -> bool {
        self.age().is_some_and(|silence| silence < age)
    }

    fn age(&self) -> Option<Duration> {
        let heard = self.heard.load(Ordering::Acquire);
        (heard > 0).then(|| self.begun.elapsed().saturating_sub(Duration::from_micros(heard)))
    }

    fn hear(&self, moment: Instant) {
        let micros = moment.saturating_duration_since(self.begun).as_micros();
        self.heard.store(u64::try_from(micros).unwrap_or(u64::MAX).max(1), Ordering::Release);
    }
}

/// Reads changes until `stop`, and keeps the clock in step with the database's.
pub async fn follow(
    db: SystemDb,
    env: Env,
    events: Events,
    freshness: Freshness,
    stop: CancellationToken,
) {
    let mut feed = Feed::default();
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let begun = Instant::now();
        match feed.poll(&db, &env).await {
            Ok(fresh) => {
                if freshness.age().is_some_and(|silence| silence > SILENCE_MAX) {
                    events.emit_here(Event::Missed);
                }
                for event in fresh {
                    events.emit_here(event);
                }
                // After the events: whoever believes a cache because of it must not be ahead of them.
                freshness.hear(begun);
            }
            Err(error) => tracing::warn!(%error, "changes could not be read; trying again"),
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
                && let Some(change) = Change::from_row(row.kind, row.subject)
            {
                fresh.push(change.event(row.tenant));
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
               WHERE created_at >= $1 \
               UNION ALL SELECT id, tenant_id, kind, subject_id, created_at FROM changes \
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

/// Deletes changes that every node has long seen. Runs once an hour on every node.
pub async fn prune(db: &SystemDb, now: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let mut deleted = 0;
    for (table, kept) in [("revocations", REVOCATIONS_KEPT), ("changes", CHANGES_KEPT)] {
        let sql = format!("DELETE FROM {table} WHERE created_at < $1");
        let values = [now.minus(kept).0.into()];
        let statement = Statement::from_sql_and_values(db.backend(), &sql, values);
        deleted += tx.conn().execute_raw(statement).await?.rows_affected();
    }
    tx.commit().await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use uuid::Uuid;

    use super::{Change, Freshness};
    use crate::events::Subject;
    use crate::ids::{ChatId, DeviceId, UserId};

    #[test]
    fn a_change_reads_back_as_it_was_written_and_unknown_ones_are_left_out() {
        let id = Uuid::from_u128(1);
        let changes = [
            Change::Revoked(Subject::ApiKey(id)),
            Change::Revoked(Subject::User(UserId(id))),
            Change::Revoked(Subject::Device(DeviceId(id))),
            Change::Account(UserId(id)),
            Change::Chat(ChatId(id)),
        ];
        for change in changes {
            let (_, kind, id) = change.to_row();
            assert_eq!(Change::from_row(kind, id), Some(change));
        }
        assert_eq!(Change::from_row(7, id), None);
    }

    #[test]
    fn what_was_heard_grows_old() {
        let freshness = Freshness::default();
        assert!(!freshness.is_within(Duration::MAX), "nothing was heard yet");
        freshness.hear(Instant::now());
        assert!(freshness.is_within(Duration::from_mins(1)));
        assert!(!freshness.is_within(Duration::ZERO));
    }
}
