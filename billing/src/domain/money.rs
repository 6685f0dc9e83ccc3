//! Currencies and amounts. There is no floating-point number anywhere near money.

use std::fmt;

/// The greatest amount and the greatest balance of a wallet, in minor units.
pub const MINOR_UNITS_MAX: i64 = 1_000_000_000_000_000;

/// An ISO 4217 currency with minor units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads an upper-case alpha-3 code; `None` for one that ISO 4217 does not list, and for those
    /// without minor units (precious metals, testing).
    pub fn parse(code: &str) -> Option<Self> {
        let known = iso_currency::Currency::from_code(code)?;
        known.exponent()?;
        (known.code() == code).then_some(())?;
        Some(Self(code.as_bytes().try_into().ok()?))
    }

    /// The alpha-3 code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many decimal places a major unit has.
    pub fn exponent(&self) -> u16 {
        let known = iso_currency::Currency::from_code(self.code());
        known.and_then(iso_currency::Currency::exponent).unwrap_or_default()
    }

    /// An amount in major units, such as `-0.05` for 5 cents less.
    pub fn decimal(&self, minor_units: i64) -> String {
        let places = usize::from(self.exponent());
        let sign = if minor_units < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", minor_units.unsigned_abs(), width = places + 1);
        let (whole, part) = digits.split_at(digits.len() - places);
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount that can move: more than 0 and at most [`MINOR_UNITS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    currency: Currency,
    minor_units: i64,
}

impl Money {
    /// Takes an amount; `None` where it is out of bounds.
    pub fn new(currency: Currency, minor_units: i64) -> Option<Self> {
        (1..=MINOR_UNITS_MAX).contains(&minor_units).then_some(Self { currency, minor_units })
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Units of the currency's ISO 4217 exponent.
    pub fn minor_units(self) -> i64 {
        self.minor_units
    }
}

#[cfg(test)]
mod tests {
    use super::{Currency, MINOR_UNITS_MAX, Money};

    #[test]
    fn a_code_must_be_a_listed_one_in_upper_case_with_minor_units() {
        for code in ["EUR", "JPY", "KWD", "USD"] {
            assert_eq!(Currency::parse(code).unwrap().code(), code);
        }
        for code in ["", "EU", "eur", "Eur", "ZZZ", "EURO", "XAU", "XTS", "XXX", "12É", "ÄÖ"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }

    #[test]
    fn an_amount_in_major_units_has_the_places_of_its_currency() {
        let written = |code, minor_units| Currency::parse(code).unwrap().decimal(minor_units);
        assert_eq!(written("EUR", 0), "0.00");
        assert_eq!(written("EUR", -5), "-0.05");
        assert_eq!(written("EUR", 123_456), "1234.56");
        assert_eq!(written("JPY", -7), "-7");
        assert_eq!(written("KWD", 1_001), "1.001");
        assert_eq!(written("EUR", i64::MIN), "-92233720368547758.08");
    }

    #[test]
    fn money_is_more_than_nothing_and_bounded() {
        let euro = Currency::parse("EUR").unwrap();
        assert!(Money::new(euro, 1).is_some());
        assert!(Money::new(euro, MINOR_UNITS_MAX).is_some());
        for minor_units in [0, -1, i64::MIN, MINOR_UNITS_MAX + 1, i64::MAX] {
            assert_eq!(Money::new(euro, minor_units), None);
        }
    }
}
