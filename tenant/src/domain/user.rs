//! Someone a tenant vouches for.

use plasma_kit::Timestamp;
use plasma_kit::ids::UserId;

/// Whether a user may use the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    /// In use.
    Active,
    /// Blocked by its platform.
    Blocked,
}

impl UserState {
    /// The number under which the state is stored.
    pub fn to_row(self) -> i16 {
        match self {
            Self::Active => 1,
            Self::Blocked => 2,
        }
    }

    /// Reads a stored state.
    pub fn from_row(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Active),
            2 => Some(Self::Blocked),
            _ => None,
        }
    }
}

/// Someone a tenant vouches for, known by an opaque id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// Whether the user may use the service.
    pub state: UserState,
    /// When the user first presented a token.
    pub create_time: Timestamp,
}

impl User {
    /// The user in another state; `None` where it is in that state already.
    pub fn moved_to(self, state: UserState) -> Option<Self> {
        (self.state != state).then_some(Self { state, ..self })
    }
}
