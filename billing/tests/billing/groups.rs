//! Which rule wins, and groups of payers.

use futures::future::join_all;
use plasma_kit::ids::{Id, PayerGroupId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::{Code, Status};

use crate::harness::{Caller, World, fresh, metadata, reason};
use crate::offers::{for_group, for_pair, for_recipient, unlock};

pub async fn group(key: &Caller) -> String {
    let (request_id, display_name) = (fresh("group"), "a group".to_owned());
    let request = pb::CreatePayerGroupRequest { request_id, display_name };
    let response = key.pricing.clone().create_payer_group(request).await.unwrap();
    response.into_inner().group.unwrap().payer_group_id
}

/// Puts a user, or everybody of a platform, into a group.
pub async fn join(
    key: &Caller,
    group: &str,
    (tenant, user): (TenantId, Option<UserId>),
) -> Result<pb::Payer, Status> {
    let request = pb::AddPayerRequest {
        request_id: fresh("join"),
        payer_group_id: group.to_owned(),
        payer_tenant_id: tenant.to_string(),
        payer_user_id: user.map(|user| user.to_string()).unwrap_or_default(),
    };
    Ok(key.pricing.clone().add_payer(request).await?.into_inner().payer.unwrap())
}

async fn leave(key: &Caller, group: &str, (tenant, user): (TenantId, UserId)) {
    let request = pb::RemovePayerRequest {
        request_id: fresh("leave"),
        payer_group_id: group.to_owned(),
        payer_tenant_id: tenant.to_string(),
        payer_user_id: user.to_string(),
    };
    key.pricing.clone().remove_payer(request).await.unwrap();
}

async fn delete(key: &Caller, group: &str) -> Result<(), Status> {
    let (request_id, payer_group_id) = (fresh("delete"), group.to_owned());
    let request = pb::DeletePayerGroupRequest { request_id, payer_group_id };
    key.pricing.clone().delete_payer_group(request).await.map(|_| ())
}

async fn payers(key: &Caller, group: &str, page_size: i32) -> Vec<pb::Payer> {
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let payer_group_id = group.to_owned();
        let request = pb::ListPayersRequest { payer_group_id, page_size, page_token };
        let page = key.pricing.clone().list_payers(request).await.unwrap().into_inner();
        listed.extend(page.payers);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return listed;
        }
    }
}

async fn explain(
    key: &Caller,
    (tenant, payer): (TenantId, UserId),
    recipient: UserId,
) -> Result<pb::ExplainPriceResponse, Status> {
    let request = pb::ExplainPriceRequest {
        recipient_user_id: recipient.to_string(),
        payer_user_id: payer.to_string(),
        payer_tenant_id: tenant.to_string(),
        time: None,
    };
    key.pricing.clone().explain_price(request).await.map(tonic::Response::into_inner)
}

async fn of_the_rules_that_fit_the_one_that_says_most_wins(world: World) {
    use pb::PriceRule::{Pair, PayerGroup, Recipient, TenantDefault};
    let (home, away) = (world.tenant(false, 0), world.tenant(true, 0));
    let (bob, carol, key) = (world.user(home), world.user(home), world.key(0, home));
    let (ann, dan, eve) = (world.user(away), world.user(away), world.user(home));
    let members = group(&key).await;
    join(&key, &members, (away, Some(ann))).await.unwrap();
    join(&key, &members, (home, Some(eve))).await.unwrap();
    // The one that says most comes first, so that none wins for being the newest.
    let pair = key.publish(for_pair(unlock("EUR", 400), (away, ann), bob)).await;
    let own = key.publish(for_recipient(unlock("EUR", 300), bob)).await;
    let grouped = key.publish(for_group(unlock("EUR", 200), &members)).await;
    let default = key.publish(unlock("EUR", 100)).await;
    let expected = [
        ((away, ann), bob, Pair, vec![&pair, &own, &grouped, &default]),
        ((away, ann), carol, PayerGroup, vec![&grouped, &default]),
        ((away, dan), bob, Recipient, vec![&own, &default]),
        ((away, dan), carol, TenantDefault, vec![&default]),
        ((home, eve), bob, Recipient, vec![&own, &grouped, &default]),
        ((home, eve), carol, PayerGroup, vec![&grouped, &default]),
        ((home, carol), bob, Recipient, vec![&own, &default]),
    ];
    for (payer, recipient, rule, candidates) in expected {
        let explained = explain(&key, payer, recipient).await.unwrap();
        assert_eq!(explained.rule(), rule);
        let found: Vec<&str> =
            explained.candidates.iter().map(|price| price.price_id.as_str()).collect();
        let wanted: Vec<&str> = candidates.iter().map(|price| price.price_id.as_str()).collect();
        assert_eq!(found, wanted);
        let in_group = payer.1 == ann || payer.1 == eve;
        assert_eq!(explained.payer_group_id, if in_group { members.as_str() } else { "" });
        // What is explained is what the payer is asked for, and nobody pays less by asking twice.
        let chat = world.chat(payer, (home, recipient));
        let quote = world.device(1, payer.0, payer.1).quote(chat).await;
        assert_eq!(Some(quote), explained.quote);
    }
    let nobody = pb::ExplainPriceRequest::default();
    let explained = key.pricing.clone().explain_price(nobody).await.unwrap().into_inner();
    assert_eq!((explained.rule(), explained.candidates.len()), (TenantDefault, 1));
}

async fn being_named_goes_before_ones_platform_being_named(world: World) {
    let (home, away) = (world.tenant(false, 0), world.tenant(true, 0));
    let (bob, key) = (world.user(home), world.key(0, home));
    let (ann, dan) = (world.user(away), world.user(away));
    let (partners, guests, silent) = (group(&key).await, group(&key).await, group(&key).await);
    key.publish(unlock("EUR", 100)).await;
    key.publish(for_group(unlock("EUR", 200), &partners)).await;
    key.publish(for_group(unlock("EUR", 300), &guests)).await;
    join(&key, &partners, (away, None)).await.unwrap();
    join(&key, &guests, (away, Some(ann))).await.unwrap();
    let cost = async |payer| {
        let explained = explain(&key, payer, bob).await.unwrap();
        let terms = explained.quote.unwrap().terms.unwrap();
        (terms.amount().unwrap().minor_units, explained.payer_group_id)
    };
    assert_eq!(cost((away, ann)).await, (300, guests.clone()));
    assert_eq!(cost((away, dan)).await, (200, partners.clone()));
    assert_eq!(cost((home, world.user(home))).await, (100, String::new()));
    // In a group without a price she is still not in that of her platform.
    join(&key, &silent, (away, Some(ann))).await.unwrap();
    assert_eq!(cost((away, ann)).await, (100, silent.clone()));
    leave(&key, &silent, (away, ann)).await;
    assert_eq!(cost((away, ann)).await, (200, partners.clone()));
    let everybody = payers(&key, &partners, 50).await;
    assert_eq!((everybody.len(), everybody[0].payer_user_id.as_str()), (1, ""));
    assert_eq!(everybody[0].payer_tenant_id, away.to_string());
}

async fn a_payer_is_in_one_group_at_most(world: World) {
    let tenant = world.tenant(false, 0);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    let (one, two) = (group(&key).await, group(&key).await);
    let first = join(&key, &one, (tenant, Some(ann))).await.unwrap();
    world.pass_time(std::time::Duration::from_hours(1));
    assert_eq!(join(&key, &one, (tenant, Some(ann))).await.unwrap(), first);
    let moved = join(&key, &two, (tenant, Some(ann))).await.unwrap();
    assert_ne!(moved.create_time, first.create_time);
    assert_eq!(payers(&key, &one, 50).await, []);
    assert_eq!(payers(&key, &two, 50).await, [moved]);
    // Out of a group that she is not in: nothing changes.
    leave(&key, &one, (tenant, ann)).await;
    let full = delete(&key, &two).await.unwrap_err();
    assert_eq!(
        (full.code(), reason(&full).as_str()),
        (Code::FailedPrecondition, "PAYER_GROUP_NOT_EMPTY")
    );
    leave(&key, &two, (tenant, ann)).await;
    delete(&key, &two).await.unwrap();
    delete(&key, &two).await.unwrap();
    let gone = join(&key, &two, (tenant, Some(ann))).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let gone = key.pricing.clone().publish_price(for_group(unlock("EUR", 1), &two)).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
    // Pages go from old to new and miss nobody.
    let users: Vec<UserId> = (0..7).map(|_| world.user(tenant)).collect();
    for user in &users {
        join(&key, &one, (tenant, Some(*user))).await.unwrap();
    }
    let listed = payers(&key, &one, 2).await;
    let listed: Vec<&str> = listed.iter().map(|payer| payer.payer_user_id.as_str()).collect();
    assert_eq!(listed, users.iter().map(ToString::to_string).collect::<Vec<_>>());
}

async fn who_is_a_user_elsewhere_is_not_told(world: World) {
    let (home, away) = (world.tenant(false, 0), world.tenant(false, 0));
    let (bob, eve, key) = (world.user(home), world.user(away), world.key(0, home));
    let absent = UserId(world.env.uuid());
    key.publish(unlock("EUR", 100)).await;
    let known = explain(&key, (away, eve), bob).await.unwrap();
    assert_eq!(explain(&key, (away, absent), bob).await.unwrap(), known);
    let guests = group(&key).await;
    for user in [eve, absent] {
        join(&key, &guests, (away, Some(user))).await.unwrap();
        key.publish(for_pair(unlock("EUR", 5), (away, user), bob)).await;
    }
    // Of the own platform nobody is made up.
    let mut answers = vec![
        explain(&key, (home, absent), bob).await.map(|_| ()).unwrap_err(),
        explain(&key, (home, bob), absent).await.map(|_| ()).unwrap_err(),
        explain(&key, (away, eve), eve).await.map(|_| ()).unwrap_err(),
        join(&key, &guests, (home, Some(absent))).await.map(|_| ()).unwrap_err(),
        join(&key, &guests, (home, Some(eve))).await.map(|_| ()).unwrap_err(),
    ];
    for (payer, recipient) in [((home, absent), bob), ((away, eve), eve), ((home, bob), absent)] {
        let request = for_pair(unlock("EUR", 1), payer, recipient);
        answers.push(key.pricing.clone().publish_price(request).await.map(|_| ()).unwrap_err());
    }
    for answer in &answers {
        assert_eq!(answer.code(), Code::NotFound);
        assert_eq!(answer.details(), answers[0].details());
    }
    // Another tenant's group is as absent.
    let stranger = world.key(0, away);
    let mut answers = Vec::new();
    for group in [guests.clone(), PayerGroupId::from_uuid(world.env.uuid()).to_string()] {
        answers.push(join(&stranger, &group, (away, Some(eve))).await.unwrap_err());
        let price = for_group(unlock("EUR", 1), &group);
        answers.push(stranger.pricing.clone().publish_price(price).await.map(|_| ()).unwrap_err());
        let request = pb::ListPayersRequest { payer_group_id: group.clone(), ..Default::default() };
        answers.push(stranger.pricing.clone().list_payers(request).await.map(|_| ()).unwrap_err());
        delete(&stranger, &group).await.unwrap();
    }
    for answer in &answers {
        assert_eq!(answer.code(), Code::NotFound);
        assert_eq!(answer.details(), answers[0].details());
    }
    assert_eq!(payers(&key, &guests, 50).await.len(), 2);
}

async fn a_tenant_has_no_more_groups_than_the_limit_though_they_come_at_once(world: World) {
    let tenant = world.tenant(false, 0);
    let made = join_all((0..205).map(|n| {
        let mut pricing = world.key(n, tenant).pricing;
        let (request_id, display_name) = (fresh("group"), format!("group {n}"));
        let request = pb::CreatePayerGroupRequest { request_id, display_name };
        async move { pricing.create_payer_group(request).await }
    }))
    .await;
    let refused: Vec<_> = made.iter().filter_map(|made| made.as_ref().err()).collect();
    assert_eq!(refused.len(), 5);
    for status in refused {
        assert_eq!(
            (status.code(), reason(status).as_str()),
            (Code::ResourceExhausted, "LIMIT_REACHED")
        );
        assert_eq!(metadata(status, "limit"), "payer group");
    }
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListPayerGroupsRequest { page_size: 60, page_token };
        let page = world.key(0, tenant).pricing.list_payer_groups(request).await.unwrap();
        let page = page.into_inner();
        listed.extend(page.groups.into_iter().map(|group| group.payer_group_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let different: std::collections::HashSet<&String> = listed.iter().collect();
    assert_eq!((listed.len(), different.len()), (200, 200));
}

crate::on_both_databases!(
    of_the_rules_that_fit_the_one_that_says_most_wins,
    being_named_goes_before_ones_platform_being_named,
    a_payer_is_in_one_group_at_most,
    who_is_a_user_elsewhere_is_not_told,
    a_tenant_has_no_more_groups_than_the_limit_though_they_come_at_once,
);
