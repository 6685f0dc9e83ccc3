//! What is sold in a sandbox, whose clock is moved: periods are charged at their moments, passes
//! end at theirs, and caches hear of it.

use std::sync::Arc;
use std::time::Duration;

use plasma_billing::clock::advance_until;
use plasma_billing::domain::calendar::{Period, Zone, period_start};
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::{Timestamp, convert};
use plasma_proto::billing::v1 as pb;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{World, fresh};
use crate::offers::{monthly, time_pass};

const DAY: Duration = Duration::from_hours(24);

/// Ann pays Bob for a chat in a sandbox, from a wallet of 100 EUR.
struct Sale {
    tenant: TenantId,
    ann: UserId,
    chat: ChatId,
    pass: pb::Pass,
}

async fn sell(world: &World, price: pb::PublishPriceRequest) -> Sale {
    let tenant = world.sandbox();
    let (ann, bob) = (world.user(tenant), world.user(tenant));
    let (key, chat) = (world.key(0, tenant), world.chat((tenant, ann), (tenant, bob)));
    key.publish(price).await;
    key.credit(ann, "EUR", 10_000).await;
    let device = world.device(1, tenant, ann);
    let pass = device.buy(chat, &device.quote(chat).await).await.unwrap();
    Sale { tenant, ann, chat, pass }
}

/// Lets every node move clocks.
fn moves(world: &World) -> Vec<JoinHandle<()>> {
    let move_on = |n| {
        let billing = world.node(n).billing.clone();
        advance_until(billing.clone(), Arc::new(billing), CancellationToken::new())
    };
    (0..world.nodes.len()).map(|n| tokio::spawn(move_on(n))).collect()
}

async fn advance(world: &World, tenant: TenantId, to: Timestamp) {
    let mut clock = world.key(0, tenant).clock;
    let time = Some(convert::timestamp(to));
    let request = pb::AdvanceClockRequest { request_id: fresh("advance"), time };
    clock.advance_clock(request).await.unwrap();
    let give_up = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        let answer = clock.get_clock(pb::GetClockRequest {}).await.unwrap().into_inner();
        if answer.clock.unwrap().state() == pb::ClockState::Ready {
            return;
        }
        assert!(tokio::time::Instant::now() < give_up, "the clock still moves");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn charges_at(world: &World, time: Timestamp) -> i64 {
    world.count(&format!("SELECT count(*) FROM charges WHERE created_at = {}", time.0)).await
}

async fn a_year_of_a_subscription_is_charged_month_by_month(world: World) {
    let nodes = moves(&world);
    let sale = sell(&world, monthly("EUR", 500, 1)).await;
    let began = convert::moment(sale.pass.start_time.as_ref().unwrap());
    let month = |n| period_start(began, &Zone::utc(), Period::Months(1), n).unwrap();
    advance(&world, sale.tenant, month(12).plus(DAY)).await;
    // Each at the very moment at which its month began.
    for n in 0..=12 {
        assert_eq!(charges_at(&world, month(n)).await, 1, "month {n}");
    }
    assert_eq!(world.count("SELECT count(*) FROM charges").await, 13);
    let balance = world.key(0, sale.tenant).balance(sale.ann, "EUR").await;
    assert_eq!(balance, 10_000 - 13 * 500);
    let pass = world.node(1).billing.pass_in_force(sale.chat).await.unwrap().unwrap();
    assert_eq!(pass.start, month(12));
    // Renewals are granted some minutes in which to come.
    let over = pass.expire.unwrap().0 - month(13).0;
    assert!((0..=plasma_kit::env::micros(Duration::from_hours(1))).contains(&over), "{over}");
    nodes.iter().for_each(JoinHandle::abort);
}

async fn a_sandbox_ahead_of_the_real_time_renews_by_its_own(world: World) {
    let nodes = moves(&world);
    let sale = sell(&world, monthly("EUR", 500, 1)).await;
    let began = convert::moment(sale.pass.start_time.as_ref().unwrap());
    let due = period_start(began, &Zone::utc(), Period::Months(1), 1).unwrap();
    advance(&world, sale.tenant, due.minus(DAY)).await;
    assert_eq!(world.node(0).billing.work_off().await.unwrap(), 0);
    // By the real time, the first month is far from over.
    world.pass_time(DAY + Duration::from_mins(1));
    assert_eq!(world.node(0).billing.work_off().await.unwrap(), 1);
    assert_eq!(world.count("SELECT count(*) FROM charges").await, 2);
    nodes.iter().for_each(JoinHandle::abort);
}

async fn a_pass_ends_by_the_sandboxs_clock_and_caches_hear_of_it(world: World) {
    let nodes = moves(&world);
    let sale = sell(&world, time_pass("EUR", 500, 30 * 86_400)).await;
    let ends = convert::moment(sale.pass.expire_time.as_ref().unwrap());
    let billing = &world.node(1).billing;
    let left = async || {
        let real = billing.in_real_time(sale.tenant, ends).await.unwrap();
        real.0 - world.env.now().0
    };
    let days = |days: u32| plasma_kit::env::micros(DAY * days);
    let told = async || world.count("SELECT count(*) FROM changes").await;
    let minute = plasma_kit::env::micros(Duration::from_mins(1));
    assert!((left().await - days(30)).abs() < minute);

    let before = told().await;
    advance(&world, sale.tenant, ends.minus(DAY * 10)).await;
    assert!((left().await - days(10)).abs() < minute);
    assert!(billing.pass_in_force(sale.chat).await.unwrap().is_some());
    assert_eq!(told().await, before, "the pass does not end for days");

    // A pass that ends in a moment is told of, since its end by the real time has changed.
    advance(&world, sale.tenant, ends.minus(Duration::from_mins(5))).await;
    assert!(billing.pass_in_force(sale.chat).await.unwrap().is_some());
    assert!(told().await > before);
    let before = told().await;
    advance(&world, sale.tenant, ends).await;
    assert!(billing.pass_in_force(sale.chat).await.unwrap().is_none());
    assert!(left().await <= 0);
    assert!(told().await > before);
    nodes.iter().for_each(JoinHandle::abort);
}

crate::on_both_databases!(
    a_year_of_a_subscription_is_charged_month_by_month,
    a_sandbox_ahead_of_the_real_time_renews_by_its_own,
    a_pass_ends_by_the_sandboxs_clock_and_caches_hear_of_it,
);
