//! Billing's values as the contract writes them, and back where the field rules cannot check.

use plasma_kit::convert;
use plasma_kit::ids::{PriceId, TenantId, UserId, WalletId};
use plasma_proto::billing::v1 as pb;

use crate::domain::ledger::Account;
use crate::domain::money::{Currency, Money};
use crate::domain::pass::Pass;
use crate::domain::price::{Accepted, Mode, Price, PriceScope, Quote};
use crate::error::Refusal;
use crate::store::wallets::Balance;

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

/// Writes a quote.
pub(crate) fn quote(quote: &Quote) -> pb::Quote {
    use pb::quote::Mode as Written;
    let mode = match quote.mode() {
        Mode::Free => Written::Free(pb::FreePrice {}),
        Mode::OneTimeUnlock(money) => Written::OneTimeUnlock(one_time_unlock(money)),
        Mode::TimePass(money, duration) => Written::TimePass(time_pass(money, duration)),
    };
    let price_id = quote.price_id().map(|id| id.to_string()).unwrap_or_default();
    pb::Quote { price_id, mode: Some(mode) }
}

/// Writes a price version.
pub(crate) fn price(price: &Price) -> pb::Price {
    use pb::price::Mode as Written;
    let mode = match price.mode {
        Mode::Free => Written::Free(pb::FreePrice {}),
        Mode::OneTimeUnlock(money) => Written::OneTimeUnlock(one_time_unlock(money)),
        Mode::TimePass(money, duration) => Written::TimePass(time_pass(money, duration)),
    };
    let (scope, recipient_user_id) = match price.scope {
        PriceScope::TenantDefault => (pb::PriceScope::TenantDefault, String::new()),
        PriceScope::Recipient(user) => (pb::PriceScope::Recipient, user.to_string()),
    };
    pb::Price {
        price_id: price.id.to_string(),
        scope: scope.into(),
        recipient_user_id,
        mode: Some(mode),
        shares: Some(pb::Shares {
            recipient_basis_points: price.recipient_share.get(),
            platform_basis_points: price.recipient_share.rest().get(),
        }),
        version: price.version,
        create_time: Some(convert::timestamp(price.created_at)),
        supersede_time: price.superseded_at.map(convert::timestamp),
    }
}

fn one_time_unlock(price: Money) -> pb::OneTimeUnlockPrice {
    pb::OneTimeUnlockPrice { amount: Some(money(price)) }
}

fn time_pass(price: Money, duration: std::time::Duration) -> pb::TimePassPrice {
    pb::TimePassPrice { amount: Some(money(price)), duration: Some(convert::duration(duration)) }
}

/// Writes a pass.
pub(crate) fn pass(pass: &Pass) -> pb::Pass {
    pb::Pass {
        pass_id: pass.id.to_string(),
        chat_id: pass.obligation.chat.to_string(),
        payer_tenant_id: pass.payer.tenant.to_string(),
        payer_user_id: pass.payer.user.to_string(),
        amount: pass.paid.map(|(paid, _)| money(paid)),
        charge_id: pass.paid.map(|(_, charge)| charge.to_string()).unwrap_or_default(),
        start_time: Some(convert::timestamp(pass.start)),
        expire_time: pass.expire.map(convert::timestamp),
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
    Ok(Accepted { price_id: PriceId::checked_optional(&accepted.price_id), money })
}
