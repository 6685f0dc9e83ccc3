//! Which side of a linking a caller is.

use plasma_identity::DeviceCertificate;
use plasma_kit::actor::Actor;
use plasma_kit::{Failure, Scope};

use super::contract;
use crate::domain::{IdentityCause, Refusal, Side};
use crate::store;

/// Says which side calls; a device is the approver's side whether or not it may approve.
pub(super) fn of(caller: &Actor) -> Side {
    match caller {
        Actor::Device(device) => Side::Approver(device.device),
        _ => Side::Newcomer,
    }
}

/// Checks that a device on the approver's side may approve.
pub(super) async fn check_approver(scope: &impl Scope, side: Side) -> Result<(), Failure> {
    let Side::Approver(device) = side else { return Ok(()) };
    let device = store::devices::find(scope, device).await?.ok_or_else(Failure::unauthenticated)?;
    let certificate = contract::stored(DeviceCertificate::from_bytes(&device.certificate))?;
    if certificate.may_approve() {
        return Ok(());
    }
    Err(Refusal::from(IdentityCause::CallerNotApprover).into())
}
