//! A partner platform and what it allows.

use std::time::Duration;

use plasma_kit::ids::TenantId;
use plasma_kit::{Timestamp, Zone};

use super::link_base_url::LinkBaseUrl;

/// Whether access to a chat with the tenant's users is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    /// Chats cost nothing.
    Free,
    /// Chats cost what the tenant's price list says.
    Paid,
}

impl AccessMode {
    /// The number under which the mode is stored.
    pub fn to_row(self) -> i16 {
        match self {
            Self::Free => 1,
            Self::Paid => 2,
        }
    }

    /// Reads a stored mode.
    pub fn from_row(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Free),
            2 => Some(Self::Paid),
            _ => None,
        }
    }
}

/// How long a reset of an account can be cancelled where the tenant does not say.
pub const ACCOUNT_RESET_DELAY: Duration = Duration::from_hours(7 * 24);

/// What a tenant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether opening a chat with one of the tenant's users is free or paid.
    pub access_mode: AccessMode,
    /// Whether users of other platforms may chat with the tenant's users.
    pub allow_other_platforms: bool,
    /// How long the devices of a user have to cancel a reset of its account.
    pub account_reset_delay: Duration,
}

/// Whether a tenant may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantState {
    /// In use.
    Active,
    /// Suspended by the operator.
    Suspended,
}

impl TenantState {
    /// The number under which the state is stored.
    pub fn to_row(self) -> i16 {
        match self {
            Self::Active => 1,
            Self::Suspended => 2,
        }
    }

    /// Reads a stored state.
    pub fn from_row(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Active),
            2 => Some(Self::Suspended),
            _ => None,
        }
    }
}

/// A partner platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The name shown to people who follow one of its links.
    pub display_name: String,
    /// Where its contact links point.
    pub link_base_url: LinkBaseUrl,
    /// What it allows.
    pub policy: Policy,
    /// The operator's share of each charge, 0 to 10,000 basis points.
    pub operator_share_basis_points: u32,
    /// Whether it may be used.
    pub state: TenantState,
    /// When it was created.
    pub create_time: Timestamp,
    /// Whether it is a sandbox. Never changes.
    pub sandbox: bool,
    /// By whose calendar its days begin.
    pub time_zone: Zone,
}

/// A change of a tenant's fields; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantChange {
    /// The new name.
    pub display_name: Option<String>,
    /// The new link base.
    pub link_base_url: Option<LinkBaseUrl>,
    /// The new policy, whole.
    pub policy: Option<Policy>,
    /// The new time zone.
    pub time_zone: Option<Zone>,
}

impl Tenant {
    /// The tenant after a change.
    #[must_use]
    pub fn changed(&self, change: TenantChange) -> Self {
        Self {
            display_name: change.display_name.unwrap_or_else(|| self.display_name.clone()),
            link_base_url: change.link_base_url.unwrap_or_else(|| self.link_base_url.clone()),
            policy: change.policy.unwrap_or(self.policy),
            time_zone: change.time_zone.unwrap_or(self.time_zone),
            ..self.clone()
        }
    }

    /// The tenant in another state; `None` where it is in that state already.
    pub fn moved_to(&self, state: TenantState) -> Option<Self> {
        (self.state != state).then(|| Self { state, ..self.clone() })
    }

    /// Whether every call of the tenant and its users is refused.
    pub fn is_suspended(&self) -> bool {
        self.state == TenantState::Suspended
    }
}
