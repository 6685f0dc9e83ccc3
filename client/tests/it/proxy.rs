//! A service in between that passes everything on, except for the answers that a test changes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use plasma_client::Endpoint;
use prost::Message;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

/// Before each message: a flag and the length.
const FRAME_HEAD: usize = 5;

type Change = Box<dyn FnMut(Bytes) -> Bytes + Send>;
type Changes = Arc<Mutex<HashMap<&'static str, Change>>>;

/// The service in between. It listens on loopback until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    changes: Changes,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start(upstream: Channel) -> Result<Self> {
        let changes = Changes::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::clone(&changes);
        let router = Router::new().fallback(move |request: Request| {
            let (upstream, changes) = (upstream.clone(), Arc::clone(&shared));
            async move { forward(upstream, &changes, request).await }
        });
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the proxy serves");
        });
        Ok(Self { address, changes, task })
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(format!("http://{}", self.address))
    }

    /// Changes the answers of a unary method from now on.
    pub fn change<M: Message + Default>(
        &self,
        method: &'static str,
        mut change: impl FnMut(&mut M) + Send + 'static,
    ) {
        let apply = move |bytes: Bytes| {
            let mut message = M::decode(bytes).expect("an answer of the method");
            change(&mut message);
            message.encode_to_vec().into()
        };
        self.changes.lock().unwrap().insert(method, Box::new(apply));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut upstream: Channel, changes: &Changes, request: Request) -> Response {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let request = request.map(tonic::body::Body::new);
    let response = upstream.ready().await.unwrap().call(request).await.unwrap();
    if !changes.lock().unwrap().contains_key(&method[..]) {
        return response.map(axum::body::Body::new);
    }
    let (head, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned();
    let frame = collected.to_bytes();
    let mut answer = BytesMut::new();
    if frame.len() >= FRAME_HEAD {
        let message = match changes.lock().unwrap().get_mut(&method[..]) {
            Some(change) => change(frame.slice(FRAME_HEAD..)),
            None => frame.slice(FRAME_HEAD..),
        };
        answer.put_u8(0);
        answer.put_u32(u32::try_from(message.len()).unwrap());
        answer.put(message);
    }
    let body = Full::new(answer.freeze()).with_trailers(async move { trailers.map(Ok) });
    Response::from_parts(head, axum::body::Body::new(body))
}
