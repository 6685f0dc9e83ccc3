//! Refunds: the original split the other way, in every book that the charge stands in.

use futures::future::join_all;
use plasma_kit::ids::{TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::Status;

use crate::books::audit;
use crate::harness::{Caller, World, amount, fresh, metadata, reason};
use crate::offers::{every_days, shared, time_pass, unlock};

const PRICE: i64 = 999;

/// A charge of 9.99 by a payer of one platform for a recipient of another, or the same.
struct Sold {
    world: World,
    seller: TenantId,
    payer: (TenantId, UserId),
    charge: pb::Charge,
    key: Caller,
    bank: Caller,
}

async fn sold(world: World, price: pb::PublishPriceRequest, abroad: bool) -> Sold {
    let seller = world.tenant(false, 1_000);
    let home = if abroad { world.tenant(false, 0) } else { seller };
    let (eve, bob) = (world.user(home), world.user(seller));
    let chat = world.chat((home, eve), (seller, bob));
    let (key, bank) = (world.key(0, seller), world.key(0, home));
    key.publish(price).await;
    bank.credit(eve, "EUR", PRICE).await;
    let device = world.device(0, home, eve);
    device.buy(chat, &device.quote(chat).await).await.unwrap();
    let listed = key.statement.clone().list_charges(pb::ListChargesRequest::default()).await;
    let charge = listed.unwrap().into_inner().charges.remove(0);
    Sold { world, seller, payer: (home, eve), charge, key, bank }
}

impl Sold {
    fn request(&self, part: Option<i64>) -> pb::RefundChargeRequest {
        pb::RefundChargeRequest {
            request_id: fresh("refund"),
            charge_id: self.charge.charge_id.clone(),
            amount: part.map(|part| amount("EUR", part)),
            end_access: false,
            reference: "a complaint".to_owned(),
        }
    }

    async fn refund(&self, request: pb::RefundChargeRequest) -> Result<pb::Refund, Status> {
        let answer = self.key.access.clone().refund_charge(request).await?;
        Ok(answer.into_inner().refund.unwrap())
    }

    async fn balance(&self) -> i64 {
        self.bank.balance(self.payer.1, "EUR").await
    }

    async fn is_open(&self) -> bool {
        let chat = plasma_kit::ids::ChatId::checked(&self.charge.chat_id);
        self.world.nodes[0].billing.active_pass(chat).await.unwrap().is_some()
    }
}

/// What is left on each account of a platform, in minor units; nothing where all is 0.
async fn left(caller: &Caller) -> Vec<(pb::AccountPurpose, i64)> {
    let lines = caller.statement("EUR").await;
    let lines = lines.iter().map(|line| (line.purpose(), line.closing_minor_units));
    lines.filter(|(_, closing)| *closing != 0).collect()
}

async fn a_whole_refund_leaves_only_the_money_that_came_in(world: World) {
    whole(world, false).await;
}

async fn between_platforms_a_whole_refund_leaves_no_debt(world: World) {
    whole(world, true).await;
}

async fn whole(world: World, abroad: bool) {
    let sold = sold(world, shared(unlock("EUR", PRICE), 8_000), abroad).await;
    let refund = sold.refund(sold.request(None)).await.unwrap();
    let parts = [
        (refund.operator_minor_units, sold.charge.operator_minor_units),
        (refund.recipient_minor_units, sold.charge.recipient_minor_units),
        (refund.platform_minor_units, sold.charge.platform_minor_units),
    ];
    assert!(parts.iter().all(|(given, had)| given == had), "{parts:?}");
    assert_eq!((refund.amount, refund.refunded_minor_units), (Some(amount("EUR", PRICE)), PRICE));
    assert_eq!(sold.balance().await, PRICE);
    let (wallets, funding) = (pb::AccountPurpose::Wallets, pb::AccountPurpose::Funding);
    assert_eq!(left(&sold.bank).await, [(wallets, PRICE), (funding, -PRICE)]);
    if abroad {
        assert_eq!(left(&sold.key).await, [], "nobody owes anybody anything");
    }
    assert!(sold.is_open().await, "access stays where it is not ended");
    let reversed = "SELECT COUNT(*) FROM ledger_transactions WHERE reverses_id IS NOT NULL";
    assert_eq!(sold.world.count(reversed).await, if abroad { 2 } else { 1 });
    audit(&sold.world).await;
}

async fn parts_add_up_to_the_charge_and_not_a_unit_more(world: World) {
    let sold = sold(world, shared(unlock("EUR", PRICE), 3_333), true).await;
    let (mut operator, mut recipient, mut platform) = (0, 0, 0);
    for part in [1, 2, 498, 7, 333] {
        let refund = sold.refund(sold.request(Some(part))).await.unwrap();
        operator += refund.operator_minor_units;
        recipient += refund.recipient_minor_units;
        platform += refund.platform_minor_units;
        assert_eq!(operator + recipient + platform, refund.refunded_minor_units);
    }
    let refused = sold.refund(sold.request(Some(159))).await.unwrap_err();
    assert_eq!(reason(&refused), "REFUND_EXCEEDS_CHARGE");
    assert_eq!(metadata(&refused, "left_minor_units"), "158");
    let rest = sold.refund(sold.request(None)).await.unwrap();
    let charge = &sold.charge;
    assert_eq!(operator + rest.operator_minor_units, charge.operator_minor_units);
    assert_eq!(recipient + rest.recipient_minor_units, charge.recipient_minor_units);
    assert_eq!(platform + rest.platform_minor_units, charge.platform_minor_units);
    let refused = sold.refund(sold.request(None)).await.unwrap_err();
    assert_eq!(reason(&refused), "REFUND_EXCEEDS_CHARGE");
    let request = pb::ListRefundsRequest { page_size: 4, ..Default::default() };
    let page = sold.key.access.clone().list_refunds(request).await.unwrap().into_inner();
    assert_eq!(page.refunds.len(), 4);
    assert_eq!(page.refunds[0], rest);
    let request = pb::ListRefundsRequest { page_token: page.next_page_token, ..Default::default() };
    let page = sold.key.access.clone().list_refunds(request).await.unwrap().into_inner();
    assert_eq!(page.refunds.len(), 2);
    audit(&sold.world).await;
}

async fn parallel_refunds_give_back_what_was_paid_and_no_more(world: World) {
    let sold = sold(world, unlock("EUR", PRICE), true).await;
    let asked = join_all((0..20).map(|n| {
        let (request, key) = (sold.request(Some(111)), sold.world.key(n, sold.seller));
        async move { key.access.clone().refund_charge(request).await }
    }))
    .await;
    assert_eq!(asked.iter().filter(|asked| asked.is_ok()).count(), 9);
    for refused in asked.iter().filter_map(|asked| asked.as_ref().err()) {
        assert_eq!(reason(refused), "REFUND_EXCEEDS_CHARGE");
    }
    assert_eq!(sold.balance().await, PRICE);
    audit(&sold.world).await;
}

async fn one_request_gives_back_once(world: World) {
    let sold = sold(world, unlock("EUR", PRICE), false).await;
    let request = sold.request(Some(100));
    let answers = join_all((0..50).map(|n| {
        let (request, key) = (request.clone(), sold.world.key(n, sold.seller));
        async move { key.access.clone().refund_charge(request).await.unwrap().into_inner() }
    }))
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(sold.balance().await, 100);
    let other = pb::RefundChargeRequest { amount: Some(amount("EUR", 101)), ..request };
    assert_eq!(reason(&sold.refund(other).await.unwrap_err()), "IDEMPOTENCY_KEY_REUSED");
    audit(&sold.world).await;
}

async fn ending_access_ends_the_pass_and_the_subscription(world: World) {
    let sold = sold(world, every_days("EUR", PRICE, 30), false).await;
    let request = pb::RefundChargeRequest { end_access: true, ..sold.request(None) };
    assert!(sold.refund(request).await.unwrap().ended_access);
    assert!(!sold.is_open().await);
    let request = pb::ListSubscriptionsRequest::default();
    let listed = sold.key.access.clone().list_subscriptions(request).await.unwrap().into_inner();
    assert_eq!(listed.subscriptions[0].state(), pb::SubscriptionState::Ended);
    // The money is back and nothing takes it again.
    assert_eq!(sold.world.nodes[0].billing.work_off().await.unwrap(), 0);
    assert_eq!(sold.balance().await, PRICE);
    audit(&sold.world).await;
}

async fn a_stacked_pass_moves_up_where_the_one_before_it_ends(world: World) {
    let day = 24 * 60 * 60;
    let sold = sold(world, time_pass("EUR", PRICE, day), false).await;
    sold.bank.credit(sold.payer.1, "EUR", PRICE).await;
    let device = sold.world.device(0, sold.payer.0, sold.payer.1);
    let chat = plasma_kit::ids::ChatId::checked(&sold.charge.chat_id);
    let quote = device.quote(chat).await;
    let mut request = crate::harness::purchase(&fresh("extend"), chat, &quote);
    request.extend = true;
    let second = device.access.clone().purchase_access(request).await.unwrap().into_inner();
    let request = pb::RefundChargeRequest { end_access: true, ..sold.request(None) };
    sold.refund(request).await.unwrap();
    let pass = sold.world.nodes[0].billing.active_pass(chat).await.unwrap().unwrap();
    assert_eq!(pass.pass_id, second.pass.as_ref().unwrap().pass_id);
    let moved =
        second.pass.unwrap().expire_time.unwrap().seconds - pass.expire_time.unwrap().seconds;
    assert!((day - 60..=day).contains(&moved), "{moved}");
}

async fn ending_a_pass_that_was_added_leaves_the_one_before_it(world: World) {
    let sold = sold(world, time_pass("EUR", PRICE, 24 * 60 * 60), false).await;
    sold.bank.credit(sold.payer.1, "EUR", PRICE * 2).await;
    let device = sold.world.device(0, sold.payer.0, sold.payer.1);
    let chat = plasma_kit::ids::ChatId::checked(&sold.charge.chat_id);
    let quote = device.quote(chat).await;
    let extend = async || {
        let mut request = crate::harness::purchase(&fresh("extend"), chat, &quote);
        request.extend = true;
        device.access.clone().purchase_access(request).await.unwrap().into_inner().pass.unwrap()
    };
    let second = extend().await;
    let charge_id = second.charge_id;
    let request = pb::RefundChargeRequest { charge_id, end_access: true, ..sold.request(None) };
    sold.refund(request).await.unwrap();
    assert!(sold.is_open().await, "the first pass is paid and runs");
    assert_eq!(extend().await.start_time, second.start_time, "one more begins where it ends");
    sold.world.pass_time(std::time::Duration::from_hours(36));
    assert!(sold.is_open().await);
    sold.world.pass_time(std::time::Duration::from_hours(13));
    assert!(!sold.is_open().await, "two days were paid and kept");
}

async fn only_the_seller_refunds_its_charges(world: World) {
    let sold = sold(world, unlock("EUR", PRICE), true).await;
    let request = sold.request(None);
    let refused = sold.bank.access.clone().refund_charge(request).await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_FOUND", "the payer's platform");
    let other = pb::RefundChargeRequest { amount: Some(amount("USD", 1)), ..sold.request(None) };
    assert_eq!(reason(&sold.refund(other).await.unwrap_err()), "INVALID_FIELD");
    assert_eq!(sold.balance().await, 0);
}

crate::on_both_databases! {
    between_platforms_a_whole_refund_leaves_no_debt,
    a_whole_refund_leaves_only_the_money_that_came_in,
    parts_add_up_to_the_charge_and_not_a_unit_more,
    parallel_refunds_give_back_what_was_paid_and_no_more,
    one_request_gives_back_once,
    ending_access_ends_the_pass_and_the_subscription,
    a_stacked_pass_moves_up_where_the_one_before_it_ends,
    ending_a_pass_that_was_added_leaves_the_one_before_it,
    only_the_seller_refunds_its_charges,
}
