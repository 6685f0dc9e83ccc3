//! Passes: permission to write in a chat.

use plasma_kit::Timestamp;
use plasma_kit::ids::{ChargeId, ChatId, PassId, TenantId, UserId};

use super::money::Money;

/// A user of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// The platform.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
}

/// One debt: the access to a chat that is bought for the n-th time. It is paid once at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obligation {
    /// The chat.
    pub chat: ChatId,
    /// The number of the pass within the chat, from 1.
    pub ordinal: i64,
}

impl Obligation {
    /// What comes after the latest pass of a chat.
    pub fn after(chat: ChatId, latest: Option<&Pass>) -> Self {
        Self { chat, ordinal: latest.map_or(0, |pass| pass.obligation.ordinal) + 1 }
    }

    /// How the ledger names it.
    pub fn external_id(&self) -> String {
        format!("{}/{}", self.chat, self.ordinal)
    }
}

/// Permission to write in a chat, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Its id.
    pub id: PassId,
    /// The chat, and the number of the pass within it.
    pub obligation: Obligation,
    /// Who opened or paid.
    pub payer: Party,
    /// What was paid and by which charge; none where access was free.
    pub paid: Option<(Money, ChargeId)>,
    /// When access began.
    pub start: Timestamp,
    /// When access ends; never where `None`.
    pub expire: Option<Timestamp>,
}

impl Pass {
    /// Whether the pass opens its chat at `now`.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.expire.is_none_or(|expire| now < expire)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::{ChatId, PassId, TenantId, UserId};

    use super::{Obligation, Party, Pass};

    #[test]
    fn a_pass_ends_at_its_expiry_and_the_next_debt_has_the_next_number() {
        let chat = ChatId(Uuid::from_u128(1));
        let first = Obligation::after(chat, None);
        let pass = Pass {
            id: PassId(Uuid::from_u128(2)),
            obligation: first,
            payer: Party { tenant: TenantId(Uuid::from_u128(3)), user: UserId(Uuid::from_u128(4)) },
            paid: None,
            start: Timestamp(0),
            expire: Some(Timestamp(10)),
        };
        assert!(pass.in_force(Timestamp(9)));
        assert!(!pass.in_force(Timestamp(10)));
        assert!(Pass { expire: None, ..pass }.in_force(Timestamp(i64::MAX)));
        assert_eq!((first.ordinal, Obligation::after(chat, Some(&pass)).ordinal), (1, 2));
    }
}
