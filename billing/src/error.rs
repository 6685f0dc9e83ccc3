//! Why billing says no, and how the contract says it.

use plasma_kit::convert;
use plasma_kit::db::StoreError;
use plasma_kit::env::Timestamp;
use plasma_kit::status::{ErrorReason, Failure};
use plasma_proto::billing::v1 as pb;
use tonic::Status;

use crate::domain::ledger::Unbalanced;
use crate::domain::money::{Currency, Money};
use crate::domain::quote::Quote;
use crate::domain::sale::{MESSAGES_MAX, Unsold};
use crate::wire;

/// What ends a call without its effect.
#[derive(Debug)]
pub(crate) enum Error {
    /// The rules refuse it: an answer, which is repeated for the same request.
    Refused(Refusal),
    /// Something failed, or another context answered so: not an answer to keep.
    Failed(Box<Failure>),
}

/// A refusal by the rules.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such object for the caller.
    NotFound(Object),
    /// A field breaks a rule that the contract's options cannot say.
    Invalid {
        /// The field's path.
        field: &'static str,
        /// What is expected.
        rule: &'static str,
    },
    /// The wallet does not cover a debit.
    InsufficientFunds(Shortfall),
    /// The wallet does not cover a price.
    PaymentRequired(Shortfall),
    /// The payer's wallets are all in other currencies than the price.
    CurrencyMismatch {
        /// The price's.
        price: Currency,
        /// The wallets'.
        wallets: Vec<Currency>,
    },
    /// The price accepted is not this one, which is in force.
    PriceChanged(Box<Quote>),
    /// The platform is paid but has published no price.
    PriceNotSet,
    /// The chat is closed.
    ChatClosed,
    /// The wallet would hold more than any wallet may.
    BalanceLimit,
    /// The price is right, and yet it cannot be sold.
    Unsold(Unsold),
    /// The subscription has lapsed or ended.
    SubscriptionEnded,
    /// More would be given back than is left of the charge.
    RefundExceedsCharge {
        /// What is left, in minor units.
        left: i64,
    },
    /// The price has taken effect.
    PriceInEffect,
    /// The group has payers.
    PayerGroupNotEmpty,
    /// The tenant has as many of these as any may.
    TooMany {
        /// What they are.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// More would be paid out than was earned.
    PayoutExceedsEarnings(Shortfall),
    /// The transaction waits to be folded.
    ProofNotReady,
    /// The payer's own wallet declined, for the reason of that number of the contract's
    /// `DeclineReason`.
    PaymentDeclined(i32),
    /// Operations at the tenant's own wallet are open.
    OperationsOpen,
    /// The tenant has no clock of its own.
    SandboxOnly,
    /// The clock is on its way to this moment.
    ClockAdvancing(Timestamp),
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Tenant,
    User,
    Chat,
    Price,
    PriceDraft,
    PayerGroup,
    Subscription,
    Charge,
    Checkpoint,
    WalletProvider,
    Reconciliation,
}

/// What was to be paid, and what could have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shortfall {
    /// What was to be paid.
    pub(crate) required: Money,
    /// What the wallet could have paid, in minor units.
    pub(crate) available: i64,
}

impl Shortfall {
    fn describe(&self, failure: Failure) -> Failure {
        failure
            .with("required_minor_units", self.required.minor_units().to_string())
            .with("available_minor_units", self.available.to_string())
            .with("currency_code", self.required.currency().code())
    }
}

impl From<Refusal> for Failure {
    #[expect(clippy::too_many_lines, reason = "one exhaustive mapping, an arm for each refusal")]
    fn from(refusal: Refusal) -> Self {
        let no = Self::precondition;
        match refusal {
            Refusal::NotFound(Object::Tenant) => Self::not_found("tenant"),
            Refusal::NotFound(Object::User) => Self::not_found("user"),
            Refusal::NotFound(Object::Chat) => Self::not_found("chat"),
            Refusal::NotFound(Object::Price) => Self::not_found("price"),
            Refusal::NotFound(Object::PriceDraft) => Self::not_found("price draft"),
            Refusal::NotFound(Object::PayerGroup) => Self::not_found("payer group"),
            Refusal::NotFound(Object::Subscription) => Self::not_found("subscription"),
            Refusal::NotFound(Object::Charge) => Self::not_found("charge"),
            Refusal::NotFound(Object::Checkpoint) => Self::not_found("checkpoint"),
            Refusal::NotFound(Object::WalletProvider) => Self::not_found("wallet provider"),
            Refusal::NotFound(Object::Reconciliation) => Self::not_found("reconciliation"),
            Refusal::Invalid { field, rule } => Self::invalid(field, rule),
            Refusal::InsufficientFunds(shortfall) => shortfall.describe(no(
                ErrorReason::InsufficientFunds,
                "the wallet does not cover the debit; nothing moved",
            )),
            Refusal::PaymentRequired(shortfall) => shortfall.describe(no(
                ErrorReason::PaymentRequired,
                "the wallet does not cover the price; nothing was charged",
            )),
            Refusal::CurrencyMismatch { price, wallets } => {
                let wallets: Vec<&str> = wallets.iter().map(Currency::code).collect();
                no(
                    ErrorReason::CurrencyMismatch,
                    "the wallet is in another currency than the price",
                )
                .with("price_currency_code", price.code())
                .with("wallet_currency_codes", wallets.join(","))
            }
            Refusal::PriceChanged(quote) => price_changed(&quote),
            Refusal::PriceNotSet => {
                no(ErrorReason::PriceNotSet, "the platform has published no price")
            }
            Refusal::ChatClosed => no(ErrorReason::ChatClosed, "the chat is closed"),
            Refusal::PayoutExceedsEarnings(shortfall) => shortfall.describe(no(
                ErrorReason::PayoutExceedsEarnings,
                "more would be paid out than was earned; nothing moved",
            )),
            Refusal::ProofNotReady => no(
                ErrorReason::ProofNotReady,
                "the charge is not yet part of the ledger's history; ask again in seconds",
            ),
            Refusal::PaymentDeclined(reason) => {
                let reason = pb::DeclineReason::try_from(reason).unwrap_or_default();
                no(ErrorReason::PaymentDeclined, "the payer's wallet declined; nothing was charged")
                    .with("decline_reason", reason.as_str_name())
            }
            Refusal::OperationsOpen => no(
                ErrorReason::OperationsOpen,
                "operations at the wallet provider are open; they end once it answers",
            ),
            Refusal::BalanceLimit => {
                Self::limit_reached("balance", "a wallet holds at most 10^15 minor units")
            }
            Refusal::Unsold(Unsold::NotExtendable) => no(
                ErrorReason::NotExtendable,
                "the pass in force cannot be extended at this price; nothing was charged",
            ),
            Refusal::Unsold(Unsold::TooFarAhead) => Self::limit_reached(
                "access",
                format!(
                    "access reaches at most 10 years ahead, and bundles hold at most \
                     {MESSAGES_MAX} messages; nothing was charged"
                ),
            ),
            Refusal::SubscriptionEnded => {
                no(ErrorReason::SubscriptionEnded, "the subscription has ended")
            }
            Refusal::RefundExceedsCharge { left } => no(
                ErrorReason::RefundExceedsCharge,
                "more would be given back than is left of the charge; nothing moved",
            )
            .with("left_minor_units", left.to_string()),
            Refusal::PriceInEffect => {
                no(ErrorReason::PriceInEffect, "the price has taken effect; publish another")
            }
            Refusal::PayerGroupNotEmpty => {
                no(ErrorReason::PayerGroupNotEmpty, "the group has payers; take them out first")
            }
            Refusal::TooMany { what, limit } => {
                Self::limit_reached(what, format!("a platform has at most {limit} {what}s"))
            }
            Refusal::SandboxOnly => {
                no(ErrorReason::SandboxOnly, "the tenant is live; only a sandbox's clock moves")
            }
            Refusal::ClockAdvancing(target) => {
                no(ErrorReason::ClockAdvancing, "the sandbox's clock is moving already")
                    .with("target_time", convert::timestamp(target).to_string())
            }
        }
    }
}

fn price_changed(quote: &Quote) -> Failure {
    let detail = pb::PriceChanged { quote: Some(wire::quote(quote)) };
    let mut failure = Failure::precondition(
        ErrorReason::PriceChanged,
        "the price accepted is not the price in force; nothing was charged",
    )
    .detail("plasma.billing.v1.PriceChanged", &detail);
    if let Some(price) = quote.price_id() {
        failure = failure.with("price_id", price.to_string());
    }
    if let Some(money) = quote.terms().mode.money() {
        failure = failure
            .with("minor_units", money.minor_units().to_string())
            .with("currency_code", money.currency().code());
    }
    failure
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Failed(failure) => *failure,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

impl From<Unbalanced> for Error {
    fn from(error: Unbalanced) -> Self {
        StoreError::Inconsistent(error.to_string()).into()
    }
}
