//! A load balancer of the plainest kind: each new connection goes to the node of the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub struct Balancer {
    port: u16,
    node: Arc<AtomicU16>,
    task: JoinHandle<()>,
}

impl Balancer {
    /// Listens and passes on to the node with this port.
    pub async fn to(node: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let node = Arc::new(AtomicU16::new(node));
        let target = Arc::clone(&node);
        let task = tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let target = target.load(Ordering::Relaxed);
                tokio::spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(("127.0.0.1", target)).await {
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
        Ok(Self { port, node, task })
    }

    /// Has new connections go to another node; those that are open stay.
    pub fn turn_to(&self, node: u16) {
        self.node.store(node, Ordering::Relaxed);
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
