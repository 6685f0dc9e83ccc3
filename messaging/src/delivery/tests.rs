//! A device comes online while an envelope is on its way to it: every order of the steps of both,
//! with the sweep off, so that the hints alone must close the race; and with the hints lost, so
//! that the sweep alone must.

mod bounded;
mod franked;
mod revoked;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use plasma_kit::actor::DeviceActor;
use plasma_kit::bus::{Bus, BusError, BusEvent, LocalBus};
use plasma_kit::db::DbConfig;
use plasma_kit::events::Events;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId, UserId};
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, StoreError};
use plasma_proto::messaging::v1::{DeliveryState, EnvelopeClass, connect_response::Event};
use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::checkpoint::Point;
use super::{Delivery, EventStream, Parcel};

/// How long anything may take that must happen.
const LIVENESS: Duration = Duration::from_secs(20);

const OF_SEND: [Point; 2] = [Point::Undelivered, Point::Committed];
const OF_STREAM: [Point; 4] =
    [Point::Numbered, Point::Subscribed, Point::Registered, Point::Looked];

/// A database with one device, and what two nodes on it share.
struct World {
    db: Db,
    bus: LocalBus,
    device: DeviceActor,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::connect(&DbConfig {
            url: database_url(&folder).await,
            connections_max: 8,
            acquire_timeout: LIVENESS,
        })
        .await
        .unwrap();
        let manager = sea_orm_migration::SchemaManager::new(db.for_migrations());
        for migration in crate::migration::migrations() {
            migration.up(&manager).await.unwrap();
        }
        let device = DeviceActor {
            tenant: TenantId(Uuid::from_u128(1)),
            user: UserId(Uuid::from_u128(2)),
            device: DeviceId(Uuid::from_u128(3)),
        };
        insert_device(&db, device).await;
        let stop = CancellationToken::new();
        Self { db, bus: LocalBus::default(), device, stop, _folder: folder }
    }

    async fn node(&self, bus: Arc<dyn Bus>) -> Delivery {
        let events = Events::start(Arc::clone(&bus), self.stop.clone()).await;
        let stop = self.stop.clone();
        Delivery::start_without_sweep(&self.db, Env::system(), &secrets(), bus, &events, stop).await
    }

    /// One node, or the sender's and the device's.
    async fn nodes(&self, apart: bool) -> (Delivery, Delivery) {
        let here = self.node(Arc::new(self.bus.clone())).await;
        if apart {
            (here, self.node(Arc::new(self.bus.join())).await)
        } else {
            (here.clone(), here)
        }
    }

    fn parcel(&self) -> Parcel {
        let env = Env::system();
        Parcel {
            envelope: EnvelopeId(env.uuid()),
            to: (self.device.tenant, self.device.device),
            chat: Some(ChatId(env.uuid())),
            message: MessageId(env.uuid()),
            sender: DeviceActor { device: DeviceId(env.uuid()), ..self.device },
            ciphertext: Bytes::from_static(b"sealed"),
            accepted_at: env.now(),
            class: EnvelopeClass::Message,
        }
    }

    async fn stored(&self) -> u64 {
        let device = (self.device.tenant, self.device.device);
        crate::store::envelopes::queued(&self.db.system(), device).await.unwrap().0
    }
}

fn secrets() -> Secrets {
    Secrets::new(vec![[7; 32]]).unwrap()
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A device with an account, as registration would leave it but for the signatures.
async fn insert_device(db: &Db, device: DeviceActor) {
    let (tenant, user) = (device.tenant.0, device.user.0);
    let conn = db.for_migrations();
    let account = "INSERT INTO accounts (tenant_id, user_id, root_public_key, generation, epoch, \
                   manifest_hash, created_at) VALUES ($1, $2, $3, 0, 0, $4, 0)";
    let values = [tenant.into(), user.into(), vec![0_u8; 65].into(), vec![0_u8; 32].into()];
    conn.execute_raw(Statement::from_sql_and_values(db.backend(), account, values)).await.unwrap();
    let row = "INSERT INTO devices (tenant_id, device_id, user_id, certificate, state, \
               tokens_valid_from, created_at) VALUES ($1, $2, $3, $4, 1, 0, 0)";
    let values = [tenant.into(), device.device.0.into(), user.into(), vec![0_u8; 8].into()];
    conn.execute_raw(Statement::from_sql_and_values(db.backend(), row, values)).await.unwrap();
}

/// A fresh database: PostgreSQL where the environment names a server, SQLite otherwise.
async fn database_url(folder: &tempfile::TempDir) -> String {
    let Ok(server) = std::env::var("PLASMA_TEST_POSTGRES") else {
        return format!("sqlite://{}", folder.path().join("test.db").display());
    };
    let name = format!("delivery_{}", Env::system().uuid().as_simple());
    let server = server.trim_end_matches('/');
    let root = sea_orm::Database::connect(format!("{server}/postgres")).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    root.execute_raw(Statement::from_string(root.get_database_backend(), create)).await.unwrap();
    format!("{server}/{name}")
}

/// The next envelope of a stream, which the device then acknowledges.
async fn next(delivery: &Delivery, stream: &mut EventStream, device: DeviceActor) -> EnvelopeId {
    let envelope = tokio::time::timeout(LIVENESS, async {
        loop {
            let event = stream.next().await.unwrap().unwrap();
            if let Event::Envelope(envelope) = event {
                return EnvelopeId::checked(&envelope.envelope_id);
            }
        }
    })
    .await
    .expect("the envelope arrives");
    delivery.acknowledge((device.tenant, device.device), vec![envelope]).await.unwrap();
    envelope
}

/// Holds the send at one point and the stream at another, lets them go in the given order, and
/// sees that the envelope arrives and nothing stays.
async fn meet(send_point: Point, stream_point: Point, send_first: bool, apart: bool) {
    let case = format!("{send_point:?} × {stream_point:?}, send first {send_first}, apart {apart}");
    println!("{case}");
    let world = World::new().await;
    let (sender, receiver) = world.nodes(apart).await;
    let send_gate = sender.inner.checkpoints.hold(send_point);
    let stream_gate = receiver.inner.checkpoints.hold(stream_point);

    let parcel = world.parcel();
    let sent = parcel.envelope;
    let sending = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(vec![parcel], false).await.unwrap() }
    });
    tokio::time::timeout(LIVENESS, send_gate.reached()).await.expect(&case);
    let receiving = tokio::spawn({
        let (receiver, device) = (receiver.clone(), world.device);
        async move { receiver.receive(device).await.unwrap() }
    });
    tokio::time::timeout(LIVENESS, stream_gate.reached()).await.expect(&case);

    if send_first {
        send_gate.open();
        // Past its point the send goes on alone, up to its answer.
        let states = tokio::time::timeout(LIVENESS, sending).await.expect(&case).unwrap();
        assert_eq!(states, [DeliveryState::Stored], "{case}");
        stream_gate.open();
    } else {
        stream_gate.open();
        // The stream goes live before the send goes on.
        tokio::time::sleep(Duration::from_millis(50)).await;
        send_gate.open();
        let states = tokio::time::timeout(LIVENESS, sending).await.expect(&case).unwrap();
        assert_eq!(states, [DeliveryState::Stored], "{case}");
    }
    let mut stream = tokio::time::timeout(LIVENESS, receiving).await.expect(&case).unwrap();
    assert_eq!(next(&receiver, &mut stream, world.device).await, sent, "{case}");
    assert_eq!(world.stored().await, 0, "{case}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_comes_online_during_a_send_gets_the_envelope_in_every_order() {
    for apart in [false, true] {
        for send_point in OF_SEND {
            for stream_point in OF_STREAM {
                for send_first in [true, false] {
                    meet(send_point, stream_point, send_first, apart).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_acknowledged_online_is_stored_nowhere() {
    for apart in [false, true] {
        let world = World::new().await;
        let (sender, receiver) = world.nodes(apart).await;
        let mut stream = receiver.receive(world.device).await.unwrap();
        wait_until_live(&mut stream).await;
        let parcel = world.parcel();
        let sent = parcel.envelope;
        let sending = tokio::spawn({
            let sender = sender.clone();
            async move { sender.send(vec![parcel], false).await.unwrap() }
        });
        assert_eq!(next(&receiver, &mut stream, world.device).await, sent);
        assert_eq!(sending.await.unwrap(), [DeliveryState::Delivered]);
        assert_eq!(world.stored().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unacknowledged_envelope_is_stored_and_a_late_acknowledgement_deletes_it() {
    for apart in [false, true] {
        let world = World::new().await;
        let (sender, receiver) = world.nodes(apart).await;
        let mut stream = receiver.receive(world.device).await.unwrap();
        wait_until_live(&mut stream).await;
        let states = sender.send(vec![world.parcel()], false).await.unwrap();
        assert_eq!(states, [DeliveryState::Stored]);
        assert_eq!(world.stored().await, 1);
        next(&receiver, &mut stream, world.device).await;
        tokio::time::timeout(LIVENESS, async {
            while world.stored().await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the late acknowledgement deletes the envelope");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_overtakes_the_insert_leaves_nothing_behind() {
    let world = World::new().await;
    let (sender, _) = world.nodes(false).await;
    let gate = sender.inner.checkpoints.hold(Point::Undelivered);
    let parcel = world.parcel();
    let (device, envelope) = (parcel.to, parcel.envelope);
    let sending = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(vec![parcel], false).await.unwrap() }
    });
    gate.reached().await;
    sender.acknowledge(device, vec![envelope]).await.unwrap();
    gate.open();
    assert_eq!(sending.await.unwrap(), [DeliveryState::Stored]);
    assert_eq!(world.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_delivers_what_a_lost_hint_left_behind() {
    let world = World::new().await;
    let deaf: Arc<dyn Bus> = Arc::new(DeafBus::default());
    let sender = world.node(Arc::clone(&deaf)).await;
    let receiver = world.node(Arc::new(DeafBus::default())).await;
    let mut stream = receiver.receive(world.device).await.unwrap();
    wait_until_live(&mut stream).await;
    let parcel = world.parcel();
    let sent = parcel.envelope;
    assert_eq!(sender.send(vec![parcel], false).await.unwrap(), [DeliveryState::Stored]);
    // The control: without the sweep nothing arrives.
    let early = tokio::time::timeout(Duration::from_secs(2), stream.next()).await;
    assert!(early.is_err(), "{early:?}");
    tokio::spawn(super::sweep::run(receiver.clone(), world.stop.clone()));
    assert_eq!(next(&receiver, &mut stream, world.device).await, sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_stores_that_did_not_hear_of_its_acknowledgement_is_deleted() {
    let world = World::new().await;
    let sender = world.node(Arc::new(DeafBus::default())).await;
    let receiver = world.node(Arc::new(DeafBus::default())).await;
    let mut stream = receiver.receive(world.device).await.unwrap();
    wait_until_live(&mut stream).await;
    let parcel = world.parcel();
    receiver.acknowledge(parcel.to, vec![parcel.envelope]).await.unwrap();
    assert_eq!(sender.send(vec![parcel], false).await.unwrap(), [DeliveryState::Stored]);
    assert_eq!(world.stored().await, 1);
    tokio::spawn(super::sweep::run(receiver.clone(), world.stop.clone()));
    tokio::time::timeout(LIVENESS, async {
        while world.stored().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the sweep deletes the envelope");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_stream_ends_the_older_on_either_node() {
    for apart in [false, true] {
        let world = World::new().await;
        let (one, two) = world.nodes(apart).await;
        let mut older = one.receive(world.device).await.unwrap();
        wait_until_live(&mut older).await;
        let mut newer = two.receive(world.device).await.unwrap();
        let ended = tokio::time::timeout(LIVENESS, older.next()).await.expect("it ends").unwrap();
        assert_eq!(ended.unwrap_err().code(), tonic::Code::Aborted);
        wait_until_live(&mut newer).await;
        let states = one.send(vec![world.parcel()], true);
        let (states, _) = tokio::join!(states, next(&two, &mut newer, world.device));
        assert_eq!(states.unwrap(), [DeliveryState::Delivered]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_larger_than_the_window_drains_in_order_as_it_is_acknowledged() {
    let world = World::new().await;
    let (node, _) = world.nodes(false).await;
    let mut sent = Vec::new();
    for _ in 0..600 {
        let parcel = world.parcel();
        sent.push(parcel.envelope);
        node.send(vec![parcel], false).await.unwrap();
    }
    assert_eq!(world.stored().await, 600);
    let mut stream = node.receive(world.device).await.unwrap();
    let mut received = Vec::new();
    for _ in 0..600 {
        received.push(next(&node, &mut stream, world.device).await);
    }
    assert!(received == sent, "envelopes came twice or out of order");
    wait_until_live(&mut stream).await;
    assert_eq!(world.stored().await, 0);
}

/// Waits for the mark that the backlog is done.
async fn wait_until_live(stream: &mut EventStream) {
    tokio::time::timeout(LIVENESS, async {
        while !matches!(stream.next().await.unwrap().unwrap(), Event::QueueEmpty(_)) {}
    })
    .await
    .expect("the queue is empty");
}

/// A bus that takes nothing and brings nothing.
struct DeafBus(broadcast::Sender<BusEvent>);

impl Default for DeafBus {
    fn default() -> Self {
        Self(broadcast::channel(1).0)
    }
}

#[async_trait]
impl Bus for DeafBus {
    async fn publish(&self, _: &str, _: Bytes) -> Result<usize, BusError> {
        Err(BusError("deaf".to_owned()))
    }

    async fn subscribe(&self, _: &str) -> Result<(), BusError> {
        Err(BusError("deaf".to_owned()))
    }

    async fn unsubscribe(&self, _: &str) -> Result<(), BusError> {
        Err(BusError("deaf".to_owned()))
    }

    fn events(&self) -> broadcast::Receiver<BusEvent> {
        self.0.subscribe()
    }
}
