//! A price as it is asked for on the command line.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use plasma_proto::billing::v1::price_terms::Mode as Terms;
use plasma_proto::billing::v1::subscription_price::Period;
use plasma_proto::billing::v1::{
    Amount, CalendarPeriod, FixedPeriod, FreePrice, MessageBundlePrice, OneTimeUnlockPrice,
    PriceDefinition, PriceScope, PriceTarget, PriceTerms, Shares, SubscriptionPrice, TimePassPrice,
    Trial,
};
use prost_types::Duration;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Access costs nothing.
    Free,
    /// One payment for ever.
    Unlock,
    /// One payment for a time.
    Pass,
    /// One payment for each period.
    Subscription,
    /// One payment for a number of messages.
    Bundle,
}

/// All that a price says.
#[derive(Debug, Args)]
pub(super) struct Definition {
    /// What access costs.
    #[arg(long, value_enum)]
    mode: Mode,
    /// The price in minor units: 500 is 5.00 EUR.
    #[arg(long, default_value_t = 0)]
    minor_units: i64,
    /// The currency, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// How long a pass lasts, in seconds.
    #[arg(long, default_value_t = 0)]
    seconds: i64,
    /// How many calendar months a subscription's period has.
    #[arg(long, conflicts_with = "days")]
    months: Option<i32>,
    /// How many days a subscription's period has.
    #[arg(long)]
    days: Option<i32>,
    /// How long access goes on where a renewal is not covered, in seconds; 3 days where it is not
    /// given.
    #[arg(long)]
    grace_seconds: Option<i64>,
    /// How many messages a bundle holds.
    #[arg(long, default_value_t = 0)]
    messages: i32,
    /// Free access before the first payment, in seconds; no trial where it is not given.
    #[arg(long)]
    trial_seconds: Option<i64>,
    /// Whether the first payment is taken by itself when the trial ends.
    #[arg(long, requires = "trial_seconds")]
    trial_converts: bool,
    /// How long subscribers have to accept this dearer price before their subscription ends, in
    /// seconds; they keep their price where it is not given.
    #[arg(long)]
    consent_seconds: Option<i64>,
    /// The recipient's share of what the operator leaves, in basis points; the rest is the
    /// platform's.
    #[arg(long, default_value_t = 8_000)]
    recipient_share: u32,
    /// The recipient whose price it is, user_…; the whole tenant's default where nobody is named.
    #[arg(long, default_value = "")]
    recipient: String,
    /// The group of payers whose price it is, payergroup_….
    #[arg(long, default_value = "", conflicts_with_all = ["recipient", "payer"])]
    group: String,
    /// The one payer whose price with the recipient it is, user_….
    #[arg(long, default_value = "", requires = "recipient")]
    payer: String,
    /// The payer's platform, tenant_…; the own one where it is not given.
    #[arg(long, default_value = "", requires = "payer")]
    payer_tenant: String,
}

fn span(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

impl Definition {
    pub(super) fn read(self) -> Result<PriceDefinition> {
        let Some(platform_basis_points) = 10_000_u32.checked_sub(self.recipient_share) else {
            bail!("--recipient-share must be at most 10000");
        };
        let mode = self.terms()?;
        let trial = self
            .trial_seconds
            .map(|seconds| Trial { duration: Some(span(seconds)), converts: self.trial_converts });
        let scope = match (&*self.group, &*self.payer, &*self.recipient) {
            ("", "", "") => PriceScope::TenantDefault,
            ("", "", _) => PriceScope::Recipient,
            ("", ..) => PriceScope::Pair,
            _ => PriceScope::PayerGroup,
        };
        Ok(PriceDefinition {
            target: Some(PriceTarget {
                scope: scope.into(),
                recipient_user_id: self.recipient,
                payer_group_id: self.group,
                payer_user_id: self.payer,
                payer_tenant_id: self.payer_tenant,
            }),
            terms: Some(PriceTerms { mode: Some(mode), trial }),
            shares: Some(Shares {
                recipient_basis_points: self.recipient_share,
                platform_basis_points,
            }),
            consent_time: self.consent_seconds.map(span),
        })
    }

    fn terms(&self) -> Result<Terms> {
        let currency_code = self.currency.clone();
        let amount = Some(Amount { currency_code, minor_units: self.minor_units });
        Ok(match self.mode {
            Mode::Free => Terms::Free(FreePrice {}),
            Mode::Unlock => Terms::OneTimeUnlock(OneTimeUnlockPrice { amount }),
            Mode::Pass => {
                Terms::TimePass(TimePassPrice { amount, duration: Some(span(self.seconds)) })
            }
            Mode::Subscription => {
                let period = match (self.months, self.days) {
                    (Some(months), None) => Period::Calendar(CalendarPeriod { months }),
                    (None, Some(days)) => Period::Fixed(FixedPeriod { days }),
                    _ => bail!("a subscription needs --months or --days"),
                };
                let grace = self.grace_seconds.map(span);
                Terms::Subscription(SubscriptionPrice { amount, period: Some(period), grace })
            }
            Mode::Bundle => {
                Terms::MessageBundle(MessageBundlePrice { amount, messages: self.messages })
            }
        })
    }
}
