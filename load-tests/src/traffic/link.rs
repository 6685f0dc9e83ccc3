//! One HTTP/2 connection of a device to a node: gRPC calls and streams through `h2` itself, which
//! costs a load generator far less than a gRPC client. Failures are told as a client would tell
//! them apart: the service refuses, the connection is gone, or nothing is heard.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderValue, Method, Request, StatusCode, Version, header};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::call_error::CallError;
use crate::generator::wire::Frames;

const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// An open connection. Closed when dropped.
#[derive(Debug)]
pub struct Link {
    sender: SendRequest<Bytes>,
    address: SocketAddr,
    gone: CancellationToken,
    driver: AbortHandle,
}

impl Link {
    /// Connects.
    pub async fn open(address: SocketAddr, at_most: Duration) -> Result<Self, CallError> {
        let opening = async {
            let gone = |error: std::io::Error| CallError::Broken(error.to_string());
            let stream = TcpStream::connect(address).await.map_err(gone)?;
            stream.set_nodelay(true).map_err(gone)?;
            let handshake = client::Builder::new()
                .initial_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .enable_push(false)
                .handshake(stream);
            Ok::<_, CallError>(handshake.await?)
        };
        let opened = timeout(at_most, opening).await;
        let (sender, connection) = opened.map_err(|_| CallError::Silent(at_most))??;
        let gone = CancellationToken::new();
        let ended = gone.clone();
        // Its calls report how it ended.
        let driver = tokio::spawn(async move {
            let _ = connection.await;
            ended.cancel();
        });
        Ok(Self { sender, address, gone, driver: driver.abort_handle() })
    }

    /// Whether nothing can be called any more.
    pub fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Waits until nothing can be called any more.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Has nothing more called on this connection.
    pub fn give_up(&self) {
        self.gone.cancel();
    }

    /// Makes a unary call with a request that is framed, and a credential where one is given.
    pub async fn call(
        &self,
        path: &str,
        bearer: Option<&str>,
        request: Bytes,
        at_most: Duration,
    ) -> Result<Bytes, CallError> {
        let calling = async {
            let (mut out, mut incoming) = self.start(path, bearer, Some(at_most)).await?;
            out.send_data(request, true)?;
            let answer = incoming.next().await?;
            let answer = answer.ok_or_else(|| CallError::Answer("no message".to_owned()))?;
            incoming.end().await?;
            Ok(answer)
        };
        timeout(at_most, calling).await.map_err(|_| CallError::Silent(at_most))?
    }

    /// Opens a stream of answers to one request that is framed.
    pub async fn stream(
        &self,
        path: &str,
        bearer: Option<&str>,
        request: Bytes,
    ) -> Result<Incoming, CallError> {
        let (mut out, incoming) = self.start(path, bearer, None).await?;
        out.send_data(request, true)?;
        Ok(incoming)
    }

    /// Begins a call: what its requests go into, and what its answers come out of.
    pub async fn start(
        &self,
        path: &str,
        bearer: Option<&str>,
        deadline: Option<Duration>,
    ) -> Result<(SendStream<Bytes>, Incoming), CallError> {
        let head = self.head(path, bearer, deadline)?;
        let mut sender = self.sender.clone().ready().await?;
        let (answer, out) = sender.send_request(head, false)?;
        Ok((out, Incoming::new(answer)))
    }

    fn head(
        &self,
        path: &str,
        bearer: Option<&str>,
        deadline: Option<Duration>,
    ) -> Result<Request<()>, CallError> {
        let mut head = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(format!("http://{}{path}", self.address))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers");
        if let Some(bearer) = bearer {
            let value = HeaderValue::try_from(format!("Bearer {bearer}"));
            head = head.header(
                header::AUTHORIZATION,
                value.map_err(|_| CallError::Answer("a credential".to_owned()))?,
            );
        }
        if let Some(deadline) = deadline {
            head = head.header("grpc-timeout", format!("{}m", deadline.as_millis()));
        }
        head.body(()).map_err(|error| CallError::Broken(error.to_string()))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What comes back on a call.
#[derive(Debug)]
pub struct Incoming {
    answer: Option<client::ResponseFuture>,
    body: Option<RecvStream>,
    frames: Frames,
    waiting: VecDeque<Bytes>,
}

impl Incoming {
    fn new(answer: client::ResponseFuture) -> Self {
        Self {
            answer: Some(answer),
            body: None,
            frames: Frames::default(),
            waiting: VecDeque::new(),
        }
    }

    /// Waits for the next message; `None` where the call ended with OK. Can be cancelled.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        self.opened().await?;
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(Some(message));
            }
            let Some(body) = &mut self.body else { return Ok(None) };
            let Some(chunk) = body.data().await else {
                return self.end().await.map(|()| None);
            };
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            let waiting = &mut self.waiting;
            let cut = self.frames.push(chunk, |message| {
                waiting.push_back(message);
                Ok(())
            });
            cut.map_err(|error| CallError::Answer(error.to_string()))?;
        }
    }

    /// Waits until the call has ended with OK.
    pub async fn end(&mut self) -> Result<(), CallError> {
        let Some(body) = &mut self.body else { return Ok(()) };
        while let Some(chunk) = body.data().await {
            body.flow_control().release_capacity(chunk?.len())?;
        }
        let trailers = body.trailers().await?;
        self.body = None;
        match trailers.as_ref().and_then(Status::from_header_map) {
            Some(status) if status.code() == Code::Ok => Ok(()),
            Some(status) => Err(status.into()),
            None => Err(CallError::Broken("the call ended without a status".to_owned())),
        }
    }

    /// Waits until the call is answered, with messages or without.
    pub async fn opened(&mut self) -> Result<(), CallError> {
        let Some(answer) = &mut self.answer else { return Ok(()) };
        let answered = answer.await;
        self.answer = None;
        let answer = answered?;
        if answer.status() != StatusCode::OK {
            let text = format!("HTTP {}", answer.status());
            return Err(Status::unavailable(text).into());
        }
        match Status::from_header_map(answer.headers()) {
            Some(status) if status.code() != Code::Ok => Err(status.into()),
            _ => {
                self.body = Some(answer.into_body());
                Ok(())
            }
        }
    }
}
