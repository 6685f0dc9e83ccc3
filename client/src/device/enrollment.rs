//! What somebody may do whom a platform vouches for and who has no device yet: ask for a device.
//!
//! A platform's token alone replaces no device; it leads to linking, recovery, or a reset that the
//! old devices can stop.

use plasma_identity::UserAddress;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use plasma_proto::messaging::v1::session_service_client::SessionServiceClient;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::connection::{Connection, Endpoint};
use crate::env::Env;
use crate::error::Error;
use crate::id;
use crate::wire::{self, ClaimedAccount};

/// A user being enrolled, and the service that enrolls it.
#[derive(Debug)]
pub(super) struct Enrollment {
    pub(super) env: Env,
    pub(super) connection: Connection,
    pub(super) user: UserAddress,
    token: String,
}

impl Enrollment {
    /// Exchanges a platform's word for the right to enroll a device of its user.
    pub(super) async fn begin(
        endpoint: &Endpoint,
        tenant: Uuid,
        platform_token: &str,
    ) -> Result<Self, Error> {
        let connection = Connection::new(endpoint)?;
        let request = pb::ExchangeTokenRequest {
            tenant_id: id::format("tenant", tenant),
            platform_token: platform_token.to_owned(),
        };
        let operation = |channel: Channel, request| async move {
            SessionServiceClient::new(channel).exchange_token(request).await
        };
        let answer = connection.call_with(None, request, operation).await?;
        Ok(Self {
            env: endpoint.environment(),
            connection,
            user: wire::read_user(answer.user.as_ref())?,
            token: answer.enrollment_token,
        })
    }

    /// Calls the service as the user being enrolled.
    pub(super) async fn call<M, R, O, F>(&self, message: M, operation: O) -> Result<R, Error>
    where
        M: Clone,
        O: Fn(Channel, tonic::Request<M>) -> F,
        F: Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    {
        self.connection.call_with(Some(&self.token), message, operation).await
    }

    /// Gets the user's own account as the service states it, from the root on.
    pub(super) async fn claimed_account(&self) -> Result<ClaimedAccount, Error> {
        let user = Some(wire::user(self.user));
        let request = pb::GetAccountRequest { user, after_epoch: 0 };
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).get_account(request).await
        };
        ClaimedAccount::read(self.call(request, operation).await?.account.as_ref())
    }
}
