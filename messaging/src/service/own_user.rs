//! The user whom a device or an enrollment token speaks for.

use plasma_kit::Failure;
use plasma_kit::actor::Actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{TenantId, UserId};

/// The calling user.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnUser {
    /// Its platform.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The claim on its tenant.
    pub claim: TenantClaim,
}

/// Says whose user calls.
pub(super) fn of(caller: &Actor) -> Result<OwnUser, Failure> {
    match caller {
        Actor::Device(device) => Ok(OwnUser {
            tenant: device.tenant,
            user: device.user,
            claim: TenantClaim::of_device(device),
        }),
        Actor::Enrollment(enrollment) => Ok(OwnUser {
            tenant: enrollment.tenant,
            user: enrollment.user,
            claim: TenantClaim::of_enrollment(enrollment),
        }),
        Actor::Anyone | Actor::Operator | Actor::Key(_) => Err(Failure::principal_not_allowed()),
    }
}
