//! The keys of a simulated device, and the access token that it has by their signature.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plasma_e2ee::DeviceKeys;
use plasma_identity::{DeviceAddress, Signer, session_challenge};
use plasma_proto::id;
use plasma_proto::messaging::v1 as pb;
use prost::Message;
use tokio::sync::Mutex;

use super::call_error::CallError;
use super::link::Link;
use crate::generator::wire::frame;
use crate::meters::{Happening, Meters};

const CREATE_CHALLENGE: &str = "/plasma.messaging.v1.SessionService/CreateChallenge";
const CREATE_SESSION: &str = "/plasma.messaging.v1.SessionService/CreateSession";

/// A device that is enrolled: what it needs to talk to the service.
#[derive(Debug)]
pub struct Identity {
    /// The device's keys.
    pub keys: DeviceKeys,
    /// Names the manifest of its user.
    pub manifest_hash: Bytes,
}

impl Identity {
    /// The device.
    pub fn address(&self) -> DeviceAddress {
        self.keys.address()
    }
}

/// What a device shows with each call.
#[derive(Debug)]
pub(super) enum Credential {
    /// A token by the device's signature, obtained when it is needed.
    Session { identity: Arc<Identity>, token: Mutex<Option<Arc<str>>> },
    /// Anything: nobody looks at it.
    Fixed(Arc<str>),
}

impl Credential {
    pub(super) fn session(identity: Arc<Identity>) -> Self {
        Self::Session { identity, token: Mutex::default() }
    }

    /// The token at hand, or a new one.
    pub(super) async fn token(
        &self,
        link: &Link,
        meters: &Meters,
        at_most: Duration,
    ) -> Result<Arc<str>, CallError> {
        let (identity, token) = match self {
            Self::Fixed(token) => return Ok(Arc::clone(token)),
            Self::Session { identity, token } => (identity, token),
        };
        // Held meanwhile, so that calls that find none together make one.
        let mut token = token.lock().await;
        if let Some(token) = &*token {
            return Ok(Arc::clone(token));
        }
        let fresh = sign_in(identity, link, at_most).await?;
        meters.count(Happening::SignedIn);
        Ok(Arc::clone(token.insert(fresh)))
    }

    /// Forgets a token that the service refused.
    pub(super) async fn forget(&self, refused: &str) {
        let Self::Session { token, .. } = self else { return };
        let mut token = token.lock().await;
        if token.as_deref() == Some(refused) {
            *token = None;
        }
    }
}

/// Opens a session by the device's signature; the access token.
pub async fn sign_in(
    identity: &Identity,
    link: &Link,
    at_most: Duration,
) -> Result<Arc<str>, CallError> {
    let address = identity.address();
    let device = Some(pb::DeviceAddress {
        tenant_id: id::format("tenant", address.tenant.as_u128()),
        user_id: id::format("user", address.user.as_u128()),
        device_id: id::format("device", address.device.as_u128()),
    });
    let request = pb::CreateChallengeRequest { device: device.clone() };
    let answer = link.call(CREATE_CHALLENGE, None, frame(&request).into(), at_most).await?;
    let challenge = decode::<pb::CreateChallengeResponse>(&answer)?.challenge;
    let signature = identity.keys.sign(&session_challenge(&address, &challenge));
    let signature = signature.to_bytes().to_vec().into();
    let request = pb::CreateSessionRequest { device, challenge, signature };
    let answer = link.call(CREATE_SESSION, None, frame(&request).into(), at_most).await?;
    Ok(decode::<pb::CreateSessionResponse>(&answer)?.access_token.into())
}

/// Reads an answer.
pub(super) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, CallError> {
    M::decode(bytes).map_err(|error| CallError::Answer(error.to_string()))
}
