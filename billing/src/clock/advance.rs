//! Moves clocks, from each moment at which something is due to the next.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::changes::{self, Change};
use plasma_kit::db::{TenantClaim, TenantTx};
use plasma_kit::env::Timestamp;
use plasma_kit::status::Failure;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Work;
use crate::Billing;
use crate::store::clocks::{self, Hold};
use crate::store::passes;

/// How often a node looks for clocks that move and that nobody holds. One that this node was asked
/// to move does not wait for it.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many clocks a node moves at the same time.
const AT_ONCE: usize = 8;
/// How long a hold lasts that is not extended: after so long another node goes on.
const LEASE: Duration = Duration::from_secs(10);
/// How often a hold is extended while what is due is being done.
const EXTENSION: Duration = Duration::from_secs(3);
/// How long a clock rests before what failed or remained is tried again.
const REST: Duration = Duration::from_millis(200);
/// For how long what remains due keeps a clock from going on. Time waits for nobody for ever.
const STAND_MAX: Duration = Duration::from_secs(30);
/// Caches ask again for passes that end so soon after the clock has moved: longer than it stands.
const SOON: Duration = Duration::from_mins(10);

/// Moves on this node whatever sandboxes' clocks are to be moved, until `stop`. Those that it holds
/// then, or where it fails, are moved on by others as soon as its holds end.
pub async fn advance_until(billing: Billing, work: Arc<dyn Work>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut moved = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            () = billing.clock_asked.notified() => {}
            Some(_) = moved.join_next() => {}
        }
        if let Err(failure) = begin(&billing, &work, &mut moved).await {
            tracing::warn!(reason = failure.reason().as_str_name(), "clocks stand still");
        }
    }
}

/// Begins to move the clocks that nobody holds, as many as there is room for.
async fn begin(
    billing: &Billing,
    work: &Arc<dyn Work>,
    moved: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let room = AT_ONCE.saturating_sub(moved.len());
    let (db, now) = (billing.db.system(), billing.env.now());
    for tenant in clocks::unheld(&db, now, room).await? {
        let hold = Hold { tenant, holder: billing.env.uuid() };
        let advance = Advance { billing: billing.clone(), work: Arc::clone(work), hold };
        moved.spawn(async move {
            if let Err(failure) = advance.run().await {
                let reason = failure.reason().as_str_name();
                tracing::warn!(%tenant, reason, "a clock stands still until it is tried again");
            }
        });
    }
    Ok(())
}

/// One clock in this node's hold.
struct Advance {
    billing: Billing,
    work: Arc<dyn Work>,
    hold: Hold,
}

impl Advance {
    /// Moves the clock to its target, or until another holds it.
    async fn run(&self) -> Result<(), Failure> {
        let tx = self.begin().await?;
        let taken = clocks::take(&tx, self.hold.holder, self.lease()).await?;
        tx.commit().await?;
        let mut held = taken;
        while held {
            held = self.work_off().await? && self.go_on().await?;
        }
        Ok(())
    }

    /// Does what is due by the clock as it stands. `false` where another holds it.
    async fn work_off(&self) -> Result<bool, Failure> {
        let begun = Instant::now();
        loop {
            let Some(done) = self.run_due().await else { return Ok(false) };
            let remains = match done {
                Ok(true) => return Ok(true),
                Ok(false) => "some of it has to wait",
                Err(failure) => failure.reason().as_str_name(),
            };
            if begun.elapsed() > STAND_MAX {
                let tenant = self.hold.tenant;
                tracing::warn!(%tenant, remains, "a clock goes on before all that is due is done");
                return Ok(true);
            }
            tokio::time::sleep(REST).await;
            if !self.extend().await? {
                return Ok(false);
            }
        }
    }

    /// Has it done, and keeps the hold meanwhile. `None` where another holds the clock.
    async fn run_due(&self) -> Option<Result<bool, Failure>> {
        // Side by side: what is being done may hold the writer that an extension waits for.
        tokio::select! {
            done = self.work.run_due(self.hold.tenant) => Some(done),
            lost = self.keep() => lost,
        }
    }

    /// Extends the hold again and again, and ends where that fails or another holds the clock.
    async fn keep(&self) -> Option<Result<bool, Failure>> {
        loop {
            tokio::time::sleep(EXTENSION).await;
            match self.extend().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    /// Moves the clock to the next moment at which something is due, or to its target, or lets it
    /// run on from there. `false` where it moves no longer or another holds it.
    async fn go_on(&self) -> Result<bool, Failure> {
        let clock = self.billing.clock(self.hold.tenant).await?;
        let Some(target) = clock.target else { return Ok(false) };
        let next = self.work.next_due(self.hold.tenant, clock.floor, target).await?;
        match next.or((clock.floor < target).then_some(target)) {
            Some(next) => self.step(clock.floor, next).await,
            None => self.arrive().await,
        }
    }

    async fn step(&self, from: Timestamp, to: Timestamp) -> Result<bool, Failure> {
        let tx = self.begin().await?;
        let (_, lease_end) = self.lease();
        let stepped = clocks::step(&tx, self.hold, to, lease_end).await?;
        if stepped {
            self.tell(&tx, from, to).await?;
        }
        tx.commit().await?;
        Ok(stepped)
    }

    /// Has caches ask again for the passes that end on the way or soon after: they compare what was
    /// the real time of it, and the clock has been moved or has stood since.
    async fn tell(&self, tx: &TenantTx, from: Timestamp, to: Timestamp) -> Result<(), Failure> {
        let ends = passes::ending(tx, from, to.plus(SOON)).await?;
        changes::record_all(tx, &self.billing.env, ends.into_iter().map(Change::Chat)).await?;
        Ok(())
    }

    async fn arrive(&self) -> Result<bool, Failure> {
        let tx = self.begin().await?;
        let clock = clocks::lock(&tx).await?;
        let (now, lease_end) = self.lease();
        if clocks::extend(&tx, self.hold, lease_end).await? {
            clocks::set(&tx, clock.arrived(now)).await?;
            self.tell(&tx, clock.floor, clock.floor).await?;
        }
        tx.commit().await?;
        Ok(false)
    }

    async fn extend(&self) -> Result<bool, Failure> {
        let tx = self.begin().await?;
        let (_, lease_end) = self.lease();
        let extended = clocks::extend(&tx, self.hold, lease_end).await?;
        tx.commit().await?;
        Ok(extended)
    }

    /// Now, and until when the clock is held from now on.
    fn lease(&self) -> (Timestamp, Timestamp) {
        let now = self.billing.env.now();
        (now, now.plus(LEASE))
    }

    async fn begin(&self) -> Result<TenantTx, Failure> {
        let db = self.billing.db.tenant(TenantClaim::of_peer(self.hold.tenant));
        Ok(db.begin().await?)
    }
}
