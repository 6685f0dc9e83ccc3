//! The device's access token: had by a signature, kept in memory, refreshed when it has expired.

use plasma_e2ee::DeviceKeys;
use plasma_identity::{Signer, session_challenge};
use plasma_proto::messaging::v1::session_service_client::SessionServiceClient;
use plasma_proto::messaging::v1::{CreateChallengeRequest, CreateSessionRequest};
use tonic::transport::Channel;

use super::Connection;
use crate::error::Error;
use crate::wire;

impl Connection {
    /// Returns the token at hand, or has one made.
    pub(super) async fn token(&self, keys: &DeviceKeys) -> Result<String, Error> {
        let mut token = self.token.lock().await;
        if let Some(token) = &*token {
            return Ok(token.clone());
        }
        Ok(token.insert(self.create_session(keys).await?).clone())
    }

    /// Returns a token other than `expired`; calls that find it expired together make one.
    pub(super) async fn refreshed(
        &self,
        keys: &DeviceKeys,
        expired: &str,
    ) -> Result<String, Error> {
        let mut token = self.token.lock().await;
        match &*token {
            Some(token) if token != expired => Ok(token.clone()),
            _ => Ok(token.insert(self.create_session(keys).await?).clone()),
        }
    }

    /// Opens a session by the device's signature unless there is one.
    pub(crate) async fn open_session(&self, keys: &DeviceKeys) -> Result<(), Error> {
        self.token(keys).await.map(drop)
    }

    /// Keeps a token that came with another answer; a retry's answer has none.
    pub(crate) async fn keep_token(&self, token: String) {
        *self.token.lock().await = (!token.is_empty()).then_some(token);
    }

    /// Forgets the token, so that the next call makes one.
    pub(crate) async fn forget_token(&self) {
        *self.token.lock().await = None;
    }

    async fn create_session(&self, keys: &DeviceKeys) -> Result<String, Error> {
        let device = keys.address();
        let request = CreateChallengeRequest { device: Some(wire::device(device)) };
        let operation = |channel: Channel, request| async move {
            SessionServiceClient::new(channel).create_challenge(request).await
        };
        let challenge = self.call_with(None, request, operation).await?.challenge;
        let signature = keys.sign(&session_challenge(&device, &challenge));
        let request = CreateSessionRequest {
            device: Some(wire::device(device)),
            challenge,
            signature: signature.to_bytes().to_vec().into(),
        };
        let operation = |channel: Channel, request| async move {
            SessionServiceClient::new(channel).create_session(request).await
        };
        Ok(self.call_with(None, request, operation).await?.access_token)
    }
}
