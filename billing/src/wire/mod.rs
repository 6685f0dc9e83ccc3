//! Billing's values as the contract writes them, and back where the field rules cannot check.

mod history;
mod pass;
mod price;
mod quote;
mod subscription;

use plasma_kit::ids::{TenantId, UserId, WalletId};
use plasma_proto::billing::v1 as pb;

use crate::domain::ledger::Account;
use crate::domain::money::{Currency, Money};
use crate::error::Refusal;
use crate::store::wallets::Balance;

pub(crate) use history::{charge_proof, checkpoint, kind_name, ledger_posting, purpose_name};
pub(crate) use pass::pass;
pub(crate) use price::{definition, price, read_definition, terms};
pub(crate) use quote::{quote, read_accepted};
pub(crate) use subscription::{refund, subscription};

/// Writes an amount.
pub(crate) fn amount(currency: Currency, minor_units: i64) -> pb::Amount {
    pb::Amount { currency_code: currency.code().to_owned(), minor_units }
}

/// Writes money.
pub(crate) fn money(money: Money) -> pb::Amount {
    amount(money.currency(), money.minor_units())
}

/// Reads a currency.
pub(crate) fn read_currency(field: &'static str, code: &str) -> Result<Currency, Refusal> {
    let rule = "must be an ISO 4217 code in upper case of a currency with minor units";
    Currency::parse(code).ok_or(Refusal::Invalid { field, rule })
}

/// The paths of an amount's fields in a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AmountField {
    /// The amount itself.
    pub(crate) itself: &'static str,
    /// Its currency.
    pub(crate) currency: &'static str,
    /// Its number.
    pub(crate) number: &'static str,
}

/// Reads money.
pub(crate) fn read_money(
    field: AmountField,
    amount: Option<&pb::Amount>,
) -> Result<Money, Refusal> {
    let amount = amount.ok_or(Refusal::Invalid { field: field.itself, rule: "must be set" })?;
    let currency = read_currency(field.currency, &amount.currency_code)?;
    let rule = "must be more than 0 and at most 10^15";
    Money::new(currency, amount.minor_units).ok_or(Refusal::Invalid { field: field.number, rule })
}

/// Writes a wallet; one that never held money has no id.
pub(crate) fn wallet(
    tenant: TenantId,
    user: UserId,
    currency: Currency,
    balance: Option<Balance>,
) -> pb::Wallet {
    let id = WalletId(Account::Wallet(user).id(tenant, currency));
    let held = balance.unwrap_or_default();
    pb::Wallet {
        wallet_id: balance.map(|_| id.to_string()).unwrap_or_default(),
        user_id: user.to_string(),
        balance: Some(amount(currency, held.posted)),
        available: Some(amount(currency, held.available)),
    }
}
