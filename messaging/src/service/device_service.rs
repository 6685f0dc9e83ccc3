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

    async fn revoke_device(
        &self,
        _request: Request<pb::RevokeDeviceRequest>,
    ) -> Result<Response<pb::RevokeDeviceResponse>, Status> {
        Err(Status::unimplemented("RevokeDevice"))
    }

    async fn renew_manifest(
        &self,
        _request: Request<pb::RenewManifestRequest>,
    ) -> Result<Response<pb::RenewManifestResponse>, Status> {
        Err(Status::unimplemented("RenewManifest"))
    }

    async fn start_generation(
        &self,
        _request: Request<pb::StartGenerationRequest>,
    ) -> Result<Response<pb::StartGenerationResponse>, Status> {
        Err(Status::unimplemented("StartGeneration"))
    }

    async fn set_recovery_kit(
        &self,
        _request: Request<pb::SetRecoveryKitRequest>,
    ) -> Result<Response<pb::SetRecoveryKitResponse>, Status> {
        Err(Status::unimplemented("SetRecoveryKit"))
    }

    async fn get_recovery_kit(
        &self,
        _request: Request<pb::GetRecoveryKitRequest>,
    ) -> Result<Response<pb::GetRecoveryKitResponse>, Status> {
        Err(Status::unimplemented("GetRecoveryKit"))
    }

    async fn request_account_reset(
        &self,
        _request: Request<pb::RequestAccountResetRequest>,
    ) -> Result<Response<pb::RequestAccountResetResponse>, Status> {
        Err(Status::unimplemented("RequestAccountReset"))
    }

    async fn cancel_account_reset(
        &self,
        _request: Request<pb::CancelAccountResetRequest>,
    ) -> Result<Response<pb::CancelAccountResetResponse>, Status> {
        Err(Status::unimplemented("CancelAccountReset"))
    }

    async fn reset_account(
        &self,
        _request: Request<pb::ResetAccountRequest>,
    ) -> Result<Response<pb::ResetAccountResponse>, Status> {
        Err(Status::unimplemented("ResetAccount"))
    }
}
