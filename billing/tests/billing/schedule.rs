//! Prices that take effect later, and those that are withdrawn before.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use plasma_kit::Timestamp;
use plasma_kit::convert::timestamp;
use plasma_kit::ids::PriceId;
use plasma_proto::billing::v1 as pb;
use tonic::{Code, Status};

use crate::harness::{Caller, World, fresh, metadata, reason};
use crate::offers::{effective, for_recipient, free, monthly, unlock};

const HOUR: Duration = Duration::from_hours(1);

async fn withdraw(key: &Caller, price_id: &str) -> Result<pb::Price, Status> {
    let (request_id, price_id) = (fresh("withdraw"), price_id.to_owned());
    let request = pb::WithdrawPriceRequest { request_id, price_id };
    Ok(key.pricing.clone().withdraw_price(request).await?.into_inner().price.unwrap())
}

async fn get(key: &Caller, price_id: &str) -> pb::Price {
    let request = pb::GetPriceRequest { price_id: price_id.to_owned() };
    key.pricing.clone().get_price(request).await.unwrap().into_inner().price.unwrap()
}

/// The price that would be in force at a moment.
async fn at(key: &Caller, moment: Timestamp) -> String {
    let request = pb::ExplainPriceRequest { time: Some(timestamp(moment)), ..Default::default() };
    let explained = key.pricing.clone().explain_price(request).await.unwrap().into_inner();
    assert_eq!(explained.candidates[0].price_id, explained.quote.as_ref().unwrap().price_id);
    explained.quote.unwrap().price_id
}

async fn a_scheduled_price_takes_over_at_its_moment(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    let now = key.publish(unlock("EUR", 500)).await;
    let moment = world.env.now().plus(HOUR);
    let later = key.publish(effective(unlock("EUR", 700), moment)).await;
    assert_eq!((later.version, later.effective_time), (2, Some(timestamp(moment))));
    assert_eq!(get(&key, &now.price_id).await.supersede_time, later.effective_time);
    assert_eq!(at(&key, moment.minus(Duration::from_micros(1))).await, now.price_id);
    assert_eq!(at(&key, moment).await, later.price_id);
    key.credit(ann, "EUR", 10_000).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let device = world.device(1, tenant, ann);
    let seen = device.quote(chat).await;
    assert_eq!(seen.price_id, now.price_id);
    world.pass_time(2 * HOUR);
    let status = device.buy(chat, &seen).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "PRICE_CHANGED")
    );
    assert_eq!(metadata(&status, "price_id"), later.price_id);
    assert_eq!(key.balance(ann, "EUR").await, 10_000);
    device.buy(chat, &device.quote(chat).await).await.unwrap();
    assert_eq!(key.balance(ann, "EUR").await, 9_300);
}

async fn one_in_force_at_once_does_not_undo_the_schedule(world: World) {
    let tenant = world.tenant(false, 0);
    let key = world.key(0, tenant);
    let (soon, late) = (world.env.now().plus(HOUR), world.env.now().plus(2 * HOUR));
    let last = key.publish(effective(unlock("EUR", 300), late)).await;
    let next = key.publish(effective(unlock("EUR", 200), soon)).await;
    // Past moments are now.
    let first = key.publish(effective(unlock("EUR", 100), Timestamp(0))).await;
    assert_eq!([last.version, next.version, first.version], [1, 2, 3]);
    assert_eq!(first.effective_time, first.create_time);
    assert_eq!(at(&key, world.env.now()).await, first.price_id);
    assert_eq!(at(&key, soon).await, next.price_id);
    assert_eq!(at(&key, late).await, last.price_id);
    assert_eq!(get(&key, &first.price_id).await.supersede_time, next.effective_time);
    assert_eq!(get(&key, &next.price_id).await.supersede_time, last.effective_time);
    // Of two for the same moment the later counts.
    let instead = key.publish(effective(free(), late)).await;
    assert_eq!(at(&key, late).await, instead.price_id);
    // Published at once after the moment of the last, it follows it.
    world.pass_time(3 * HOUR);
    let newest = key.publish(unlock("EUR", 400)).await;
    assert_eq!(at(&key, world.env.now()).await, newest.price_id);
}

async fn a_withdrawn_price_never_counts(world: World) {
    let tenant = world.tenant(false, 0);
    let (bob, key) = (world.user(tenant), world.key(0, tenant));
    let now = key.publish(unlock("EUR", 500)).await;
    let moment = world.env.now().plus(HOUR);
    let later = key.publish(effective(unlock("EUR", 700), moment)).await;
    let own = key.publish(for_recipient(effective(monthly("EUR", 900, 1), moment), bob)).await;
    let withdrawn = withdraw(&key, &later.price_id).await.unwrap();
    assert!(withdrawn.withdraw_time.is_some());
    assert_eq!(pb::Price { withdraw_time: None, ..withdrawn.clone() }, later);
    assert_eq!(get(&key, &later.price_id).await, withdrawn);
    // Once more changes nothing, at the other node either.
    assert_eq!(withdraw(&world.key(1, tenant), &later.price_id).await.unwrap(), withdrawn);
    assert_eq!(get(&key, &now.price_id).await.supersede_time, None);
    assert_eq!(at(&key, moment).await, now.price_id);
    world.pass_time(2 * HOUR);
    assert_eq!(at(&key, world.env.now()).await, now.price_id);
    // What has taken effect is there to stay, but for another version.
    for price in [&now, &own] {
        let refused = withdraw(&key, &price.price_id).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "PRICE_IN_EFFECT")
        );
    }
    assert_eq!(get(&key, &own.price_id).await.withdraw_time, None);
    let next = key.publish(unlock("EUR", 600)).await;
    assert_eq!((next.version, at(&key, world.env.now()).await), (3, next.price_id));
    // Another tenant's is as absent.
    let stranger = world.key(0, world.tenant(false, 0));
    let absent = PriceId(world.env.uuid()).to_string();
    let answers = [
        withdraw(&stranger, &later.price_id).await.unwrap_err(),
        withdraw(&stranger, &absent).await.unwrap_err(),
    ];
    assert_eq!(answers[0].code(), Code::NotFound);
    assert_eq!(answers[0].details(), answers[1].details());
}

async fn withdrawing_again_with_the_same_key_has_the_same_answer(world: World) {
    let tenant = world.tenant(false, 0);
    let key = world.key(0, tenant);
    let later = key.publish(effective(unlock("EUR", 1), world.env.now().plus(HOUR))).await;
    let request = pb::WithdrawPriceRequest { request_id: fresh("again"), price_id: later.price_id };
    let withdraw = async |n| {
        let mut pricing = world.key(n, tenant).pricing;
        pricing.withdraw_price(request.clone()).await.unwrap().into_inner()
    };
    let answers = join_all((0..8).map(withdraw)).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    world.pass_time(2 * HOUR);
    assert_eq!(withdraw(1).await, answers[0]);
    assert_eq!(world.count("SELECT COUNT(*) FROM price_withdrawals").await, 1);
    let other = key.publish(unlock("EUR", 1)).await.price_id;
    let changed = pb::WithdrawPriceRequest { price_id: other, ..request };
    let status = key.pricing.clone().withdraw_price(changed).await.unwrap_err();
    assert_eq!(reason(&status), "IDEMPOTENCY_KEY_REUSED");
}

async fn parallel_publishers_of_now_and_later_leave_no_gap(world: World) {
    let tenant = world.tenant(false, 0);
    let start = world.env.now();
    let prices = join_all((0..32_u32).map(|n| {
        let key = world.key(usize::try_from(n).unwrap(), tenant);
        let price = unlock("EUR", i64::from(n) + 1);
        let price = if n % 2 == 0 { price } else { effective(price, start.plus(n * HOUR)) };
        async move { key.publish(price).await }
    }))
    .await;
    let versions: HashSet<i64> = prices.iter().map(|price| price.version).collect();
    assert_eq!(versions, (1..=32).collect());
    // Of those in force at once, the one with the greatest number is.
    let key = world.key(0, tenant);
    let at_once = prices.iter().filter(|price| price.effective_time == price.create_time);
    let newest = at_once.max_by_key(|price| price.version).unwrap();
    assert_eq!(at(&key, world.env.now()).await, newest.price_id);
    assert_eq!(at(&key, start.plus(31 * HOUR)).await, prices[31].price_id);
}

async fn a_price_takes_effect_within_two_years(world: World) {
    let tenant = world.tenant(false, 0);
    let key = world.key(0, tenant);
    let far = world.env.now().plus(Duration::from_hours(24 * 740));
    let refused = key.pricing.clone().publish_price(effective(unlock("EUR", 1), far)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(metadata(&refused, "field"), "effective_time");
    key.publish(effective(unlock("EUR", 1), far.minus(Duration::from_hours(24 * 20)))).await;
}

crate::on_both_databases!(
    a_scheduled_price_takes_over_at_its_moment,
    one_in_force_at_once_does_not_undo_the_schedule,
    a_withdrawn_price_never_counts,
    withdrawing_again_with_the_same_key_has_the_same_answer,
    parallel_publishers_of_now_and_later_leave_no_gap,
    a_price_takes_effect_within_two_years,
);
