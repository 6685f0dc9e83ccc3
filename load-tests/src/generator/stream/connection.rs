//! One device's connection and its only stream: requests that are encoded already go out as they
//! are, several to a write where several are due.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::super::wire::Frames;
use super::http2::{Exchange, opening};

/// The side that is written to, and what was read but is not complete.
#[derive(Debug)]
pub(super) struct Connection {
    writer: Rc<OwnedWriteHalf>,
    out: Vec<u8>,
    /// Messages that the server has no room for.
    waiting: VecDeque<Bytes>,
    exchange: Exchange,
    frames: Frames,
    /// Whether someone waits until the socket takes more.
    pub(super) is_blocked: bool,
}

impl Connection {
    /// Connects and opens the stream.
    pub(super) async fn open(
        address: SocketAddr,
        path: &str,
        bearer: &str,
    ) -> Result<(Self, OwnedReadHalf)> {
        let stream = TcpStream::connect(address).await.context("connect to the server")?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let connection = Self {
            writer: Rc::new(writer),
            out: opening(&address.to_string(), path, bearer),
            waiting: VecDeque::new(),
            exchange: Exchange::default(),
            frames: Frames::default(),
            is_blocked: false,
        };
        Ok((connection, reader))
    }

    /// Puts a message where the next flush finds it.
    pub(super) fn send(&mut self, message: Bytes) {
        if !self.waiting.is_empty() || !self.exchange.send(&message, &mut self.out) {
            self.waiting.push_back(message);
        }
    }

    /// Takes what was read; gives each whole message to `each`.
    pub(super) fn receive(
        &mut self,
        input: &mut BytesMut,
        mut each: impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        let frames = &mut self.frames;
        self.exchange.receive(input, &mut self.out, |chunk| frames.push(chunk, &mut each))?;
        while let Some(message) = self.waiting.front() {
            if !self.exchange.send(message, &mut self.out) {
                break;
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Writes what is to be written; what the socket does not take stays, and the socket to wait
    /// for is given back.
    pub(super) fn flush(&mut self) -> Result<Option<Rc<OwnedWriteHalf>>> {
        let mut written = 0;
        let blocked = loop {
            if written == self.out.len() {
                break false;
            }
            match self.writer.try_write(&self.out[written..]) {
                Ok(some) => written += some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break true,
                Err(error) => return Err(error).context("write to the server"),
            }
        };
        self.out.drain(..written);
        Ok(blocked.then(|| Rc::clone(&self.writer)))
    }
}
