//! `plasma.messaging.v1.SessionService`.

use std::sync::Arc;
use std::time::Duration;

use plasma_identity::DeviceAddress;
use plasma_kit::actor;
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::session_service_server;
use tonic::{Request, Response, Status};

use super::{create_challenge, create_session, exchange_token, sign_out};
use crate::Messaging;

/// Challenges that a device may ask for at once, and how soon one more.
const CHALLENGE_BURST: u32 = 60;
const CHALLENGE_REFILL: Duration = Duration::from_secs(1);

/// Turns a platform's word for a user, and then a device's own signature, into tokens.
#[derive(Clone)]
pub struct SessionService {
    messaging: Messaging,
    challenge_limit: Arc<RateLimit<DeviceAddress>>,
}

impl SessionService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        // Of this node alone: anyone may ask in any device's name, and it costs no store.
        let challenge_limit =
            RateLimit::new(messaging.env.clone(), CHALLENGE_BURST, CHALLENGE_REFILL);
        Self { messaging, challenge_limit: Arc::new(challenge_limit) }
    }
}

#[tonic::async_trait]
impl session_service_server::SessionService for SessionService {
    async fn exchange_token(
        &self,
        request: Request<pb::ExchangeTokenRequest>,
    ) -> Result<Response<pb::ExchangeTokenResponse>, Status> {
        let answer = exchange_token::handle(&self.messaging, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn create_challenge(
        &self,
        request: Request<pb::CreateChallengeRequest>,
    ) -> Result<Response<pb::CreateChallengeResponse>, Status> {
        let limit = &self.challenge_limit;
        let answer = create_challenge::handle(&self.messaging, limit, &request.into_inner())?;
        Ok(Response::new(answer))
    }

    async fn create_session(
        &self,
        request: Request<pb::CreateSessionRequest>,
    ) -> Result<Response<pb::CreateSessionResponse>, Status> {
        let answer = create_session::handle(&self.messaging, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn sign_out(
        &self,
        request: Request<pb::SignOutRequest>,
    ) -> Result<Response<pb::SignOutResponse>, Status> {
        let device = actor::device(&request)?;
        Ok(Response::new(sign_out::handle(&self.messaging, device).await?))
    }
}
