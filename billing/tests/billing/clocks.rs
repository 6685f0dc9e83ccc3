//! The clocks of sandboxes: forward only, through every moment at which something is due, moved on
//! by another node where one fails.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plasma_billing::Billing;
use plasma_billing::clock::{Work, advance_until};
use plasma_kit::ids::TenantId;
use plasma_kit::status::{ErrorReason, Failure};
use plasma_kit::{Timestamp, convert};
use plasma_proto::billing::v1 as pb;
use plasma_proto::error_info::reason_of;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::harness::{Caller, World, fresh, metadata};

const DAY: Duration = Duration::from_hours(24);

/// Something is due in a month and every month after; says when it was done.
#[derive(Default)]
struct Monthly {
    due: Mutex<BTreeSet<Timestamp>>,
    done: Mutex<Vec<Timestamp>>,
    /// The number of the run that never ends; none where 0.
    hangs: AtomicUsize,
    runs: AtomicUsize,
    /// How many of the runs leave something over.
    leaves: AtomicUsize,
}

impl Monthly {
    fn from(first: Timestamp) -> Arc<Self> {
        Arc::new(Self { due: Mutex::new(BTreeSet::from([first])), ..Self::default() })
    }
}

/// A node's part in the work: it reads the node's time.
struct OnNode(Billing, Arc<Monthly>);

#[async_trait::async_trait]
impl Work for OnNode {
    async fn next_due(
        &self,
        _: TenantId,
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, Failure> {
        let due = self.1.due.lock().unwrap();
        Ok(due.iter().copied().find(|due| *due > after && *due <= until))
    }

    async fn run_due(&self, tenant: TenantId) -> Result<bool, Failure> {
        let (billing, work) = (&self.0, &self.1);
        let now = billing.now(tenant).await?;
        let run = work.runs.fetch_add(1, Ordering::SeqCst) + 1;
        if run == work.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let leaves = |left: usize| left.checked_sub(1);
        if work.leaves.fetch_update(Ordering::SeqCst, Ordering::SeqCst, leaves).is_ok() {
            return if run.is_multiple_of(2) { Ok(false) } else { Err(Failure::unavailable()) };
        }
        let mut due = work.due.lock().unwrap();
        while let Some(first) = due.first().copied().filter(|first| *first <= now) {
            due.remove(&first);
            due.insert(first.plus(DAY * 30));
            work.done.lock().unwrap().push(now);
        }
        Ok(true)
    }
}

/// Lets a node move clocks.
fn moves(world: &World, n: usize, work: &Arc<Monthly>) -> JoinHandle<()> {
    let billing = world.node(n).billing.clone();
    let work = Arc::new(OnNode(billing.clone(), Arc::clone(work)));
    tokio::spawn(advance_until(billing, work, CancellationToken::new()))
}

fn to(time: Timestamp) -> pb::AdvanceClockRequest {
    let time = Some(convert::timestamp(time));
    pb::AdvanceClockRequest { request_id: fresh("advance"), time }
}

async fn clock(caller: &Caller) -> pb::Clock {
    let answer = caller.clock.clone().get_clock(pb::GetClockRequest {}).await.unwrap();
    answer.into_inner().clock.unwrap()
}

async fn time(caller: &Caller) -> Timestamp {
    convert::moment(&clock(caller).await.time.unwrap())
}

async fn advance(caller: &Caller, time: Timestamp) -> Result<pb::Clock, Status> {
    let answer = caller.clock.clone().advance_clock(to(time)).await?;
    Ok(answer.into_inner().clock.unwrap())
}

/// Asks all callers in turn until the clock has arrived; it never goes back meanwhile.
async fn arrival(callers: &[Caller]) -> Timestamp {
    let mut before = Timestamp(i64::MIN);
    let give_up = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        for caller in callers {
            let clock = clock(caller).await;
            let shown = convert::moment(clock.time.as_ref().unwrap());
            assert!(shown >= before, "{shown:?} after {before:?}");
            before = shown;
            if clock.state() == pb::ClockState::Ready {
                assert_eq!(clock.target_time, None);
                return shown;
            }
        }
        assert!(tokio::time::Instant::now() < give_up, "the clock still moves");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until(condition: impl Fn() -> bool) {
    let give_up = tokio::time::Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(tokio::time::Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn refused(outcome: Result<pb::Clock, Status>, reason: ErrorReason) -> Status {
    let status = outcome.unwrap_err();
    assert_eq!(reason_of(&status), Some(reason), "{status:?}");
    status
}

async fn a_clock_is_moved_forward_and_runs_on(world: World) {
    let tenant = world.sandbox();
    let (key, other) = (world.key(0, tenant), world.key(1, tenant));
    let real = world.env.now();
    let at_first = clock(&key).await;
    assert_eq!(at_first.state(), pb::ClockState::Ready);
    assert!(convert::moment(&at_first.time.unwrap()) >= real);
    assert_eq!(at_first.ahead, Some(prost_types::Duration::default()));

    // Nothing moves it yet, so that the answer can be looked at.
    let target = real.plus(DAY * 400);
    let request = to(target);
    let mut calls = key.clock.clone();
    let began = calls.advance_clock(request.clone()).await.unwrap().into_inner();
    let moving = began.clock.unwrap();
    assert_eq!(moving.state(), pb::ClockState::Advancing);
    assert_eq!(moving.target_time, Some(convert::timestamp(target)));
    assert_eq!(clock(&other).await.time, moving.time, "it stands still");
    let status = refused(advance(&other, target.plus(DAY)).await, ErrorReason::ClockAdvancing);
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(metadata(&status, "target_time"), convert::timestamp(target).to_string());

    let work = Monthly::from(target.plus(DAY));
    let node = moves(&world, 1, &work);
    let arrived = arrival(&[key.clone(), other.clone()]).await;
    assert!(arrived >= target && arrived < target.plus(Duration::from_mins(1)));
    let again = calls.advance_clock(request.clone()).await.unwrap().into_inner();
    assert_eq!(again.clock, Some(moving), "the same request has the same answer");
    let body = pb::AdvanceClockRequest { time: Some(convert::timestamp(real)), ..request };
    let status = calls.advance_clock(body).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::IdempotencyKeyReused));

    // It runs on, ahead of the real time, on every node, for this sandbox alone.
    world.pass_time(DAY);
    assert!(time(&key).await >= target.plus(DAY) && time(&other).await >= target.plus(DAY));
    let ahead = convert::span(&clock(&key).await.ahead.unwrap());
    assert!(ahead > DAY * 399 && ahead <= DAY * 400, "{ahead:?}");
    assert!(world.node(1).billing.now(tenant).await.unwrap() >= target.plus(DAY));
    let others = world.node(0).billing.now(world.sandbox()).await.unwrap();
    assert!(others < real.plus(DAY * 2));
    advance(&key, target.plus(DAY * 2)).await.unwrap();
    assert!(arrival(&[key, other]).await >= target.plus(DAY * 2));
    node.abort();
}

async fn a_bad_target_is_refused_and_moves_nothing(world: World) {
    let tenant = world.sandbox();
    let key = world.key(0, tenant);
    let now = time(&key).await;
    let far = now.plus(DAY * 731 + Duration::from_mins(1));
    for bad in [now.minus(DAY), now, Timestamp(0), far, Timestamp(253_402_300_799_000_000)] {
        let status = refused(advance(&key, bad).await, ErrorReason::InvalidField);
        assert_eq!(metadata(&status, "field"), "time");
    }
    let none = pb::AdvanceClockRequest { request_id: fresh("advance"), time: None };
    let status = key.clock.clone().advance_clock(none).await.unwrap_err();
    assert_eq!(metadata(&status, "field"), "time");
    let clock = clock(&key).await;
    assert_eq!(clock.state(), pb::ClockState::Ready);
    assert!(convert::moment(&clock.time.unwrap()) < now.plus(Duration::from_mins(1)));
    advance(&key, now.plus(DAY * 731)).await.unwrap();
}

async fn a_live_tenant_has_no_clock(world: World) {
    let tenant = world.tenant(false, 0);
    let key = world.key(0, tenant);
    let status = key.clock.clone().get_clock(pb::GetClockRequest {}).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::SandboxOnly));
    let target = world.env.now().plus(DAY);
    let status = refused(advance(&key, target).await, ErrorReason::SandboxOnly);
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(world.count("SELECT count(*) FROM test_clocks").await, 0);
    let before = world.env.now();
    let now = world.node(0).billing.now(tenant).await.unwrap();
    assert!(now >= before && now <= world.env.now());
}

async fn of_parallel_calls_one_moves_the_clock(world: World) {
    let tenant = world.sandbox();
    let now = world.env.now();
    // The clock has a row, which a parallel call does not wait to insert.
    refused(advance(&world.key(0, tenant), now).await, ErrorReason::InvalidField);
    let calls = (0..12).map(|n: usize| {
        let (key, day) = (world.key(n, tenant), u32::try_from(n).unwrap() + 1);
        tokio::spawn(async move { advance(&key, now.plus(DAY * day)).await })
    });
    let mut won = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(clock) => won.push(clock.target_time),
            Err(status) => {
                assert_eq!(reason_of(&status), Some(ErrorReason::ClockAdvancing), "{status:?}");
            }
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(clock(&world.key(0, tenant)).await.target_time, won[0]);
}

async fn a_year_passes_through_every_moment_at_which_something_is_due(world: World) {
    let tenant = world.sandbox();
    let keys = [world.key(0, tenant), world.key(1, tenant)];
    let (real, first) = (world.env.now(), world.env.now().plus(DAY * 3));
    let work = Monthly::from(first);
    let nodes = [moves(&world, 0, &work), moves(&world, 1, &work)];
    advance(&keys[0], real.plus(DAY * 365)).await.unwrap();
    arrival(&keys).await;
    let months: Vec<_> = (0..13).map(|month| first.plus(DAY * 30 * month)).collect();
    assert_eq!(*work.done.lock().unwrap(), months);
    nodes.iter().for_each(JoinHandle::abort);
}

async fn another_node_goes_on_where_one_was_killed(world: World) {
    let tenant = world.sandbox();
    let keys = [world.key(0, tenant), world.key(1, tenant)];
    let (real, first) = (world.env.now(), world.env.now().plus(DAY));
    let work = Monthly::from(first);
    work.hangs.store(5, Ordering::SeqCst);
    let killed = moves(&world, 0, &work);
    advance(&keys[0], real.plus(DAY * 365)).await.unwrap();
    until(|| work.runs.load(Ordering::SeqCst) == 5).await;
    let stopped_at = time(&keys[1]).await;
    assert_eq!(stopped_at, first.plus(DAY * 90));

    // While the first holds the clock, the other leaves it alone.
    let other = moves(&world, 1, &work);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((work.runs.load(Ordering::SeqCst), time(&keys[1]).await), (5, stopped_at));
    killed.abort();
    world.pass_time(Duration::from_secs(20));
    arrival(&keys).await;
    let months: Vec<_> = (0..13).map(|month| first.plus(DAY * 30 * month)).collect();
    assert_eq!(*work.done.lock().unwrap(), months);
    other.abort();
}

async fn what_remains_due_keeps_the_clock_from_going_on(world: World) {
    let tenant = world.sandbox();
    let key = world.key(0, tenant);
    let (real, first) = (world.env.now(), world.env.now().plus(DAY));
    let work = Monthly::from(first);
    work.leaves.store(4, Ordering::SeqCst);
    let node = moves(&world, 0, &work);
    advance(&key, real.plus(DAY * 40)).await.unwrap();
    until(|| work.runs.load(Ordering::SeqCst) > 2).await;
    assert!(time(&key).await < first, "it waits for what is due where it stands");
    arrival(std::slice::from_ref(&key)).await;
    assert_eq!(*work.done.lock().unwrap(), [first, first.plus(DAY * 30)]);
    node.abort();
}

crate::on_both_databases!(
    a_clock_is_moved_forward_and_runs_on,
    a_bad_target_is_refused_and_moves_nothing,
    a_live_tenant_has_no_clock,
    of_parallel_calls_one_moves_the_clock,
    a_year_passes_through_every_moment_at_which_something_is_due,
    another_node_goes_on_where_one_was_killed,
    what_remains_due_keeps_the_clock_from_going_on,
);
