//! A load of messages for devices that are not there: unary sends, whose answers say that they are
//! stored.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{Connection, head};
use super::load::{DRAIN_TIMEOUT, OPENING};
use super::protocol::{Mark, Protocol, Sent};
use super::running::why;

/// Devices that send, each one message after another. Stops when dropped.
#[derive(Debug)]
pub struct Post {
    shared: Rc<Shared>,
    senders: JoinSet<Result<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Messages of each device that were stored.
    stored: Vec<Cell<u32>>,
    stopping: Cell<bool>,
}

impl Post {
    /// Connects every device and begins to send. Must be called on a `LocalSet`.
    pub async fn start<P: Protocol>(address: SocketAddr, protocol: &Rc<P>) -> Result<Self> {
        let devices: Vec<usize> = (0..protocol.devices()).collect();
        let mut connections = Vec::new();
        for some in devices.chunks(OPENING) {
            let opening = some.iter().map(|_| Connection::open(address));
            connections.extend(futures::future::try_join_all(opening).await?);
        }
        let stored = devices.iter().map(|_| Cell::default()).collect();
        let shared = Rc::new(Shared { stored, stopping: Cell::default() });
        let mut senders = JoinSet::new();
        for (device, connection) in connections.into_iter().enumerate() {
            let (shared, protocol) = (Rc::clone(&shared), Rc::clone(protocol));
            let head = head(address, P::SEND, protocol.bearer(device))?;
            senders.spawn_local(async move {
                while !shared.stopping.get() {
                    let sequence = shared.stored[device].get() + 1;
                    let mark = Mark { place: u32::try_from(device)?, sequence };
                    let answer = connection.call(&head, protocol.send(device, mark)).await;
                    match P::read_sent(&answer.context("Send")?)? {
                        Sent::Stored => shared.stored[device].set(sequence),
                        Sent::Delivered => bail!("a message for an absent device was delivered"),
                    }
                }
                Ok(())
            });
        }
        Ok(Self { shared, senders })
    }

    /// Lets it run for a while. Fails as soon as any send does.
    pub async fn run(&mut self, duration: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            ended = self.senders.join_next() => Err(why(ended, "a sender stopped")),
        }
    }

    /// How many messages are stored so far.
    pub fn stored(&self) -> u64 {
        self.shared.stored.iter().map(|stored| u64::from(stored.get())).sum()
    }

    /// Sends no more and waits for the answers; how many messages of each device are stored.
    pub async fn finish(mut self) -> Result<Vec<u32>> {
        self.shared.stopping.set(true);
        let ending = timeout(DRAIN_TIMEOUT, async {
            while let Some(ended) = self.senders.join_next().await {
                ended??;
            }
            anyhow::Ok(())
        });
        ending.await.context("a send is not answered")??;
        Ok(self.shared.stored.iter().map(Cell::get).collect())
    }
}
