//! `plasma.messaging.v1.KeyService`.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor;
use plasma_kit::ids::DeviceId;
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_server;
use tonic::{Request, Response, Status};

use super::{count_prekeys, publish_prekeys, take_prekey_bundles};
use crate::Messaging;

/// Bundles of one device that another may take at once, and how soon one more.
const BUNDLE_BURST: u32 = 30;
const BUNDLE_REFILL: Duration = Duration::from_secs(30);

/// Hands out the keys with which a session begins.
#[derive(Clone)]
pub struct KeyService {
    messaging: Messaging,
    bundle_limit: Arc<RateLimit<(DeviceId, DeviceId)>>,
}

impl KeyService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        let limit = messaging.limits.limit("prekey_bundle", BUNDLE_BURST, BUNDLE_REFILL);
        Self { messaging, bundle_limit: Arc::new(limit) }
    }
}

#[tonic::async_trait]
impl key_service_server::KeyService for KeyService {
    async fn publish_prekeys(
        &self,
        request: Request<pb::PublishPrekeysRequest>,
    ) -> Result<Response<pb::PublishPrekeysResponse>, Status> {
        let device = actor::device(&request)?;
        let request = request.into_inner();
        Ok(Response::new(publish_prekeys::handle(&self.messaging, device, request).await?))
    }

    async fn count_prekeys(
        &self,
        request: Request<pb::CountPrekeysRequest>,
    ) -> Result<Response<pb::CountPrekeysResponse>, Status> {
        let device = actor::device(&request)?;
        Ok(Response::new(count_prekeys::handle(&self.messaging, device).await?))
    }

    async fn take_prekey_bundles(
        &self,
        request: Request<pb::TakePrekeyBundlesRequest>,
    ) -> Result<Response<pb::TakePrekeyBundlesResponse>, Status> {
        let device = actor::device(&request)?;
        let request = request.into_inner();
        let limit = &self.bundle_limit;
        let answer = take_prekey_bundles::handle(&self.messaging, limit, device, request).await?;
        Ok(Response::new(answer))
    }
}
