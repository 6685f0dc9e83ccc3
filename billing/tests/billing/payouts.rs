//! What recipients earned and were paid.

use futures::future::join_all;
use plasma_kit::ids::{TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use sea_orm::ConnectionTrait;
use tonic::Status;

use crate::books::audit;
use crate::harness::{Caller, World, amount, fresh, metadata, reason};
use crate::offers::unlock;
use crate::tamper::findings;

fn payout(request_id: &str, recipient: UserId, minor_units: i64) -> pb::RecordPayoutRequest {
    pb::RecordPayoutRequest {
        request_id: request_id.to_owned(),
        recipient_user_id: recipient.to_string(),
        amount: Some(amount("EUR", minor_units)),
        reference: "a transfer".to_owned(),
        advance_minor_units: 0,
    }
}

async fn pay(caller: &Caller, request: pb::RecordPayoutRequest) -> Result<pb::Payout, Status> {
    Ok(caller.payout.clone().record_payout(request).await?.into_inner().payout.unwrap())
}

/// Recipient, earned, paid out, payable.
async fn earnings(caller: &Caller) -> Vec<(String, i64, i64, i64)> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request =
            pb::ListEarningsRequest { currency_code: "EUR".to_owned(), page_size: 1, page_token };
        let answer = caller.payout.clone().list_earnings(request).await.unwrap().into_inner();
        found.extend(answer.earnings.into_iter().map(|line| {
            let units =
                (line.earned_minor_units, line.paid_out_minor_units, line.payable_minor_units);
            (line.recipient_user_id, units.0, units.1, units.2)
        }));
        if answer.next_page_token.is_empty() {
            return found;
        }
        page_token = answer.next_page_token;
    }
}

/// A platform on which some recipients have each earned 400.
async fn earned(world: &World, recipients: usize) -> (TenantId, Vec<UserId>) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    key.publish(unlock("EUR", 500)).await;
    key.credit(ann, "EUR", 500 * i64::try_from(recipients).unwrap()).await;
    let mut users: Vec<UserId> = (0..recipients).map(|_| world.user(tenant)).collect();
    users.sort_unstable();
    for recipient in &users {
        let chat = world.chat((tenant, ann), (tenant, *recipient));
        let device = world.device(0, tenant, ann);
        device.buy(chat, &device.quote(chat).await).await.unwrap();
    }
    (tenant, users)
}

async fn a_recipient_is_paid_what_it_earned_and_no_more(world: World) {
    let (tenant, users) = earned(&world, 2).await;
    let (bob, cem) = (users[0], users[1]);
    let key = world.key(0, tenant);
    let lines = |bob_paid: i64| {
        vec![(bob.to_string(), 400, bob_paid, 400 - bob_paid), (cem.to_string(), 400, 0, 400)]
    };
    // The same whether what was earned is folded or waits.
    assert_eq!(earnings(&key).await, lines(0));
    world.nodes[0].billing.fold().await.unwrap();
    assert_eq!(earnings(&key).await, lines(0));

    let refused = pay(&key, payout(&fresh("pay"), bob, 401)).await.unwrap_err();
    assert_eq!(reason(&refused), "PAYOUT_EXCEEDS_EARNINGS");
    assert_eq!(metadata(&refused, "available_minor_units"), "400");
    let id = fresh("pay");
    let first = pay(&key, payout(&id, bob, 150)).await.unwrap();
    assert_eq!(pay(&key, payout(&id, bob, 150)).await.unwrap(), first);
    let other = pay(&key, payout(&id, bob, 151)).await.unwrap_err();
    assert_eq!(reason(&other), "IDEMPOTENCY_KEY_REUSED");
    // The answer is kept for a day and the key for ever.
    forget_answers(&world).await;
    assert_eq!(pay(&key, payout(&id, bob, 150)).await.unwrap(), first);
    forget_answers(&world).await;
    let other = pay(&key, payout(&id, cem, 150)).await.unwrap_err();
    assert_eq!(reason(&other), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(earnings(&key).await, lines(150));

    let second = pay(&key, payout(&fresh("pay"), bob, 250)).await.unwrap();
    let refused = pay(&key, payout(&fresh("pay"), bob, 1)).await.unwrap_err();
    assert_eq!(metadata(&refused, "available_minor_units"), "0");
    let advance =
        pb::RecordPayoutRequest { advance_minor_units: 10, ..payout(&fresh("pay"), bob, 10) };
    let third = pay(&key, advance).await.unwrap();
    assert_eq!(earnings(&key).await, lines(410));

    let list = |recipient_user_id: String| {
        let request = pb::ListPayoutsRequest { recipient_user_id, ..Default::default() };
        let mut client = key.payout.clone();
        async move { client.list_payouts(request).await.map(|answer| answer.into_inner().payouts) }
    };
    assert_eq!(list(String::new()).await.unwrap(), [third, second, first]);
    assert_eq!(list(cem.to_string()).await.unwrap(), []);
    let stranger = world.user(world.tenant(false, 0));
    assert_eq!(reason(&list(stranger.to_string()).await.unwrap_err()), "NOT_FOUND");
    let nobody = pay(&key, payout(&fresh("pay"), stranger, 1)).await.unwrap_err();
    assert_eq!(reason(&nobody), "NOT_FOUND");
    audit(&world).await;
}

/// What pruning does a day later.
async fn forget_answers(world: &World) {
    let conn = world.nodes[0].db.for_migrations();
    conn.execute_unprepared("DELETE FROM idempotency_keys").await.unwrap();
}

async fn payouts_at_once_pay_no_money_twice(world: World) {
    let (tenant, users) = earned(&world, 1).await;
    let folding = async {
        for _ in 0..10 {
            world.nodes[0].billing.fold().await.unwrap();
        }
    };
    // 32 payouts of 25 over two nodes, and 400 that was earned: exactly half of them.
    let paid = join_all((0..32).map(|n| {
        let (key, bob) = (world.key(n, tenant), users[0]);
        async move { pay(&key, payout(&fresh("pay"), bob, 25)).await }
    }));
    let paid = tokio::join!(paid, folding).0;
    let refused: Vec<_> = paid.iter().filter_map(|paid| paid.as_ref().err()).collect();
    assert!(refused.iter().all(|status| reason(status) == "PAYOUT_EXCEEDS_EARNINGS"));
    assert_eq!(refused.len(), 16);
    let line = (users[0].to_string(), 400, 400, 0);
    assert_eq!(earnings(&world.key(0, tenant)).await, [line]);
    audit(&world).await;
    // What is kept of payouts is what was posted, or the verifier says so.
    let run = async |sql: &str| {
        let conn = world.nodes[0].db.for_migrations();
        conn.execute_unprepared(sql).await.unwrap();
        let found = findings(&world, None).await;
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = run("UPDATE ledger_payables SET paid_out = paid_out - 25").await;
    assert!(found.len() == 1 && found[0].contains("is paid out"), "{found:#?}");
    assert_eq!(run("UPDATE ledger_payables SET paid_out = paid_out + 25").await, [""; 0]);
}

crate::on_both_databases!(
    a_recipient_is_paid_what_it_earned_and_no_more,
    payouts_at_once_pay_no_money_twice,
);
