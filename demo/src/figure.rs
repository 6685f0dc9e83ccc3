//! Amounts, ids and secrets as people read them.

use iso_currency::Currency;
use plasma_proto::billing::v1::price_terms::Mode;
use plasma_proto::billing::v1::subscription_price::Period;
use plasma_proto::billing::v1::{Amount, PriceTerms, Quote};

/// Writes an amount with its currency: `EUR 9.99`.
pub fn amount(amount: &Amount) -> String {
    money(&amount.currency_code, amount.minor_units)
}

/// Writes minor units of a currency.
pub fn money(currency_code: &str, minor_units: i64) -> String {
    let exponent = Currency::from_code(currency_code).and_then(Currency::exponent).unwrap_or(0);
    let one = 10_u64.pow(u32::from(exponent));
    let (sign, units) = (if minor_units < 0 { "-" } else { "" }, minor_units.unsigned_abs());
    if exponent == 0 {
        return format!("{currency_code} {sign}{units}");
    }
    let width = usize::from(exponent);
    format!("{currency_code} {sign}{}.{:0width$}", units / one, units % one)
}

/// Writes what a quote asks for.
pub fn quote(quote: &Quote) -> String {
    let Some(terms) = &quote.terms else { return "no price".to_owned() };
    let paid = terms.amount().map(amount).unwrap_or_default();
    match &terms.mode {
        None => "no price".to_owned(),
        Some(Mode::Free(_)) => "free".to_owned(),
        Some(Mode::OneTimeUnlock(_)) => format!("{paid} once"),
        Some(Mode::TimePass(price)) => {
            let seconds = price.duration.as_ref().map_or(0, |duration| duration.seconds);
            format!("{paid} for {} days", seconds / 86_400)
        }
        Some(Mode::Subscription(price)) => match &price.period {
            Some(Period::Calendar(period)) if period.months == 1 => format!("{paid} a month"),
            Some(Period::Calendar(period)) => format!("{paid} each {} months", period.months),
            Some(Period::Fixed(period)) => format!("{paid} each {} days", period.days),
            None => paid,
        },
        Some(Mode::MessageBundle(price)) => format!("{paid} for {} messages", price.messages),
    }
}

/// Returns the minor units that a quote asks for; 0 where it is free.
pub fn price_of(quote: &Quote) -> i64 {
    let amount = quote.terms.as_ref().and_then(PriceTerms::amount);
    amount.map_or(0, |amount| amount.minor_units)
}

/// Shortens an id to its prefix and the end that tells it apart.
pub fn id(text: &str) -> String {
    match text.split_once('_') {
        Some((prefix, digits)) if digits.len() > 6 => {
            format!("{prefix}_…{}", &digits[digits.len() - 6..])
        }
        _ => text.to_owned(),
    }
}

/// Shows so much of a secret that it can be recognised, and no more.
pub fn secret(text: &str) -> String {
    format!("{}…", text.chars().take(12).collect::<String>())
}

/// Groups a fingerprint so that two people can read it to each other.
pub fn fingerprint(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = characters.chunks(6).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_follow_their_currency() {
        assert_eq!(money("EUR", 999), "EUR 9.99");
        assert_eq!(money("EUR", -5), "EUR -0.05");
        assert_eq!(money("JPY", 999), "JPY 999");
        assert_eq!(money("KWD", 1_001), "KWD 1.001");
    }

    #[test]
    fn a_secret_is_not_shown_in_full() {
        assert_eq!(secret("sk_live_abcdefghijkl"), "sk_live_abcd…");
        assert_eq!(id("user_01h455vb4pex5vsknk084sn02q"), "user_…4sn02q");
    }
}
