//! How many connections there are: each takes memory and a file descriptor, whoever it is from.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long a connection may say nothing at all; later it is HTTP that notices silence.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How often it is told that connections are closed.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
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
    let mut told = None;
    incoming.filter_map(move |accepted| {
        let counted = match (accepted, Arc::clone(&room).try_acquire_owned()) {
            (Ok(stream), Ok(permit)) => Some(Ok(Counted::new(stream, permit, SILENCE_MAX))),
            (Ok(_closed), Err(_)) => {
                if told.is_none_or(|at: Instant| at.elapsed() > TELL_INTERVAL) {
                    told = Some(Instant::now());
                    tracing::warn!(max, "connections are closed: there are too many");
                }
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
    /// Until the first byte has come: when it must have.
    silent_until: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Counted {
    fn new(stream: TcpStream, permit: OwnedSemaphorePermit, silence_max: Duration) -> Self {
        let silent_until = Some(Box::pin(tokio::time::sleep(silence_max)));
        Self { stream, silent_until, _permit: permit }
    }
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
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(silent_until) = &mut self.silent_until {
            if buffer.filled().len() > before {
                self.silent_until = None;
            } else if read.is_pending() && silent_until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
        }
        read
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tonic::transport::server::TcpIncoming;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_given_up() {
        let silence_max = Duration::from_millis(100);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let room = Arc::new(Semaphore::new(2));
        let accept = async || {
            let caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let permit = Arc::clone(&room).try_acquire_owned().unwrap();
            (caller, Counted::new(listener.accept().await.unwrap().0, permit, silence_max))
        };
        let (_silent, mut held) = accept().await;
        let refused = held.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TimedOut);

        let (mut speaking, mut held) = accept().await;
        speaking.write_all(b"x").await.unwrap();
        assert_eq!(held.read(&mut [0; 1]).await.unwrap(), 1);
        let later = tokio::time::timeout(3 * silence_max, held.read(&mut [0; 1])).await;
        assert!(later.is_err(), "it spoke once, and may be silent now");
    }

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
