//! A linking: three sealed messages between a new device and one approver, in order.

use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::DeviceId;

/// How long a linking lives.
pub const LINKING_LIFETIME: Duration = Duration::from_mins(2);

/// Who speaks: the approver leaves 1 and 3 and waits for 2, the new device the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A device that may approve.
    Approver(DeviceId),
    /// The device that joins.
    Newcomer,
}

impl Side {
    fn leaves(self, number: i32) -> bool {
        match self {
            Self::Approver(_) => matches!(number, 1 | 3),
            Self::Newcomer => number == 2,
        }
    }
}

/// Why a linking does not take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkingCause {
    /// It has had its two minutes.
    Expired,
    /// Another device answers it, or another message has this number.
    Taken,
    /// The message is not this side's, or not its turn.
    OutOfOrder,
}

impl LinkingCause {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Taken => "taken",
            Self::OutOfOrder => "out_of_order",
        }
    }
}

/// What is known of a linking when one of its messages is left or waited for.
#[derive(Debug, Clone)]
pub struct Linking {
    /// When it ends.
    pub expires_at: Timestamp,
    /// The approver that answers it.
    pub taken_by: Option<DeviceId>,
    /// The highest number that has been left.
    pub last: i32,
    /// The message in question, where it has been left.
    pub message: Option<Vec<u8>>,
}

/// What leaving a message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posting {
    /// It is to be kept.
    Keep,
    /// It is there already.
    Repeated,
}

impl Linking {
    /// Whether `side` may leave `ciphertext` as the message of this number.
    pub fn post(
        &self,
        side: Side,
        number: i32,
        ciphertext: &[u8],
        now: Timestamp,
    ) -> Result<Posting, LinkingCause> {
        self.check(side, now)?;
        if !side.leaves(number) {
            return Err(LinkingCause::OutOfOrder);
        }
        match &self.message {
            Some(message) if message == ciphertext => Ok(Posting::Repeated),
            Some(_) => Err(LinkingCause::Taken),
            None if self.last + 1 == number => Ok(Posting::Keep),
            None => Err(LinkingCause::OutOfOrder),
        }
    }

    /// Takes the message that `side` waits for; `None` where it has not come yet.
    pub fn take(
        self,
        side: Side,
        number: i32,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, LinkingCause> {
        self.check(side, now)?;
        let answers = matches!(side, Side::Newcomer) || self.taken_by.is_some();
        if side.leaves(number) || !answers {
            return Err(LinkingCause::OutOfOrder);
        }
        Ok(self.message)
    }

    fn check(&self, side: Side, now: Timestamp) -> Result<(), LinkingCause> {
        if self.expires_at <= now {
            return Err(LinkingCause::Expired);
        }
        match (side, self.taken_by) {
            (Side::Approver(device), Some(taker)) if device != taker => Err(LinkingCause::Taken),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn linking(last: i32, message: Option<&[u8]>) -> Linking {
        Linking {
            expires_at: Timestamp(1),
            taken_by: (last > 0).then_some(DeviceId(Uuid::from_u128(1))),
            last,
            message: message.map(<[u8]>::to_vec),
        }
    }

    #[test]
    fn each_side_leaves_its_own_messages_in_order() {
        let approver = Side::Approver(DeviceId(Uuid::from_u128(1)));
        let cases = [
            (0, approver, 1, Ok(Posting::Keep)),
            (0, approver, 3, Err(LinkingCause::OutOfOrder)),
            (0, approver, 2, Err(LinkingCause::OutOfOrder)),
            (0, Side::Newcomer, 2, Err(LinkingCause::OutOfOrder)),
            (1, Side::Newcomer, 1, Err(LinkingCause::OutOfOrder)),
            (1, Side::Newcomer, 2, Ok(Posting::Keep)),
            (1, approver, 3, Err(LinkingCause::OutOfOrder)),
            (2, approver, 3, Ok(Posting::Keep)),
        ];
        for (last, side, number, expected) in cases {
            assert_eq!(linking(last, None).post(side, number, b"x", NOW), expected, "{number}");
        }
        let late = linking(0, None).post(approver, 1, b"x", Timestamp(1));
        assert_eq!(late, Err(LinkingCause::Expired));
    }

    #[test]
    fn a_message_is_repeated_and_never_replaced() {
        let approver = Side::Approver(DeviceId(Uuid::from_u128(1)));
        let other = Side::Approver(DeviceId(Uuid::from_u128(2)));
        let post = |side, bytes: &[u8]| linking(1, Some(b"x")).post(side, 1, bytes, NOW);
        assert_eq!(post(approver, b"x"), Ok(Posting::Repeated));
        assert_eq!(post(approver, b"y"), Err(LinkingCause::Taken));
        assert_eq!(post(other, b"x"), Err(LinkingCause::Taken));
    }

    #[test]
    fn each_side_waits_for_the_messages_of_the_other() {
        let approver = Side::Approver(DeviceId(Uuid::from_u128(1)));
        let other = Side::Approver(DeviceId(Uuid::from_u128(2)));
        let take = |last, side, number| linking(last, None).take(side, number, NOW);
        assert_eq!(take(0, Side::Newcomer, 1), Ok(None));
        assert_eq!(take(0, Side::Newcomer, 3), Ok(None));
        assert_eq!(take(0, Side::Newcomer, 2), Err(LinkingCause::OutOfOrder));
        assert_eq!(take(0, approver, 2), Err(LinkingCause::OutOfOrder));
        assert_eq!(take(1, approver, 2), Ok(None));
        assert_eq!(take(1, approver, 1), Err(LinkingCause::OutOfOrder));
        assert_eq!(take(1, other, 2), Err(LinkingCause::Taken));
    }
}
