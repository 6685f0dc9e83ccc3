//! `plasma.messaging.v1.DeviceService`.

use plasma_kit::actor;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_server;
use tonic::{Request, Response, Status};

use super::{add_device, get_account, register_first_device};
use crate::Messaging;

/// Keeps a user's signed list of devices.
#[derive(Clone)]
pub struct DeviceService {
    messaging: Messaging,
}

impl DeviceService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        Self { messaging }
    }
}

#[tonic::async_trait]
impl device_service_server::DeviceService for DeviceService {
    async fn register_first_device(
        &self,
        request: Request<pb::RegisterFirstDeviceRequest>,
    ) -> Result<Response<pb::RegisterFirstDeviceResponse>, Status> {
        let user = actor::enrollment(&request)?;
        let request = request.into_inner();
        let answer = register_first_device::handle(&self.messaging, user, request).await?;
        Ok(Response::new(answer))
    }

    async fn add_device(
        &self,
        request: Request<pb::AddDeviceRequest>,
    ) -> Result<Response<pb::AddDeviceResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = add_device::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::GetAccountResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = get_account::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
