//! A TCP line between devices and nodes: a load balancer of the simplest kind, and what can happen
//! to a line. It can be slow, and it can go dead without anybody hearing of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes that are passed on at a time.
const CHUNK: usize = 16 * 1024;
/// Bytes that a slow line passes on at a time.
const SLOW_CHUNK: u64 = 512;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// A line that listens on loopback until it is dropped. A connection goes to the next node that
/// takes it.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    nodes: Vec<SocketAddr>,
    next: AtomicUsize,
    /// Bytes per second towards the device; 0 is no limit.
    speed: AtomicU64,
    /// How many times the line went dead. A connection lives in one of these lives.
    deaths: watch::Sender<u64>,
    /// The nodes' ends of dead connections, which nobody closes.
    stranded: Mutex<Vec<(OwnedReadHalf, OwnedWriteHalf)>>,
}

impl Line {
    /// Begins to listen, in front of nodes on these ports of this machine.
    pub async fn start(ports: impl IntoIterator<Item = u16>) -> Result<Self> {
        let nodes = ports.into_iter().map(|port| ([127, 0, 0, 1], port).into()).collect();
        let state = Arc::new(State {
            nodes,
            next: AtomicUsize::new(0),
            speed: AtomicU64::new(0),
            deaths: watch::Sender::new(0),
            stranded: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, task })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where to call instead of a node.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on passes at most so many bytes a second to the devices; `None` is no limit.
    pub fn limit(&self, bytes_per_second: Option<u64>) {
        self.state.speed.store(bytes_per_second.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Every connection of now goes dead: the node's end stays open and nothing comes or goes. The
    /// device's end is closed, as when a phone changes its network. New connections are fine.
    pub fn strand(&self) {
        self.state.deaths.send_modify(|deaths| *deaths += 1);
    }

    /// How many connections the nodes hold that are dead.
    pub fn stranded(&self) -> usize {
        self.state.stranded.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Ended with the line, and with them their connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((device, _)) = accepted {
                    connections.spawn(carry(device, Arc::clone(&state)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until either side ends it or the line goes dead. A device that no node
/// takes sees its connection closed.
async fn carry(device: TcpStream, state: Arc<State>) {
    let mut deaths = state.deaths.subscribe();
    let Some(node) = state.connect().await else { return };
    // Without these a line is no slower, only its small packets are.
    let _ = (device.set_nodelay(true), node.set_nodelay(true));
    let (mut from_device, mut to_device) = device.into_split();
    let (mut from_node, mut to_node) = node.into_split();
    let is_dead = tokio::select! {
        _ = deaths.changed() => true,
        () = up(&mut from_device, &mut to_node) => false,
        () = down(&mut from_node, &mut to_device, &state) => false,
    };
    if is_dead {
        let mut stranded = state.stranded.lock().unwrap_or_else(PoisonError::into_inner);
        stranded.push((from_node, to_node));
    }
}

async fn up(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

async fn down(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, state: &State) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let speed = state.speed.load(Ordering::Relaxed);
        let most = if speed == 0 { CHUNK } else { usize::try_from(SLOW_CHUNK).unwrap_or(CHUNK) };
        let Ok(read @ 1..) = from.read(&mut chunk[..most]).await else { return };
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
        let micros = u64::try_from(read).unwrap_or_default() * 1_000_000;
        if let Some(micros) = micros.checked_div(speed) {
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }
}

impl State {
    /// Connects to the next node that takes it.
    async fn connect(&self) -> Option<TcpStream> {
        for _ in 0..self.nodes.len() {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let node = self.nodes[turn % self.nodes.len()];
            let connecting = TcpStream::connect(node);
            if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                return Some(stream);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::Line;

    /// A node that echoes; its port.
    async fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        port
    }

    async fn ask(stream: &mut TcpStream, bytes: usize) -> std::io::Result<usize> {
        stream.write_all(&vec![7; bytes]).await?;
        let mut answer = vec![0; bytes];
        stream.read_exact(&mut answer).await
    }

    #[tokio::test]
    async fn a_line_carries_to_a_node_that_is_there_and_goes_dead_without_the_node_hearing() {
        let line = Line::start([1, echo().await]).await.unwrap();
        let mut old = TcpStream::connect(line.address).await.unwrap();
        assert_eq!(ask(&mut old, 100_000).await.unwrap(), 100_000);
        line.strand();
        assert!(ask(&mut old, 10).await.is_err());
        assert_eq!(line.stranded(), 1);
        let mut new = TcpStream::connect(line.address).await.unwrap();
        assert_eq!(ask(&mut new, 10).await.unwrap(), 10);
    }

    #[tokio::test]
    async fn a_limited_line_is_slow() {
        let line = Line::start([echo().await]).await.unwrap();
        line.limit(Some(10_000));
        let mut stream = TcpStream::connect(line.address).await.unwrap();
        let begun = Instant::now();
        ask(&mut stream, 3_000).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    }
}
