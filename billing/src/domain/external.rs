//! Operations at a tenant's own wallet: their states, and which may follow which.

use plasma_kit::Timestamp;
use plasma_kit::ids::{ExternalOperationId, UserId};

use super::money::Money;

/// What an operation is. The numbers are those of the contract's `WalletOperationKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Money is set aside, and then captured or released.
    Reserve,
    /// Captured money is given back.
    Refund,
}

impl Kind {
    /// The stored number.
    pub fn number(self) -> i16 {
        match self {
            Self::Reserve => 1,
            Self::Refund => 2,
        }
    }

    /// Reads the stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        [Self::Reserve, Self::Refund].into_iter().find(|kind| kind.number() == number)
    }
}

/// What is known of an operation. The numbers are those of the contract's
/// `ExternalOperationState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Kept, and not sent yet.
    Intent,
    /// Sent; the answer is under way, or who waited for it is gone.
    Sent,
    /// Sent without an answer.
    Unknown,
    /// The money is set aside.
    Reserved,
    /// What was bought is granted; the money is being taken.
    Capturing,
    /// Nothing was bought; the money is being freed.
    Releasing,
    /// The money was taken.
    Captured,
    /// The money was freed, or never set aside.
    Released,
    /// The provider declined.
    Declined,
    /// The provider declined to capture what it had reserved; the sale was taken back.
    Reversed,
    /// The money was given back.
    Refunded,
    /// The provider answered against the contract.
    Disputed,
}

const STATES: [State; 12] = [
    State::Intent,
    State::Sent,
    State::Unknown,
    State::Reserved,
    State::Capturing,
    State::Releasing,
    State::Captured,
    State::Released,
    State::Declined,
    State::Reversed,
    State::Refunded,
    State::Disputed,
];

impl State {
    /// The stored number.
    pub fn number(self) -> i16 {
        match self {
            Self::Intent => 1,
            Self::Sent => 2,
            Self::Unknown => 3,
            Self::Reserved => 4,
            Self::Capturing => 5,
            Self::Releasing => 6,
            Self::Captured => 7,
            Self::Released => 8,
            Self::Declined => 9,
            Self::Reversed => 10,
            Self::Refunded => 11,
            Self::Disputed => 12,
        }
    }

    /// Reads the stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        STATES.into_iter().find(|state| state.number() == number)
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        STATES.into_iter().all(|next| !self.may_become(next))
    }

    /// Whether `next` may follow. What is final has no successor, and nothing that was sent is
    /// ever taken for not sent again.
    pub fn may_become(self, next: Self) -> bool {
        use State::{
            Captured, Capturing, Declined, Disputed, Intent, Refunded, Released, Releasing,
            Reserved, Reversed, Sent, Unknown,
        };
        match self {
            Intent => matches!(next, Sent | Released),
            Sent | Unknown => matches!(
                next,
                Sent | Unknown | Reserved | Releasing | Released | Declined | Refunded | Disputed
            ),
            Reserved => matches!(next, Capturing | Releasing),
            Capturing => matches!(next, Captured | Reversed | Disputed),
            Releasing => matches!(next, Released | Disputed),
            Captured | Released | Declined | Reversed | Refunded | Disputed => false,
        }
    }
}

/// Where the charge stands that an operation pays or gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bought {
    /// The tenant in whose books the charge is.
    pub tenant: plasma_kit::ids::TenantId,
    /// The charge.
    pub charge: plasma_kit::ids::ChargeId,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Our id, which the provider has as well.
    pub id: ExternalOperationId,
    /// What it is.
    pub kind: Kind,
    /// Whose money.
    pub user: UserId,
    /// How much.
    pub money: Money,
    /// The debt that it pays, as the ledger names it; unique with `attempt`.
    pub obligation: String,
    /// The number of the operation among those for the debt, from 1.
    pub attempt: i64,
    /// What is known of it.
    pub state: State,
    /// What was captured, in minor units.
    pub captured: i64,
    /// Why the provider declined: the number of the contract's `DeclineReason`, or 0.
    pub decline_reason: i32,
    /// What the user could have spent where the provider declined for lack of money.
    pub available: i64,
    /// The reserve that a refund gives back of.
    pub reserve: Option<ExternalOperationId>,
    /// The charge; from the sale on.
    pub bought: Option<Bought>,
    /// How often the provider was called in vain.
    pub failed_attempts: i64,
    /// Until when the provider must hold the money.
    pub hold_until: Timestamp,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::{STATES, State};

    #[test]
    fn what_is_final_stays_and_all_others_can_end() {
        let is_final = [
            State::Captured,
            State::Released,
            State::Declined,
            State::Reversed,
            State::Refunded,
            State::Disputed,
        ];
        for state in STATES {
            assert_eq!(state.is_final(), is_final.contains(&state), "{state:?}");
            assert_eq!(State::from_number(state.number()), Some(state));
        }
        assert_eq!(State::from_number(0), None);
    }

    #[test]
    fn silence_is_never_a_refusal_and_a_sale_is_never_released() {
        assert!(!State::Intent.may_become(State::Declined));
        assert!(!State::Capturing.may_become(State::Releasing));
        assert!(!State::Capturing.may_become(State::Released));
        assert!(!State::Releasing.may_become(State::Capturing));
        for state in STATES.into_iter().filter(|state| *state != State::Reserved) {
            assert!(!state.may_become(State::Capturing), "{state:?}");
        }
        for state in STATES {
            assert!(!state.may_become(State::Intent), "{state:?}");
        }
    }
}
