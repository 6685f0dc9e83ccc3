//! One load: connections, streams, and a fixed number of messages in flight.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use h2::RecvStream;
use tokio::task::{JoinHandle, JoinSet, spawn_local};
use tokio::time::timeout;

use super::connection::{Connection, Head, head};
use super::latency::{Latencies, Quantiles};
use super::order::Order;
use super::pace::{Pace, Pacer};
use super::protocol::{Event, Protocol, Sent};
use super::running::{Running, Tally, why};
use super::slots::{Arrival, Noted, Slots};
use super::wire::Frames;

/// Connections that are opened at a time.
pub(super) const OPENING: usize = 32;
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_mins(1);
pub(super) const READY_LOOK: Duration = Duration::from_millis(5);
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
/// Devices send in turn, each followed by one this many places on, so that neighbours on the
/// server's side of things are not neighbours in time. Prime, and so it visits every device.
pub(super) const STRIDE: usize = 7_919;

/// A running load. Stops when dropped.
#[derive(Debug)]
pub struct Load<P> {
    shared: Rc<Shared>,
    senders: JoinSet<Result<()>>,
    streams: JoinSet<Result<()>>,
    ticking: JoinHandle<()>,
    protocol: PhantomData<P>,
}

#[derive(Debug)]
struct Shared {
    devices: Vec<Device>,
    slots: Slots,
    tally: RefCell<Tally>,
    turn: Cell<usize>,
    ready: Cell<usize>,
    pacer: Rc<Pacer>,
    latencies: Latencies,
}

#[derive(Debug)]
struct Device {
    connection: Connection,
    send: Head,
    acknowledge: Head,
    /// The messages that it sends.
    order: RefCell<Order>,
}

impl<P: Protocol> Load<P> {
    /// Connects every device, opens its stream, and begins to send: nothing where there may be
    /// nothing in flight. Must be called on a `LocalSet`.
    pub async fn start(
        address: SocketAddr,
        protocol: P,
        in_flight: u16,
        pace: Pace,
    ) -> Result<Self> {
        let protocol = Rc::new(protocol);
        let opening = open_all(address, &protocol);
        let opened =
            timeout(OPEN_TIMEOUT, opening).await.context("connecting takes too long")??;
        let (devices, bodies): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        let shared = Rc::new(Shared {
            devices,
            slots: Slots::new(in_flight),
            tally: RefCell::default(),
            turn: Cell::default(),
            ready: Cell::default(),
            pacer: Rc::new(Pacer::new(pace)),
            latencies: Latencies::new()?,
        });
        let (senders, mut streams) = (JoinSet::new(), JoinSet::new());
        for (device, body) in bodies.into_iter().enumerate() {
            let (shared, protocol) = (Rc::clone(&shared), Rc::clone(&protocol));
            streams.spawn_local(receive(shared, protocol, device, body));
        }
        let ready = until_ready::<P>(&shared, &mut streams);
        timeout(OPEN_TIMEOUT, ready).await.context("a stream has a backlog")??;
        let ticking = spawn_local(Rc::clone(&shared.pacer).tick());
        let mut load = Self { shared, senders, streams, ticking, protocol: PhantomData };
        for place in 0..in_flight {
            let (shared, protocol) = (Rc::clone(&load.shared), Rc::clone(&protocol));
            load.senders.spawn_local(send_on(shared, protocol, place));
        }
        Ok(load)
    }
}

impl<P: Protocol> Running for Load<P> {
    async fn run(&mut self, duration: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            Some(ended) = self.senders.join_next() => Err(why(Some(ended), "a sender stopped")),
            ended = self.streams.join_next() => Err(why(ended, "a stream ended")),
        }
    }

    fn tally(&self) -> Tally {
        *self.shared.tally.borrow()
    }

    fn begin_window(&self) {
        self.shared.latencies.clear();
    }

    fn latencies(&self) -> Quantiles {
        self.shared.latencies.read()
    }

    async fn finish(mut self) -> Result<Tally> {
        self.shared.pacer.stop();
        let drained = timeout(DRAIN_TIMEOUT, async {
            while let Some(ended) = self.senders.join_next().await {
                ended??;
            }
            anyhow::Ok(())
        });
        match drained.await {
            Ok(outcome) => outcome?,
            Err(_) => bail!(
                "{} messages were answered or not, but not delivered after {DRAIN_TIMEOUT:?}",
                self.shared.slots.waiting()
            ),
        }
        self.tally().checked()
    }
}

impl<P> Drop for Load<P> {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

/// Waits until every stream has said that messages for it are relayed, not stored.
async fn until_ready<P: Protocol>(
    shared: &Shared,
    streams: &mut JoinSet<Result<()>>,
) -> Result<()> {
    while P::SAYS_READY && shared.ready.get() < shared.devices.len() {
        tokio::select! {
            () = tokio::time::sleep(READY_LOOK) => {}
            ended = streams.join_next() => return Err(why(ended, "a stream ended")),
        }
    }
    Ok(())
}

async fn open_all<P: Protocol>(
    address: SocketAddr,
    protocol: &Rc<P>,
) -> Result<Vec<(Device, RecvStream)>> {
    let mut opened = Vec::new();
    let places: Vec<usize> = (0..protocol.devices()).collect();
    for some in places.chunks(OPENING) {
        let opening = some.iter().map(|device| open(address, protocol.as_ref(), *device));
        opened.extend(futures::future::try_join_all(opening).await?);
    }
    Ok(opened)
}

async fn open<P: Protocol>(
    address: SocketAddr,
    protocol: &P,
    device: usize,
) -> Result<(Device, RecvStream)> {
    let bearer = protocol.bearer(device);
    let connection = Connection::open(address).await?;
    let receive = head(address, P::RECEIVE, bearer)?;
    let stream = connection.start(&receive, protocol.receive(device)).await;
    let stream = stream.context("open a device's stream")?;
    let send = head(address, P::SEND, bearer)?;
    let acknowledge = head(address, P::ACKNOWLEDGE, bearer)?;
    let order = RefCell::default();
    Ok((Device { connection, send, acknowledge, order }, stream))
}

/// Keeps one message in flight until the load stops.
async fn send_on<P: Protocol>(shared: Rc<Shared>, protocol: Rc<P>, place: u16) -> Result<()> {
    while let Some(due) = shared.pacer.next().await {
        let turn = shared.turn.get();
        shared.turn.set(turn.wrapping_add(1));
        let sender = turn.wrapping_mul(STRIDE) % shared.devices.len();
        let sending = shared.devices[sender].order.borrow_mut().send();
        let mark = shared.slots.begin(place, due, sending);

        let sent = async {
            let device = &shared.devices[sender];
            let answer = device.connection.call(&device.send, protocol.send(sender, mark)).await;
            let answer = answer.context("Send")?;
            shared.slots.answered(place);
            P::read_sent(&answer)
        };
        let acknowledged = async {
            let arrival = shared.slots.arrival(place).await;
            ensure!(arrival.device == sender ^ 1, "a message arrived at another device");
            let device = &shared.devices[arrival.device];
            let request = protocol.acknowledge(&[arrival.envelope_id]);
            device.connection.call(&device.acknowledge, request).await.context("Acknowledge")
        };
        let (sent, _) = tokio::try_join!(sent, acknowledged)?;
        let mut tally = shared.tally.borrow_mut();
        tally.done += 1;
        match sent {
            Sent::Delivered => tally.delivered += 1,
            Sent::Stored => tally.stored += 1,
        }
    }
    Ok(())
}

/// Reads a device's stream.
async fn receive<P: Protocol>(
    shared: Rc<Shared>,
    protocol: Rc<P>,
    device: usize,
    mut body: RecvStream,
) -> Result<()> {
    let mut frames = Frames::default();
    let mut repeated = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        frames.push(chunk, |event| {
            let delivered = match P::read_event(&event)? {
                Event::Delivered(delivered) => delivered,
                Event::Ready => {
                    shared.ready.set(shared.ready.get() + 1);
                    return Ok(());
                }
                Event::Other => return Ok(()),
            };
            let envelope_id = event.slice_ref(delivered.envelope_id);
            let arrival = Arrival { device, envelope_id: envelope_id.clone() };
            match shared.slots.note(delivered.mark, arrival) {
                Noted::First(due, sending) => {
                    shared.latencies.note(due);
                    // Each device has one other that sends to it.
                    let came = shared.devices[device ^ 1].order.borrow_mut().arrive(sending);
                    shared.tally.borrow_mut().count(came);
                }
                Noted::Again => repeated.push(envelope_id),
            }
            Ok(())
        })?;
        // As any device does, so that the server stops to hold it.
        for envelope_id in repeated.drain(..) {
            shared.tally.borrow_mut().repeated += 1;
            let Device { connection, acknowledge, .. } = &shared.devices[device];
            connection.call(acknowledge, protocol.acknowledge(&[envelope_id])).await?;
        }
    }
    bail!("the server ended the stream: {:?}", body.trailers().await?)
}
