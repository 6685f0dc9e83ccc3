//! What a node remembers of chats and devices: right within seconds although the bus does not reach it.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::Env;
use plasma_kit::bus::LocalBus;
use plasma_kit::changes::{self, Change, Freshness};
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Events;
use plasma_kit::ids::ChatId;
use plasma_kit::status::ErrorReason;
use plasma_messaging::directory::Directory;
use plasma_messaging::ports::Access;
use sea_orm::DbBackend;
use tokio_util::sync::CancellationToken;

use crate::chats::{block, close, open, pair};
use crate::messages::try_send;
use crate::on_both_databases;
use crate::person::{Person, tenant};
use crate::resets::reset_at_once;
use crate::world::{World, eventually, reason};

/// The directory of another node, with caches of its own and no bus to the first.
struct Far {
    directory: Directory,
    freshness: Freshness,
    stop: CancellationToken,
}

impl Drop for Far {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Far {
    /// A node that hears the feed of changes, or one that does not.
    async fn node(world: &World, is_told: bool) -> Self {
        let (stop, freshness) = (CancellationToken::new(), Freshness::default());
        let events = Events::start(Arc::new(LocalBus::default()), stop.clone()).await;
        let access = Arc::clone(&world.access) as Arc<dyn Access>;
        let directory =
            Directory::new(world.db.clone(), world.env.clone(), access, freshness.clone());
        directory.watch(events.listen(), stop.clone());
        if is_told {
            // With a clock of its own: tests set the world's.
            let (db, env, heard) = (world.db.system(), Env::system(), freshness.clone());
            tokio::spawn(changes::follow(db, env, events, heard, stop.clone()));
            eventually(|| async { freshness.is_within(Duration::from_secs(1)) }).await;
        }
        Self { directory, freshness, stop }
    }

    /// Why the person may not write in the chat, as this node remembers.
    async fn obstacle(&self, world: &World, person: &Person, chat: &str) -> Option<ErrorReason> {
        let view = self.directory.membership(&person.actor(), ChatId::checked(chat)).await;
        view.unwrap().may_send(world.env.now()).err().map(|failure| failure.reason())
    }

    async fn device_count(&self, person: &Person) -> usize {
        self.directory.device_set(person.user.0, person.user.1).await.unwrap().devices.len()
    }
}

/// Longer than a node that hears nothing believes a device set.
const SILENCE: Duration = Duration::from_millis(1_500);

/// Adds a device as no call does: no node is told.
async fn add_unheard(world: &World, person: &Person) {
    let sql = "INSERT INTO devices (tenant_id, device_id, user_id, certificate, state, \
               tokens_valid_from, created_at) \
               SELECT tenant_id, $1, user_id, certificate, state, 0, 0 FROM devices \
               WHERE user_id = $2";
    let values = vec![world.env.uuid().into(), person.user.1.0.into()];
    assert_eq!(world.execute(person.user.0, sql, values).await, 1);
}

on_both_databases! {
    async fn blocks_and_closings_are_heard_of(world: World) {
        let (ann, bob, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        let far = Far::node(&world, true).await;
        assert_eq!(far.obstacle(&world, &ann, &chat).await, None);
        block(&world, &bob, &chat, "request-2").await.unwrap();
        let blocked = || async {
            far.obstacle(&world, &ann, &chat).await == Some(ErrorReason::ChatBlocked)
        };
        eventually(blocked).await;
        close(&world, &bob, &chat, "request-3").await.unwrap();
        let closed = || async {
            far.obstacle(&world, &ann, &chat).await == Some(ErrorReason::ChatClosed)
        };
        eventually(closed).await;
    }

    async fn devices_that_come_and_accounts_that_begin_anew_are_heard_of(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let far = Far::node(&world, true).await;
        assert_eq!(far.device_count(&ann).await, 1);
        ann.add_device(&world, false).await;
        eventually(|| async { far.device_count(&ann).await == 2 }).await;
        reset_at_once(&world, &ann).await;
        eventually(|| async { far.device_count(&ann).await == 1 }).await;
    }

    async fn what_is_not_changed_is_remembered_while_the_feed_is_heard(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let (hearing, deaf) = (Far::node(&world, true).await, Far::node(&world, false).await);
        assert_eq!(hearing.device_count(&ann).await, 1);
        assert_eq!(deaf.device_count(&ann).await, 1);
        add_unheard(&world, &ann).await;
        tokio::time::sleep(SILENCE).await;
        assert_eq!(hearing.device_count(&ann).await, 1, "it was not told of anything");
        assert_eq!(deaf.device_count(&ann).await, 2, "it believes nothing for longer than that");

        let tx = world.db.tenant(TenantClaim::of_device(&ann.actor())).begin().await.unwrap();
        changes::record(&tx, &world.env, Change::Account(ann.user.1)).await.unwrap();
        tx.commit().await.unwrap();
        eventually(|| async { hearing.device_count(&ann).await == 2 }).await;
    }

    async fn nobody_is_refused_for_long_by_what_a_node_remembers(world: World) {
        let (ann, bob, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        block(&world, &bob, &chat, "request-2").await.unwrap();
        let refused = try_send(&world, &chat, &ann, &bob).await;
        assert_eq!(reason(refused), ErrorReason::ChatBlocked);
        // As another node does while the bus is dead.
        let sql = "UPDATE chat_members SET blocked_at = NULL, peer_blocked_at = NULL \
                   WHERE tenant_id = $1";
        world.execute(ann.user.0, sql, vec![ann.user.0.0.into()]).await;
        let begun = std::time::Instant::now();
        eventually(|| async { try_send(&world, &chat, &ann, &bob).await.is_ok() }).await;
        assert!(begun.elapsed() < Duration::from_secs(4), "it was refused from memory");
    }

    async fn the_feed_is_heard_while_background_work_has_every_connection(world: World) {
        let far = Far::node(&world, true).await;
        // SQLite has one writer at a time.
        let taken = if world.db.backend() == DbBackend::Postgres { 4 } else { 1 };
        let mut held = Vec::new();
        for _ in 0..taken {
            held.push(world.db.system().begin().await.unwrap());
        }
        tokio::time::sleep(SILENCE).await;
        eventually(|| async { far.freshness.is_within(Duration::from_secs(1)) }).await;
        for tx in held {
            tx.commit().await.unwrap();
        }
    }

    async fn a_node_that_stops_hearing_believes_little(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let far = Far::node(&world, true).await;
        assert_eq!(far.device_count(&ann).await, 1);
        far.stop.cancel();
        add_unheard(&world, &ann).await;
        tokio::time::sleep(SILENCE).await;
        assert_eq!(far.device_count(&ann).await, 2);
    }
}
