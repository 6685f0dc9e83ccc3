//! A load over streams of both directions: a device has one stream, which carries its sends, its
//! deliveries and its acknowledgements.
//!
//! Leaner than the load of unary calls, because the server is: nothing is spawned or woken for a
//! message, and HTTP/2 is spoken by hand. What arrives is acted on where it is read.

mod connection;
mod http2;
mod traffic;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::{JoinHandle, JoinSet, spawn_local};
use tokio::time::timeout;

use self::connection::Connection;
use self::traffic::Traffic;
use super::latency::Quantiles;
use super::load::{DRAIN_TIMEOUT, OPEN_TIMEOUT, OPENING, READY_LOOK};
use super::pace::{Pace, Pacer};
use super::protocol::StreamProtocol;
use super::running::{Running, Tally, why};

/// Room for what is read at once.
const READ: usize = 16 * 1024;

type Shared<P> = Rc<RefCell<Traffic<P>>>;

/// A running load over streams. Stops when dropped.
#[derive(Debug)]
pub struct StreamLoad<P> {
    traffic: Shared<P>,
    pacer: Rc<Pacer>,
    tasks: JoinSet<Result<()>>,
    ticking: JoinHandle<()>,
}

impl<P: StreamProtocol> StreamLoad<P> {
    /// Opens every device's stream and begins to send, in bursts of so many messages of one device
    /// to another, which acknowledges them together. Nothing is sent where there may be nothing in
    /// flight. Must be called on a `LocalSet`.
    pub async fn start(
        address: SocketAddr,
        protocol: P,
        in_flight: u16,
        burst: u16,
        pace: Pace,
    ) -> Result<Self> {
        ensure!(burst > 0, "a burst of no messages");
        let opening = open_all(address, &protocol);
        let opened =
            timeout(OPEN_TIMEOUT, opening).await.context("connecting takes too long")??;
        let (connections, readers): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        let devices = connections.len();
        let traffic = Traffic::new(protocol, connections, in_flight, burst, pace)?;
        let traffic = Rc::new(RefCell::new(traffic));
        let mut tasks = JoinSet::new();
        for (device, reader) in readers.into_iter().enumerate() {
            tasks.spawn_local(read(Rc::clone(&traffic), device, reader));
        }
        let ready = until_ready(&traffic, &mut tasks, devices);
        timeout(OPEN_TIMEOUT, ready).await.context("a stream has a backlog")??;
        let pacer = Rc::new(Pacer::new(pace));
        match pace {
            Pace::Closed => {
                traffic.borrow_mut().begin()?;
                flush(&traffic)?;
            }
            Pace::Open { .. } => {
                tasks.spawn_local(begin_when_due(Rc::clone(&traffic), Rc::clone(&pacer)));
            }
        }
        let ticking = spawn_local(Rc::clone(&pacer).tick());
        Ok(Self { traffic, pacer, tasks, ticking })
    }
}

impl<P: StreamProtocol> Running for StreamLoad<P> {
    async fn run(&mut self, duration: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            ended = self.tasks.join_next() => Err(why(ended, "a stream ended")),
        }
    }

    fn tally(&self) -> Tally {
        self.traffic.borrow().tally
    }

    fn begin_window(&self) {
        self.traffic.borrow().latencies.clear();
    }

    fn latencies(&self) -> Quantiles {
        self.traffic.borrow().latencies.read()
    }

    async fn finish(mut self) -> Result<Tally> {
        // What begins the bursts ends by itself; what reads does not.
        self.traffic.borrow_mut().stop();
        let undone = || self.traffic.borrow().undone();
        let drained = timeout(DRAIN_TIMEOUT, async {
            while undone() > 0 {
                tokio::select! {
                    () = tokio::time::sleep(READY_LOOK) => {}
                    ended = self.tasks.join_next() => return Err(why(ended, "a stream ended")),
                }
            }
            Ok(())
        });
        match drained.await {
            Ok(outcome) => outcome?,
            Err(_) => bail!("{} messages were not done after {DRAIN_TIMEOUT:?}", undone()),
        }
        self.pacer.stop();
        self.tally().checked()
    }
}

impl<P> Drop for StreamLoad<P> {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

async fn open_all<P: StreamProtocol>(
    address: SocketAddr,
    protocol: &P,
) -> Result<Vec<(Connection, OwnedReadHalf)>> {
    let mut opened = Vec::new();
    let devices: Vec<usize> = (0..protocol.devices()).collect();
    for some in devices.chunks(OPENING) {
        let opening = some.iter().map(|device| async {
            let bearer = protocol.bearer(*device);
            let (mut connection, reader) = Connection::open(address, P::CONNECT, bearer).await?;
            if let Some(first) = protocol.open(*device) {
                connection.send(first);
            }
            connection.flush()?;
            anyhow::Ok((connection, reader))
        });
        opened.extend(futures::future::try_join_all(opening).await?);
    }
    Ok(opened)
}

/// Waits until every stream has said that messages for it are relayed, not stored.
async fn until_ready<P: StreamProtocol>(
    traffic: &RefCell<Traffic<P>>,
    tasks: &mut JoinSet<Result<()>>,
    devices: usize,
) -> Result<()> {
    while traffic.borrow().ready < devices {
        tokio::select! {
            () = tokio::time::sleep(READY_LOOK) => {}
            ended = tasks.join_next() => return Err(why(ended, "a stream ended")),
        }
    }
    Ok(())
}

/// Reads a device's stream.
async fn read<P: StreamProtocol>(
    traffic: Shared<P>,
    device: usize,
    mut reader: OwnedReadHalf,
) -> Result<()> {
    let mut input = BytesMut::new();
    loop {
        input.reserve(READ);
        let read = reader.read_buf(&mut input).await.context("read from the server")?;
        ensure!(read > 0, "the server closed the connection");
        traffic.borrow_mut().receive(device, &mut input)?;
        flush(&traffic)?;
    }
}

/// Begins bursts when they are due, until the load stops.
async fn begin_when_due<P: StreamProtocol>(traffic: Shared<P>, pacer: Rc<Pacer>) -> Result<()> {
    while let Some(due) = pacer.next().await {
        traffic.borrow_mut().begin_due(due)?;
        flush(&traffic)?;
    }
    Ok(())
}

/// Writes what is to be written.
fn flush<P: StreamProtocol>(traffic: &Shared<P>) -> Result<()> {
    let mut all = traffic.borrow_mut();
    for device in all.take_dirty() {
        let connection = &mut all.connections[device];
        if connection.is_blocked {
            continue;
        }
        if let Some(socket) = connection.flush()? {
            connection.is_blocked = true;
            let traffic = Rc::clone(traffic);
            spawn_local(async move {
                // A broken connection is reported by whoever reads from it.
                let _ = socket.writable().await;
                let mut all = traffic.borrow_mut();
                all.connections[device].is_blocked = false;
                all.mark_dirty(device);
                drop(all);
                let _ = flush(&traffic);
            });
        }
    }
    Ok(())
}
