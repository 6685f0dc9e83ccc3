//! What every reader of a price asks of it.

use crate::billing::v1::price_terms::Mode;
use crate::billing::v1::{AcceptedPrice, Amount, PriceTerms, Quote};

impl PriceTerms {
    /// What is paid at once, and again where it recurs; `None` where access is free.
    pub fn amount(&self) -> Option<&Amount> {
        match self.mode.as_ref()? {
            Mode::Free(_) => None,
            Mode::OneTimeUnlock(price) => price.amount.as_ref(),
            Mode::TimePass(price) => price.amount.as_ref(),
            Mode::Subscription(price) => price.amount.as_ref(),
            Mode::MessageBundle(price) => price.amount.as_ref(),
        }
    }
}

impl From<Mode> for PriceTerms {
    fn from(mode: Mode) -> Self {
        Self { mode: Some(mode), trial: None }
    }
}

impl Quote {
    /// Accepts the quote as it was shown, and its trial where it offers one.
    pub fn accepted(&self) -> AcceptedPrice {
        let terms = self.terms.as_ref();
        AcceptedPrice {
            price_id: self.price_id.clone(),
            amount: terms.and_then(PriceTerms::amount).cloned(),
            trial: terms.is_some_and(|terms| terms.trial.is_some()),
        }
    }
}
