//! Conversions between the contract's messages of this context and ours.

use plasma_identity::{DeviceAddress, DeviceCertificate, Manifest, RecoveryKit, RootPublicKey};
use plasma_kit::actor::DeviceActor;
use plasma_kit::convert;
use plasma_kit::ids::{DeviceId, TenantId, UserId};
use plasma_kit::{Failure, StoreError, Timestamp};
use plasma_proto::messaging::v1 as pb;

use crate::domain::{AccountReset, ChatState, Member, Refusal, Report, UserKey};

/// Reads a user that the contract's rules have checked and require.
pub(super) fn user(value: Option<&pb::UserAddress>) -> UserKey {
    let value = value.expect("the codec checked the field");
    (TenantId::checked(&value.tenant_id), UserId::checked(&value.user_id))
}

/// Writes a user.
pub(super) fn user_address(user: UserKey) -> pb::UserAddress {
    pb::UserAddress { tenant_id: user.0.to_string(), user_id: user.1.to_string() }
}

/// Reads a device that the contract's rules have checked and require.
pub(super) fn device(value: Option<&pb::DeviceAddress>) -> DeviceAddress {
    let value = value.expect("the codec checked the field");
    DeviceAddress {
        tenant: TenantId::checked(&value.tenant_id).0,
        user: UserId::checked(&value.user_id).0,
        device: DeviceId::checked(&value.device_id).0,
    }
}

/// Writes a chat as one of its members sees it.
pub(super) fn chat(member: &Member) -> pb::Chat {
    let state = match member.state() {
        ChatState::Open => pb::ChatState::Open,
        ChatState::Blocked => pb::ChatState::Blocked,
        ChatState::Closed => pb::ChatState::Closed,
    };
    pb::Chat {
        chat_id: member.chat.to_string(),
        peer: Some(user_address(member.peer)),
        host_tenant_id: member.host.to_string(),
        state: state.into(),
        blocked_by_me: member.blocked_at.is_some(),
        create_time: Some(convert::timestamp(member.created_at)),
    }
}

/// Writes a report.
pub(super) fn report(report: Report) -> pb::Report {
    let DeviceActor { tenant, user, device } = report.reporter;
    pb::Report {
        report_id: report.id.to_string(),
        chat_id: report.chat.to_string(),
        reporter: Some(user_address((tenant, user))),
        reported: Some(user_address(report.reported)),
        reporter_device: Some(pb::DeviceAddress {
            tenant_id: tenant.to_string(),
            user_id: user.to_string(),
            device_id: device.to_string(),
        }),
        category: report.category.into(),
        comment: report.comment,
        message_count: report.message_count,
        create_time: Some(convert::timestamp(report.created_at)),
    }
}

/// Whole seconds since 1970, as the identity crate counts.
pub(super) fn unix_seconds(moment: Timestamp) -> u64 {
    u64::try_from(moment.seconds()).unwrap_or_default()
}

/// Writes a reset that was asked for.
pub(crate) fn account_reset(reset: &AccountReset) -> pb::AccountReset {
    pb::AccountReset {
        request_time: Some(convert::timestamp(reset.requested_at)),
        effective_time: Some(convert::timestamp(reset.effective_at)),
        expire_time: Some(convert::timestamp(reset.expires_at)),
    }
}

/// Decodes a certificate that a caller sent in `field`.
pub(super) fn certificate(field: &str, bytes: &[u8]) -> Result<DeviceCertificate, Refusal> {
    DeviceCertificate::from_bytes(bytes)
        .ok()
        // The nil id stands for no device.
        .filter(|certificate| !certificate.address().device.is_nil())
        .ok_or_else(|| undecodable(field, "must be a device certificate"))
}

/// Decodes a manifest that a caller sent.
pub(super) fn manifest(bytes: &[u8]) -> Result<Manifest, Refusal> {
    Manifest::from_bytes(bytes).map_err(|_| undecodable("manifest", "must be a manifest"))
}

/// Decodes a root key that a caller sent.
pub(super) fn root_public_key(bytes: &[u8]) -> Result<RootPublicKey, Refusal> {
    RootPublicKey::from_bytes(bytes)
        .map_err(|_| undecodable("root_public_key", "must be an uncompressed point on P-256"))
}

/// Decodes a recovery kit that a caller sent.
pub(super) fn recovery_kit(bytes: &[u8]) -> Result<RecoveryKit, Refusal> {
    RecoveryKit::from_bytes(bytes)
        .map_err(|_| undecodable("recovery_kit", "must be a recovery kit"))
}

fn undecodable(field: &str, rule: &'static str) -> Refusal {
    Refusal::Undecodable { field: field.to_owned(), rule }
}

/// Decodes what was checked before it was stored.
pub(super) fn stored<T, E: std::fmt::Display>(decoded: Result<T, E>) -> Result<T, StoreError> {
    decoded.map_err(|error| StoreError::Inconsistent(error.to_string()))
}

/// Runs a computation of some milliseconds where it does not hold up other calls.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Failure::from),
        Err(error) => {
            tracing::error!(%error, "a computation ended early");
            Err(Failure::internal())
        }
    }
}
