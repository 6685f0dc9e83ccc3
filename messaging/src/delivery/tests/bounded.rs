//! What must not grow, and what must not wait for ever.

use super::*;
use crate::delivery::batcher::Batcher;

#[tokio::test]
async fn a_stream_that_nobody_reads_does_not_hold_up_the_drain() {
    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    let _unread = node.receive(world.device).await.unwrap();
    let stuck = node.inner.hub.get((world.device.tenant, world.device.device)).unwrap();
    let heartbeat = || Event::Heartbeat(plasma_proto::messaging::v1::Heartbeat {});
    let fill = async { while stuck.tell(heartbeat()).await {} };
    assert!(tokio::time::timeout(Duration::from_millis(500), fill).await.is_err(), "it is full");
    tokio::time::timeout(LIVENESS, node.drain()).await.expect("the drain ends");
    assert!(stuck.ended.is_cancelled());
}

#[tokio::test]
async fn bytes_that_wait_for_the_store_are_bounded_and_more_is_refused_at_once() {
    let world = World::new().await;
    let batcher = Batcher::start(world.db.system(), Env::system());
    let large = Bytes::from(vec![7; 96 * 1024]);
    let send = || {
        let parcels = (0..20).map(|_| Parcel { ciphertext: large.clone(), ..world.parcel() });
        batcher.insert(parcels.collect())
    };
    let results = futures::future::join_all((0..64).map(|_| send())).await;
    let refused = results.iter().filter(|result| result.is_err()).count();
    assert!((1..64).contains(&refused), "{refused} of 64 were refused");
    let overloaded = |result: &Result<_, StoreError>| match result {
        Ok(_) => true,
        Err(error) => matches!(error, StoreError::Overloaded),
    };
    assert!(results.iter().all(overloaded), "{results:?}");
    let stored = (64 - refused) * 20;
    assert_eq!(world.stored().await, stored as u64, "all of a send or nothing");
    assert!(send().await.is_ok(), "room again");
}
