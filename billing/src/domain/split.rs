//! How a charge is divided: the operator's share off the top, then the price list's shares of the
//! rest. Each part but the platform's is rounded down, and the platform has the remainder.

/// The whole, in basis points.
pub const WHOLE: u32 = 10_000;

/// A share in basis points: 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BasisPoints(u32);

impl BasisPoints {
    /// Takes a share; `None` where it is more than the whole.
    pub fn new(value: u32) -> Option<Self> {
        (value <= WHOLE).then_some(Self(value))
    }

    /// The number of basis points.
    pub fn get(self) -> u32 {
        self.0
    }

    /// What is left of the whole.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(WHOLE - self.0)
    }

    /// This share of an amount of 0 or more, rounded down.
    fn of(self, amount: i64) -> i64 {
        let part = i128::from(amount) * i128::from(self.0) / i128::from(WHOLE);
        i64::try_from(part).expect("a part is no more than the whole")
    }
}

/// A charge or a refund in its three parts. They add up to the amount, and none is below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    operator: i64,
    recipient: i64,
    platform: i64,
}

impl Split {
    /// Divides an amount of 0 or more. `recipient` is the recipient's share of what the operator
    /// leaves.
    pub fn of(amount: i64, operator: BasisPoints, recipient: BasisPoints) -> Self {
        let operator = operator.of(amount);
        let rest = amount - operator;
        let recipient = recipient.of(rest);
        Self { operator, recipient, platform: rest - recipient }
    }

    /// The parts as they were stored, in minor units.
    pub const fn from_parts(operator: i64, recipient: i64, platform: i64) -> Self {
        Self { operator, recipient, platform }
    }

    /// All parts together.
    pub fn sum(self) -> i64 {
        self.operator + self.recipient + self.platform
    }

    /// These parts and those.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            operator: self.operator + other.operator,
            recipient: self.recipient + other.recipient,
            platform: self.platform + other.platform,
        }
    }

    /// What is left of these parts without those; `None` where one of them would be below 0.
    pub fn less(self, other: Self) -> Option<Self> {
        let left = Self {
            operator: self.operator - other.operator,
            recipient: self.recipient - other.recipient,
            platform: self.platform - other.platform,
        };
        (left.operator >= 0 && left.recipient >= 0 && left.platform >= 0).then_some(left)
    }

    /// The operator's part, in minor units.
    pub fn operator(self) -> i64 {
        self.operator
    }

    /// The recipient's part, in minor units.
    pub fn recipient(self) -> i64 {
        self.recipient
    }

    /// The platform's part, in minor units.
    pub fn platform(self) -> i64 {
        self.platform
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BasisPoints, Split};

    fn share(value: u32) -> BasisPoints {
        BasisPoints::new(value).unwrap()
    }

    #[test]
    fn the_operator_goes_first_and_the_platform_has_the_remainder() {
        let split = Split::of(999, share(1_000), share(8_000));
        assert_eq!((split.operator(), split.recipient(), split.platform()), (99, 720, 180));
        let split = Split::of(1, share(9_999), share(9_999));
        assert_eq!((split.operator(), split.recipient(), split.platform()), (0, 0, 1));
        let split = Split::of(500, share(10_000), share(10_000));
        assert_eq!((split.operator(), split.recipient(), split.platform()), (500, 0, 0));
    }

    #[test]
    fn a_share_is_at_most_the_whole() {
        assert_eq!(BasisPoints::new(10_001), None);
        assert_eq!(share(3_000).rest(), share(7_000));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every price from 0 to 10,000, for each random pair of shares.
        #[test]
        fn parts_add_up_and_none_is_negative(operator in 0_u32..=10_000, recipient in 0_u32..=10_000) {
            let (operator, recipient) = (share(operator), share(recipient));
            for amount in (0..=10_000).chain([1_000_000_000_000_000, i64::MAX]) {
                let split = Split::of(amount, operator, recipient);
                prop_assert_eq!(split.operator() + split.recipient() + split.platform(), amount);
                prop_assert!(split.operator() >= 0 && split.recipient() >= 0 && split.platform() >= 0);
            }
        }
    }
}
