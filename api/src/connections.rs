//! How many connections there are: each takes memory and a file descriptor, whoever it is from.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{Stream, StreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// File descriptors for everything that is no connection of a caller: the database, Redis, files.
const DESCRIPTORS_OF_OURS: u64 = 128;

/// Raises this process's limit of file descriptors as far as is needed and the system lets it; how
/// many connections there is room for, `wanted` at most.
pub fn make_room(wanted: usize, database_connections: u32) -> usize {
    let ours = DESCRIPTORS_OF_OURS + 2 * u64::from(database_connections);
    let all = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(ours);
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.current.map(|current| current.max(limits.maximum.unwrap_or(all).min(all))),
        maximum: limits.maximum,
    };
    let in_force = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limits };
    let Some(descriptors) = in_force.current else { return wanted };
    let room = usize::try_from(descriptors.saturating_sub(ours)).unwrap_or(usize::MAX).max(1);
    if room < wanted {
        tracing::warn!(room, wanted, "file descriptors allow fewer connections than configured");
    }
    room.min(wanted)
}

/// The connections of a listener, `max` at a time. One more is closed at once: its caller tries
/// again, at another node where there is one.
pub fn bounded<S>(incoming: S, max: usize) -> impl Stream<Item = Result<Counted>>
where
    S: Stream<Item = Result<TcpStream>>,
{
    let room = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
    incoming.filter_map(move |accepted| {
        let counted = match (accepted, Arc::clone(&room).try_acquire_owned()) {
            (Ok(stream), Ok(permit)) => Some(Ok(Counted { stream, _permit: permit })),
            (Ok(_closed), Err(_)) => {
                tracing::warn!(max, "a connection was closed: there are too many");
                None
            }
            (Err(error), _) => Some(Err(error)),
        };
        std::future::ready(counted)
    })
}

/// A connection that counts as long as it is open.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl Connected for Counted {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tonic::transport::server::TcpIncoming;

    use super::*;

    #[tokio::test]
    async fn one_connection_too_many_is_closed_and_the_next_has_its_place_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = Box::pin(bounded(TcpIncoming::from(listener), 1));
        let _first = TcpStream::connect(address).await.unwrap();
        let held = accepted.next().await.unwrap().unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let _third = TcpStream::connect(address).await.unwrap();
        // Looking for a connection that may be taken closes the two that may not.
        let looked = tokio::time::timeout(std::time::Duration::from_millis(300), accepted.next());
        assert!(looked.await.is_err());
        assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
        drop(held);
        let _fourth = TcpStream::connect(address).await.unwrap();
        assert!(accepted.next().await.unwrap().is_ok());
    }
}
