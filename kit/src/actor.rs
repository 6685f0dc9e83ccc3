//! Who is calling. The auth layer makes an [`Actor`] from a verified credential and puts it into
//! the request; a handler takes the kind it needs, and without one it does not run.

use tonic::Request;

use plasma_proto::Principal;

use crate::ids::{ApiKeyId, DeviceId, TenantId, UserId};
use crate::status::Failure;

/// A caller whose credential has been verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Nobody in particular.
    Anyone,
    /// Runs the service.
    Operator,
    /// An API key of a tenant.
    Key(KeyActor),
    /// A user without a device session.
    Enrollment(EnrollmentActor),
    /// One device of a user.
    Device(DeviceActor),
}

/// An API key of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyActor {
    /// The tenant that the key belongs to.
    pub tenant: TenantId,
    /// The key.
    pub key: ApiKeyId,
    /// Whether the key has the admin scope.
    pub admin: bool,
    /// Whether the key has the backend scope.
    pub backend: bool,
}

/// A user that its platform has just vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnrollmentActor {
    /// The user's platform.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
}

/// One device of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceActor {
    /// The user's platform.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
}

impl Actor {
    /// Whether the actor is one of the principals.
    pub fn is_any_of(&self, principals: &[Principal]) -> bool {
        principals.iter().any(|principal| match principal {
            Principal::Unspecified => false,
            Principal::Anyone => true,
            Principal::Operator => *self == Self::Operator,
            Principal::TenantAdmin => matches!(self, Self::Key(key) if key.admin),
            Principal::TenantBackend => matches!(self, Self::Key(key) if key.backend),
            Principal::Enrollment => matches!(self, Self::Enrollment(_)),
            Principal::Device => matches!(self, Self::Device(_)),
        })
    }

    /// The tenant that the actor belongs to; none for the operator and for anyone.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Anyone | Self::Operator => None,
            Self::Key(key) => Some(key.tenant),
            Self::Enrollment(enrollment) => Some(enrollment.tenant),
            Self::Device(device) => Some(device.tenant),
        }
    }

    /// A name of the caller that idempotency keys are scoped by.
    pub fn caller(&self) -> String {
        match self {
            Self::Anyone => "anyone".to_owned(),
            Self::Operator => "operator".to_owned(),
            // The keys of a tenant share their idempotency: a job may retry with a rotated key.
            Self::Key(_) => "tenant".to_owned(),
            Self::Enrollment(enrollment) => enrollment.user.to_string(),
            Self::Device(device) => device.user.to_string(),
        }
    }
}

/// Takes the actor that the auth layer put into the request.
pub fn of<T>(request: &Request<T>) -> Result<Actor, Failure> {
    request.extensions().get::<Actor>().copied().ok_or_else(Failure::unauthenticated)
}

/// Takes the calling device.
pub fn device<T>(request: &Request<T>) -> Result<DeviceActor, Failure> {
    match of(request)? {
        Actor::Device(device) => Ok(device),
        _ => Err(Failure::principal_not_allowed()),
    }
}

/// Takes the calling API key.
pub fn key<T>(request: &Request<T>) -> Result<KeyActor, Failure> {
    match of(request)? {
        Actor::Key(key) => Ok(key),
        _ => Err(Failure::principal_not_allowed()),
    }
}

/// Takes the calling user without a device session.
pub fn enrollment<T>(request: &Request<T>) -> Result<EnrollmentActor, Failure> {
    match of(request)? {
        Actor::Enrollment(enrollment) => Ok(enrollment),
        _ => Err(Failure::principal_not_allowed()),
    }
}

/// Checks that the actor may act on `tenant`: the operator on any, a key on its own. Another
/// tenant answers as an absent one does.
pub fn may_act_on(actor: &Actor, tenant: TenantId) -> Result<(), Failure> {
    match actor {
        Actor::Operator => Ok(()),
        Actor::Key(key) if key.tenant == tenant => Ok(()),
        _ => Err(Failure::not_found("tenant")),
    }
}
