//! `plasma.messaging.v1.MessageService`.

use futures::StreamExt;
use futures::stream::Map;
use plasma_kit::actor;
use plasma_kit::ids::DeviceId;
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::connect_response::Event;
use plasma_proto::messaging::v1::message_service_server;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status, Streaming};

use super::{acknowledge, connect, pull, receive, send, send_control, send_own};
use crate::Messaging;
use crate::delivery::{DeviceKey, EventStream};
use crate::domain::UserKey;

/// Messages that a device may send to its user's other devices at once, and how soon one more.
const OWN_BURST: u32 = 120;
const OWN_REFILL: Duration = Duration::from_millis(250);
/// Control envelopes that a device may send to another of its user at once, and how soon one more.
const CONTROL_BURST: u32 = 60;
const CONTROL_REFILL: Duration = Duration::from_secs(1);
/// Control envelopes that a user may send to another user at once, and how soon one more: enough
/// to repair sessions, and no way to chat without a pass.
const REPAIR_BURST: u32 = 60;
const REPAIR_REFILL: Duration = Duration::from_mins(1);

/// A device's events, each as the contract wraps it.
type Events<R> = Map<EventStream, fn(Result<Event, Status>) -> Result<R, Status>>;

/// Carries sealed messages between devices.
#[derive(Clone)]
pub struct MessageService {
    pub(super) messaging: Messaging,
    pub(super) own_limit: Arc<RateLimit<DeviceKey>>,
    pub(super) control_limit: Arc<RateLimit<(DeviceKey, DeviceId)>>,
    pub(super) repair_limit: Arc<RateLimit<(UserKey, UserKey)>>,
}

impl MessageService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        let own = RateLimit::new(messaging.env.clone(), OWN_BURST, OWN_REFILL);
        let control = RateLimit::new(messaging.env.clone(), CONTROL_BURST, CONTROL_REFILL);
        let repair = RateLimit::new(messaging.env.clone(), REPAIR_BURST, REPAIR_REFILL);
        Self {
            messaging,
            own_limit: Arc::new(own),
            control_limit: Arc::new(control),
            repair_limit: Arc::new(repair),
        }
    }
}

#[tonic::async_trait]
impl message_service_server::MessageService for MessageService {
    async fn send(
        &self,
        request: Request<pb::SendRequest>,
    ) -> Result<Response<pb::SendResponse>, Status> {
        let device = actor::device(&request)?;
        Ok(Response::new(send::handle(&self.messaging, device, request.into_inner()).await?))
    }

    async fn send_own(
        &self,
        request: Request<pb::SendOwnRequest>,
    ) -> Result<Response<pb::SendOwnResponse>, Status> {
        let device = actor::device(&request)?;
        Ok(Response::new(send_own::handle(self, device, request.into_inner()).await?))
    }

    async fn send_control(
        &self,
        request: Request<pb::SendControlRequest>,
    ) -> Result<Response<pb::SendControlResponse>, Status> {
        let device = actor::device(&request)?;
        Ok(Response::new(send_control::handle(self, device, request.into_inner()).await?))
    }

    type ReceiveStream = Events<pb::ReceiveResponse>;

    async fn receive(
        &self,
        request: Request<pb::ReceiveRequest>,
    ) -> Result<Response<Self::ReceiveStream>, Status> {
        let device = actor::device(&request)?;
        let events = receive::handle(&self.messaging, device).await?;
        Ok(Response::new(events.map(|event| event.map(receive::response))))
    }

    type ConnectStream = Events<pb::ConnectResponse>;

    async fn connect(
        &self,
        request: Request<Streaming<pb::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let device = actor::device(&request)?;
        let events = connect::handle(self, device, request.into_inner()).await?;
        Ok(Response::new(events.map(|event| event.map(connect::response))))
    }

    async fn acknowledge(
        &self,
        request: Request<pb::AcknowledgeRequest>,
    ) -> Result<Response<pb::AcknowledgeResponse>, Status> {
        let device = actor::device(&request)?;
        Ok(Response::new(acknowledge::handle(&self.messaging, device, request.into_inner()).await?))
    }

    async fn pull(
        &self,
        request: Request<pb::PullRequest>,
    ) -> Result<Response<pb::PullResponse>, Status> {
        let device = actor::device(&request)?;
        Ok(Response::new(pull::handle(&self.messaging, device, request.into_inner()).await?))
    }
}
