//! Subscriptions from the first payment to the end, on one node and two.

use std::time::Duration;

use futures::future::join_all;
use plasma_billing::ports::Terms;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use sea_orm::ConnectionTrait;
use tonic::Status;

use crate::books::audit;
use crate::harness::{Caller, World, accept, amount, fresh, reason};
use crate::offers::{consent_within, every_days, monthly, time_pass, with_grace, with_trial};

const PRICE: i64 = 500;
const DAY: Duration = Duration::from_hours(24);

/// A platform that sells 30 days, a payer with money for so many periods, and a chat.
struct Shop {
    world: World,
    tenant: TenantId,
    ann: UserId,
    bob: UserId,
    chat: ChatId,
    key: Caller,
    device: Caller,
}

impl Shop {
    async fn open(world: World, price: pb::PublishPriceRequest, periods: i64) -> Self {
        let tenant = world.tenant(false, 1_000);
        let (ann, bob) = (world.user(tenant), world.user(tenant));
        let chat = world.chat((tenant, ann), (tenant, bob));
        let (key, device) = (world.key(0, tenant), world.device(0, tenant, ann));
        key.publish(price).await;
        if periods > 0 {
            key.credit(ann, "EUR", PRICE * periods).await;
        }
        Self { world, tenant, ann, bob, chat, key, device }
    }

    async fn subscribe(&self) -> pb::Subscription {
        let quote = self.device.quote(self.chat).await;
        let request = pb::PurchaseAccessRequest {
            request_id: fresh("subscribe"),
            chat_id: self.chat.to_string(),
            accepted_price: Some(accept(&quote)),
            extend: false,
        };
        let answer = self.device.access.clone().purchase_access(request).await.unwrap();
        answer.into_inner().subscription.unwrap()
    }

    /// Has every node do what is due, several times at once.
    async fn work_off(&self) -> u64 {
        let nodes = (0..6).map(|n| &self.world.node(n).billing);
        let done = join_all(nodes.map(plasma_billing::Billing::work_off)).await;
        done.into_iter().map(Result::unwrap).sum()
    }

    async fn after(&self, time: Duration) -> u64 {
        self.world.pass_time(time);
        self.work_off().await
    }

    async fn subscription(&self) -> pb::Subscription {
        let request = pb::ListSubscriptionsRequest::default();
        let listed = self.device.access.clone().list_subscriptions(request).await.unwrap();
        listed.into_inner().subscriptions.remove(0)
    }

    async fn state(&self) -> pb::SubscriptionState {
        self.subscription().await.state()
    }

    async fn is_open(&self) -> bool {
        self.world.nodes[0].billing.active_pass(self.chat).await.unwrap().is_some()
    }

    async fn charges(&self) -> i64 {
        self.world.count("SELECT COUNT(*) FROM charges").await
    }

    async fn cancel(&self) -> Result<pb::Subscription, Status> {
        let subscription_id = self.subscription().await.subscription_id;
        let request =
            pb::CancelSubscriptionRequest { request_id: fresh("cancel"), subscription_id };
        let answer = self.device.access.clone().cancel_subscription(request).await?;
        Ok(answer.into_inner().subscription.unwrap())
    }

    async fn undo(&self) -> Result<pb::Subscription, Status> {
        let subscription_id = self.subscription().await.subscription_id;
        let request = pb::UndoCancellationRequest { request_id: fresh("undo"), subscription_id };
        let answer = self.device.access.clone().undo_cancellation(request).await?;
        Ok(answer.into_inner().subscription.unwrap())
    }

    async fn accept_change(&self) -> Result<pb::Subscription, Status> {
        let subscription = self.subscription().await;
        let change = subscription.price_change.unwrap();
        let quote = pb::Quote { price_id: change.price_id, terms: change.terms };
        let request = pb::AcceptPriceChangeRequest {
            request_id: fresh("accept"),
            subscription_id: subscription.subscription_id,
            accepted_price: Some(accept(&quote)),
        };
        let answer = self.device.access.clone().accept_price_change(request).await?;
        Ok(answer.into_inner().subscription.unwrap())
    }

    fn set_terms(&self, change: impl FnOnce(&mut Terms)) {
        self.world.change_terms(self.tenant, change);
    }
}

async fn a_period_is_renewed_once_on_any_number_of_nodes(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 12).await;
    let begun = shop.subscribe().await;
    assert_eq!((begun.periods_paid, begun.state()), (1, pb::SubscriptionState::Active));
    assert_eq!(shop.after(29 * DAY).await, 0);
    for period in 2..=5 {
        assert_eq!(shop.after(if period == 2 { DAY } else { 30 * DAY }).await, 1);
        assert_eq!(shop.charges().await, period);
        assert!(shop.is_open().await);
    }
    assert_eq!(shop.key.balance(shop.ann, "EUR").await, PRICE * 7);
    assert_eq!(shop.subscription().await.periods_paid, 5);
    audit(&shop.world).await;
}

async fn after_downtime_each_period_that_was_due_is_charged_once(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 7), 100).await;
    shop.subscribe().await;
    shop.after(73 * DAY).await;
    assert_eq!(shop.charges().await, 1 + 10);
    assert!(shop.is_open().await);
    assert_eq!(shop.work_off().await, 0);
    let gaps = "SELECT COUNT(*) FROM subscription_periods p WHERE NOT EXISTS (SELECT 1 FROM \
                subscription_periods n WHERE n.start_at = p.end_at)";
    assert_eq!(shop.world.count(gaps).await, 1, "periods follow each other without a gap");
    audit(&shop.world).await;
}

async fn a_period_that_was_paid_is_not_charged_again_whatever_the_subscription_says(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 10).await;
    shop.subscribe().await;
    assert_eq!(shop.after(30 * DAY).await, 1);
    // As if an old backup of the one table had been put back.
    let back = format!(
        "UPDATE subscriptions SET next_period = 1, periods_paid = 1, \
         period_end_at = period_end_at - {0}, due_at = due_at - {0}",
        (30 * DAY).as_micros()
    );
    shop.world.nodes[0].db.for_migrations().execute_unprepared(&back).await.unwrap();
    assert_eq!(shop.work_off().await, 0);
    assert_eq!(shop.charges().await, 2);
    assert_eq!(shop.key.balance(shop.ann, "EUR").await, PRICE * 8);
    audit(&shop.world).await;
}

async fn an_empty_wallet_has_grace_and_a_credit_renews_at_once(world: World) {
    let price = with_grace(every_days("EUR", PRICE, 30), 3 * DAY);
    let shop = Shop::open(world, price, 1).await;
    shop.subscribe().await;
    shop.after(30 * DAY).await;
    assert_eq!(shop.state().await, pb::SubscriptionState::PastDue);
    assert!(shop.is_open().await, "the grace keeps the chat open");
    assert_eq!(shop.charges().await, 1);
    shop.key.credit(shop.ann, "EUR", PRICE - 1).await;
    assert_eq!(shop.work_off().await, 0, "not yet enough");
    shop.key.credit(shop.ann, "EUR", 1).await;
    assert_eq!(shop.work_off().await, 1, "no time has passed");
    let paid = shop.subscription().await;
    assert_eq!((paid.state(), paid.periods_paid), (pb::SubscriptionState::Active, 2));
    assert_eq!(paid.grace_end_time, None);
    // The period counts from when it was due, not from when it was paid.
    let anchor = paid.anchor_time.unwrap().seconds;
    assert_eq!(paid.period_end_time.unwrap().seconds - anchor, 60 * 24 * 60 * 60);
    audit(&shop.world).await;
}

async fn after_the_grace_the_chat_is_closed_and_a_payment_opens_it_at_once(world: World) {
    let price = with_grace(every_days("EUR", PRICE, 30), 3 * DAY);
    let shop = Shop::open(world, price, 1).await;
    let first = shop.subscribe().await;
    shop.after(30 * DAY).await;
    shop.after(3 * DAY).await;
    assert_eq!(shop.state().await, pb::SubscriptionState::Lapsed);
    assert!(!shop.is_open().await);
    shop.after(60 * DAY).await;
    shop.key.credit(shop.ann, "EUR", PRICE * 3).await;
    assert_eq!(shop.work_off().await, 0, "a lapsed subscription charges nobody by itself");
    let again = shop.subscribe().await;
    assert_ne!(again.subscription_id, first.subscription_id);
    assert!(shop.is_open().await);
    assert_eq!(shop.charges().await, 2);
    assert_eq!(shop.after(30 * DAY).await, 1);
    audit(&shop.world).await;
}

async fn without_grace_it_lapses_at_once(world: World) {
    let price = with_grace(every_days("EUR", PRICE, 30), Duration::ZERO);
    let shop = Shop::open(world, price, 1).await;
    shop.subscribe().await;
    shop.after(30 * DAY + Duration::from_mins(5)).await;
    assert_eq!(shop.state().await, pb::SubscriptionState::Lapsed);
    assert!(!shop.is_open().await);
}

async fn a_cancelled_subscription_keeps_its_period_and_can_be_undone(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 10).await;
    shop.subscribe().await;
    assert!(shop.cancel().await.unwrap().cancel_at_period_end);
    assert!(shop.cancel().await.unwrap().cancel_at_period_end, "twice changes nothing");
    assert!(!shop.undo().await.unwrap().cancel_at_period_end);
    assert_eq!(shop.after(30 * DAY).await, 1);
    shop.cancel().await.unwrap();
    assert_eq!(shop.after(29 * DAY).await, 0);
    assert!(shop.is_open().await);
    assert_eq!(shop.after(2 * DAY).await, 0);
    assert_eq!(shop.state().await, pb::SubscriptionState::Ended);
    assert!(!shop.is_open().await);
    assert_eq!(reason(&shop.undo().await.unwrap_err()), "SUBSCRIPTION_ENDED");
    assert_eq!(reason(&shop.cancel().await.unwrap_err()), "SUBSCRIPTION_ENDED");
    assert_eq!(shop.charges().await, 2);
    audit(&shop.world).await;
}

async fn cancelling_while_it_is_renewed_is_never_lost(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 1), 100).await;
    shop.subscribe().await;
    shop.world.pass_time(20 * DAY);
    let (renewed, cancelled) = tokio::join!(shop.work_off(), shop.cancel());
    assert!(renewed <= 20);
    assert!(cancelled.unwrap().cancel_at_period_end);
    let charges = shop.charges().await;
    shop.after(40 * DAY).await;
    assert_eq!(shop.state().await, pb::SubscriptionState::Ended);
    assert_eq!(shop.charges().await, charges, "nothing is charged after the cancellation");
    audit(&shop.world).await;
}

async fn a_lower_price_is_the_subscribers_and_a_higher_one_needs_consent(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 100).await;
    let mut spent = PRICE;
    shop.subscribe().await;
    shop.key.publish(every_days("EUR", PRICE - 100, 30)).await;
    shop.after(30 * DAY).await;
    spent += PRICE - 100;
    assert_eq!(shop.subscription().await.price_change, None);
    // Dearer, without a time for consent: the old price stays for as long as one likes.
    shop.key.publish(every_days("EUR", PRICE + 100, 30)).await;
    shop.after(30 * DAY).await;
    spent += PRICE - 100;
    let change = shop.subscription().await.price_change.unwrap();
    assert_eq!((change.accepted, change.consent_deadline), (false, None));
    assert!(shop.accept_change().await.unwrap().price_change.unwrap().accepted);
    shop.after(30 * DAY).await;
    spent += PRICE + 100;
    assert_eq!(shop.subscription().await.price_change, None);
    assert_eq!(shop.key.balance(shop.ann, "EUR").await, PRICE * 100 - spent);
    audit(&shop.world).await;
}

async fn who_does_not_consent_in_time_loses_the_subscription_and_not_the_period(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 100).await;
    shop.subscribe().await;
    shop.key.publish(consent_within(every_days("EUR", PRICE * 2, 30), 40 * DAY)).await;
    assert_eq!(shop.after(30 * DAY).await, 1, "the time for consent runs: the old price");
    let change = shop.subscription().await.price_change.unwrap();
    assert!(change.consent_deadline.is_some());
    assert_eq!(shop.after(29 * DAY).await, 0);
    assert!(shop.is_open().await);
    shop.after(2 * DAY).await;
    assert_eq!(shop.state().await, pb::SubscriptionState::Ended);
    assert_eq!(shop.key.balance(shop.ann, "EUR").await, PRICE * 98);
    let late = shop.accept_stale().await;
    assert_eq!(reason(&late.unwrap_err()), "SUBSCRIPTION_ENDED");
}

async fn consent_is_to_the_very_price(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 100).await;
    shop.subscribe().await;
    let refused = shop.accept_stale().await.unwrap_err();
    assert_eq!(reason(&refused), "PRICE_CHANGED", "there is nothing to accept");
    shop.key.publish(every_days("EUR", PRICE + 100, 30)).await;
    shop.accept_change().await.unwrap();
    // A later, dearer one was never accepted.
    shop.key.publish(every_days("EUR", PRICE + 500, 30)).await;
    shop.after(30 * DAY).await;
    assert_eq!(shop.key.balance(shop.ann, "EUR").await, PRICE * 98);
}

async fn what_becomes_free_is_paid_no_longer(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 10).await;
    shop.subscribe().await;
    shop.set_terms(|terms| terms.free = true);
    assert_eq!(shop.after(31 * DAY).await, 0);
    assert_eq!(shop.state().await, pb::SubscriptionState::Ended);
    assert!(shop.is_open().await);
    assert_eq!(shop.charges().await, 1);
}

async fn nobody_pays_for_a_chat_that_is_blocked_or_a_platform_that_is_suspended(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 10).await;
    shop.subscribe().await;
    shop.set_terms(|terms| terms.suspended = true);
    assert_eq!(shop.after(90 * DAY).await, 0);
    assert_eq!(shop.state().await, pb::SubscriptionState::Active);
    shop.set_terms(|terms| terms.suspended = false);
    assert_eq!(shop.after(Duration::from_hours(1)).await, 1, "from the resumption on, one period");
    let (ann, bob) = ((shop.tenant, shop.ann), (shop.tenant, shop.bob));
    shop.world.set_blocked(shop.chat, ann, bob);
    assert_eq!(shop.after(30 * DAY).await, 0);
    assert_eq!(shop.state().await, pb::SubscriptionState::Ended);
    audit(&shop.world).await;
}

async fn a_trial_that_converts_is_charged_at_its_end(world: World) {
    let week = 7 * 24 * 60 * 60;
    let price = with_trial(monthly("EUR", PRICE, 1), week, true);
    let shop = Shop::open(world, price, 2).await;
    let begun = shop.subscribe().await;
    assert_eq!((begun.state(), begun.periods_paid), (pb::SubscriptionState::Trialing, 0));
    assert_eq!(shop.charges().await, 0);
    assert!(shop.is_open().await);
    assert_eq!(shop.after(6 * DAY).await, 0);
    assert_eq!(shop.after(DAY).await, 1);
    let paid = shop.subscription().await;
    assert_eq!((paid.state(), paid.periods_paid), (pb::SubscriptionState::Active, 1));
    // One trial for a payer and a recipient: the next quote offers none.
    shop.cancel().await.unwrap();
    shop.after(40 * DAY).await;
    assert!(!shop.is_open().await);
    let quote = shop.device.quote(shop.chat).await;
    assert_eq!(quote.terms.as_ref().unwrap().trial, None);
    let mut request = crate::harness::purchase(&fresh("again"), shop.chat, &quote);
    request.accepted_price.as_mut().unwrap().trial = true;
    let refused = shop.device.access.clone().purchase_access(request).await.unwrap_err();
    assert_eq!(reason(&refused), "PRICE_CHANGED");
    audit(&shop.world).await;
}

async fn a_trial_that_does_not_convert_ends_and_asks(world: World) {
    let week = 7 * 24 * 60 * 60;
    let shop = Shop::open(world, with_trial(time_pass("EUR", PRICE, 60), week, false), 1).await;
    let quote = shop.device.quote(shop.chat).await;
    let pass = shop.device.buy(shop.chat, &quote).await.unwrap();
    assert_eq!((pass.kind(), pass.amount), (pb::PassKind::Trial, None));
    shop.after(7 * DAY).await;
    assert!(!shop.is_open().await);
    assert_eq!(shop.charges().await, 0);
    let quote = shop.device.quote(shop.chat).await;
    let pass = shop.device.buy(shop.chat, &quote).await.unwrap();
    assert_eq!(pass.kind(), pb::PassKind::Paid);
}

async fn a_trial_is_given_once_however_many_ask_at_once(world: World) {
    let price = with_trial(time_pass("EUR", PRICE, 60), 3_600, false);
    let shop = Shop::open(world, price, 0).await;
    let (tenant, ann, bob) = (shop.tenant, shop.ann, shop.bob);
    // Two chats of the same two would be one trial all the same.
    let chats: Vec<_> = (0..8).map(|_| shop.world.chat((tenant, ann), (tenant, bob))).collect();
    let quote = shop.device.quote(shop.chat).await;
    let asked = join_all(chats.iter().enumerate().map(|(n, chat)| {
        let (device, quote) = (shop.world.device(n, tenant, ann), quote.clone());
        async move { device.buy(*chat, &quote).await }
    }))
    .await;
    let given = asked.iter().filter(|asked| asked.is_ok()).count();
    assert_eq!(given, 1);
    for refused in asked.iter().filter_map(|asked| asked.as_ref().err()) {
        assert_eq!(reason(refused), "PRICE_CHANGED");
    }
    assert_eq!(shop.world.count("SELECT COUNT(*) FROM passes").await, 1);
}

async fn time_passes_are_stacked(world: World) {
    let day = 24 * 60 * 60;
    let shop = Shop::open(world, time_pass("EUR", PRICE, day), 5).await;
    let quote = shop.device.quote(shop.chat).await;
    let first = shop.device.buy(shop.chat, &quote).await.unwrap();
    let again = shop.device.buy(shop.chat, &quote).await.unwrap();
    assert_eq!(again, first, "a pass in force is the answer");
    let mut request = crate::harness::purchase(&fresh("extend"), shop.chat, &quote);
    request.extend = true;
    let mut access = shop.device.access.clone();
    let second = access.purchase_access(request.clone()).await.unwrap().into_inner().pass.unwrap();
    let same = access.purchase_access(request).await.unwrap().into_inner().pass.unwrap();
    assert_eq!(same, second, "a retry of the extension");
    assert_eq!(second.start_time, first.expire_time);
    assert_eq!(shop.charges().await, 2);
    shop.after(DAY + DAY / 2).await;
    assert!(shop.is_open().await);
    shop.after(DAY).await;
    assert!(!shop.is_open().await);
}

async fn accounts_of_other_platforms_pay_and_are_seen_by_their_own(world: World) {
    let shop = Shop::open(world, every_days("EUR", PRICE, 30), 0).await;
    let abroad = shop.world.tenant(false, 0);
    let eve = shop.world.user(abroad);
    let chat = shop.world.chat((abroad, eve), (shop.tenant, shop.bob));
    let (bank, device) = (shop.world.key(0, abroad), shop.world.device(0, abroad, eve));
    bank.credit(eve, "EUR", PRICE * 2).await;
    device.buy(chat, &device.quote(chat).await).await.unwrap();
    shop.after(30 * DAY).await;
    assert_eq!(shop.charges().await, 2);
    assert_eq!(bank.balance(eve, "EUR").await, 0);
    let mine = |caller: &Caller| {
        let mut access = caller.access.clone();
        async move {
            let request = pb::ListSubscriptionsRequest::default();
            access.list_subscriptions(request).await.unwrap().into_inner().subscriptions.len()
        }
    };
    assert_eq!(mine(&device).await, 1, "the payer's");
    assert_eq!(mine(&shop.key).await, 1, "the seller's");
    assert_eq!(mine(&bank).await, 0, "not the payer's platform's");
    assert_eq!(mine(&shop.device).await, 0, "nobody else's");
    // Past due, and renewed by a credit at the other platform.
    shop.after(30 * DAY).await;
    bank.credit(eve, "EUR", PRICE).await;
    assert_eq!(shop.work_off().await, 1);
    audit(&shop.world).await;
}

impl Shop {
    /// Accepts the price that the subscription has.
    async fn accept_stale(&self) -> Result<pb::Subscription, Status> {
        let subscription = self.subscription().await;
        let request = pb::AcceptPriceChangeRequest {
            request_id: fresh("accept"),
            subscription_id: subscription.subscription_id,
            accepted_price: Some(pb::AcceptedPrice {
                price_id: subscription.price_id,
                amount: Some(amount("EUR", PRICE)),
                trial: false,
            }),
        };
        let answer = self.device.access.clone().accept_price_change(request).await?;
        Ok(answer.into_inner().subscription.unwrap())
    }
}

crate::on_both_databases! {
    a_period_is_renewed_once_on_any_number_of_nodes,
    after_downtime_each_period_that_was_due_is_charged_once,
    a_period_that_was_paid_is_not_charged_again_whatever_the_subscription_says,
    an_empty_wallet_has_grace_and_a_credit_renews_at_once,
    after_the_grace_the_chat_is_closed_and_a_payment_opens_it_at_once,
    without_grace_it_lapses_at_once,
    a_cancelled_subscription_keeps_its_period_and_can_be_undone,
    cancelling_while_it_is_renewed_is_never_lost,
    a_lower_price_is_the_subscribers_and_a_higher_one_needs_consent,
    who_does_not_consent_in_time_loses_the_subscription_and_not_the_period,
    consent_is_to_the_very_price,
    what_becomes_free_is_paid_no_longer,
    nobody_pays_for_a_chat_that_is_blocked_or_a_platform_that_is_suspended,
    a_trial_that_converts_is_charged_at_its_end,
    a_trial_that_does_not_convert_ends_and_asks,
    a_trial_is_given_once_however_many_ask_at_once,
    time_passes_are_stacked,
    accounts_of_other_platforms_pay_and_are_seen_by_their_own,
}
