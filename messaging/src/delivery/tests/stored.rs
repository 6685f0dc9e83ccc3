//! What the store takes and gives: batches that meet, and a backlog by portions.

use std::collections::HashSet;

use plasma_kit::Timestamp;
use sea_orm_migration::SchemaManager;

use super::*;
use crate::delivery::DeviceKey;
use crate::delivery::batcher::Batcher;
use crate::store::envelopes::{self, Portion};

const ALL: Portion = Portion { envelopes: 1_000, bytes: usize::MAX };

impl World {
    fn batcher(&self) -> Batcher {
        Batcher::start(self.db.system(), Env::system())
    }

    fn to(&self) -> DeviceKey {
        (self.device.tenant, self.device.device)
    }

    /// Envelopes of a hundred bytes each, a microsecond apart.
    fn parcels(&self, count: i64) -> Vec<Parcel> {
        let env = Env::system();
        let begin = env.now().0;
        let parcel = |number| Parcel {
            envelope: EnvelopeId(env.uuid_of(Timestamp(begin + number))),
            ciphertext: Bytes::from_static(&[7; 100]),
            ..self.parcel()
        };
        (0..count).map(parcel).collect()
    }

    async fn waiting(&self, except: &[EnvelopeId], portion: Portion) -> Vec<EnvelopeId> {
        let db = self.db.system();
        let waiting = envelopes::waiting(&db, self.to(), except, portion).await.unwrap();
        waiting.iter().map(|parcel| parcel.envelope).collect()
    }
}

#[tokio::test]
async fn a_message_that_waits_already_is_stored_once_and_no_device_counts_as_gone() {
    let world = World::new().await;
    let batcher = world.batcher();
    let first = world.parcel();
    let again = || Parcel { envelope: EnvelopeId(Env::system().uuid()), ..first.clone() };
    let gone = batcher.insert(vec![first.clone(), again(), world.parcel()]).await.unwrap();
    assert!(gone.is_empty(), "{gone:?}");
    assert_eq!(world.stored().await, 2);
    let gone = batcher.insert(vec![again(), world.parcel()]).await.unwrap();
    assert!(gone.is_empty(), "{gone:?}");
    assert_eq!(world.stored().await, 3);
    assert!(world.waiting(&[], ALL).await.contains(&first.envelope));
}

#[tokio::test]
async fn nothing_is_stored_for_a_device_that_is_none_and_the_others_of_the_batch_get_theirs() {
    let world = World::new().await;
    let unknown = (world.device.tenant, DeviceId(Uuid::from_u128(99)));
    let elsewhere = (TenantId(Uuid::from_u128(98)), world.device.device);
    let mut parcels = vec![world.parcel()];
    parcels.extend([unknown, elsewhere].map(|to| Parcel { to, ..world.parcel() }));
    let gone = world.batcher().insert(parcels).await.unwrap();
    assert_eq!(*gone, HashSet::from([unknown, elsewhere]));
    assert_eq!(world.stored().await, 1);
    let sql = "SELECT count(*) AS rows FROM envelopes";
    let statement = Statement::from_string(world.db.backend(), sql);
    let row = world.db.for_migrations().query_one_raw(statement).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "rows").unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_store_the_same_messages_at_once_store_each_once() {
    let world = World::new().await;
    let nodes = [world.batcher(), world.batcher()];
    for _ in 0..20 {
        let messages: Vec<Parcel> = (0..20).map(|_| world.parcel()).collect();
        let sends = nodes.iter().map(|node| {
            let again = |parcel: &Parcel| Parcel {
                envelope: EnvelopeId(Env::system().uuid()),
                ..parcel.clone()
            };
            node.insert(messages.iter().map(again).collect())
        });
        for stored in futures::future::join_all(sends).await {
            assert!(stored.unwrap().is_empty());
        }
    }
    assert_eq!(world.stored().await, 400);
}

#[tokio::test]
async fn an_envelope_is_deleted_for_its_own_device_alone() {
    let world = World::new().await;
    let batcher = world.batcher();
    let (parcel, other) = (world.parcel(), world.parcel());
    batcher.insert(vec![parcel.clone(), other.clone()]).await.unwrap();
    let stranger = (world.device.tenant, DeviceId(Uuid::from_u128(99)));
    let elsewhere = (TenantId(Uuid::from_u128(98)), world.device.device);
    let foreign = vec![(stranger, parcel.envelope), (elsewhere, parcel.envelope)];
    batcher.delete(foreign).await.unwrap();
    assert_eq!(world.stored().await, 2);
    batcher.delete(vec![(world.to(), parcel.envelope); 2]).await.unwrap();
    assert_eq!(world.waiting(&[], ALL).await, [other.envelope]);
}

#[tokio::test]
async fn a_portion_is_the_oldest_that_was_not_offered_and_ends_by_count_or_bytes() {
    let world = World::new().await;
    let parcels = world.parcels(10);
    let ids: Vec<EnvelopeId> = parcels.iter().map(|parcel| parcel.envelope).collect();
    world.batcher().insert(parcels.into_iter().rev().collect()).await.unwrap();
    assert_eq!(world.waiting(&[], ALL).await, ids);
    assert_eq!(world.waiting(&[], Portion { envelopes: 3, ..ALL }).await, ids[..3]);
    let except = [ids[0], ids[2], EnvelopeId(Uuid::nil())];
    let rest = world.waiting(&except, Portion { envelopes: 2, ..ALL }).await;
    assert_eq!(rest, [ids[1], ids[3]]);
    assert_eq!(world.waiting(&[], Portion { bytes: 200, ..ALL }).await, ids[..2]);
    // The one that exceeds the bytes is there: a window that is empty takes it whatever its size.
    assert_eq!(world.waiting(&[], Portion { bytes: 201, ..ALL }).await, ids[..3]);
    assert_eq!(world.waiting(&except, Portion { bytes: 1, ..ALL }).await, ids[1..2]);
    assert_eq!(world.waiting(&ids, ALL).await, []);
}

#[tokio::test]
async fn the_order_of_the_queue_goes_down_and_up_again_and_every_envelope_stays() {
    let world = World::new().await;
    let parcels = world.parcels(10);
    let ids: Vec<EnvelopeId> = parcels.iter().map(|parcel| parcel.envelope).collect();
    world.batcher().insert(parcels.clone()).await.unwrap();
    let manager = SchemaManager::new(world.db.for_migrations());
    let mut migrations = crate::migration::migrations().into_iter();
    let order = migrations.find(|one| one.name().ends_with("messaging_envelope_order")).unwrap();
    assert!(!manager.has_index("envelopes", "envelopes_queue").await.unwrap());
    order.down(&manager).await.unwrap();
    assert!(manager.has_index("envelopes", "envelopes_queue").await.unwrap());
    world.batcher().insert(parcels.clone()).await.unwrap();
    assert_eq!(world.waiting(&[], ALL).await, ids);
    order.up(&manager).await.unwrap();
    assert!(!manager.has_index("envelopes", "envelopes_queue").await.unwrap());
    world.batcher().insert(parcels).await.unwrap();
    assert_eq!(world.waiting(&[], ALL).await, ids);
}

#[tokio::test]
async fn what_is_acknowledged_while_it_is_read_is_not_offered() {
    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    let (parcel, other) = (world.parcel(), world.parcel());
    node.send(vec![parcel.clone()], false).await.unwrap();
    node.send(vec![other.clone()], false).await.unwrap();
    let gate = node.inner.checkpoints.hold(Point::Looked);
    let mut stream = node.receive(world.device).await.unwrap();
    tokio::time::timeout(LIVENESS, gate.reached()).await.expect("the stream looks");
    node.acknowledge(world.to(), vec![parcel.envelope]).await.unwrap();
    assert_eq!(world.waiting(&[], ALL).await, [other.envelope]);
    gate.open();
    assert_eq!(next(&node, &mut stream, world.device).await, other.envelope);
    wait_until_live(&mut stream).await;
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn what_is_about_to_go_keeps_nothing_from_a_pull() {
    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    let parcels = world.parcels(5);
    let last = parcels[4].envelope;
    node.inner.batcher.insert(parcels.clone()).await.unwrap();
    for parcel in &parcels[..4] {
        node.inner.batcher.bury(parcel.envelope);
    }
    let begun = std::time::Instant::now();
    let (taken, more) = node.pull(world.to(), 2, LIVENESS).await.unwrap();
    assert!(begun.elapsed() < LIVENESS, "it waited in front of what there was");
    let taken: Vec<_> = taken.iter().map(|one| EnvelopeId::checked(&one.envelope_id)).collect();
    assert_eq!((taken, more), (vec![last], false));
}
