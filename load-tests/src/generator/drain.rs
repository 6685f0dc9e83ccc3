//! Every device comes back, some at a time, takes what is stored for it and acknowledges it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use h2::RecvStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::connection::{Connection, Head, head};
use super::load::OPENING;
use super::protocol::{Event, Protocol};
use super::wire::Frames;

/// Acknowledgements are sent when there are so many, or after so long, as clients do.
const TOGETHER: usize = 16;
const TOGETHER_AT_MOST: Duration = Duration::from_millis(20);
/// Nothing takes longer than this.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Takes everything: exactly `sent` messages of each device, in the order in which it sent them.
/// Ends when everything is acknowledged.
pub async fn drain<P: Protocol>(address: SocketAddr, protocol: &Rc<P>, sent: &[u32]) -> Result<()> {
    let mut devices = JoinSet::new();
    let opening = Rc::new(Semaphore::new(OPENING));
    for device in 0..protocol.devices() {
        let (protocol, expected) = (Rc::clone(protocol), sent[device ^ 1]);
        let opening = Rc::clone(&opening);
        devices.spawn_local(async move {
            let taking = take_all(address, protocol, device, expected, &opening);
            taking.await.with_context(|| format!("the device {device}"))
        });
    }
    let ending = timeout(TIMEOUT, async {
        while let Some(ended) = devices.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    });
    ending.await.context("draining takes too long")?
}

async fn take_all<P: Protocol>(
    address: SocketAddr,
    protocol: Rc<P>,
    device: usize,
    expected: u32,
    opening: &Semaphore,
) -> Result<()> {
    let bearer = protocol.bearer(device);
    let turn = opening.acquire().await?;
    let connection = Rc::new(Connection::open(address).await?);
    let receive = head(address, P::RECEIVE, bearer)?;
    let stream = connection.start(&receive, protocol.receive(device)).await;
    let mut stream = stream.context("open a device's stream")?;
    drop(turn);
    let acknowledge = Rc::new(head(address, P::ACKNOWLEDGE, bearer)?);
    let mut taken = Taken { device, ..Taken::default() };
    let mut calls = JoinSet::new();
    while !taken.is_all {
        let late = taken.since.map(|since| since + TOGETHER_AT_MOST);
        let chunk = tokio::select! {
            chunk = stream.data() => chunk,
            () = sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => {
                let some = taken.unacknowledged.split_off(0);
                taken.since = None;
                call(&mut calls, &connection, &acknowledge, protocol.acknowledge(&some));
                continue;
            }
        };
        taken.read::<P>(chunk, &mut stream)?;
        while taken.unacknowledged.len() >= TOGETHER {
            let rest = taken.unacknowledged.split_off(TOGETHER);
            let some = std::mem::replace(&mut taken.unacknowledged, rest);
            taken.since = (!taken.unacknowledged.is_empty()).then(Instant::now);
            call(&mut calls, &connection, &acknowledge, protocol.acknowledge(&some));
        }
        while let Some(ended) = calls.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = calls.join_next().await {
        ended??;
    }
    ensure!(taken.count == expected, "{} of {expected} messages came back", taken.count);
    Ok(())
}

fn call(
    calls: &mut JoinSet<Result<()>>,
    connection: &Rc<Connection>,
    acknowledge: &Rc<Head>,
    request: Bytes,
) {
    let (connection, acknowledge) = (Rc::clone(connection), Rc::clone(acknowledge));
    calls.spawn_local(async move {
        connection.call(&acknowledge, request).await.context("Acknowledge")?;
        Ok(())
    });
}

/// What a device has received.
#[derive(Debug, Default)]
struct Taken {
    device: usize,
    count: u32,
    unacknowledged: Vec<Bytes>,
    /// When the first of them arrived.
    since: Option<Instant>,
    is_all: bool,
    frames: Frames,
}

impl Taken {
    fn read<P: Protocol>(
        &mut self,
        chunk: Option<Result<Bytes, h2::Error>>,
        stream: &mut RecvStream,
    ) -> Result<()> {
        let Some(chunk) = chunk else { bail!("the server ended the stream") };
        let chunk = chunk?;
        stream.flow_control().release_capacity(chunk.len())?;
        let Self { device, count, unacknowledged, since, is_all, frames } = self;
        frames.push(chunk, |event| {
            match P::read_event(&event)? {
                Event::Delivered(delivered) => {
                    let mark = delivered.mark;
                    let from = usize::try_from(mark.place)?;
                    ensure!(from == *device ^ 1, "a message arrived at another device");
                    *count += 1;
                    ensure!(
                        mark.sequence == *count,
                        "the message {} came as number {count}",
                        mark.sequence
                    );
                    unacknowledged.push(event.slice_ref(delivered.envelope_id));
                    since.get_or_insert_with(Instant::now);
                }
                Event::Ready => *is_all = true,
                Event::Other => {}
            }
            Ok(())
        })
    }
}
