//! Quotes, purchases, passes, and what they leave in the books.

use std::collections::HashMap;
use std::time::Duration;

use plasma_kit::events::Event;
use plasma_kit::idempotency::Key;
use plasma_kit::ids::ChatId;
use plasma_proto::billing::v1 as pb;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::pb::Status as RpcStatus;

use crate::books::audit;
use crate::harness::{Caller, World, amount, fresh, metadata, purchase, reason};
use crate::offers::{free, time_pass, unlock};

/// Closings by purpose.
async fn closings(key: &Caller) -> HashMap<pb::AccountPurpose, i64> {
    let lines = key.statement("EUR").await;
    assert_eq!(lines.iter().map(|line| line.closing_minor_units).sum::<i64>(), 0);
    lines.iter().map(|line| (line.purpose(), line.closing_minor_units)).collect()
}

async fn a_purchase_opens_the_chat_and_splits_the_price(world: World) {
    use pb::AccountPurpose::{Funding, OperatorShare, PlatformRevenue, RecipientEarnings, Wallets};
    let tenant = world.tenant(false, 1_000);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    let price = key.publish(unlock("EUR", 999)).await;
    key.credit(ann, "EUR", 1_000).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let mut events = world.nodes[world.nodes.len() - 1].events.listen();
    let device = world.device(0, tenant, ann);
    let quote = device.quote(chat).await;
    assert_eq!(quote.price_id, price.price_id);
    let pass = device.buy(chat, &quote).await.unwrap();
    assert_eq!((pass.amount.clone(), pass.expire_time), (Some(amount("EUR", 999)), None));
    assert_eq!(
        (&pass.payer_user_id, &pass.payer_tenant_id),
        (&ann.to_string(), &tenant.to_string())
    );
    // The other node's caches hear of it.
    let told = tokio::time::timeout(Duration::from_secs(5), events.recv()).await.unwrap().unwrap();
    assert_eq!(told, Event::ChatChanged(chat));
    // And those whom the bus does not reach find it in the feed.
    let heard = world.count("SELECT COUNT(*) FROM changes WHERE kind = 6").await;
    assert_eq!(heard, 1);
    for n in 0..2 {
        assert_eq!(world.node(n).billing.active_pass(chat).await.unwrap(), Some(pass.clone()));
    }
    let books = closings(&key).await;
    let expected = [
        (Wallets, 1),
        (Funding, -1_000),
        (RecipientEarnings, 720),
        (PlatformRevenue, 180),
        (OperatorShare, 99),
    ];
    assert_eq!(books, expected.into_iter().collect());
    let charges = key.statement.clone().list_charges(pb::ListChargesRequest::default()).await;
    let charges = charges.unwrap().into_inner().charges;
    assert_eq!(charges.len(), 1);
    let charge = &charges[0];
    assert_eq!((&charge.charge_id, &charge.chat_id), (&pass.charge_id, &chat.to_string()));
    assert_eq!(
        (
            charge.operator_minor_units,
            charge.recipient_minor_units,
            charge.platform_minor_units,
            charge.amount_minor_units
        ),
        (99, 720, 180, 999)
    );
    assert_eq!((&charge.price_id, &charge.recipient_user_id), (&price.price_id, &bob.to_string()));
    // The wallet's entry names the charge.
    let list =
        pb::ListWalletEntriesRequest { currency_code: "EUR".to_owned(), ..Default::default() };
    let entries = device.wallet.clone().list_wallet_entries(list).await.unwrap().into_inner();
    assert_eq!(entries.entries[0].reference, pass.charge_id);
    assert_eq!(entries.entries[0].kind(), pb::WalletEntryKind::AccessCharge);
    // While it is in force nobody pays again, not even at a price of the past.
    key.publish(unlock("EUR", 1)).await;
    assert_eq!(world.device(1, tenant, bob).buy(chat, &quote).await.unwrap(), pass);
    assert_eq!(key.balance(ann, "EUR").await, 1);
    audit(&world).await;
}

async fn a_time_pass_ends_and_is_bought_again(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    key.publish(time_pass("EUR", 100, 3_600)).await;
    key.credit(ann, "EUR", 250).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let device = world.device(0, tenant, ann);
    let quote = device.quote(chat).await;
    let first = device.buy(chat, &quote).await.unwrap();
    let (start, end) = (first.start_time.unwrap(), first.expire_time.unwrap());
    assert_eq!((end.seconds - start.seconds, end.nanos), (3_600, start.nanos));
    world.pass_time(Duration::from_secs(3_500));
    assert_eq!(device.buy(chat, &quote).await.unwrap(), first);
    world.pass_time(Duration::from_secs(200));
    assert_eq!(world.nodes[0].billing.active_pass(chat).await.unwrap(), None);
    let second = device.buy(chat, &quote).await.unwrap();
    assert_ne!(second.pass_id, first.pass_id);
    assert_eq!(key.balance(ann, "EUR").await, 50);
    world.pass_time(Duration::from_secs(3_700));
    assert_eq!(reason(&device.buy(chat, &quote).await.unwrap_err()), "PAYMENT_REQUIRED");
    let mut listed = Vec::new();
    let mut page_token = String::new();
    for _ in 0..2 {
        let request = pb::ListPassesRequest { page_size: 1, page_token };
        let page = device.access.clone().list_passes(request).await.unwrap().into_inner();
        listed.extend(page.passes);
        page_token = page.next_page_token;
    }
    assert_eq!((listed, page_token.as_str()), (vec![second, first], ""));
    // The peer did not pay, so it lists nothing.
    let request = pb::ListPassesRequest::default();
    let peers = world.device(0, tenant, bob).access.list_passes(request).await.unwrap();
    assert_eq!(peers.into_inner().passes, []);
    audit(&world).await;
}

fn price_changed(status: &Status) -> pb::Quote {
    let details = RpcStatus::decode(status.details()).unwrap().details;
    let name = "type.googleapis.com/plasma.billing.v1.PriceChanged";
    let detail = details.iter().find(|detail| detail.type_url == name).unwrap();
    pb::PriceChanged::decode(&*detail.value).unwrap().quote.unwrap()
}

async fn a_price_that_changed_is_not_charged(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    key.publish(unlock("EUR", 500)).await;
    key.credit(ann, "EUR", 10_000).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let device = world.device(0, tenant, ann);
    let seen = device.quote(chat).await;
    // The same amount under another version is another price: its terms may differ.
    key.publish(unlock("EUR", 500)).await;
    let right = device.quote(chat).await;
    let wrong_amount = {
        let mut request = purchase(&fresh("buy"), chat, &right);
        request.accepted_price.as_mut().unwrap().amount = Some(amount("EUR", 499));
        request
    };
    let no_amount = {
        let mut request = purchase(&fresh("buy"), chat, &right);
        request.accepted_price.as_mut().unwrap().amount = None;
        request
    };
    let nothing = pb::PurchaseAccessRequest {
        accepted_price: Some(pb::AcceptedPrice::default()),
        ..purchase(&fresh("buy"), chat, &right)
    };
    for request in [purchase(&fresh("buy"), chat, &seen), wrong_amount, no_amount, nothing] {
        let status = device.access.clone().purchase_access(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::FailedPrecondition, "PRICE_CHANGED")
        );
        assert_eq!(price_changed(&status), right);
        assert_eq!(metadata(&status, "price_id"), right.price_id);
    }
    for table in ["passes", "charges"] {
        assert_eq!(world.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0);
    }
    assert_eq!(key.balance(ann, "EUR").await, 10_000);
    device.buy(chat, &right).await.unwrap();
    audit(&world).await;
}

async fn between_platforms_the_recipients_prices_and_the_payers_pays(world: World) {
    use pb::AccountPurpose::{
        DueFrom, DueTo, Funding, OperatorShare, PlatformRevenue, RecipientEarnings, Wallets,
    };
    let (home, away) = (world.tenant(false, 2_000), world.tenant(true, 9_999));
    let (bob, ann) = (world.user(home), world.user(away));
    let (home_key, away_key) = (world.key(0, home), world.key(0, away));
    home_key.publish(unlock("EUR", 1_000)).await;
    let chat = world.chat((away, ann), (home, bob));
    let device = world.device(0, away, ann);
    let quote = device.quote(chat).await;
    let none = device.buy(chat, &quote).await.unwrap_err();
    assert_eq!(reason(&none), "PAYMENT_REQUIRED");
    assert_eq!(metadata(&none, "available_minor_units"), "0");
    away_key.credit(ann, "USD", 5_000).await;
    away_key.credit(ann, "JPY", 5_000).await;
    let mismatch = device.buy(chat, &quote).await.unwrap_err();
    assert_eq!(
        (mismatch.code(), reason(&mismatch).as_str()),
        (Code::FailedPrecondition, "CURRENCY_MISMATCH")
    );
    assert_eq!(metadata(&mismatch, "price_currency_code"), "EUR");
    assert_eq!(metadata(&mismatch, "wallet_currency_codes"), "JPY,USD");
    away_key.credit(ann, "EUR", 1_500).await;
    let pass = device.buy(chat, &quote).await.unwrap();
    assert_eq!(pass.payer_tenant_id, away.to_string());
    let expected = [(Wallets, 500), (Funding, -1_500), (DueTo, 1_000)];
    assert_eq!(closings(&away_key).await, expected.into_iter().collect());
    let expected =
        [(DueFrom, -1_000), (RecipientEarnings, 640), (PlatformRevenue, 160), (OperatorShare, 200)];
    assert_eq!(closings(&home_key).await, expected.into_iter().collect());
    let peer = |lines: Vec<pb::StatementLine>, purpose| {
        lines.into_iter().find(|line| line.purpose() == purpose).unwrap().peer_tenant_id
    };
    assert_eq!(peer(away_key.statement("EUR").await, DueTo), home.to_string());
    assert_eq!(peer(home_key.statement("EUR").await, DueFrom), away.to_string());
    // The charge is the recipient's platform's to see, and nobody else's.
    for (key, count) in [(&home_key, 1), (&away_key, 0)] {
        let charges = key.statement.clone().list_charges(pb::ListChargesRequest::default()).await;
        assert_eq!(charges.unwrap().into_inner().charges.len(), count);
    }
    // The other way round the free platform's users cost nothing.
    let back = world.chat((home, bob), (away, ann));
    let bobs = world.device(0, home, bob);
    let free = bobs.buy(back, &bobs.quote(back).await).await.unwrap();
    assert_eq!((free.amount, free.charge_id.as_str()), (None, ""));
    audit(&world).await;
}

async fn free_access_touches_neither_ledger_nor_wallet(world: World) {
    let (policy, paid) = (world.tenant(true, 1_000), world.tenant(false, 1_000));
    // A free platform, and a paid one whose published price is free.
    let price = world.key(0, paid).publish(free()).await;
    for (tenant, price_id) in [(policy, String::new()), (paid, price.price_id)] {
        let (ann, bob) = (world.user(tenant), world.user(tenant));
        let chat = world.chat((tenant, ann), (tenant, bob));
        let device = world.device(0, tenant, ann);
        let quote = device.quote(chat).await;
        assert_eq!(quote.price_id, price_id);
        let mode = pb::price_terms::Mode::Free(pb::FreePrice {});
        assert_eq!(quote.terms, Some(pb::PriceTerms { mode: Some(mode), trial: None }));
        // Someone who thinks that it costs something is told.
        let mut wrong = purchase(&fresh("buy"), chat, &quote);
        wrong.accepted_price.as_mut().unwrap().amount = Some(amount("EUR", 1));
        let status = device.access.clone().purchase_access(wrong).await.unwrap_err();
        assert_eq!(price_changed(&status), quote);
        let pass = device.buy(chat, &quote).await.unwrap();
        assert_eq!((pass.amount.clone(), pass.expire_time), (None, None));
        assert_eq!(device.buy(chat, &quote).await.unwrap(), pass);
    }
    for table in ["ledger_accounts", "ledger_balances", "ledger_transactions", "charges"] {
        assert_eq!(world.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM passes").await, 2);
}

async fn a_chat_that_is_not_ones_own_is_absent_and_a_closed_one_says_so(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, eve) = (world.user(tenant), world.user(tenant), world.user(tenant));
    let device = world.device(0, tenant, ann);
    let chat = world.chat((tenant, ann), (tenant, bob));
    let unset = pb::GetQuoteRequest { chat_id: chat.to_string() };
    let status = device.access.clone().get_quote(unset).await.unwrap_err();
    assert_eq!(reason(&status), "PRICE_NOT_SET");
    let key = world.key(0, tenant);
    key.publish(unlock("EUR", 5)).await;
    key.credit(ann, "EUR", 100).await;
    let quote = device.quote(chat).await;
    let mut answers = Vec::new();
    let stranger = world.device(0, tenant, eve).access;
    for chat in [chat, ChatId(world.env.uuid())] {
        let request = pb::GetQuoteRequest { chat_id: chat.to_string() };
        answers.push(stranger.clone().get_quote(request).await.unwrap_err());
        let request = purchase(&fresh("buy"), chat, &quote);
        answers.push(stranger.clone().purchase_access(request).await.unwrap_err());
    }
    for answer in &answers {
        assert_eq!(answer.code(), Code::NotFound);
        assert_eq!(answer.details(), answers[0].details());
    }
    let request = purchase(&fresh("buy"), chat, &quote);
    let bought = device.access.clone().purchase_access(request.clone()).await.unwrap();
    world.set_chat(chat, (tenant, ann), (tenant, bob), true);
    assert_eq!(reason(&device.buy(chat, &quote).await.unwrap_err()), "CHAT_CLOSED");
    // What was answered before is still the answer to a retry.
    let again = device.access.clone().purchase_access(request).await.unwrap();
    assert_eq!(again.into_inner(), bought.into_inner());
    audit(&world).await;
}

async fn a_caller_with_its_own_key_buys_once_even_after_the_pass_has_ended(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    key.publish(time_pass("EUR", 100, 1)).await;
    key.credit(ann, "EUR", 1_000).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let billing = world.nodes[0].billing.clone();
    let quote = billing.quote((tenant, ann), (tenant, bob)).await.unwrap();
    let order = World::purchase(chat, (tenant, ann), (tenant, bob), &quote);
    let request = purchase(&fresh("open"), chat, &quote);
    let once = || Key::new(ann.to_string(), "OpenChat", &request.request_id, &request);
    let first = billing.purchase_once(once(), order.clone()).await.unwrap();
    world.pass_time(Duration::from_mins(1));
    assert_eq!(billing.purchase_once(once(), order.clone()).await.unwrap(), first);
    assert_eq!(key.balance(ann, "EUR").await, 900);
    // Without a key it is a new purchase of what has ended.
    assert_ne!(billing.purchase(order).await.unwrap(), first);
    assert_eq!(key.balance(ann, "EUR").await, 800);
    audit(&world).await;
}

async fn a_statement_is_of_its_time_alone(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    key.credit(ann, "EUR", 1_000).await;
    world.pass_time(Duration::from_hours(1));
    let start = plasma_kit::convert::timestamp(world.env.now());
    key.credit(ann, "EUR", 300).await;
    key.wallet
        .clone()
        .debit_wallet(crate::harness::debit(&fresh("out"), ann, "EUR", 50))
        .await
        .unwrap();
    let end = plasma_kit::convert::timestamp(world.env.now());
    world.pass_time(Duration::from_hours(1));
    key.credit(ann, "EUR", 7).await;
    key.credit(ann, "JPY", 7).await;
    let request = pb::GetStatementRequest {
        currency_code: "EUR".to_owned(),
        start_time: Some(start),
        end_time: Some(end),
    };
    let statement =
        key.statement.clone().get_statement(request.clone()).await.unwrap().into_inner();
    let lines: Vec<_> = statement
        .lines
        .iter()
        .map(|line| {
            (
                line.purpose(),
                line.opening_minor_units,
                line.posted_in_minor_units,
                line.posted_out_minor_units,
                line.closing_minor_units,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (pb::AccountPurpose::Wallets, 1_000, 300, -50, 1_250),
            (pb::AccountPurpose::Funding, -1_000, 50, -300, -1_250),
        ]
    );
    assert_eq!((statement.start_time, statement.end_time), (Some(start), Some(end)));
    for (start_time, end_time) in [(Some(end), Some(start)), (Some(start), Some(start))] {
        let request = pb::GetStatementRequest { start_time, end_time, ..request.clone() };
        let status = key.statement.clone().get_statement(request).await.unwrap_err();
        assert_eq!(metadata(&status, "field"), "start_time");
    }
    let other = world.key(0, world.tenant(false, 0));
    assert_eq!(other.statement("EUR").await, []);
}

crate::on_both_databases!(
    a_purchase_opens_the_chat_and_splits_the_price,
    a_time_pass_ends_and_is_bought_again,
    a_price_that_changed_is_not_charged,
    between_platforms_the_recipients_prices_and_the_payers_pays,
    free_access_touches_neither_ledger_nor_wallet,
    a_chat_that_is_not_ones_own_is_absent_and_a_closed_one_says_so,
    a_caller_with_its_own_key_buys_once_even_after_the_pass_has_ended,
    a_statement_is_of_its_time_alone,
);
