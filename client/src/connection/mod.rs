//! The way to the service: a channel, calls with deadlines and retries, the device's token.

mod backoff;
mod session;

use std::future::Future;
use std::time::Duration;

use plasma_e2ee::DeviceKeys;
use plasma_proto::error::v1::ErrorReason;
use tokio::sync::Mutex;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

pub(crate) use backoff::Backoff;

use crate::env::Env;
use crate::error::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(20);
/// A page of envelopes of the greatest size, and room for what surrounds them.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Where the service is, and how long to try.
#[derive(Debug, Clone)]
pub struct Endpoint {
    uri: String,
    patience: Duration,
    env: Env,
}

impl Endpoint {
    /// Names the service, such as `https://chat.example`.
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), patience: PATIENCE, env: Env::system() }
    }

    /// Sets for how long a call is tried again while the service is out of reach; 20 s by default.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Returns the clock and source of randomness.
    pub(crate) fn environment(&self) -> Env {
        self.env.clone()
    }
}

/// A channel to the service, and the token of the device that uses it.
#[derive(Debug)]
pub(crate) struct Connection {
    channel: Channel,
    env: Env,
    patience: Duration,
    token: Mutex<Option<String>>,
}

impl Connection {
    /// Prepares a connection, which is made when it is first used and again when it breaks.
    pub(crate) fn new(endpoint: &Endpoint) -> Result<Self, Error> {
        let channel = tonic::transport::Endpoint::from_shared(endpoint.uri.clone())
            .map_err(|_| Error::InvalidEndpoint)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .tcp_keepalive(Some(KEEPALIVE_INTERVAL))
            .tcp_nodelay(true)
            .connect_lazy();
        Ok(Self {
            channel,
            env: endpoint.env.clone(),
            patience: endpoint.patience,
            token: Mutex::new(None),
        })
    }

    /// Calls as a device: with its token, refreshed once when it has expired.
    pub(crate) async fn call<M, R, O, F>(
        &self,
        keys: &DeviceKeys,
        message: M,
        operation: O,
    ) -> Result<R, Error>
    where
        M: Clone,
        O: Fn(Channel, Request<M>) -> F,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let token = self.token(keys).await?;
        match self.call_with(Some(&token), message.clone(), &operation).await {
            Err(error) if error.reason() == Some(ErrorReason::TokenExpired) => {
                let token = self.refreshed(keys, &token).await?;
                self.call_with(Some(&token), message, &operation).await
            }
            result => result,
        }
    }

    /// Calls as a device, once: a call that found the service out of reach is not repeated.
    pub(crate) async fn call_once<M, R, O, F>(
        &self,
        keys: &DeviceKeys,
        message: M,
        operation: O,
    ) -> Result<R, Error>
    where
        M: Clone,
        O: Fn(Channel, Request<M>) -> F,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let token = self.token(keys).await?;
        attempt(&self.channel, Some(&token), message, &operation).await
    }

    /// Calls with a given token or none. A call that found the service out of reach, or was one too
    /// many, is repeated, the same, for as long as the patience lasts and no sooner than the service
    /// asks for.
    pub(crate) async fn call_with<M, R, O, F>(
        &self,
        token: Option<&str>,
        message: M,
        operation: O,
    ) -> Result<R, Error>
    where
        M: Clone,
        O: Fn(Channel, Request<M>) -> F,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut backoff = Backoff::new(self.env.clone(), self.patience);
        loop {
            let error = match attempt(&self.channel, token, message.clone(), &operation).await {
                Err(error) if error.is_transient() || asks_to_wait(&error) => error,
                result => return result,
            };
            let Some(delay) = backoff.next(error.retry_after()) else { return Err(error) };
            tokio::time::sleep(delay).await;
        }
    }

    /// Opens a stream as a device. The wait for its head is bounded, the stream is not.
    pub(crate) async fn open<M, R, O, F>(
        &self,
        keys: &DeviceKeys,
        message: M,
        operation: O,
    ) -> Result<R, Error>
    where
        M: Clone,
        O: Fn(Channel, Request<M>) -> F,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut token = self.token(keys).await?;
        let mut refreshed = false;
        loop {
            let request = authorized(message.clone(), Some(&token))?;
            let head = operation(self.channel.clone(), request);
            let error = match tokio::time::timeout(CALL_TIMEOUT, head).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => Error::from(status),
                Err(_) => Error::Unreachable("no answer in time".to_owned()),
            };
            if refreshed || error.reason() != Some(ErrorReason::TokenExpired) {
                return Err(error);
            }
            token = self.refreshed(keys, &token).await?;
            refreshed = true;
        }
    }
}

async fn attempt<M, R, O, F>(
    channel: &Channel,
    token: Option<&str>,
    message: M,
    operation: &O,
) -> Result<R, Error>
where
    O: Fn(Channel, Request<M>) -> F,
    F: Future<Output = Result<Response<R>, Status>>,
{
    let mut request = authorized(message, token)?;
    request.set_timeout(CALL_TIMEOUT);
    match tokio::time::timeout(CALL_TIMEOUT, operation(channel.clone(), request)).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Error::from(status)),
        Err(_) => Err(Error::Unreachable("no answer in time".to_owned())),
    }
}

/// Whether the service refused for its rates and said when the same call may come again.
fn asks_to_wait(error: &Error) -> bool {
    error.is_rate_limited() && error.retry_after().is_some()
}

fn authorized<M>(message: M, token: Option<&str>) -> Result<Request<M>, Error> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| Error::Answer("access_token"))?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
    }
    Ok(request)
}
