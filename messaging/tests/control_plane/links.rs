//! Contact links: made, shown again, followed, revoked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_kit::ids::LinkId;
use plasma_messaging::ports::Standing;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Status};

use crate::on_both_databases;
use crate::person::{Person, tenant};
use crate::world::{World, by, reason};

pub async fn create(world: &World, person: &Person, request_id: &str) -> Result<pb::Link, Status> {
    let request = pb::CreateLinkRequest { request_id: request_id.to_owned() };
    let answer = world.links().create_link(by(person.actor(), request)).await?;
    Ok(answer.into_inner().link.unwrap())
}

pub fn token(link: &pb::Link) -> String {
    link.url.rsplit_once("/c/").unwrap().1.to_owned()
}

async fn resolve(
    world: &World,
    person: &Person,
    link_token: &str,
) -> Result<pb::ResolveLinkResponse, Status> {
    let request = pb::ResolveLinkRequest { link_token: link_token.to_owned() };
    Ok(world.links().resolve_link(by(person.actor(), request)).await?.into_inner())
}

async fn revoke(
    world: &World,
    person: &Person,
    link_id: &str,
    request_id: &str,
) -> Result<pb::Link, Status> {
    let request =
        pb::RevokeLinkRequest { request_id: request_id.to_owned(), link_id: link_id.to_owned() };
    let answer = world.links().revoke_link(by(person.actor(), request)).await?;
    Ok(answer.into_inner().link.unwrap())
}

on_both_databases! {
    async fn a_link_leads_to_its_owner_and_shows_what_a_chat_costs(world: World) {
        let bob = Person::registered(&world, tenant(&world)).await;
        let ann = Person::registered(&world, bob.user.0).await;
        world.access.set_price(500);
        let link = create(&world, &bob, "request-1").await.unwrap();
        assert!(link.url.starts_with("http://links.example/c/"), "{}", link.url);
        assert_eq!(token(&link).len(), 22);
        let seen = resolve(&world, &ann, &token(&link)).await.unwrap();
        let owner = seen.owner.unwrap();
        assert_eq!(owner.user, Some(bob.pb_address()));
        assert_eq!(owner.root_public_key, bob.root_public_key().to_bytes().to_vec());
        assert_eq!(seen.platform_display_name, "Fans");
        assert!(seen.quote.unwrap().terms.is_some());
        assert_eq!((seen.chat_id, seen.pass), (String::new(), None));
        // The table alone leads nowhere: neither the text nor the bytes of the token are in it.
        let raw = URL_SAFE_NO_PAD.decode(token(&link)).unwrap();
        let sql = "SELECT COUNT(*) FROM links WHERE token_hash = $1 OR sealed_token = $1";
        assert_eq!(world.count(sql, vec![raw.into()]).await, 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM links", vec![]).await, 1);
    }

    async fn a_retry_gives_the_same_link_and_a_reused_key_none(world: World) {
        let bob = Person::registered(&world, tenant(&world)).await;
        let calls = (0..8).map(|_| create(&world, &bob, "request-1"));
        let links: Vec<pb::Link> =
            futures::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert!(links.iter().all(|link| *link == links[0]));
        let other = create(&world, &bob, "request-2").await.unwrap();
        assert_ne!(other.url, links[0].url);
        assert_eq!(revoke(&world, &bob, &other.link_id, "revoke-1").await.unwrap().url, other.url);
        let outcome = revoke(&world, &bob, &links[0].link_id, "revoke-1").await;
        assert_eq!(reason(outcome), ErrorReason::IdempotencyKeyReused);
    }

    async fn links_point_where_the_platform_wants_and_are_listed_newest_first(world: World) {
        let bob = Person::registered(&world, tenant(&world)).await;
        let mut made = Vec::new();
        for index in 0..5 {
            made.push(create(&world, &bob, &format!("request-{index}")).await.unwrap());
        }
        let cat = Person::registered(&world, bob.user.0).await;
        create(&world, &cat, "request-0").await.unwrap();
        world.tenants.set_terms(bob.user.0, |terms| {
            terms.link_base_url = "https://fans.example".to_owned();
        });
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListLinksRequest { page_size: 2, page_token: page_token.clone() };
            let page = world.links().list_links(by(bob.actor(), request)).await.unwrap().into_inner();
            assert!(page.links.len() <= 2);
            listed.extend(page.links);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
            // A token of one user's list is none of another's.
            let request = pb::ListLinksRequest { page_size: 2, page_token: page_token.clone() };
            let outcome = world.links().list_links(by(cat.actor(), request)).await;
            assert_eq!(outcome.unwrap_err().code(), Code::InvalidArgument);
        }
        let ids: Vec<&str> = listed.iter().map(|link| link.link_id.as_str()).collect();
        let newest_first: Vec<&str> = made.iter().rev().map(|link| link.link_id.as_str()).collect();
        assert_eq!(ids, newest_first);
        assert!(listed.iter().all(|link| link.url.starts_with("https://fans.example/c/")));
    }

    async fn a_revoked_link_leads_nowhere(world: World) {
        let bob = Person::registered(&world, tenant(&world)).await;
        let ann = Person::registered(&world, bob.user.0).await;
        let link = create(&world, &bob, "request-1").await.unwrap();
        let outcome = revoke(&world, &ann, &link.link_id, "revoke-0").await;
        assert_eq!(reason(outcome), ErrorReason::NotFound);
        resolve(&world, &ann, &token(&link)).await.unwrap();
        let revoked = revoke(&world, &bob, &link.link_id, "revoke-1").await.unwrap();
        let again = revoke(&world, &bob, &link.link_id, "revoke-2").await.unwrap();
        assert!(revoked.revoke_time.is_some());
        assert_eq!(revoked, again);
        let outcome = resolve(&world, &ann, &token(&link)).await;
        assert_eq!(reason(outcome), ErrorReason::LinkNotActive);
        let unknown = LinkId(world.env.uuid()).to_string();
        let outcome = revoke(&world, &bob, &unknown, "revoke-3").await;
        assert_eq!(reason(outcome), ErrorReason::NotFound);
    }

    async fn a_link_is_followed_only_by_whom_it_is_for(world: World) {
        let bob = Person::registered(&world, tenant(&world)).await;
        let link = token(&create(&world, &bob, "request-1").await.unwrap());
        assert_eq!(reason(resolve(&world, &bob, &link).await), ErrorReason::OwnLink);
        let ann = Person::registered(&world, tenant(&world)).await;
        for (theirs, own, allowed) in
            [(false, false, false), (true, false, false), (false, true, false), (true, true, true)]
        {
            world.tenants.set_terms(bob.user.0, |terms| terms.allow_other_platforms = theirs);
            world.tenants.set_terms(ann.user.0, |terms| terms.allow_other_platforms = own);
            let outcome = resolve(&world, &ann, &link).await;
            if allowed {
                outcome.unwrap();
            } else {
                assert_eq!(reason(outcome), ErrorReason::CrossPlatformNotAllowed);
            }
        }
        for (theirs, own, allowed) in [(true, false, false), (false, true, false), (true, true, true)]
        {
            world.tenants.set_terms(bob.user.0, |terms| terms.sandbox = theirs);
            world.tenants.set_terms(ann.user.0, |terms| terms.sandbox = own);
            let outcome = resolve(&world, &ann, &link).await;
            if allowed {
                outcome.unwrap();
            } else {
                assert_eq!(reason(outcome), ErrorReason::CrossPlatformNotAllowed);
            }
        }
        for standing in [Standing::Blocked, Standing::TenantSuspended, Standing::Absent] {
            world.tenants.set_standing(bob.user.1, standing);
            let outcome = resolve(&world, &ann, &link).await;
            assert_eq!(reason(outcome), ErrorReason::LinkNotActive);
        }
        let wrong = format!("{}A", &link[..21]);
        let spelled = format!("{}!", &link[..21]);
        if wrong != link {
            assert_eq!(reason(resolve(&world, &ann, &wrong).await), ErrorReason::NotFound);
        }
        let outcome = resolve(&world, &ann, &spelled).await;
        assert_eq!(outcome.unwrap_err().code(), Code::InvalidArgument);
    }

    async fn a_user_has_a_hundred_active_links_at_most_however_many_are_made_at_once(world: World) {
        let bob = Person::registered(&world, tenant(&world)).await;
        let first = create(&world, &bob, "request-000").await.unwrap();
        for index in 1..97 {
            create(&world, &bob, &format!("request-{index:03}")).await.unwrap();
        }
        let names: Vec<String> = (0..8).map(|index| format!("racing-{index}")).collect();
        let calls = names.iter().map(|name| create(&world, &bob, name));
        let outcomes = futures::future::join_all(calls).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(reason(outcome), ErrorReason::LimitReached);
        }
        revoke(&world, &bob, &first.link_id, "revoke-1").await.unwrap();
        create(&world, &bob, "request-101").await.unwrap();
    }
}
