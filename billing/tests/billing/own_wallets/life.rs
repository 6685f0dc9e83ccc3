//! Purchases, refunds, renewals and refusals where the payer's platform has a wallet of its own.

use std::time::Duration;

use pb::ExternalOperationState as State;
use plasma_proto::billing::v1 as pb;
use plasma_wallet_provider::Flaw;
use tonic::Code;
use tonic_types::StatusExt;

use super::platform::{Platform, SECRET, connect, serve};
use crate::harness::{World, fresh, metadata, reason};
use crate::offers::{monthly, unlock};

async fn a_purchase_is_reserved_sold_and_captured(world: World) {
    let platform = Platform::with(&world, None).await;
    let (ann, bob) = (platform.user(&world, 800), platform.user(&world, 0));
    // A hosted wallet from before is not touched.
    platform.key.credit(ann, "EUR", 10_000).await;
    let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
    let device = world.device(1, platform.tenant, ann);
    let quote = device.quote(chat).await;
    let pass = device.buy(chat, &quote).await.unwrap();
    assert!(!pass.charge_id.is_empty());
    platform.comes_to_rest(&world).await;
    assert_eq!((platform.available(ann), platform.book.taken("EUR").unwrap()), (300, 500));
    let operations = platform.operations().await;
    assert_eq!(operations.len(), 1);
    assert_eq!(operations[0].state(), State::Captured);
    assert_eq!((&operations[0].user_id, operations[0].failed_attempts), (&ann.to_string(), 0));
    // The wallet that is shown is the platform's own.
    assert_eq!(device.balance(ann, "EUR").await, 300);
    let lines = platform.key.statement("EUR").await;
    let closing = |purpose| {
        lines.iter().find(|line| line.purpose() == purpose).map(|it| it.closing_minor_units)
    };
    assert_eq!(closing(pb::AccountPurpose::ExternalClearing), Some(-500));
    assert_eq!(closing(pb::AccountPurpose::Wallets), Some(10_000));
    assert_eq!(closing(pb::AccountPurpose::Suspense), None);
    // The next one is not covered, and leaves nothing set aside.
    let other = world.chat((platform.tenant, ann), (platform.tenant, platform.user(&world, 0)));
    let refused = device.buy(other, &quote).await.unwrap_err();
    assert_eq!(reason(&refused), "PAYMENT_REQUIRED");
    assert_eq!(metadata(&refused, "available_minor_units"), "300");
    assert_eq!(world.nodes[0].billing.active_pass(other).await.unwrap(), None);
    platform.comes_to_rest(&world).await;
    assert_eq!(platform.available(ann), 300);
}

async fn a_capture_that_is_declined_takes_the_sale_back(world: World) {
    let platform = Platform::with(&world, Some(Flaw::DeclinesCaptures)).await;
    // The recipient's platform is another: both books must be made right.
    let home = world.tenant(false, 500);
    world.key(0, home).publish(unlock("EUR", 700)).await;
    for recipient in [platform.tenant, home] {
        let (ann, bob) = (platform.user(&world, 1_000), world.user(recipient));
        let chat = world.chat((platform.tenant, ann), (recipient, bob));
        let device = world.device(0, platform.tenant, ann);
        let quote = device.quote(chat).await;
        device.buy(chat, &quote).await.unwrap();
        platform.comes_to_rest(&world).await;
        assert_eq!(platform.operations().await[0].state(), State::Reversed);
        assert_eq!(world.nodes[0].billing.active_pass(chat).await.unwrap(), None);
        assert_eq!(platform.available(ann), 1_000);
        for tenant in [platform.tenant, home] {
            for line in world.key(0, tenant).statement("EUR").await {
                assert_eq!(line.closing_minor_units, 0, "{line:?}");
            }
        }
    }
}

async fn of_parallel_purchases_one_is_captured(world: World) {
    let platform = Platform::with(&world, None).await;
    let (ann, bob) = (platform.user(&world, 5_000), platform.user(&world, 5_000));
    let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
    let quote = world.device(0, platform.tenant, ann).quote(chat).await;
    let calls = (0..8).map(|n| {
        let user = if n % 2 == 0 { ann } else { bob };
        let (device, quote) = (world.device(n / 2, platform.tenant, user), quote.clone());
        async move { device.buy(chat, &quote).await }
    });
    let answers = futures::future::join_all(calls).await;
    let passes: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert!(!passes.is_empty(), "{answers:?}");
    assert!(passes.iter().all(|pass| *pass == passes[0]), "{passes:?}");
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(matches!(refused.code(), Code::Aborted | Code::Unavailable), "{refused:?}");
    }
    platform.comes_to_rest(&world).await;
    assert_eq!(platform.book.taken("EUR").unwrap(), 500);
}

async fn a_refund_goes_back_to_the_wallet_that_paid(world: World) {
    let platform = Platform::with(&world, None).await;
    let (ann, bob) = (platform.user(&world, 500), platform.user(&world, 0));
    let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
    let device = world.device(0, platform.tenant, ann);
    let pass = device.buy(chat, &device.quote(chat).await).await.unwrap();
    platform.comes_to_rest(&world).await;
    for (minor_units, left) in [(200, 200), (300, 500)] {
        let request = pb::RefundChargeRequest {
            request_id: fresh("refund"),
            charge_id: pass.charge_id.clone(),
            amount: Some(crate::harness::amount("EUR", minor_units)),
            reference: String::new(),
            end_access: false,
        };
        platform.key.access.clone().refund_charge(request).await.unwrap();
        platform.comes_to_rest(&world).await;
        assert_eq!(platform.available(ann), left);
    }
    assert_eq!(platform.book.taken("EUR").unwrap(), 0);
}

async fn a_subscription_renews_from_the_wallet(world: World) {
    let platform = Platform::with(&world, None).await;
    platform.key.publish(monthly("EUR", 400, 1)).await;
    let (ann, bob) = (platform.user(&world, 1_000), platform.user(&world, 0));
    let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
    let device = world.device(0, platform.tenant, ann);
    device.buy(chat, &device.quote(chat).await).await.unwrap();
    platform.comes_to_rest(&world).await;
    let stop = tokio_util::sync::CancellationToken::new();
    world.nodes[0].billing.start(&stop);
    world.pass_time(Duration::from_hours(31 * 24 + 1));
    let begun = tokio::time::Instant::now();
    while platform.book.taken("EUR").unwrap() < 800 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", platform.operations().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    platform.comes_to_rest(&world).await;
    // The next period is not covered: grace, and nothing stays set aside.
    world.pass_time(Duration::from_hours(31 * 24 + 1));
    tokio::time::sleep(Duration::from_secs(3)).await;
    platform.comes_to_rest(&world).await;
    assert_eq!((platform.available(ann), platform.book.taken("EUR").unwrap()), (200, 800));
    stop.cancel();
}

async fn a_provider_is_not_left_while_it_holds_money(world: World) {
    let platform = Platform::with(&world, None).await;
    let (ann, bob) = (platform.user(&world, 500), platform.user(&world, 0));
    let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
    let device = world.device(0, platform.tenant, ann);
    let quote = device.quote(chat).await;
    let settings = platform.key.external.clone();
    let shown = settings.clone().get_wallet_provider(pb::GetWalletProviderRequest {}).await;
    let shown = shown.unwrap().into_inner().settings.unwrap();
    assert_eq!((shown.url.as_str(), shown.concurrency_max), (platform.url.as_str(), 16));
    // Nothing is answered: the purchase fails closed, and its operation is open.
    platform.faults.set(&[plasma_wallet_provider::Fault::DropBefore], 1, Duration::ZERO, 1);
    let refused = device.buy(chat, &quote).await.unwrap_err();
    assert_eq!(reason(&refused), "UNAVAILABLE");
    assert!(refused.get_error_details().retry_info().is_some());
    assert_eq!(world.nodes[0].billing.active_pass(chat).await.unwrap(), None);
    assert_eq!(platform.operations().await[0].state(), State::Unknown);
    let remove = || pb::RemoveWalletProviderRequest { request_id: fresh("remove") };
    let refused = settings.clone().remove_wallet_provider(remove()).await.unwrap_err();
    assert_eq!(reason(&refused), "OPERATIONS_OPEN");
    let elsewhere = serve(&platform.book, &platform.faults).await;
    let move_away = pb::SetWalletProviderRequest {
        request_id: fresh("provider"),
        url: elsewhere.clone(),
        bearer_secret: SECRET.to_owned(),
        concurrency_max: 4,
    };
    let refused = settings.clone().set_wallet_provider(move_away).await.unwrap_err();
    assert_eq!(reason(&refused), "OPERATIONS_OPEN");
    platform.faults.clear();
    platform.comes_to_rest(&world).await;
    connect(&platform.key, &elsewhere).await;
    device.buy(chat, &quote).await.unwrap();
    platform.comes_to_rest(&world).await;
    settings.clone().remove_wallet_provider(remove()).await.unwrap();
    let gone = settings.clone().get_wallet_provider(pb::GetWalletProviderRequest {}).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
    // Hosted wallets again.
    assert_eq!(device.balance(ann, "EUR").await, 0);
}

async fn a_wallet_inside_is_refused(world: World) {
    let key = world.key(0, world.tenant(false, 0));
    for url in
        ["http://10.0.0.1", "https://169.254.169.254", "http://wallet.example.com", "nothing"]
    {
        let request = pb::SetWalletProviderRequest {
            request_id: fresh("provider"),
            url: url.to_owned(),
            bearer_secret: SECRET.to_owned(),
            concurrency_max: 0,
        };
        let refused = key.external.clone().set_wallet_provider(request).await.unwrap_err();
        assert_eq!(
            (reason(&refused).as_str(), metadata(&refused, "field").as_str()),
            ("INVALID_FIELD", "url")
        );
    }
}

crate::on_both_databases!(
    a_purchase_is_reserved_sold_and_captured,
    a_capture_that_is_declined_takes_the_sale_back,
    of_parallel_purchases_one_is_captured,
    a_refund_goes_back_to_the_wallet_that_paid,
    a_subscription_renews_from_the_wallet,
    a_provider_is_not_left_while_it_holds_money,
    a_wallet_inside_is_refused,
);
