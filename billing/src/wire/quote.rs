//! Quotes, and what a payer accepts of them.

use plasma_kit::ids::PriceId;
use plasma_proto::billing::v1 as pb;

use super::{AmountField, read_money, terms};
use crate::domain::quote::{Accepted, Quote};
use crate::error::Refusal;

/// Writes a quote.
pub(crate) fn quote(quote: &Quote) -> pb::Quote {
    pb::Quote {
        price_id: quote.price_id().map(|id| id.to_string()).unwrap_or_default(),
        terms: Some(terms(&quote.terms())),
    }
}

/// Reads the price that a payer accepts. The id's form has been checked.
pub(crate) fn read_accepted(accepted: &pb::AcceptedPrice) -> Result<Accepted, Refusal> {
    let field = AmountField {
        itself: "accepted_price.amount",
        currency: "accepted_price.amount.currency_code",
        number: "accepted_price.amount.minor_units",
    };
    let money = match &accepted.amount {
        Some(amount) => Some(read_money(field, Some(amount))?),
        None => None,
    };
    let price_id = PriceId::checked_optional(&accepted.price_id);
    Ok(Accepted { price_id, money, trial: accepted.trial })
}
