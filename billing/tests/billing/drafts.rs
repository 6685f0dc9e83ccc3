//! Drafts of prices.

use futures::future::join_all;
use plasma_kit::ids::{Id, PriceDraftId};
use plasma_proto::billing::v1 as pb;
use tonic::{Code, Status};

use crate::groups::group;
use crate::harness::{Caller, World, fresh, metadata, reason};
use crate::offers::{bundle, for_group, for_recipient, monthly, unlock, with_trial};

pub async fn draft(key: &Caller, price: pb::PublishPriceRequest) -> Result<pb::PriceDraft, Status> {
    let request = pb::CreatePriceDraftRequest {
        request_id: fresh("draft"),
        definition: price.definition,
        note: "a thought".to_owned(),
    };
    Ok(key.pricing.clone().create_price_draft(request).await?.into_inner().draft.unwrap())
}

async fn get(key: &Caller, price_draft_id: &str) -> Result<pb::PriceDraft, Status> {
    let request = pb::GetPriceDraftRequest { price_draft_id: price_draft_id.to_owned() };
    Ok(key.pricing.clone().get_price_draft(request).await?.into_inner().draft.unwrap())
}

async fn list(key: &Caller, page_size: i32) -> Vec<pb::PriceDraft> {
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListPriceDraftsRequest { page_size, page_token };
        let page = key.pricing.clone().list_price_drafts(request).await.unwrap().into_inner();
        listed.extend(page.drafts);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return listed;
        }
    }
}

fn update(draft: &pb::PriceDraft, price: pb::PublishPriceRequest) -> pb::UpdatePriceDraftRequest {
    pb::UpdatePriceDraftRequest {
        request_id: fresh("update"),
        price_draft_id: draft.price_draft_id.clone(),
        definition: price.definition,
        note: "a second thought".to_owned(),
    }
}

fn publish(draft: &pb::PriceDraft) -> pb::PublishPriceDraftRequest {
    pb::PublishPriceDraftRequest {
        request_id: fresh("publish"),
        price_draft_id: draft.price_draft_id.clone(),
        effective_time: None,
    }
}

async fn a_draft_is_kept_replaced_and_deleted_and_nobody_pays_it(world: World) {
    let tenant = world.tenant(false, 0);
    let (bob, key) = (world.user(tenant), world.key(0, tenant));
    let price = key.publish(unlock("EUR", 100)).await;
    let first = draft(&key, with_trial(monthly("EUR", 900, 3), 60, true)).await.unwrap();
    let second = draft(&key, for_recipient(bundle("JPY", 5, 10), bob)).await.unwrap();
    assert_eq!(get(&key, &first.price_draft_id).await.unwrap(), first);
    let definition = first.definition.clone().unwrap();
    let Some(pb::price_terms::Mode::Subscription(terms)) = definition.terms.unwrap().mode else {
        panic!("not a subscription")
    };
    assert_eq!(terms.grace.unwrap().seconds, 3 * 24 * 3_600, "the grace that is usual is written");
    assert_eq!(list(&key, 1).await, [second.clone(), first.clone()]);
    world.pass_time(std::time::Duration::from_hours(1));
    let request = update(&first, unlock("EUR", 200));
    let replaced = key.pricing.clone().update_price_draft(request.clone()).await.unwrap();
    let replaced = replaced.into_inner().draft.unwrap();
    assert_eq!(replaced.definition, request.definition);
    assert_eq!(
        (replaced.note.as_str(), replaced.create_time),
        ("a second thought", first.create_time)
    );
    assert_ne!(replaced.update_time, first.update_time);
    assert_eq!(get(&key, &first.price_draft_id).await.unwrap(), replaced);
    let explained = key.pricing.clone().explain_price(pb::ExplainPriceRequest::default()).await;
    assert_eq!(explained.unwrap().into_inner().quote.unwrap().price_id, price.price_id);
    let (request_id, price_draft_id) = (fresh("delete"), first.price_draft_id.clone());
    let request = pb::DeletePriceDraftRequest { request_id, price_draft_id };
    for request_id in [request.request_id.clone(), fresh("delete")] {
        let request = pb::DeletePriceDraftRequest { request_id, ..request.clone() };
        key.pricing.clone().delete_price_draft(request).await.unwrap();
    }
    assert_eq!(list(&key, 50).await, [second]);
}

async fn a_draft_is_published_once_and_is_gone(world: World) {
    let tenant = world.tenant(false, 0);
    let key = world.key(0, tenant);
    let made = draft(&key, monthly("EUR", 900, 1)).await.unwrap();
    let answers = join_all((0..16).map(|n| {
        let mut pricing = world.key(n, tenant).pricing;
        let request = publish(&made);
        async move {
            // A publisher that lost is told to look again, and then that there is no draft.
            loop {
                match pricing.publish_price_draft(request.clone()).await {
                    Err(status) if status.code() == Code::Aborted => {}
                    answer => return answer,
                }
            }
        }
    }))
    .await;
    let (published, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((published.len(), refused.len()), (1, 15));
    for status in refused {
        assert_eq!(status.unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM price_versions").await, 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM price_drafts").await, 0);
    let again = draft(&key, unlock("EUR", 800)).await.unwrap();
    let later = world.env.now().plus(std::time::Duration::from_hours(1));
    let effective_time = Some(plasma_kit::convert::timestamp(later));
    let request = pb::PublishPriceDraftRequest { effective_time, ..publish(&again) };
    let answer = async |n| {
        let mut pricing = world.key(n, tenant).pricing;
        pricing.publish_price_draft(request.clone()).await.unwrap().into_inner().price.unwrap()
    };
    let price = answer(0).await;
    assert_eq!(
        (price.definition.clone(), price.effective_time),
        (again.definition, effective_time)
    );
    assert_eq!(price.version, 2);
    // The same request has the same answer, though the draft is gone.
    assert_eq!(answer(1).await, price);
}

async fn what_could_not_be_published_is_no_draft(world: World) {
    let tenant = world.tenant(false, 0);
    let (key, stranger) = (world.key(0, tenant), world.key(0, world.tenant(false, 0)));
    let bad = with_trial(unlock("EUR", 5), 60, true);
    let refused = draft(&key, bad.clone()).await.unwrap_err();
    assert_eq!(metadata(&refused, "field"), "definition.terms.trial.converts");
    let made = draft(&key, unlock("EUR", 5)).await.unwrap();
    let refused = key.pricing.clone().update_price_draft(update(&made, bad)).await.unwrap_err();
    assert_eq!(metadata(&refused, "field"), "definition.terms.trial.converts");
    let nobody = plasma_kit::ids::UserId(world.env.uuid());
    let missing = draft(&key, for_recipient(unlock("EUR", 5), nobody)).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    // A group that was deleted since: the draft stays, and is not published.
    let members = group(&key).await;
    let grouped = draft(&key, for_group(unlock("EUR", 5), &members)).await.unwrap();
    let (request_id, payer_group_id) = (fresh("delete"), members);
    let request = pb::DeletePayerGroupRequest { request_id, payer_group_id };
    key.pricing.clone().delete_payer_group(request).await.unwrap();
    let refused = key.pricing.clone().publish_price_draft(publish(&grouped)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(get(&key, &grouped.price_draft_id).await.is_ok());
    let far = world.env.now().plus(std::time::Duration::from_hours(24 * 740));
    let effective_time = Some(plasma_kit::convert::timestamp(far));
    let request = pb::PublishPriceDraftRequest { effective_time, ..publish(&made) };
    let refused = key.pricing.clone().publish_price_draft(request).await.unwrap_err();
    assert_eq!(metadata(&refused, "field"), "effective_time");
    assert_eq!(world.count("SELECT COUNT(*) FROM price_versions").await, 0);
    // Another tenant's is as absent, and stays.
    let absent = PriceDraftId::from_uuid(world.env.uuid()).to_string();
    let mut answers = Vec::new();
    for price_draft_id in [made.price_draft_id.clone(), absent] {
        let theirs = pb::PriceDraft { price_draft_id: price_draft_id.clone(), ..made.clone() };
        let mut pricing = stranger.pricing.clone();
        answers.push(get(&stranger, &price_draft_id).await.unwrap_err());
        let request = update(&theirs, unlock("EUR", 1));
        answers.push(pricing.update_price_draft(request).await.map(|_| ()).unwrap_err());
        let request = publish(&theirs);
        answers.push(pricing.publish_price_draft(request).await.map(|_| ()).unwrap_err());
        let ids = vec![price_draft_id.clone()];
        let request = pb::SimulatePricesRequest { price_draft_ids: ids, ..Default::default() };
        answers.push(pricing.simulate_prices(request).await.map(|_| ()).unwrap_err());
        let request = pb::DeletePriceDraftRequest { request_id: fresh("delete"), price_draft_id };
        pricing.delete_price_draft(request).await.unwrap();
    }
    for answer in &answers {
        assert_eq!(answer.code(), Code::NotFound);
        assert_eq!(answer.details(), answers[0].details());
    }
    assert_eq!(get(&key, &made.price_draft_id).await.unwrap(), made);
    assert_eq!(list(&stranger, 50).await, []);
}

async fn a_tenant_has_no_more_drafts_than_the_limit_though_they_come_at_once(world: World) {
    let tenant = world.tenant(false, 0);
    let made = join_all((0..203).map(|n| {
        let key = world.key(n, tenant);
        async move { draft(&key, unlock("EUR", 5)).await }
    }))
    .await;
    let refused: Vec<_> = made.iter().filter_map(|made| made.as_ref().err()).collect();
    assert_eq!(refused.len(), 3);
    for status in refused {
        assert_eq!(
            (status.code(), reason(status).as_str()),
            (Code::ResourceExhausted, "LIMIT_REACHED")
        );
    }
    assert_eq!(list(&world.key(0, tenant), 77).await.len(), 200);
    // Other tenants have their own.
    draft(&world.key(0, world.tenant(false, 0)), unlock("EUR", 5)).await.unwrap();
}

crate::on_both_databases!(
    a_draft_is_kept_replaced_and_deleted_and_nobody_pays_it,
    a_draft_is_published_once_and_is_gone,
    what_could_not_be_published_is_no_draft,
    a_tenant_has_no_more_drafts_than_the_limit_though_they_come_at_once,
);
