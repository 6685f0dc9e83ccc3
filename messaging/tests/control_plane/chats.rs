//! Chats: one for two users, opened by payment, blocked and closed.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::ids::ChatId;
use plasma_kit::{Failure, Timestamp};
use plasma_messaging::directory::{ChatState, Membership};
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Status};

use crate::links::{create, token};
use crate::on_both_databases;
use crate::person::{Person, tenant};
use crate::world::{World, by, eventually, reason};

pub async fn open(
    world: &World,
    person: &Person,
    link_token: &str,
    request_id: &str,
) -> Result<pb::OpenChatResponse, Status> {
    let request = pb::OpenChatRequest {
        request_id: request_id.to_owned(),
        link_token: link_token.to_owned(),
        accepted_price: Some(AcceptedPrice::default()),
    };
    Ok(world.chats().open_chat(by(person.actor(), request)).await?.into_inner())
}

async fn get(world: &World, person: &Person, chat_id: &str) -> Result<pb::Chat, Status> {
    let request = pb::GetChatRequest { chat_id: chat_id.to_owned() };
    let answer = world.chats().get_chat(by(person.actor(), request)).await?;
    Ok(answer.into_inner().chat.unwrap())
}

async fn list(world: &World, person: &Person) -> Vec<pb::Chat> {
    let request = pb::ListChatsRequest::default();
    world.chats().list_chats(by(person.actor(), request)).await.unwrap().into_inner().chats
}

pub async fn block(
    world: &World,
    person: &Person,
    chat: &str,
    key: &str,
) -> Result<pb::Chat, Status> {
    let request = pb::BlockChatRequest { request_id: key.to_owned(), chat_id: chat.to_owned() };
    let answer = world.chats().block_chat(by(person.actor(), request)).await?;
    Ok(answer.into_inner().chat.unwrap())
}

async fn unblock(
    world: &World,
    person: &Person,
    chat: &str,
    key: &str,
) -> Result<pb::Chat, Status> {
    let request = pb::UnblockChatRequest { request_id: key.to_owned(), chat_id: chat.to_owned() };
    let answer = world.chats().unblock_chat(by(person.actor(), request)).await?;
    Ok(answer.into_inner().chat.unwrap())
}

pub async fn close(
    world: &World,
    person: &Person,
    chat: &str,
    key: &str,
) -> Result<pb::Chat, Status> {
    let request = pb::CloseChatRequest { request_id: key.to_owned(), chat_id: chat.to_owned() };
    let answer = world.chats().close_chat(by(person.actor(), request)).await?;
    Ok(answer.into_inner().chat.unwrap())
}

/// Two users of one platform, and a link of each.
pub async fn pair(world: &World) -> (Person, Person, String, String) {
    let ann = Person::registered(world, tenant(world)).await;
    let bob = Person::registered(world, ann.user.0).await;
    let of_ann = token(&create(world, &ann, "link-of-ann").await.unwrap());
    let of_bob = token(&create(world, &bob, "link-of-bob").await.unwrap());
    (ann, bob, of_ann, of_bob)
}

/// Why the person may not write in the chat; `None` where it may.
async fn obstacle(world: &World, person: &Person, chat: &str) -> Option<ErrorReason> {
    let outcome = membership(world, person, chat).await;
    outcome.and_then(|membership| membership.may_send(world.env.now())).err().map(|f| f.reason())
}

async fn membership(
    world: &World,
    person: &Person,
    chat: &str,
) -> Result<Arc<Membership>, Failure> {
    let (directory, actor) = (world.messaging.directory(), person.actor());
    directory.membership(&actor, ChatId::checked(chat)).await
}

on_both_databases! {
    async fn a_chat_that_is_paid_for_is_there_for_both(world: World) {
        let (ann, bob, _, of_bob) = pair(&world).await;
        world.access.set_price(300);
        world.access.credit(ann.user.1, 1_000);
        let opened = open(&world, &ann, &of_bob, "request-1").await.unwrap();
        let chat = opened.chat.unwrap();
        assert_eq!(opened.pass.unwrap().chat_id, chat.chat_id);
        assert_eq!(chat.peer, Some(bob.pb_address()));
        assert_eq!(chat.host_tenant_id, bob.user.0.to_string());
        assert_eq!(chat.state(), pb::ChatState::Open);
        assert_eq!(list(&world, &ann).await, std::slice::from_ref(&chat));
        let theirs = list(&world, &bob).await;
        assert_eq!(theirs.len(), 1);
        assert_eq!((&theirs[0].chat_id, &theirs[0].peer), (&chat.chat_id, &Some(ann.pb_address())));
        for person in [&ann, &bob] {
            assert_eq!(obstacle(&world, person, &chat.chat_id).await, None);
        }
        // Now each may see the other's devices and take keys for them.
        for (viewer, seen) in [(&ann, &bob), (&bob, &ann)] {
            let request = pb::GetAccountRequest { user: Some(seen.pb_address()), after_epoch: 0 };
            world.devices().get_account(by(viewer.actor(), request)).await.unwrap();
            let request = pb::TakePrekeyBundlesRequest {
                user: Some(seen.pb_address()),
                device_ids: vec![seen.actor().device.to_string()],
            };
            world.keys().take_prekey_bundles(by(viewer.actor(), request)).await.unwrap();
        }
        // The same key answers again; another key meets the pass in force.
        let again = open(&world, &ann, &of_bob, "request-1").await.unwrap();
        assert_eq!(again.chat.as_ref(), Some(&chat));
        open(&world, &ann, &of_bob, "request-2").await.unwrap();
        assert_eq!(world.access.charges(), 1);
    }

    async fn two_users_have_one_chat_whoever_opens_it_and_however_often(world: World) {
        let (ann, bob, of_ann, of_bob) = pair(&world).await;
        let keys: Vec<String> = (0..16).map(|index| format!("request-{index}")).collect();
        let calls = keys.iter().enumerate().map(|(index, key)| {
            let (person, link) = if index % 2 == 0 { (&ann, &of_bob) } else { (&bob, &of_ann) };
            open(&world, person, link, key)
        });
        let outcomes = futures::future::join_all(calls).await;
        let chats: Vec<String> = outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap().chat.unwrap().chat_id)
            .collect();
        assert!(chats.iter().all(|chat| *chat == chats[0]), "{chats:?}");
        assert_eq!(world.access.charges(), 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM chats", vec![]).await, 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM chat_members", vec![]).await, 2);
    }

    async fn parallel_retries_of_one_opening_get_equal_answers(world: World) {
        let (ann, _, _, of_bob) = pair(&world).await;
        world.access.set_price(300);
        world.access.credit(ann.user.1, 10_000);
        let calls = (0..16).map(|_| open(&world, &ann, &of_bob, "request-1"));
        let answers: Vec<pb::OpenChatResponse> =
            futures::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(world.access.charges(), 1);
        let request = pb::OpenChatRequest {
            request_id: "request-1".to_owned(),
            link_token: "A".repeat(22),
            accepted_price: Some(AcceptedPrice::default()),
        };
        let outcome = world.chats().open_chat(by(ann.actor(), request)).await;
        assert_eq!(reason(outcome), ErrorReason::IdempotencyKeyReused);
    }

    async fn a_chat_that_nobody_paid_for_gives_a_stranger_nothing(world: World) {
        let (ann, bob, _, of_bob) = pair(&world).await;
        world.access.set_price(300);
        let outcome = open(&world, &ann, &of_bob, "request-1").await;
        assert_eq!(reason(outcome), ErrorReason::PaymentRequired);
        assert_eq!(world.access.charges(), 0);
        assert_eq!(list(&world, &bob).await, []);
        let mine = list(&world, &ann).await;
        assert_eq!(mine.len(), 1);
        let chat = mine[0].chat_id.clone();
        assert_eq!(obstacle(&world, &ann, &chat).await, Some(ErrorReason::AccessRequired));
        let refused = membership(&world, &ann, &chat).await.unwrap().may_repair().unwrap_err();
        assert_eq!(refused.reason(), ErrorReason::AccessRequired);
        let request = pb::TakePrekeyBundlesRequest {
            user: Some(bob.pb_address()),
            device_ids: vec![bob.actor().device.to_string()],
        };
        let outcome = world.keys().take_prekey_bundles(by(ann.actor(), request)).await;
        assert_eq!(reason(outcome), ErrorReason::NotFound);
        // The refusal belongs to its key; a new one buys the same chat.
        world.access.credit(ann.user.1, 300);
        let outcome = open(&world, &ann, &of_bob, "request-1").await;
        assert_eq!(reason(outcome), ErrorReason::PaymentRequired);
        let opened = open(&world, &ann, &of_bob, "request-2").await.unwrap();
        assert_eq!(opened.chat.unwrap().chat_id, chat);
        assert_eq!(list(&world, &bob).await.len(), 1);
    }

    async fn an_expired_pass_ends_writing_and_not_repair(world: World) {
        let (ann, _, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        assert_eq!(obstacle(&world, &ann, &chat).await, None);
        world.access.expire_passes();
        let event = plasma_kit::events::Event::ChatChanged(ChatId::checked(&chat));
        world.events.emit(event).await;
        eventually(|| async {
            obstacle(&world, &ann, &chat).await == Some(ErrorReason::AccessRequired)
        })
        .await;
        membership(&world, &ann, &chat).await.unwrap().may_repair().unwrap();
    }

    async fn access_sold_just_before_a_crash_is_found_by_the_next_reader(world: World) {
        let (ann, bob, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        // The node that sold the access stopped before it marked the chat and kept the answer.
        let sql = "UPDATE chat_members SET opened_at = NULL WHERE opened_at IS NOT NULL";
        assert_eq!(world.execute(ann.user.0, sql, vec![]).await, 2);
        let sql = "DELETE FROM idempotency_keys WHERE rpc = 'OpenChat'";
        assert_eq!(world.execute(ann.user.0, sql, vec![]).await, 1);
        let event = plasma_kit::events::Event::ChatChanged(ChatId::checked(&chat));
        world.events.emit(event).await;
        assert_eq!(list(&world, &bob).await, []);
        eventually(|| async {
            obstacle(&world, &bob, &chat).await;
            list(&world, &bob).await.len() == 1
        })
        .await;
        let retried = open(&world, &ann, &of_bob, "request-1").await.unwrap();
        assert_eq!(retried.chat.unwrap().chat_id, chat);
        assert_eq!(world.access.charges(), 1);
    }

    async fn a_block_stops_both_and_is_each_sides_own(world: World) {
        let (ann, bob, of_ann, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        assert_eq!(obstacle(&world, &ann, &chat).await, None);
        let blocked = block(&world, &bob, &chat, "block-of-bob").await.unwrap();
        assert_eq!((blocked.state(), blocked.blocked_by_me), (pb::ChatState::Blocked, true));
        assert_eq!(block(&world, &bob, &chat, "block-again").await.unwrap(), blocked);
        let seen = get(&world, &ann, &chat).await.unwrap();
        assert_eq!((seen.state(), seen.blocked_by_me), (pb::ChatState::Blocked, false));
        for person in [&ann, &bob] {
            eventually(|| async {
                obstacle(&world, person, &chat).await == Some(ErrorReason::ChatBlocked)
            })
            .await;
        }
        for (person, link) in [(&ann, &of_bob), (&bob, &of_ann)] {
            let outcome = open(&world, person, link, "request-2").await;
            assert_eq!(reason(outcome), ErrorReason::ChatBlocked);
        }
        // Both block at once, then one of them gives way: the other's block stays.
        let both = [block(&world, &ann, &chat, "block-of-ann"), block(&world, &bob, &chat, "block-three")];
        assert!(futures::future::join_all(both).await.iter().all(Result::is_ok));
        let after = unblock(&world, &bob, &chat, "unblock-1").await.unwrap();
        assert_eq!((after.state(), after.blocked_by_me), (pb::ChatState::Blocked, false));
        let after = unblock(&world, &ann, &chat, "unblock-2").await.unwrap();
        assert_eq!((after.state(), after.blocked_by_me), (pb::ChatState::Open, false));
        eventually(|| async { obstacle(&world, &bob, &chat).await.is_none() }).await;
        // A retry of an old call repeats its answer and changes nothing.
        block(&world, &bob, &chat, "block-of-bob").await.unwrap();
        assert_eq!(get(&world, &ann, &chat).await.unwrap().state(), pb::ChatState::Open);
        // Money that is spent on a blocked chat would be lost.
        assert_eq!(world.access.charges(), 1);
    }

    async fn a_closed_chat_stays_closed(world: World) {
        let (ann, bob, of_ann, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        block(&world, &bob, &chat, "block-of-bob").await.unwrap();
        let closed = close(&world, &ann, &chat, "closing-1").await.unwrap();
        assert_eq!(closed.state(), pb::ChatState::Closed);
        assert_eq!(close(&world, &ann, &chat, "closing-2").await.unwrap(), closed);
        unblock(&world, &bob, &chat, "unblock-1").await.unwrap();
        for (person, link) in [(&ann, &of_bob), (&bob, &of_ann)] {
            assert_eq!(get(&world, person, &chat).await.unwrap().state(), pb::ChatState::Closed);
            let outcome = open(&world, person, link, "request-2").await;
            assert_eq!(reason(outcome), ErrorReason::ChatClosed);
            eventually(|| async {
                obstacle(&world, person, &chat).await == Some(ErrorReason::ChatClosed)
            })
            .await;
        }
        let membership = membership(&world, &ann, &chat).await.unwrap();
        assert_eq!(membership.state, ChatState::Closed);
        assert!(membership.may_send(Timestamp(0)).is_err());
    }

    async fn a_chat_of_two_platforms_is_there_on_both(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, tenant(&world)).await;
        let link = token(&create(&world, &bob, "link-of-bob").await.unwrap());
        let outcome = open(&world, &ann, &link, "request-1").await;
        assert_eq!(reason(outcome), ErrorReason::CrossPlatformNotAllowed);
        assert_eq!(world.count("SELECT COUNT(*) FROM chats", vec![]).await, 0);
        for person in [&ann, &bob] {
            world.tenants.set_terms(person.user.0, |terms| terms.allow_other_platforms = true);
        }
        let chat = open(&world, &ann, &link, "request-2").await.unwrap().chat.unwrap();
        assert_eq!(chat.host_tenant_id, bob.user.0.to_string());
        let blocked = block(&world, &bob, &chat.chat_id, "block-of-bob").await.unwrap();
        assert_eq!(blocked.peer, Some(ann.pb_address()));
        let seen = get(&world, &ann, &chat.chat_id).await.unwrap();
        assert_eq!(seen.state(), pb::ChatState::Blocked);
        assert!(list(&world, &bob).await.iter().any(|listed| listed.chat_id == chat.chat_id));
    }

    async fn a_strangers_chat_is_as_absent_as_none(world: World) {
        let (ann, _, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        let none = ChatId(world.env.uuid()).to_string();
        let neighbour = Person::registered(&world, ann.user.0).await;
        let foreigner = Person::registered(&world, tenant(&world)).await;
        get(&world, &ann, &chat).await.unwrap();
        let mut answers = Vec::new();
        for person in [&neighbour, &foreigner] {
            for (round, chat) in [&chat, &none].into_iter().enumerate() {
                let key = |what: &str| format!("{what}-of-{round}");
                for outcome in [
                    get(&world, person, chat).await,
                    block(&world, person, chat, &key("block")).await,
                    unblock(&world, person, chat, &key("unblock")).await,
                    close(&world, person, chat, &key("close")).await,
                ] {
                    let status = outcome.unwrap_err();
                    assert_eq!(status.code(), Code::NotFound);
                    answers.push((status.message().to_owned(), status.details().to_vec()));
                }
                let expected = Some(ErrorReason::NotFound);
                assert_eq!(obstacle(&world, person, chat).await, expected);
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        assert_eq!(get(&world, &ann, &chat).await.unwrap().state(), pb::ChatState::Open);
    }

    async fn chats_are_listed_newest_first_in_pages(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let mut opened = Vec::new();
        for _ in 0..5 {
            let bob = Person::registered(&world, ann.user.0).await;
            let link = token(&create(&world, &bob, "link-of-bob").await.unwrap());
            opened.push(open(&world, &ann, &link, &link).await.unwrap().chat.unwrap().chat_id);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListChatsRequest { page_size: 2, page_token };
            let page = world.chats().list_chats(by(ann.actor(), request)).await.unwrap().into_inner();
            listed.extend(page.chats.into_iter().map(|chat| chat.chat_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        opened.reverse();
        assert_eq!(listed, opened);
    }
}
