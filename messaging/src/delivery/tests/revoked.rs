//! A device is removed from its account while an envelope is on its way to it: whatever the order, it
//! gets nothing that is sent afterwards, and the sender hears so.

use plasma_kit::events::{Event as Told, Subject};
use plasma_kit::status::ErrorReason;
use tonic::Code;

use super::franked::look;
use super::*;

/// What tells the nodes of a revocation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    /// That the device is revoked.
    Revoked,
    /// That the account changed.
    AccountChanged,
    /// Nothing: the bus is dead.
    Lost,
}

const WORDS: [Word; 3] = [Word::Revoked, Word::AccountChanged, Word::Lost];

impl World {
    /// Removes the device, as its account's new manifest would.
    async fn revoke(&self) {
        let sql = "UPDATE devices SET state = 2 WHERE tenant_id = $1 AND device_id = $2";
        let values = [self.device.tenant.0.into(), self.device.device.0.into()];
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, values);
        let changed = self.db.for_migrations().execute_raw(statement).await.unwrap();
        assert_eq!(changed.rows_affected(), 1);
    }

    /// Tells every node, as the node that revoked does after its commit.
    async fn tell(&self, word: Word) {
        let DeviceActor { tenant, user, device } = self.device;
        let told = match word {
            Word::Revoked => Told::Revoked { tenant, subject: Subject::Device(device) },
            Word::AccountChanged => Told::AccountChanged(tenant, user),
            Word::Lost => return,
        };
        let events = Events::start(Arc::new(self.bus.join()), self.stop.clone()).await;
        events.emit(told).await;
    }

    fn key(&self) -> (TenantId, DeviceId) {
        (self.device.tenant, self.device.device)
    }
}

/// Waits until a node has ended the device's stream.
async fn until_ended(node: &Delivery, world: &World) {
    tokio::time::timeout(LIVENESS, async {
        while node.inner.hub.get(world.key()).is_some_and(|stream| !stream.ended.is_cancelled()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the stream ends");
}

/// Reads a stream to its end, which must say that the credential is void; the envelopes before.
async fn to_the_end(mut stream: EventStream) -> Vec<EnvelopeId> {
    let mut envelopes = Vec::new();
    tokio::time::timeout(LIVENESS, async {
        loop {
            match stream.next().await.expect("a status before the end") {
                Ok(event) => {
                    if let Event::Envelope(envelope) = event {
                        envelopes.push(EnvelopeId::checked(&envelope.envelope_id));
                    }
                }
                Err(status) => {
                    assert_eq!(status.code(), Code::Unauthenticated);
                    assert!(stream.next().await.is_none(), "nothing after the status");
                    return;
                }
            }
        }
    })
    .await
    .expect("the stream ends");
    envelopes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_to_a_removed_device_stores_nothing_and_says_so() {
    use DeliveryState::{Revoked, Stored};

    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    let there = DeviceActor { device: DeviceId(Uuid::from_u128(4)), ..world.device };
    insert_another(&world, there).await;
    world.revoke().await;
    let other = Parcel { to: (there.tenant, there.device), ..world.parcel() };
    let unknown = Parcel { to: (there.tenant, DeviceId(Uuid::from_u128(5))), ..world.parcel() };
    let states = node.send(vec![world.parcel(), other.clone(), unknown], false).await.unwrap();
    assert_eq!(states, [Revoked, Stored, Revoked]);
    assert_eq!(world.stored().await, 0);
    // A retry of what waits already is stored, not revoked.
    let retry = Parcel { envelope: EnvelopeId(Uuid::from_u128(6)), ..other };
    assert_eq!(node.send(vec![retry], false).await.unwrap(), [Stored]);
    assert_eq!(node.receive(world.device).await.err().unwrap().code(), Code::Unauthenticated);
}

async fn insert_another(world: &World, device: DeviceActor) {
    let row = "INSERT INTO devices (tenant_id, device_id, user_id, certificate, state, \
               tokens_valid_from, created_at) VALUES ($1, $2, $3, $4, 1, 0, 0)";
    let (tenant, user) = (device.tenant.0, device.user.0);
    let values = [tenant.into(), device.device.0.into(), user.into(), vec![0_u8; 8].into()];
    let statement = Statement::from_sql_and_values(world.db.backend(), row, values);
    world.db.for_migrations().execute_raw(statement).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_removed_while_a_send_is_held_gets_what_was_committed_before_and_nothing_else() {
    for apart in [false, true] {
        for point in OF_SEND {
            let world = World::new().await;
            let (sender, receiver) = world.nodes(apart).await;
            let gate = sender.inner.checkpoints.hold(point);
            let sending = tokio::spawn({
                let (sender, parcel) = (sender.clone(), world.parcel());
                async move { sender.send(vec![parcel], false).await.unwrap() }
            });
            gate.reached().await;
            world.revoke().await;
            gate.open();
            let expected = match point {
                Point::Undelivered => DeliveryState::Revoked,
                _ => DeliveryState::Stored,
            };
            assert_eq!(sending.await.unwrap(), [expected], "{point:?}, apart {apart}");
            // What was stored before reaches nobody either.
            assert!(receiver.receive(world.device).await.is_err());
            let (pulled, _) = receiver.pull(world.key(), 10, Duration::ZERO).await.unwrap();
            assert!(pulled.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_stream_of_a_removed_device_is_offered_nothing_once_the_node_knows() {
    for apart in [false, true] {
        for word in [Word::Revoked, Word::AccountChanged] {
            let case = format!("{word:?}, apart {apart}");
            let world = World::new().await;
            let (sender, receiver) = world.nodes(apart).await;
            let mut stream = receiver.receive(world.device).await.unwrap();
            wait_until_live(&mut stream).await;
            world.revoke().await;
            world.tell(word).await;
            until_ended(&receiver, &world).await;
            let states = sender.send(vec![world.parcel()], false).await.unwrap();
            assert_eq!(states, [DeliveryState::Revoked], "{case}");
            assert!(to_the_end(stream).await.is_empty(), "{case}");
            assert_eq!(world.stored().await, 0, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_removed_device_has_not_acknowledged_is_reported_as_revoked() {
    for apart in [false, true] {
        let world = World::new().await;
        let (sender, receiver) = world.nodes(apart).await;
        let mut stream = receiver.receive(world.device).await.unwrap();
        wait_until_live(&mut stream).await;
        let gate = sender.inner.checkpoints.hold(Point::Undelivered);
        let sending = tokio::spawn({
            let (sender, parcel) = (sender.clone(), world.parcel());
            async move { sender.send(vec![parcel], false).await.unwrap() }
        });
        look(&mut stream).await;
        world.revoke().await;
        world.tell(Word::Revoked).await;
        gate.reached().await;
        gate.open();
        assert_eq!(sending.await.unwrap(), [DeliveryState::Revoked], "apart {apart}");
        assert!(to_the_end(stream).await.is_empty());
        assert_eq!(world.stored().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_offered_and_not_yet_written_is_never_written_after_the_revocation() {
    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    let mut stream = node.receive(world.device).await.unwrap();
    wait_until_live(&mut stream).await;
    for _ in 0..5 {
        assert_eq!(node.send(vec![world.parcel()], false).await.unwrap(), [DeliveryState::Stored]);
    }
    world.tell(Word::Revoked).await;
    until_ended(&node, &world).await;
    assert!(to_the_end(stream).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_removed_device_is_deleted_and_for_one_that_signed_out_stays() {
    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    assert_eq!(node.send(vec![world.parcel()], false).await.unwrap(), [DeliveryState::Stored]);
    world.tell(Word::Revoked).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(world.stored().await, 1, "it signed out");
    world.revoke().await;
    world.tell(Word::Revoked).await;
    tokio::time::timeout(LIVENESS, async {
        while world.stored().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("what waits is deleted");
}

/// Holds an opening stream at a point, removes the device, sends to it, and lets the stream go on.
async fn open_meanwhile(point: Point, told: Word, apart: bool) {
    let case = format!("{point:?}, {told:?}, apart {apart}");
    println!("{case}");
    let world = World::new().await;
    let (sender, receiver) = world.nodes(apart).await;
    let before = world.parcel();
    let sent_before = before.envelope;
    assert_eq!(sender.send(vec![before], false).await.unwrap(), [DeliveryState::Stored]);
    let gate = receiver.inner.checkpoints.hold(point);
    let receiving = tokio::spawn({
        let (receiver, device) = (receiver.clone(), world.device);
        async move { receiver.receive(device).await }
    });
    tokio::time::timeout(LIVENESS, gate.reached()).await.expect(&case);
    world.revoke().await;
    world.tell(told).await;
    let states = sender.send(vec![world.parcel()], false).await.unwrap();
    assert_eq!(states, [DeliveryState::Revoked], "{case}");
    gate.open();
    let opened = tokio::time::timeout(LIVENESS, receiving).await.expect(&case).unwrap();
    let stream = match opened {
        Ok(stream) => stream,
        // Its last look before the hello already saw the device gone.
        Err(failure) => {
            assert_eq!(failure.reason(), ErrorReason::Unauthenticated, "{case}");
            assert!(matches!(point, Point::Numbered | Point::Subscribed), "{case}");
            return;
        }
    };
    if point == Point::Looked && told == Word::Lost {
        // The one order in which the stream saw the device there, and nobody told: the poll of
        // revocations does, a second later.
        world.tell(Word::Revoked).await;
    }
    let envelopes = to_the_end(stream).await;
    assert!(envelopes.iter().all(|envelope| *envelope == sent_before), "{case}: {envelopes:?}");
    if point != Point::Looked {
        assert!(envelopes.is_empty(), "{case}: {envelopes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_opens_while_its_device_is_removed_ends_in_every_order() {
    for apart in [false, true] {
        for point in OF_STREAM {
            for word in WORDS {
                open_meanwhile(point, word, apart).await;
            }
        }
    }
}
