//! `plasma.messaging.v1.DeviceService`.

use plasma_kit::actor;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_server;
use tonic::{Request, Response, Status};

use super::{
    add_device, cancel_account_reset, get_account, get_recovery_kit, register_first_device,
    renew_manifest, request_account_reset, reset_account, revoke_device, set_recovery_kit,
    start_generation,
};
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
        let caller = actor::of(&request)?;
        let answer = get_account::handle(&self.messaging, caller, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn revoke_device(
        &self,
        request: Request<pb::RevokeDeviceRequest>,
    ) -> Result<Response<pb::RevokeDeviceResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = revoke_device::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn renew_manifest(
        &self,
        request: Request<pb::RenewManifestRequest>,
    ) -> Result<Response<pb::RenewManifestResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = renew_manifest::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn start_generation(
        &self,
        request: Request<pb::StartGenerationRequest>,
    ) -> Result<Response<pb::StartGenerationResponse>, Status> {
        let caller = actor::of(&request)?;
        let answer =
            start_generation::handle(&self.messaging, caller, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn set_recovery_kit(
        &self,
        request: Request<pb::SetRecoveryKitRequest>,
    ) -> Result<Response<pb::SetRecoveryKitResponse>, Status> {
        let device = actor::device(&request)?;
        let answer =
            set_recovery_kit::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn get_recovery_kit(
        &self,
        request: Request<pb::GetRecoveryKitRequest>,
    ) -> Result<Response<pb::GetRecoveryKitResponse>, Status> {
        let caller = actor::of(&request)?;
        let answer = get_recovery_kit::handle(&self.messaging, caller).await?;
        Ok(Response::new(answer))
    }

    async fn request_account_reset(
        &self,
        request: Request<pb::RequestAccountResetRequest>,
    ) -> Result<Response<pb::RequestAccountResetResponse>, Status> {
        let user = actor::enrollment(&request)?;
        let answer = request_account_reset::handle(&self.messaging, user).await?;
        Ok(Response::new(answer))
    }

    async fn cancel_account_reset(
        &self,
        request: Request<pb::CancelAccountResetRequest>,
    ) -> Result<Response<pb::CancelAccountResetResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = cancel_account_reset::handle(&self.messaging, device).await?;
        Ok(Response::new(answer))
    }

    async fn reset_account(
        &self,
        request: Request<pb::ResetAccountRequest>,
    ) -> Result<Response<pb::ResetAccountResponse>, Status> {
        let user = actor::enrollment(&request)?;
        let answer = reset_account::handle(&self.messaging, user, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
