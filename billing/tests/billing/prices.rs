//! Price versions, and which rule wins.

use plasma_kit::ids::{PayerGroupId, PriceId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::Code;

use crate::harness::{World, amount, fresh, metadata, reason};
use crate::offers::{
    bundle, every_days, for_group, for_pair, for_recipient, free, monthly, time_pass, unlock, with,
    with_trial,
};

async fn a_recipients_price_goes_before_the_tenants_default(world: World) {
    let tenant = world.tenant(false, 0);
    let (bob, carol, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    let explain = async |user: Option<UserId>| {
        let recipient_user_id = user.map(|user| user.to_string()).unwrap_or_default();
        let request = pb::ExplainPriceRequest { recipient_user_id, ..Default::default() };
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
    let free = pb::price_terms::Mode::Free(pb::FreePrice {});
    let terms = Some(pb::PriceTerms { mode: Some(free), trial: None });
    assert_eq!(explained.quote, Some(pb::Quote { price_id: String::new(), terms }));
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
        with(good.clone(), |definition| {
            definition.shares = Some(pb::Shares { recipient_basis_points, platform_basis_points });
        })
    };
    let bad = [
        ("definition.shares", shares(8_000, 2_001)),
        ("definition.shares", shares(8_000, 1_999)),
        ("definition.shares", shares(0, 0)),
        ("definition.terms.one_time_unlock.amount.minor_units", unlock("EUR", 0)),
        ("definition.terms.one_time_unlock.amount.currency_code", unlock("QQQ", 5)),
        ("definition.terms.time_pass.amount.minor_units", time_pass("EUR", 0, 60)),
        ("definition.terms.time_pass.amount.currency_code", time_pass("eur", 1, 60)),
        ("definition.terms.time_pass.duration", time_pass("EUR", 1, 0)),
        ("definition.terms.time_pass.duration", time_pass("EUR", 1, 315_360_001)),
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
    assert_eq!(world.count("SELECT COUNT(*) FROM price_versions").await, 0);
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
    assert_eq!(world.count("SELECT COUNT(*) FROM price_versions").await, 1);
    let terms = first.definition.unwrap().terms.unwrap();
    assert_eq!(terms.amount().cloned(), Some(amount("EUR", 500)));
}

/// What a price must not say, with the field that is wrong.
fn bad_terms() -> Vec<(&'static str, pb::PublishPriceRequest)> {
    let consent = |seconds, price| {
        let time = prost_types::Duration { seconds, nanos: 0 };
        with(price, |definition| definition.consent_time = Some(time))
    };
    let subscribed = |change: &dyn Fn(&mut pb::SubscriptionPrice)| {
        with(monthly("EUR", 5, 1), |definition| {
            let mode = definition.terms.as_mut().unwrap().mode.as_mut().unwrap();
            let pb::price_terms::Mode::Subscription(price) = mode else { panic!() };
            change(price);
        })
    };
    let grace = prost_types::Duration { seconds: 30 * 86_400 + 1, nanos: 0 };
    vec![
        ("definition", pb::PublishPriceRequest { definition: None, ..unlock("EUR", 5) }),
        ("definition.target", with(unlock("EUR", 5), |definition| definition.target = None)),
        ("definition.terms", with(unlock("EUR", 5), |definition| definition.terms = None)),
        ("definition.shares", with(unlock("EUR", 5), |definition| definition.shares = None)),
        (
            "definition.terms.mode",
            with(unlock("EUR", 5), |definition| definition.terms.as_mut().unwrap().mode = None),
        ),
        ("definition.terms.trial", with_trial(free(), 60, false)),
        ("definition.terms.trial.converts", with_trial(unlock("EUR", 5), 60, true)),
        ("definition.terms.trial.converts", with_trial(bundle("EUR", 5, 1), 60, true)),
        ("definition.terms.trial.duration", with_trial(monthly("EUR", 5, 1), 0, true)),
        ("definition.terms.trial.duration", with_trial(unlock("EUR", 5), 90 * 86_400 + 1, false)),
        ("definition.terms.subscription.calendar.months", monthly("EUR", 5, 0)),
        ("definition.terms.subscription.calendar.months", monthly("EUR", 5, 13)),
        ("definition.terms.subscription.fixed.days", every_days("EUR", 5, 0)),
        ("definition.terms.subscription.fixed.days", every_days("EUR", 5, 367)),
        ("definition.terms.subscription.period", subscribed(&|price| price.period = None)),
        ("definition.terms.subscription.grace", subscribed(&|price| price.grace = Some(grace))),
        ("definition.terms.subscription.amount", subscribed(&|price| price.amount = None)),
        ("definition.terms.subscription.amount.minor_units", monthly("EUR", -1, 1)),
        ("definition.terms.message_bundle.messages", bundle("EUR", 5, 0)),
        ("definition.terms.message_bundle.messages", bundle("EUR", 5, 1_000_001)),
        ("definition.terms.message_bundle.amount.currency_code", bundle("XXX", 5, 1)),
        ("definition.consent_time", consent(60, unlock("EUR", 5))),
        ("definition.consent_time", consent(366 * 86_400 + 1, monthly("EUR", 5, 1))),
        ("definition.consent_time", consent(-1, monthly("EUR", 5, 1))),
    ]
}

/// Whom a price cannot be for, with the field that is wrong.
fn bad_targets(
    tenant: TenantId,
    (ann, bob): (UserId, UserId),
    group: &str,
) -> Vec<(&'static str, pb::PublishPriceRequest)> {
    let target = |change: &dyn Fn(&mut pb::PriceTarget), price| {
        with(price, |definition| change(definition.target.as_mut().unwrap()))
    };
    let pair = || for_pair(unlock("EUR", 5), (tenant, ann), bob);
    vec![
        ("definition.target.scope", target(&|target| target.scope = 0, unlock("EUR", 5))),
        ("definition.target.scope", target(&|target| target.scope = 9, unlock("EUR", 5))),
        (
            "definition.target.recipient_user_id",
            target(&|target| target.recipient_user_id = bob.to_string(), unlock("EUR", 5)),
        ),
        (
            "definition.target.recipient_user_id",
            target(&|target| target.recipient_user_id = group.to_owned(), unlock("EUR", 5)),
        ),
        (
            "definition.target.recipient_user_id",
            target(
                &|target| target.recipient_user_id.clear(),
                for_recipient(unlock("EUR", 5), bob),
            ),
        ),
        ("definition.target.payer_group_id", for_group(unlock("EUR", 5), "")),
        (
            "definition.target.payer_group_id",
            target(&|target| target.payer_group_id = group.to_owned(), pair()),
        ),
        ("definition.target.payer_user_id", target(&|target| target.payer_user_id.clear(), pair())),
        (
            "definition.target.payer_tenant_id",
            target(
                &|target| target.payer_tenant_id = tenant.to_string(),
                for_recipient(unlock("EUR", 5), bob),
            ),
        ),
    ]
}

async fn every_field_of_a_bad_price_is_named(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    let group = PayerGroupId(world.env.uuid()).to_string();
    let targets = bad_targets(tenant, (ann, bob), &group);
    for (field, request) in bad_terms().into_iter().chain(targets) {
        let published = key.pricing.clone().publish_price(request.clone()).await;
        let status = published.map(|_| ()).expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
        assert_eq!(metadata(&status, "field"), field, "{status:?}");
        let drafted = pb::CreatePriceDraftRequest {
            request_id: fresh("draft"),
            definition: request.definition,
            note: String::new(),
        };
        let status = key.pricing.clone().create_price_draft(drafted).await.map(|_| ());
        assert_eq!(metadata(&status.expect_err(field), "field"), field);
    }
    for table in ["idempotency_keys", "price_versions", "price_drafts"] {
        assert_eq!(world.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

async fn every_mode_is_published_as_it_was_asked(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    let consent = Some(prost_types::Duration { seconds: 7 * 86_400, nanos: 0 });
    let prices = [
        free(),
        with_trial(unlock("EUR", 1), 60, false),
        time_pass("JPY", 1_000_000_000_000_000, 315_360_000),
        bundle("KWD", 5, 1_000_000),
        with_trial(with(monthly("EUR", 5, 12), |price| price.consent_time = consent), 1, true),
        every_days("EUR", 5, 366),
        for_pair(every_days("EUR", 5, 1), (tenant, ann), bob),
    ];
    for price in prices {
        let mut asked = price.definition.clone().unwrap();
        let terms = asked.terms.as_mut().unwrap();
        if let Some(pb::price_terms::Mode::Subscription(price)) = &mut terms.mode {
            price.grace = Some(prost_types::Duration { seconds: 3 * 86_400, nanos: 0 });
        }
        let published = key.publish(price).await;
        assert_eq!(published.definition, Some(asked));
        let request = pb::GetPriceRequest { price_id: published.price_id.clone() };
        let read = key.pricing.clone().get_price(request).await.unwrap().into_inner();
        assert_eq!(read.price, Some(published));
    }
}

crate::on_both_databases!(
    a_recipients_price_goes_before_the_tenants_default,
    a_version_is_superseded_and_stays_readable,
    a_price_that_breaks_a_rule_is_not_published,
    every_field_of_a_bad_price_is_named,
    every_mode_is_published_as_it_was_asked,
    publishing_again_with_the_same_key_publishes_once,
);
