//! What a device is handed, by whichever way: the same mark, and no chat where there is none; and how
//! a stream ends that ends in order.

use plasma_proto::messaging::v1 as pb;

use super::*;

/// The next envelope of a stream, unacknowledged.
pub(super) async fn look(stream: &mut EventStream) -> pb::Envelope {
    tokio::time::timeout(LIVENESS, async {
        loop {
            let event = stream.next().await.unwrap().unwrap();
            if let Event::Envelope(envelope) = event {
                return envelope;
            }
        }
    })
    .await
    .expect("the envelope arrives")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_has_the_same_mark_live_stored_and_pulled_on_every_node() {
    for (apart, in_a_chat) in [(false, true), (false, false), (true, true), (true, false)] {
        let world = World::new().await;
        let (sender, receiver) = world.nodes(apart).await;
        let mut stream = receiver.receive(world.device).await.unwrap();
        wait_until_live(&mut stream).await;
        let mut parcel = world.parcel();
        parcel.chat = parcel.chat.filter(|_| in_a_chat);
        let states = sender.send(vec![parcel.clone()], false).await.unwrap();
        assert_eq!(states, [DeliveryState::Stored]);

        let live = look(&mut stream).await;
        let (pulled, _) = sender.pull(parcel.to, 10, Duration::ZERO).await.unwrap();
        let mut again = receiver.receive(world.device).await.unwrap();
        let stored = look(&mut again).await;
        assert_eq!(live, parcel.to_proto(sender.franking()));
        assert_eq!(pulled, std::slice::from_ref(&live));
        assert_eq!(stored, live);
        assert_eq!(live.chat_id.is_empty(), !in_a_chat);
        assert_eq!(live.franking_tag.len(), super::super::franking::TAG_BYTES);
        assert!(receiver.franking().verifies(&parcel, &live.franking_tag));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_stream_gives_what_was_offered_then_resume_and_ends() {
    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    let mut stream = node.receive(world.device).await.unwrap();
    wait_until_live(&mut stream).await;
    node.send(vec![world.parcel()], false).await.unwrap();
    node.drain().await;
    look(&mut stream).await;
    let rest = tokio::time::timeout(LIVENESS, stream.collect::<Vec<_>>()).await.expect("it ends");
    let [Ok(last)] = rest.as_slice() else { panic!("{rest:?}") };
    assert!(matches!(last, Event::Resume(_)), "{last:?}");
}
