//! Subscribers of one platform, stored by SQL, that are made due portion by portion.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use plasma_proto::billing::v1::price_terms::Mode;
use plasma_proto::billing::v1::subscription_price::Period;
use plasma_proto::billing::v1::{FixedPeriod, SubscriptionPrice};
use plasma_proto::id;
use plasma_testkit::platform::amount;
use plasma_testkit::{Node, Onboarding, Platform};
use uuid::Uuid;

use crate::clock::unix_micros;
use crate::figures::purchase::database::Database;

const FILL: &str = include_str!("fill.sql");
/// Recipients of the platform, among whom the subscribers are divided.
const RECIPIENTS: u32 = 100;
/// What a period costs, in minor units.
const PRICE: i64 = 500;
/// Subscribers that one transaction stores.
const STORED_AT_ONCE: u32 = 10_000;

/// The subscribers of a platform.
#[derive(Debug)]
pub(super) struct Subscribers {
    database: Database,
    tenant: Uuid,
    price: Uuid,
}

impl Subscribers {
    /// Onboards the platform and publishes its price: 30 days at a time.
    pub(super) async fn of_new_platform(database: &Database, node: &Node) -> Result<Self> {
        let onboarding = Onboarding::paid("Subscriptions", 1_000);
        let platform = Platform::onboard(node.channel()?, node.operator_key(), &onboarding).await?;
        let price = SubscriptionPrice {
            amount: Some(amount("EUR", PRICE)),
            period: Some(Period::Fixed(FixedPeriod { days: 30 })),
            ..SubscriptionPrice::default()
        };
        let terms = Mode::Subscription(price).into();
        let price = platform.publish_price(terms, None, 8_000).await?;
        let uuid = |kind, text: &str| {
            id::parse(kind, text).map(Uuid::from_u128).with_context(|| text.to_owned())
        };
        Ok(Self {
            database: database.clone(),
            tenant: uuid("tenant", platform.tenant_id())?,
            price: uuid("price", &price.price_id)?,
        })
    }

    /// Stores so many subscribers, for whom nothing is due yet.
    pub(super) async fn store(&self, count: u32) -> Result<()> {
        // The price of the time when a period begins is what is charged: it is published by now.
        let now = unix_micros();
        let mut first = 0;
        while first < count {
            let end = count.min(first + STORED_AT_ONCE);
            let fill = FILL
                .replace("{tenant}", &self.tenant.to_string())
                .replace("{price_id}", &self.price.to_string())
                .replace("{price}", &PRICE.to_string())
                .replace("{recipients}", &RECIPIENTS.to_string())
                .replace("{first}", &first.to_string())
                .replace("{end}", &end.to_string())
                .replace("{now}", &now.to_string());
            self.database.query(&fill).await.context("store subscriptions")?;
            first = end;
        }
        self.database.query("VACUUM ANALYZE").await?;
        Ok(())
    }

    /// Makes the subscriptions of some numbers due, all at once; the moment before.
    pub(super) async fn make_due(&self, numbers: Range<u32>) -> Result<i64> {
        let before = unix_micros();
        let of = |number: u32| format!("'bec10800-0000-7000-8000-{number:012x}'");
        let sql = format!(
            "UPDATE subscriptions SET due_at = period_end_at WHERE tenant_id = '{}' \
             AND id >= {} AND id < {}",
            self.tenant,
            of(numbers.start),
            of(numbers.end)
        );
        self.database.query(&sql).await?;
        Ok(i64::try_from(before)?)
    }

    /// How many of those that were made due are not renewed.
    pub(super) async fn left(&self) -> Result<i64> {
        let sql = format!(
            "SELECT count(*) FROM subscriptions WHERE tenant_id = '{}' AND due_at = period_end_at \
             AND due_at <= (EXTRACT(EPOCH FROM now()) * 1000000)::bigint",
            self.tenant
        );
        self.database.number(&sql).await
    }

    /// The seconds from the first to the last charge since a moment.
    pub(super) async fn took(&self, since: i64) -> Result<f64> {
        let sql = format!(
            "SELECT COALESCE(max(created_at) - min(created_at), 0) FROM charges \
             WHERE tenant_id = '{}' AND created_at >= {since}",
            self.tenant
        );
        let micros = u32::try_from(self.database.number(&sql).await?)?;
        ensure!(micros > 0, "nothing was charged");
        Ok(f64::from(micros) / 1e6)
    }

    /// Fails where not every subscription of so many was renewed exactly once, with one charge, one
    /// pass and one period.
    pub(super) async fn check(&self, count: u32) -> Result<()> {
        let tenant = self.tenant;
        for (what, sql) in [
            ("charges", "SELECT count(*) FROM charges WHERE tenant_id = '{tenant}'"),
            (
                "chats charged",
                "SELECT count(DISTINCT chat_id) FROM charges WHERE tenant_id = '{tenant}'",
            ),
            (
                "passes",
                "SELECT count(*) FROM passes WHERE tenant_id = '{tenant}' AND ordinal = 2 \
                 AND EXISTS (SELECT 1 FROM charges c WHERE c.id = charge_id)",
            ),
            (
                // Those that were stored began when they were stored.
                "periods",
                "SELECT count(*) FROM subscription_periods WHERE tenant_id = '{tenant}' \
                 AND created_at <> start_at",
            ),
            (
                "subscriptions paid twice",
                "SELECT count(*) FROM subscriptions WHERE tenant_id = '{tenant}' \
                 AND periods_paid = 2 AND next_period = 2 AND state = 2 AND leased_until = 0",
            ),
        ] {
            let found = self.database.number(&sql.replace("{tenant}", &tenant.to_string())).await?;
            ensure!(found == i64::from(count), "{count} renewals left {found} {what}");
        }
        Ok(())
    }
}
