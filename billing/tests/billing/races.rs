//! Parallel calls over one node or two.

use std::collections::HashSet;

use futures::future::join_all;
use plasma_proto::billing::v1 as pb;

use crate::books::audit;
use crate::harness::{World, credit, fresh, metadata, purchase, reason};
use crate::offers::{time_pass, unlock};

const PARALLEL: usize = 64;
const PRICE: i64 = 500;

async fn a_wallet_that_affords_half_pays_for_exactly_half(world: World) {
    let tenant = world.tenant(false, 1_000);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    key.publish(unlock("EUR", PRICE)).await;
    key.credit(ann, "EUR", PRICE * 32).await;
    let chats: Vec<_> =
        (0..PARALLEL).map(|_| world.chat((tenant, ann), (tenant, world.user(tenant)))).collect();
    let quote = world.device(0, tenant, ann).quote(chats[0]).await;
    let bought = join_all(chats.iter().enumerate().map(|(n, chat)| {
        let (device, quote) = (world.device(n, tenant, ann), quote.clone());
        async move { device.buy(*chat, &quote).await }
    }))
    .await;
    let refused: Vec<_> = bought.iter().filter_map(|bought| bought.as_ref().err()).collect();
    assert_eq!(refused.len(), 32);
    for status in refused {
        assert_eq!(reason(status), "PAYMENT_REQUIRED");
        assert_eq!(metadata(status, "available_minor_units"), "0");
        assert_eq!(metadata(status, "required_minor_units"), PRICE.to_string());
    }
    assert_eq!(key.balance(ann, "EUR").await, 0);
    assert_eq!(world.count("SELECT COUNT(*) FROM passes").await, 32);
    for (chat, bought) in chats.iter().zip(&bought) {
        let pass = world.nodes[0].billing.active_pass(*chat).await.unwrap();
        assert_eq!(pass.as_ref(), bought.as_ref().ok());
    }
    audit(&world).await;
}

async fn one_chat_bought_many_times_at_once_is_charged_once(world: World) {
    let tenant = world.tenant(false, 1_000);
    let (ann, bob) = (world.user(tenant), world.user(tenant));
    let key = world.key(0, tenant);
    key.publish(unlock("EUR", PRICE)).await;
    // Both can pay, so that neither wallet serialises the purchases.
    key.credit(ann, "EUR", PRICE * 64).await;
    key.credit(bob, "EUR", PRICE * 64).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let quote = world.device(0, tenant, ann).quote(chat).await;
    let passes = join_all((0..PARALLEL).map(|n| {
        let payer = if n % 3 == 0 { bob } else { ann };
        let (device, quote) = (world.device(n, tenant, payer), quote.clone());
        async move { device.buy(chat, &quote).await.unwrap() }
    }))
    .await;
    assert!(passes.iter().all(|pass| *pass == passes[0]));
    assert_eq!(world.count("SELECT COUNT(*) FROM charges").await, 1);
    let left = key.balance(ann, "EUR").await + key.balance(bob, "EUR").await;
    assert_eq!(left, PRICE * 127);
    audit(&world).await;
}

async fn one_chat_that_the_wallet_affords_once_has_equal_answers(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob) = (world.user(tenant), world.user(tenant));
    let key = world.key(0, tenant);
    key.publish(unlock("EUR", PRICE)).await;
    key.credit(ann, "EUR", PRICE).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let quote = world.device(0, tenant, ann).quote(chat).await;
    // Half through the RPC, half as messaging opens chats: the same function.
    let passes = join_all((0..PARALLEL).map(|n| {
        let (device, quote) = (world.device(n, tenant, ann), quote.clone());
        let billing = world.node(n / 2).billing.clone();
        let purchase = World::purchase(chat, (tenant, ann), (tenant, bob), &quote);
        async move {
            if n % 2 == 0 {
                device.buy(chat, &quote).await.unwrap()
            } else {
                billing.purchase(purchase).await.unwrap()
            }
        }
    }))
    .await;
    assert!(passes.iter().all(|pass| *pass == passes[0]));
    assert_eq!(key.balance(ann, "EUR").await, 0);
    audit(&world).await;
}

async fn a_purchase_takes_the_place_of_one_that_was_refused(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob) = (world.user(tenant), world.user(tenant));
    let key = world.key(0, tenant);
    key.publish(unlock("EUR", PRICE)).await;
    key.credit(ann, "EUR", PRICE).await;
    for _ in 0..8 {
        let chat = world.chat((tenant, ann), (tenant, bob));
        let quote = world.device(0, tenant, ann).quote(chat).await;
        // Bob has no money, Ann has: whoever comes first, the chat is open in the end.
        let outcomes = join_all((0..8).map(|n| {
            let payer = if n == 7 { ann } else { bob };
            let (device, quote) = (world.device(n, tenant, payer), quote.clone());
            async move { (payer == ann, device.buy(chat, &quote).await) }
        }))
        .await;
        for (can_pay, outcome) in outcomes {
            match outcome {
                Ok(pass) => assert_eq!(pass.payer_user_id, ann.to_string()),
                Err(status) => {
                    assert!(!can_pay, "{status:?}");
                    assert_eq!(reason(&status), "PAYMENT_REQUIRED");
                }
            }
        }
        assert!(world.nodes[0].billing.active_pass(chat).await.unwrap().is_some());
        key.credit(ann, "EUR", PRICE).await;
    }
    audit(&world).await;
}

async fn identical_requests_have_one_effect_and_one_answer(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, request_id) = (world.user(tenant), fresh("same"));
    let answers = join_all((0..50).map(|n| {
        let mut wallet = world.key(n, tenant).wallet;
        let request = credit(&request_id, ann, "EUR", 700);
        async move { wallet.credit_wallet(request).await.unwrap().into_inner() }
    }))
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let changed = join_all((0..50).map(|n| {
        let mut wallet = world.key(n, tenant).wallet;
        let request = credit(&request_id, ann, "EUR", 701);
        async move { wallet.credit_wallet(request).await.unwrap_err() }
    }))
    .await;
    assert!(changed.iter().all(|status| reason(status) == "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(world.key(0, tenant).balance(ann, "EUR").await, 700);
    audit(&world).await;
}

async fn identical_purchases_have_one_effect_and_one_answer(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob) = (world.user(tenant), world.user(tenant));
    let key = world.key(0, tenant);
    key.publish(time_pass("EUR", PRICE, 60)).await;
    key.credit(ann, "EUR", PRICE * 50).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let quote = world.device(0, tenant, ann).quote(chat).await;
    let request = purchase(&fresh("same"), chat, &quote);
    let buy = async |n: usize| {
        let mut access = world.device(n, tenant, ann).access;
        access.purchase_access(request.clone()).await.unwrap().into_inner()
    };
    let answers = join_all((0..50).map(buy)).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    // Long after the pass has ended, the same request still buys nothing more.
    world.pass_time(std::time::Duration::from_hours(1));
    assert_eq!(buy(1).await, answers[0]);
    assert_eq!(key.balance(ann, "EUR").await, PRICE * 49);
    audit(&world).await;
}

async fn parallel_publishers_get_versions_without_a_gap(world: World) {
    let tenant = world.tenant(false, 0);
    let prices = join_all((0..32).map(|n| {
        let key = world.key(n, tenant);
        async move { key.publish(unlock("EUR", PRICE)).await }
    }))
    .await;
    let versions: HashSet<i64> = prices.iter().map(|price| price.version).collect();
    assert_eq!(versions, (1..=32).collect());
}

async fn movements_of_one_wallet_in_parallel_leave_a_chain_of_balances(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    key.credit(ann, "EUR", 1_000).await;
    join_all((0..PARALLEL).map(|n| {
        let mut wallet = world.key(n, tenant).wallet;
        let id = fresh("move");
        async move {
            if n % 2 == 0 {
                wallet.credit_wallet(credit(&id, ann, "EUR", 7)).await.map(|_| ())
            } else {
                wallet.debit_wallet(crate::harness::debit(&id, ann, "EUR", 5)).await.map(|_| ())
            }
            .unwrap();
        }
    }))
    .await;
    let request = pb::ListWalletEntriesRequest {
        user_id: ann.to_string(),
        currency_code: "EUR".to_owned(),
        page_size: 200,
        ..Default::default()
    };
    let entries = key.wallet.clone().list_wallet_entries(request).await.unwrap().into_inner();
    let mut balance = 0;
    for entry in entries.entries.iter().rev() {
        balance += entry.minor_units;
        assert_eq!(entry.balance_after_minor_units, balance);
    }
    assert_eq!((entries.entries.len(), balance), (PARALLEL + 1, 1_000 + 32 * 7 - 32 * 5));
    audit(&world).await;
}

crate::on_both_databases!(
    a_wallet_that_affords_half_pays_for_exactly_half,
    one_chat_bought_many_times_at_once_is_charged_once,
    one_chat_that_the_wallet_affords_once_has_equal_answers,
    a_purchase_takes_the_place_of_one_that_was_refused,
    identical_requests_have_one_effect_and_one_answer,
    identical_purchases_have_one_effect_and_one_answer,
    parallel_publishers_get_versions_without_a_gap,
    movements_of_one_wallet_in_parallel_leave_a_chain_of_balances,
);
