//! What a token says.

use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::{DeviceId, Id, TenantId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The issuer of every token.
pub(super) const ISSUER: &str = "plasma";

const ACCESS: &str = "access";
const ENROLLMENT: &str = "enroll";

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A device.
    Device(DeviceId),
    /// A user without a device session.
    Enrollment,
}

/// The claims as the token carries them. `iat` and `exp` are seconds, as RFC 7519 wants; `iat_us`
/// is the same moment in microseconds, which a sign-out compares.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Written {
    iss: String,
    typ: String,
    tenant: String,
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    iat: i64,
    iat_us: i64,
    exp: i64,
    jti: String,
}

/// Claims that have been read or are to be signed.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    user: (TenantId, UserId),
    subject: Subject,
    issued_at: Timestamp,
    expires_at: Timestamp,
    id: Uuid,
}

impl Claims {
    /// Claims that end `lifetime` after the second in which they are issued began.
    pub(super) fn new(
        user: (TenantId, UserId),
        subject: Subject,
        issued_at: Timestamp,
        lifetime: Duration,
        id: Uuid,
    ) -> Self {
        let expires_at = Timestamp(issued_at.seconds() * 1_000_000).plus(lifetime);
        Self { user, subject, issued_at, expires_at, id }
    }

    pub(super) fn user(&self) -> (TenantId, UserId) {
        self.user
    }

    pub(super) fn subject(&self) -> Subject {
        self.subject
    }

    pub(super) fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub(super) fn write(&self) -> Written {
        let (typ, device) = match self.subject {
            Subject::Device(device) => (ACCESS, Some(device.to_string())),
            Subject::Enrollment => (ENROLLMENT, None),
        };
        Written {
            iss: ISSUER.to_owned(),
            typ: typ.to_owned(),
            tenant: self.user.0.to_string(),
            user: self.user.1.to_string(),
            device,
            iat: self.issued_at.seconds(),
            iat_us: self.issued_at.0,
            exp: self.expires_at.seconds(),
            jti: self.id.to_string(),
        }
    }

    pub(super) fn read(written: &Written) -> Option<Self> {
        let subject = match (written.typ.as_str(), &written.device) {
            (ACCESS, Some(device)) => Subject::Device(DeviceId::parse(device)?),
            (ENROLLMENT, None) => Subject::Enrollment,
            _ => return None,
        };
        Some(Self {
            user: (TenantId::parse(&written.tenant)?, UserId::parse(&written.user)?),
            subject,
            issued_at: Timestamp(written.iat_us),
            expires_at: Timestamp(written.exp.checked_mul(1_000_000)?),
            id: written.jti.parse().ok()?,
        })
    }
}
