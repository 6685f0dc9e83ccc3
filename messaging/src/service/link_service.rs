//! `plasma.messaging.v1.LinkService`.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor;
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::link_service_server;
use tonic::{Request, Response, Status};

use super::{create_link, list_links, resolve_link, revoke_link};
use crate::Messaging;
use crate::domain::UserKey;

/// Links that a user may resolve at once, and how soon one more.
const RESOLVE_BURST: u32 = 100;
const RESOLVE_REFILL: Duration = Duration::from_secs(15);

/// Contact links: what stands on a profile as a link or QR code.
#[derive(Clone)]
pub struct LinkService {
    messaging: Messaging,
    resolve_limit: Arc<RateLimit<UserKey>>,
}

impl LinkService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        let limit = messaging.limits.limit("resolve_link", RESOLVE_BURST, RESOLVE_REFILL);
        Self { messaging, resolve_limit: Arc::new(limit) }
    }
}

#[tonic::async_trait]
impl link_service_server::LinkService for LinkService {
    async fn create_link(
        &self,
        request: Request<pb::CreateLinkRequest>,
    ) -> Result<Response<pb::CreateLinkResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = create_link::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn list_links(
        &self,
        request: Request<pb::ListLinksRequest>,
    ) -> Result<Response<pb::ListLinksResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = list_links::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn revoke_link(
        &self,
        request: Request<pb::RevokeLinkRequest>,
    ) -> Result<Response<pb::RevokeLinkResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = revoke_link::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn resolve_link(
        &self,
        request: Request<pb::ResolveLinkRequest>,
    ) -> Result<Response<pb::ResolveLinkResponse>, Status> {
        let device = actor::device(&request)?;
        let limit = &self.resolve_limit;
        let request = request.into_inner();
        let answer = resolve_link::handle(&self.messaging, limit, device, request).await?;
        Ok(Response::new(answer))
    }
}
