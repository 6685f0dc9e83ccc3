//! `plasma.messaging.v1.DeviceLinkingService`.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor;
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_linking_service_server;
use tonic::{Request, Response, Status};

use super::{await_linking_message, post_linking_message, start_linking};
use crate::Messaging;

/// Linkings that a user may open at once, and how soon one more.
const LINKING_BURST: u32 = 10;
const LINKING_REFILL: Duration = Duration::from_secs(10);
/// Waits that a user may begin at once, and how soon one more. Each asks the database for up to 30
/// seconds.
const WAIT_BURST: u32 = 60;
const WAIT_REFILL: Duration = Duration::from_secs(1);

/// Carries the sealed messages with which a device joins an account.
#[derive(Clone)]
pub struct DeviceLinkingService {
    messaging: Messaging,
    linking_limit: Arc<RateLimit<(TenantId, UserId)>>,
    wait_limit: Arc<RateLimit<(TenantId, UserId)>>,
}

impl DeviceLinkingService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        let linking = messaging.limits.limit("start_linking", LINKING_BURST, LINKING_REFILL);
        let wait = messaging.limits.limit("await_linking", WAIT_BURST, WAIT_REFILL);
        Self { messaging, linking_limit: Arc::new(linking), wait_limit: Arc::new(wait) }
    }
}

#[tonic::async_trait]
impl device_linking_service_server::DeviceLinkingService for DeviceLinkingService {
    async fn start_linking(
        &self,
        request: Request<pb::StartLinkingRequest>,
    ) -> Result<Response<pb::StartLinkingResponse>, Status> {
        let user = actor::enrollment(&request)?;
        let answer = start_linking::handle(&self.messaging, &self.linking_limit, user).await?;
        Ok(Response::new(answer))
    }

    async fn post_linking_message(
        &self,
        request: Request<pb::PostLinkingMessageRequest>,
    ) -> Result<Response<pb::PostLinkingMessageResponse>, Status> {
        let caller = actor::of(&request)?;
        let request = request.into_inner();
        Ok(Response::new(post_linking_message::handle(&self.messaging, caller, request).await?))
    }

    async fn await_linking_message(
        &self,
        request: Request<pb::AwaitLinkingMessageRequest>,
    ) -> Result<Response<pb::AwaitLinkingMessageResponse>, Status> {
        let caller = actor::of(&request)?;
        let request = request.into_inner();
        let answer =
            await_linking_message::handle(&self.messaging, &self.wait_limit, caller, request);
        Ok(Response::new(answer.await?))
    }
}
