//! A service in between that passes everything on, except for the answers that somebody changes:
//! what whoever runs the service could do.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

/// Before each message: a flag and the length.
const FRAME_HEAD: usize = 5;

type Change = Box<dyn FnMut(Bytes) -> Result<Bytes> + Send>;
type Changes = Arc<Mutex<HashMap<&'static str, Treatment>>>;

/// What is done to a method.
enum Treatment {
    /// Its requests do not reach the service.
    Held,
    /// Its answers are changed.
    Changed(Change),
}

/// The service in between. It listens on loopback until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    changes: Changes,
    task: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts in front of a node.
    pub async fn start(upstream: Channel) -> Result<Self> {
        let changes = Changes::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::clone(&changes);
        let router = Router::new().fallback(move |request: Request| {
            let (upstream, changes) = (upstream.clone(), Arc::clone(&shared));
            async move {
                // Whoever is told nothing more than this takes the service for unreachable.
                forward(upstream, &changes, request).await.map_err(|_| StatusCode::BAD_GATEWAY)
            }
        });
        let task = tokio::spawn(async move {
            // It serves until the task is aborted.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { address, changes, task })
    }

    /// Where to call instead of the node.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the answers of a unary method from now on.
    pub fn change<M: Message + Default>(
        &self,
        method: &'static str,
        mut change: impl FnMut(&mut M) + Send + 'static,
    ) {
        let apply = move |bytes: Bytes| {
            let mut message = M::decode(bytes).context("an answer of another method")?;
            change(&mut message);
            Ok(message.encode_to_vec().into())
        };
        lock(&self.changes).insert(method, Treatment::Changed(Box::new(apply)));
    }

    /// Loses the answers of a method from now on: the service has done what it was asked, and the
    /// caller never hears of it.
    pub fn lose(&self, method: &'static str) {
        let lost = |_: Bytes| Err(anyhow::anyhow!("the answer is lost"));
        lock(&self.changes).insert(method, Treatment::Changed(Box::new(lost)));
    }

    /// Keeps the requests of a method from the service from now on.
    pub fn hold(&self, method: &'static str) {
        lock(&self.changes).insert(method, Treatment::Held);
    }

    /// Passes the answers of a method on as they are again.
    pub fn restore(&self, method: &'static str) {
        lock(&self.changes).remove(method);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(changes: &Changes) -> MutexGuard<'_, HashMap<&'static str, Treatment>> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn forward(mut upstream: Channel, changes: &Changes, request: Request) -> Result<Response> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    ensure!(
        !matches!(lock(changes).get(&method[..]), Some(Treatment::Held)),
        "the request is held"
    );
    let request = request.map(tonic::body::Body::new);
    let response = upstream.ready().await?.call(request).await?;
    if !lock(changes).contains_key(&method[..]) {
        return Ok(response.map(axum::body::Body::new));
    }
    let (head, body) = response.into_parts();
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    let frame = collected.to_bytes();
    let mut answer = BytesMut::new();
    if frame.len() >= FRAME_HEAD {
        ensure!(frame[0] == 0, "the answer is compressed");
        let message = match lock(changes).get_mut(&method[..]) {
            Some(Treatment::Changed(change)) => change(frame.slice(FRAME_HEAD..))?,
            Some(Treatment::Held) | None => frame.slice(FRAME_HEAD..),
        };
        answer.put_u8(0);
        answer.put_u32(u32::try_from(message.len())?);
        answer.put(message);
    }
    let body = Full::new(answer.freeze()).with_trailers(async move { trailers.map(Ok) });
    Ok(Response::from_parts(head, axum::body::Body::new(body)))
}
