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

use sea_orm::{ConnectionTrait, Statement, Value};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Scope, StoreError, SystemDb, TenantTx};
use crate::env::{Env, Timestamp, micros};
use crate::events::{Event, Events, Subject};
use crate::ids::{ChatId, TenantId, UserId};

/// How often a node looks for changes.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How far back each look goes: longer than any transaction may last.
const WINDOW: Duration = Duration::from_mins(1);

/// After a silence of this length some changes may have left the window unseen.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// By so much the database's clock and this process's may differ from one look to the next. A process
/// that was suspended, with its clock, finds the database's far ahead.
const DRIFT_MAX: Duration = Duration::from_secs(10);

/// How long revocations are kept: strays that were stored meanwhile are found by them.
const REVOCATIONS_KEPT: Duration = Duration::from_hours(24);
/// How long other changes are kept.
const CHANGES_KEPT: Duration = Duration::from_hours(1);

/// Rows that one statement writes.
const RECORDED_AT_ONCE: usize = 500;

/// Rows that one transaction deletes.
const PRUNED_AT_ONCE: u64 = 5_000;

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

/// Writes changes that all come of one, a statement for many of them. The nodes hear of them from
/// the feed alone.
pub async fn record_all(
    tx: &TenantTx,
    env: &Env,
    changes: impl Iterator<Item = Change>,
) -> Result<(), StoreError> {
    let mut rows: HashMap<_, Vec<_>> = HashMap::new();
    for change in changes {
        let (table, kind, id) = change.to_row();
        rows.entry(table).or_default().push((kind, id));
    }
    for (table, rows) in rows {
        for rows in rows.chunks(RECORDED_AT_ONCE) {
            let (mut places, mut values) = (Vec::new(), Vec::<Value>::new());
            for (kind, id) in rows {
                let first = values.len() + 1;
                let place: Vec<_> = (first..first + 5).map(|place| format!("${place}")).collect();
                places.push(format!("({})", place.join(", ")));
                let (own, tenant, now) = (env.uuid(), tx.tenant().0, env.now().0);
                values.extend([
                    own.into(),
                    tenant.into(),
                    (*kind).into(),
                    (*id).into(),
                    now.into(),
                ]);
            }
            let sql = format!(
                "INSERT INTO {table} (id, tenant_id, kind, subject_id, created_at) VALUES {}",
                places.join(", ")
            );
            tx.conn()
                .execute_raw(Statement::from_sql_and_values(tx.backend(), sql, values))
                .await?;
        }
    }
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
                for event in fresh {
                    events.emit_here(event);
                }
                // After the events, which reach the caches at once: whoever believes one because of it
                // is hardly ahead of them.
                freshness.hear(begun);
            }
            Err(error) => tracing::warn!(%error, "changes could not be read; trying again"),
        }
    }
}

#[derive(Debug, Default)]
struct Feed {
    seen: HashMap<Uuid, Timestamp>,
    /// When the last look began, by this process and by the database.
    looked: Option<(Instant, Timestamp)>,
}

impl Feed {
    async fn poll(&mut self, db: &SystemDb, env: &Env) -> Result<Vec<Event>, StoreError> {
        let begun = Instant::now();
        let now = db.now_on(db.feed()).await?;
        env.follow(now);
        let since = now.minus(WINDOW);
        self.seen.retain(|_, created_at| *created_at >= since);
        let mut fresh = Vec::new();
        if self.may_have_missed(begun, now) {
            fresh.push(Event::Missed);
        }
        for row in recent(db, since).await? {
            if self.seen.insert(row.id, row.created_at).is_none()
                && let Some(change) = Change::from_row(row.kind, row.subject)
            {
                fresh.push(change.event(row.tenant));
            }
        }
        self.looked = Some((begun, now));
        Ok(fresh)
    }

    /// Whether rows may have left the window unseen: the last look is long ago, or a clock jumped.
    fn may_have_missed(&self, begun: Instant, now: Timestamp) -> bool {
        let Some((looked, then)) = self.looked else { return true };
        let passed = begun.saturating_duration_since(looked);
        let by_database = now.0.saturating_sub(then.0);
        let drift = by_database.saturating_sub(micros(passed)).unsigned_abs();
        passed > SILENCE_MAX || Duration::from_micros(drift) > DRIFT_MAX
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
    db.feed()
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

/// Deletes changes that every node has long seen, some at a time. Runs once an hour on every node.
pub async fn prune(db: &SystemDb, now: Timestamp) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for (table, kept) in [("revocations", REVOCATIONS_KEPT), ("changes", CHANGES_KEPT)] {
        loop {
            let some = prune_some(db, table, now.minus(kept)).await?;
            deleted += some;
            if some < PRUNED_AT_ONCE {
                break;
            }
        }
    }
    Ok(deleted)
}

async fn prune_some(db: &SystemDb, table: &str, before: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let sql = format!(
        "DELETE FROM {table} WHERE id IN \
         (SELECT id FROM {table} WHERE created_at < $1 LIMIT {PRUNED_AT_ONCE})"
    );
    let statement = Statement::from_sql_and_values(db.backend(), &sql, [before.0.into()]);
    let deleted = tx.conn().execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use uuid::Uuid;

    use super::{Change, DRIFT_MAX, Feed, Freshness, SILENCE_MAX};
    use crate::env::Timestamp;
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

    #[test]
    fn after_a_silence_or_a_jump_of_a_clock_changes_may_have_been_missed() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let now = Timestamp(1_000_000_000);
        let mut feed = Feed::default();
        assert!(feed.may_have_missed(begun, now), "nothing was heard before the first look");
        feed.looked = Some((begun, now));
        assert!(!feed.may_have_missed(begun + second, now.plus(second)));
        let long = SILENCE_MAX + second;
        assert!(feed.may_have_missed(begun + long, now.plus(long)));
        let jump = DRIFT_MAX + 2 * second;
        assert!(feed.may_have_missed(begun + second, now.plus(jump)), "the process stood still");
        assert!(feed.may_have_missed(begun + second, now.minus(jump)));
    }
}
