//! Passes: permission to write in a chat.

use plasma_kit::Timestamp;
use plasma_kit::ids::{ChargeId, ChatId, PassId, SubscriptionId, TenantId, UserId};

use super::money::Money;

/// A user of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// How access came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The price was free.
    Free,
    /// It was paid, by a charge.
    Paid(Money, ChargeId),
    /// A trial.
    Trial,
    /// A renewal that is not paid yet.
    Grace,
}

/// Messages that a pass pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundle {
    /// How many there were.
    pub messages: u32,
    /// How many of them were sent.
    pub spent: u32,
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
    /// Whom access is to, at whose platform it was bought.
    pub recipient: Party,
    /// How it came about.
    pub source: Source,
    /// The subscription whose period it is.
    pub subscription: Option<SubscriptionId>,
    /// The payer's messages, where they are counted.
    pub bundle: Option<Bundle>,
    /// When access begins. A pass that was added to others begins where they end.
    pub start: Timestamp,
    /// When access ends; never where `None`.
    pub expire: Option<Timestamp>,
}

impl Pass {
    /// Whether the pass, as the latest of its chat, keeps the chat open at `now`: it may begin later,
    /// for then it was added to one that lasts until it begins.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.expire.is_none_or(|expire| now < expire)
    }

    /// Whether its payer needs no other pass to write at `now`.
    pub fn suffices(&self, now: Timestamp) -> bool {
        self.in_force(now) && self.bundle.is_none_or(|bundle| bundle.spent < bundle.messages)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::{ChatId, PassId, TenantId, UserId};

    use super::{Bundle, Obligation, Party, Pass, Source};

    pub(crate) fn party(number: u128) -> Party {
        Party {
            tenant: TenantId(Uuid::from_u128(number)),
            user: UserId(Uuid::from_u128(number + 1)),
        }
    }

    /// A free pass from 0 on.
    pub(crate) fn pass(expire: Option<i64>) -> Pass {
        Pass {
            id: PassId(Uuid::from_u128(2)),
            obligation: Obligation::after(ChatId(Uuid::from_u128(1)), None),
            payer: party(3),
            recipient: party(5),
            source: Source::Free,
            subscription: None,
            bundle: None,
            start: Timestamp(0),
            expire: expire.map(Timestamp),
        }
    }

    #[test]
    fn a_pass_ends_at_its_expiry_and_the_next_debt_has_the_next_number() {
        let ending = pass(Some(10));
        assert!(ending.in_force(Timestamp(9)));
        assert!(!ending.in_force(Timestamp(10)));
        assert!(pass(None).in_force(Timestamp(i64::MAX)));
        let chat = ending.obligation.chat;
        assert_eq!(ending.obligation.ordinal, 1);
        assert_eq!(Obligation::after(chat, Some(&ending)).ordinal, 2);
    }

    #[test]
    fn a_spent_bundle_is_in_force_but_does_not_suffice_its_payer() {
        let bundle = |spent| Pass { bundle: Some(Bundle { messages: 2, spent }), ..pass(None) };
        assert!(bundle(1).suffices(Timestamp(0)));
        assert!(bundle(2).in_force(Timestamp(0)));
        assert!(!bundle(2).suffices(Timestamp(0)));
        assert!(!pass(Some(10)).suffices(Timestamp(10)));
    }
}
