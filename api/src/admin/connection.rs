//! The connection of an admin command, and errors in words for a person.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use plasma_kit::Env;
use plasma_proto::error_info::reason_of;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

const EMBEDDED_KEY: &str = "plasma-data/operator.key";

/// A channel and a key.
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    authorization: MetadataValue<Ascii>,
}

impl Connection {
    pub(crate) async fn open(endpoint: &str, key: Option<String>) -> Result<Self> {
        let key = match key {
            Some(key) => key,
            None if Path::new(EMBEDDED_KEY).exists() => std::fs::read_to_string(EMBEDDED_KEY)?,
            None => anyhow::bail!("give a key with --key or PLASMA_API_KEY"),
        };
        let authorization =
            format!("Bearer {}", key.trim()).parse().context("the key is no key")?;
        let channel = Endpoint::from_shared(endpoint.to_owned())
            .with_context(|| format!("{endpoint} is no address"))?
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30))
            .connect()
            .await
            .with_context(|| format!("nothing answers at {endpoint}"))?;
        Ok(Self { channel, authorization })
    }

    /// A request with the key.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}

/// A new idempotency key.
pub(crate) fn request_id() -> String {
    Env::system().uuid().to_string()
}

/// An error for a person: what was said, and the reason that programs see.
pub(crate) fn explain(status: Status) -> anyhow::Error {
    match reason_of(&status) {
        Some(reason) => anyhow!("{} ({})", status.message(), reason.as_str_name()),
        None => anyhow!(status),
    }
}
