//! Price versions, and which rule wins.

use plasma_kit::ids::{PriceId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::Code;

use crate::harness::{World, amount, for_recipient, fresh, metadata, reason, time_pass, unlock};

async fn a_recipients_price_goes_before_the_tenants_default(world: World) {
    let tenant = world.tenant(false, 0);
    let (bob, carol, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    let explain = async |user: Option<UserId>| {
        let recipient_user_id = user.map(|user| user.to_string()).unwrap_or_default();
        let request = pb::ExplainPriceRequest { recipient_user_id };
        key.pricing.clone().explain_price(request).await.map(tonic::Response::into_inner)
    };
    assert_eq!(reason(&explain(None).await.unwrap_err()), "PRICE_NOT_SET");
    let own = key.publish(for_recipient(time_pass("EUR", 300, 60), bob)).await;
    assert_eq!(reason(&explain(Some(carol)).await.unwrap_err()), "PRICE_NOT_SET");
    let default = key.publish(unlock("EUR", 500)).await;
    for (user, price, rule) in [
        (None, &default, pb::PriceRule::TenantDefault),
        (Some(carol), &default, pb::PriceRule::TenantDefault),
        (Some(bob), &own, pb::PriceRule::Recipient),
    ] {
        let explained = explain(user).await.unwrap();
        assert_eq!(
            (explained.quote.as_ref().unwrap().price_id.as_str(), explained.rule()),
            (price.price_id.as_str(), rule)
        );
    }
    world.set_terms(tenant, true, 0);
    let explained = explain(Some(bob)).await.unwrap();
    assert_eq!(explained.rule(), pb::PriceRule::TenantIsFree);
    let free = pb::quote::Mode::Free(pb::FreePrice {});
    assert_eq!(explained.quote, Some(pb::Quote { price_id: String::new(), mode: Some(free) }));
}

async fn a_version_is_superseded_and_stays_readable(world: World) {
    let tenant = world.tenant(false, 0);
    let key = world.key(0, tenant);
    let first = key.publish(unlock("EUR", 500)).await;
    let second = key.publish(time_pass("EUR", 700, 60)).await;
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!(first.supersede_time, None);
    let get = async |price_id: &str| {
        let request = pb::GetPriceRequest { price_id: price_id.to_owned() };
        key.pricing.clone().get_price(request).await.map(|price| price.into_inner().price.unwrap())
    };
    let read = get(&first.price_id).await.unwrap();
    assert_eq!(read.supersede_time, second.create_time);
    assert_eq!(pb::Price { supersede_time: None, ..read.clone() }, first);
    assert_eq!(get(&second.price_id).await.unwrap(), second);
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListPricesRequest { page_size: 1, page_token };
        let page = key.pricing.clone().list_prices(request).await.unwrap().into_inner();
        listed.extend(page.prices);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, [second.clone(), read]);
    // Another tenant's price is as absent.
    let stranger = world.key(0, world.tenant(false, 0));
    let absent = PriceId(world.env.uuid()).to_string();
    let mut answers = Vec::new();
    for price_id in [second.price_id, absent] {
        let request = pb::GetPriceRequest { price_id };
        answers.push(stranger.pricing.clone().get_price(request).await.unwrap_err());
    }
    assert_eq!(answers[0].code(), Code::NotFound);
    assert_eq!(answers[0].details(), answers[1].details());
    let none = stranger.pricing.clone().list_prices(pb::ListPricesRequest::default()).await;
    assert_eq!(none.unwrap().into_inner().prices, []);
}

async fn a_price_that_breaks_a_rule_is_not_published(world: World) {
    let (tenant, other) = (world.tenant(false, 0), world.tenant(false, 0));
    let (bob, eve, key) = (world.user(tenant), world.user(other), world.key(0, tenant));
    let good = unlock("EUR", 500);
    let shares = |recipient_basis_points, platform_basis_points| {
        Some(pb::Shares { recipient_basis_points, platform_basis_points })
    };
    let bad = [
        ("shares", pb::PublishPriceRequest { shares: shares(8_000, 2_001), ..good.clone() }),
        ("shares", pb::PublishPriceRequest { shares: shares(8_000, 1_999), ..good.clone() }),
        ("shares", pb::PublishPriceRequest { shares: shares(0, 0), ..good.clone() }),
        ("one_time_unlock.amount.minor_units", unlock("EUR", 0)),
        ("one_time_unlock.amount.currency_code", unlock("QQQ", 5)),
        ("time_pass.amount.minor_units", time_pass("EUR", 0, 60)),
        ("time_pass.amount.currency_code", time_pass("eur", 1, 60)),
        ("time_pass.duration", time_pass("EUR", 1, 0)),
        ("time_pass.duration", time_pass("EUR", 1, 315_360_001)),
        (
            "recipient_user_id",
            pb::PublishPriceRequest { recipient_user_id: bob.to_string(), ..good.clone() },
        ),
        (
            "recipient_user_id",
            pb::PublishPriceRequest { scope: pb::PriceScope::Recipient.into(), ..good.clone() },
        ),
        ("mode", pb::PublishPriceRequest { mode: None, ..good.clone() }),
    ];
    for (field, request) in bad {
        let status = key.pricing.clone().publish_price(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
        assert_eq!(metadata(&status, "field"), field);
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM idempotency_keys").await, 0);
    let absent = UserId(world.env.uuid());
    let mut answers = Vec::new();
    for user in [eve, absent] {
        let request = for_recipient(unlock("EUR", 500), user);
        answers.push(key.pricing.clone().publish_price(request).await.unwrap_err());
    }
    assert_eq!(answers[0].code(), Code::NotFound);
    assert_eq!(answers[0].details(), answers[1].details());
    assert_eq!(world.count("SELECT COUNT(*) FROM prices").await, 0);
    key.publish(good).await;
    key.publish(for_recipient(unlock("EUR", 500), bob)).await;
}

async fn publishing_again_with_the_same_key_publishes_once(world: World) {
    let tenant = world.tenant(false, 0);
    let key = world.key(0, tenant);
    let request = pb::PublishPriceRequest { request_id: fresh("again"), ..unlock("EUR", 500) };
    let first = key.publish(request.clone()).await;
    assert_eq!(world.key(1, tenant).publish(request.clone()).await, first);
    let changed = pb::PublishPriceRequest { request_id: request.request_id, ..unlock("EUR", 501) };
    let status = key.pricing.clone().publish_price(changed).await.unwrap_err();
    assert_eq!(reason(&status), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(world.count("SELECT COUNT(*) FROM prices").await, 1);
    let pb::price::Mode::OneTimeUnlock(price) = first.mode.unwrap() else { panic!() };
    assert_eq!(price.amount, Some(amount("EUR", 500)));
}

crate::on_both_databases!(
    a_recipients_price_goes_before_the_tenants_default,
    a_version_is_superseded_and_stays_readable,
    a_price_that_breaks_a_rule_is_not_published,
    publishing_again_with_the_same_key_publishes_once,
);
