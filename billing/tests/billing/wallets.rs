//! Credits, debits, balances and entries.

use plasma_proto::billing::v1 as pb;
use sea_orm::ConnectionTrait;
use tonic::Code;

use crate::books::audit;
use crate::harness::{World, amount, credit, debit, fresh, metadata, reason};

const MAX: i64 = 1_000_000_000_000_000;

async fn money_goes_in_and_out_and_the_entries_say_so(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    let mut wallet = key.wallet.clone();
    let credited = wallet.credit_wallet(credit(&fresh("in"), ann, "EUR", 900)).await.unwrap();
    let credited = credited.into_inner();
    let held = credited.wallet.clone().unwrap();
    assert_eq!(
        (held.balance, held.available),
        (Some(amount("EUR", 900)), Some(amount("EUR", 900)))
    );
    let debited = wallet.debit_wallet(debit(&fresh("out"), ann, "EUR", 400)).await.unwrap();
    let debited = debited.into_inner();
    assert_eq!(debited.wallet.as_ref().unwrap().balance, Some(amount("EUR", 500)));
    assert_eq!(debited.wallet.unwrap().wallet_id, held.wallet_id);
    key.credit(ann, "JPY", 3).await;

    let ask = |page_token: String| pb::ListWalletEntriesRequest {
        user_id: String::new(),
        currency_code: "EUR".to_owned(),
        page_size: 1,
        page_token,
    };
    // A device sees its own wallet without naming itself.
    let mut device = world.device(1, tenant, ann).wallet;
    let newest = device.list_wallet_entries(ask(String::new())).await.unwrap().into_inner();
    let oldest = device.list_wallet_entries(ask(newest.next_page_token.clone())).await.unwrap();
    let oldest = oldest.into_inner();
    let (out, into) = (&newest.entries[0], &oldest.entries[0]);
    assert_eq!((out.minor_units, out.balance_after_minor_units), (-400, 500));
    assert_eq!((out.kind(), out.reference.as_str()), (pb::WalletEntryKind::Debit, "a payout"));
    assert_eq!(out.transaction_id, debited.transaction_id);
    assert_eq!((into.minor_units, into.balance_after_minor_units), (900, 900));
    assert_eq!((into.kind(), into.reference.as_str()), (pb::WalletEntryKind::Credit, "a payment"));
    assert_eq!(into.transaction_id, credited.transaction_id);
    assert_eq!(oldest.next_page_token, "");
    audit(&world).await;
}

async fn a_debit_that_is_not_covered_moves_nothing_and_stays_refused(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    let mut wallet = key.wallet.clone();
    let nothing = wallet.debit_wallet(debit(&fresh("out"), ann, "EUR", 1)).await.unwrap_err();
    assert_eq!(
        (nothing.code(), reason(&nothing).as_str()),
        (Code::FailedPrecondition, "INSUFFICIENT_FUNDS")
    );
    assert_eq!(world.count("SELECT COUNT(*) FROM ledger_accounts").await, 0);
    key.credit(ann, "EUR", 10).await;
    let request = debit(&fresh("out"), ann, "EUR", 11);
    let refused = wallet.debit_wallet(request.clone()).await.unwrap_err();
    assert_eq!(metadata(&refused, "available_minor_units"), "10");
    assert_eq!(metadata(&refused, "required_minor_units"), "11");
    assert_eq!(metadata(&refused, "currency_code"), "EUR");
    key.credit(ann, "EUR", 10).await;
    // The same key has the same answer, byte for byte; a new one goes through.
    let again = wallet.debit_wallet(request.clone()).await.unwrap_err();
    assert_eq!(again.details(), refused.details());
    let request = pb::DebitWalletRequest { request_id: fresh("out"), ..request };
    wallet.debit_wallet(request).await.unwrap();
    assert_eq!(key.balance(ann, "EUR").await, 9);
    audit(&world).await;
}

async fn money_moves_once_even_after_the_answer_is_forgotten(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    let mut wallet = key.wallet.clone();
    let request = credit(&fresh("once"), ann, "EUR", 900);
    let first = wallet.credit_wallet(request.clone()).await.unwrap().into_inner();
    let payout = debit(&fresh("once"), ann, "EUR", 100);
    let paid = wallet.debit_wallet(payout.clone()).await.unwrap().into_inner();
    let forget = async || {
        let conn = world.nodes[0].db.for_migrations();
        let deleted = conn.execute_unprepared("DELETE FROM idempotency_keys").await.unwrap();
        assert!(deleted.rows_affected() > 0);
    };
    forget().await;
    assert_eq!(wallet.credit_wallet(request.clone()).await.unwrap().into_inner(), first);
    assert_eq!(wallet.debit_wallet(payout).await.unwrap().into_inner(), paid);
    forget().await;
    let others = [
        pb::CreditWalletRequest { user_id: bob.to_string(), ..request.clone() },
        pb::CreditWalletRequest { amount: Some(amount("EUR", 901)), ..request.clone() },
        pb::CreditWalletRequest { amount: Some(amount("JPY", 900)), ..request.clone() },
        pb::CreditWalletRequest { reference: String::new(), ..request.clone() },
    ];
    for other in others {
        let refused = wallet.credit_wallet(other).await.unwrap_err();
        assert_eq!(reason(&refused), "IDEMPOTENCY_KEY_REUSED");
    }
    // Those attempts did not take the key away from the request that has it.
    assert_eq!(wallet.credit_wallet(request).await.unwrap().into_inner(), first);
    assert_eq!(key.balance(ann, "EUR").await, 800);
    audit(&world).await;
}

async fn a_wallet_has_a_greatest_balance(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    assert_eq!(key.credit(ann, "EUR", MAX).await, MAX);
    let full = key.wallet.clone().credit_wallet(credit(&fresh("in"), ann, "EUR", 1)).await;
    let full = full.unwrap_err();
    assert_eq!((full.code(), reason(&full).as_str()), (Code::ResourceExhausted, "LIMIT_REACHED"));
    assert_eq!(metadata(&full, "limit"), "balance");
    assert_eq!(key.balance(ann, "EUR").await, MAX);
    audit(&world).await;
}

async fn bad_amounts_are_refused_and_leave_no_row(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    let bad = [
        ("EUR", 0, "amount.minor_units"),
        ("EUR", -1, "amount.minor_units"),
        ("EUR", i64::MIN, "amount.minor_units"),
        ("EUR", MAX + 1, "amount.minor_units"),
        ("EUR", i64::MAX, "amount.minor_units"),
        ("eur", 1, "amount.currency_code"),
        ("ZZZ", 1, "amount.currency_code"),
        ("XAU", 1, "amount.currency_code"),
        ("EU", 1, "amount.currency_code"),
        ("", 1, "amount.currency_code"),
    ];
    for (code, minor_units, field) in bad {
        let mut wallet = key.wallet.clone();
        let credited = wallet.credit_wallet(credit(&fresh("bad"), ann, code, minor_units)).await;
        let debited = wallet.debit_wallet(debit(&fresh("bad"), ann, code, minor_units)).await;
        for status in [credited.unwrap_err(), debited.unwrap_err()] {
            assert_eq!(status.code(), Code::InvalidArgument, "{code} {minor_units}");
            assert_eq!(metadata(&status, "field"), field);
        }
    }
    for table in ["idempotency_keys", "ledger_accounts", "ledger_transactions"] {
        assert_eq!(world.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(key.credit(ann, "EUR", 1).await, 1);
}

async fn anothers_wallet_answers_as_an_absent_one(world: World) {
    let (tenant, other) = (world.tenant(false, 0), world.tenant(false, 0));
    let (ann, bob, eve) = (world.user(tenant), world.user(tenant), world.user(other));
    let (key, ann_device) = (world.key(0, tenant), world.device(0, tenant, ann));
    key.credit(ann, "EUR", 5).await;
    key.credit(bob, "EUR", 5).await;
    world.key(0, other).credit(eve, "EUR", 5).await;
    assert_eq!(ann_device.balance(ann, "EUR").await, 5);
    let absent = plasma_kit::ids::UserId(world.env.uuid());
    let mut answers = Vec::new();
    for (caller, user) in
        [(&key, eve), (&key, absent), (&ann_device, bob), (&ann_device, eve), (&ann_device, absent)]
    {
        let (user_id, currency_code) = (user.to_string(), "EUR".to_owned());
        let get =
            pb::GetWalletRequest { user_id: user_id.clone(), currency_code: currency_code.clone() };
        answers.push(caller.wallet.clone().get_wallet(get).await.unwrap_err());
        let list = pb::ListWalletEntriesRequest { user_id, currency_code, ..Default::default() };
        answers.push(caller.wallet.clone().list_wallet_entries(list).await.unwrap_err());
    }
    for user in [eve, absent] {
        let mut wallet = key.wallet.clone();
        answers.push(wallet.credit_wallet(credit(&fresh("in"), user, "EUR", 1)).await.unwrap_err());
        answers.push(wallet.debit_wallet(debit(&fresh("out"), user, "EUR", 1)).await.unwrap_err());
    }
    for answer in &answers {
        assert_eq!(answer.code(), Code::NotFound);
        assert_eq!(answer.details(), answers[0].details());
    }
    // A platform must name the user; a page token works only for the wallet that gave it.
    let nobody = pb::GetWalletRequest { currency_code: "EUR".to_owned(), ..Default::default() };
    let status = key.wallet.clone().get_wallet(nobody).await.unwrap_err();
    assert_eq!(metadata(&status, "field"), "user_id");
    key.credit(ann, "EUR", 5).await;
    let list = |user: plasma_kit::ids::UserId, page_token: String| pb::ListWalletEntriesRequest {
        user_id: user.to_string(),
        currency_code: "EUR".to_owned(),
        page_size: 1,
        page_token,
    };
    let page = key.wallet.clone().list_wallet_entries(list(ann, String::new())).await.unwrap();
    let token = page.into_inner().next_page_token;
    assert!(key.wallet.clone().list_wallet_entries(list(ann, token.clone())).await.is_ok());
    let stolen = key.wallet.clone().list_wallet_entries(list(bob, token)).await.unwrap_err();
    assert_eq!(metadata(&stolen, "field"), "page_token");
}

async fn a_wallet_that_never_held_money_is_empty_and_has_no_id(world: World) {
    let tenant = world.tenant(false, 0);
    let ann = world.user(tenant);
    let request =
        pb::GetWalletRequest { user_id: ann.to_string(), currency_code: "KWD".to_owned() };
    let wallet = world.key(0, tenant).wallet.get_wallet(request).await.unwrap().into_inner();
    let wallet = wallet.wallet.unwrap();
    assert_eq!((wallet.wallet_id.as_str(), wallet.balance), ("", Some(amount("KWD", 0))));
    assert_eq!((wallet.user_id, wallet.available), (ann.to_string(), Some(amount("KWD", 0))));
}

crate::on_both_databases!(
    money_goes_in_and_out_and_the_entries_say_so,
    a_debit_that_is_not_covered_moves_nothing_and_stays_refused,
    money_moves_once_even_after_the_answer_is_forgotten,
    a_wallet_has_a_greatest_balance,
    bad_amounts_are_refused_and_leave_no_row,
    anothers_wallet_answers_as_an_absent_one,
    a_wallet_that_never_held_money_is_empty_and_has_no_id,
);
