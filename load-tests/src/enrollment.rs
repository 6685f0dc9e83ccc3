//! Real users for a load: each with a device that is enrolled as any device is, by real signatures,
//! but without the one-time prekeys that only an encrypting client needs.

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use getrandom::SysRng;
use plasma_e2ee::rand_core::UnwrapErr;
use plasma_e2ee::{DeviceKeys, PrivatePrekey, RootKey};
use plasma_identity::{Capabilities, DeviceAddress, PrekeyRole, UserAddress};
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_proto::id;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::chat_service_client::ChatServiceClient;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use plasma_proto::messaging::v1::link_service_client::LinkServiceClient;
use plasma_proto::messaging::v1::session_service_client::SessionServiceClient;
use plasma_testkit::platform::request_as;
use plasma_testkit::{Platform, secret};
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::clock;

/// Users that a platform can enroll at once before the service asks it to slow down.
pub const USERS_PER_PLATFORM: usize = 100;
/// Enrollments under way at a time.
const AT_A_TIME: usize = 8;

/// A user with one device.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The device.
    pub address: DeviceAddress,
    /// Its access token, good for 15 minutes.
    pub access_token: String,
    /// Names the user's manifest.
    pub manifest_hash: Bytes,
}

impl Enrolled {
    /// The device, `device_…`.
    pub fn device_id(&self) -> String {
        id::format("device", self.address.device.as_u128())
    }

    /// The user, `user_…`.
    pub fn user_id(&self) -> String {
        id::format("user", self.address.user.as_u128())
    }

    /// A request of the device.
    pub fn request<T>(&self, message: T) -> Result<Request<T>> {
        request_as(&self.access_token, message)
    }

    /// Creates a contact link; its token.
    pub async fn create_link(&self, channel: &Channel) -> Result<String> {
        let request = pb::CreateLinkRequest { request_id: secret::request_id() };
        let created = LinkServiceClient::new(channel.clone())
            .create_link(self.request(request)?)
            .await
            .context("CreateLink")?;
        let url = created.into_inner().link.context("a link")?.url;
        let (_, token) = url.rsplit_once('/').context("a link's token")?;
        Ok(token.to_owned())
    }

    /// Opens a chat with a link's owner; its id.
    pub async fn open_chat(
        &self,
        channel: &Channel,
        link_token: &str,
        accepted: AcceptedPrice,
    ) -> Result<String> {
        let request = pb::OpenChatRequest {
            request_id: secret::request_id(),
            link_token: link_token.to_owned(),
            accepted_price: Some(accepted),
        };
        let opened = ChatServiceClient::new(channel.clone())
            .open_chat(self.request(request)?)
            .await
            .context("OpenChat")?;
        Ok(opened.into_inner().chat.context("a chat")?.chat_id)
    }
}

/// Enrolls some users of a platform, at most [`USERS_PER_PLATFORM`].
pub async fn enroll_users(
    channel: &Channel,
    platform: &Platform,
    count: usize,
) -> Result<Vec<Enrolled>> {
    let enrolled = enroll_devices(channel, platform, count).await?;
    Ok(enrolled.into_iter().map(|(enrolled, _)| enrolled).collect())
}

/// Enrolls some users of a platform, at most [`USERS_PER_PLATFORM`], with their devices' keys.
pub async fn enroll_devices(
    channel: &Channel,
    platform: &Platform,
    count: usize,
) -> Result<Vec<(Enrolled, DeviceKeys)>> {
    let users = (0..count).map(|_| enroll(channel, platform));
    stream::iter(users).buffer_unordered(AT_A_TIME).try_collect().await
}

async fn enroll(channel: &Channel, platform: &Platform) -> Result<(Enrolled, DeviceKeys)> {
    let request = pb::ExchangeTokenRequest {
        tenant_id: platform.tenant_id().to_owned(),
        platform_token: platform.user_token(&secret::name())?,
    };
    let enrollment = SessionServiceClient::new(channel.clone())
        .exchange_token(request)
        .await
        .context("ExchangeToken")?
        .into_inner();
    let user = read_user(&enrollment.user.context("a user")?)?;
    let (keys, registration, manifest_hash) = first_device(user)?;
    let registered = DeviceServiceClient::new(channel.clone())
        .register_first_device(request_as(&enrollment.enrollment_token, registration)?)
        .await
        .context("RegisterFirstDevice")?;
    let access_token = registered.into_inner().access_token;
    Ok((Enrolled { address: keys.address(), access_token, manifest_hash }, keys))
}

/// Makes a user's root, first device, manifest and the prekeys that a device must have.
fn first_device(user: UserAddress) -> Result<(DeviceKeys, pb::RegisterFirstDeviceRequest, Bytes)> {
    let (mut rng, now) = (UnwrapErr(SysRng), clock::unix_seconds());
    let root = RootKey::generate(&mut rng);
    let keys = DeviceKeys::generate(user.device(Uuid::from_bytes(secret::bytes())), &mut rng);
    let wish = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
    let certificate = root.certify(&wish, now)?;
    let manifest = root.start_generation(user, &[certificate], None, now)?;
    let mut prekey = |role| {
        let prekey = PrivatePrekey::generate(&keys, role, 1, now, &mut rng);
        Bytes::from(prekey.public().to_bytes())
    };
    let prekeys = pb::DevicePrekeys {
        signed_prekey: prekey(PrekeyRole::SignedEc),
        last_resort_kem_prekey: prekey(PrekeyRole::LastResortKem),
    };
    let registration = pb::RegisterFirstDeviceRequest {
        root_public_key: root.public().to_bytes().to_vec().into(),
        certificate: certificate.to_bytes().into(),
        manifest: manifest.to_bytes().into(),
        prekeys: Some(prekeys),
    };
    Ok((keys, registration, manifest.hash().0.to_vec().into()))
}

fn read_user(user: &pb::UserAddress) -> Result<UserAddress> {
    let tenant = id::parse("tenant", &user.tenant_id).context("a tenant id")?;
    let user = id::parse("user", &user.user_id).context("a user id")?;
    Ok(UserAddress { tenant: Uuid::from_u128(tenant), user: Uuid::from_u128(user) })
}
