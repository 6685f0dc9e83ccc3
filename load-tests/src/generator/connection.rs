//! One HTTP/2 connection of a device: calls whose requests are encoded already.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, client};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_local};

use super::wire::Frames;

/// Windows so large that credit is hardly ever sent back while a window is measured.
const STREAM_WINDOW: u32 = 16 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;

/// A call's head, made once and cloned for each call.
pub type Head = Request<()>;

/// An open connection. Closed when dropped.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects. Must be called on a `LocalSet`.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect to the server")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            .handshake(stream)
            .await
            .context("the HTTP/2 handshake")?;
        // Its calls report how it ended.
        let driver = spawn_local(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Makes a unary call; its answer's message.
    pub async fn call(&self, head: &Head, request: Bytes) -> Result<Bytes> {
        let mut body = self.start(head, request).await?;
        let (mut frames, mut answer) = (Frames::default(), None);
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            frames.push(chunk, |message| {
                ensure!(answer.replace(message).is_none(), "a second answer to a unary call");
                Ok(())
            })?;
        }
        let trailers = body.trailers().await?.context("the answer has no trailers")?;
        check_status(&trailers)?;
        ensure!(!frames.is_cut_short(), "the answer is cut short");
        answer.context("the answer has no message")
    }

    /// Begins a call; what follows the head of its answer.
    pub async fn start(&self, head: &Head, request: Bytes) -> Result<RecvStream> {
        let mut sender = self.sender.clone().ready().await?;
        let (answer, mut body) = sender.send_request(head.clone(), false)?;
        body.send_data(request, true)?;
        let answer = answer.await?;
        ensure!(answer.status() == StatusCode::OK, "the answer is HTTP {}", answer.status());
        if answer.headers().contains_key("grpc-status") {
            check_status(answer.headers())?;
            bail!("the answer ended with its head");
        }
        Ok(answer.into_body())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Makes the head of a gRPC call.
pub fn head(address: SocketAddr, path: &str, bearer: &str) -> Result<Head> {
    let mut authorization = HeaderValue::try_from(format!("Bearer {bearer}"))?;
    authorization.set_sensitive(false);
    let head = Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(format!("http://{address}{path}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::AUTHORIZATION, authorization)
        .body(())?;
    Ok(head)
}

fn check_status(headers: &HeaderMap) -> Result<()> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ensure!(text("grpc-status") == "0", "gRPC {}: {}", text("grpc-status"), text("grpc-message"));
    Ok(())
}
