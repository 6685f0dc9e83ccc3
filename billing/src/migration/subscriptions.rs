//! Access that lasts: passes of every source, trials, subscriptions and their periods, messages that
//! were paid for, refunds.

use sea_orm_migration::prelude::*;

use super::{make_immutable, number, text, uuid};

pub(super) struct Subscriptions;

impl MigrationName for Subscriptions {
    fn name(&self) -> &'static str {
        "m20261122_000002_billing_subscriptions"
    }
}

/// What is looked up by due time, of those alone that anything is due for.
const DUE: &str =
    "CREATE INDEX subscriptions_due ON subscriptions (due_at) WHERE due_at IS NOT NULL";
/// A chat has one subscription that is live.
const ONE_LIVE: &str = "CREATE UNIQUE INDEX subscriptions_live ON subscriptions (chat_id) \
                        WHERE due_at IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Subscriptions {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        widen_passes(manager).await?;
        manager.create_table(trials()).await?;
        manager.create_table(subscriptions()).await?;
        let db = manager.get_connection();
        db.execute_unprepared(DUE).await?;
        db.execute_unprepared(ONE_LIVE).await?;
        for (name, columns) in [
            ("subscriptions_newest", ["tenant_id", "created_at", "id"].as_slice()),
            (
                "subscriptions_payer",
                ["payer_tenant_id", "payer_user_id", "created_at", "id"].as_slice(),
            ),
        ] {
            let mut index = Index::create().name(name).table("subscriptions").to_owned();
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        manager.create_table(periods()).await?;
        make_immutable(manager, "subscription_periods").await?;
        manager.create_table(spent_messages()).await?;
        manager
            .create_index(
                Index::create()
                    .name("spent_messages_created_at")
                    .table("spent_messages")
                    .col("created_at")
                    .to_owned(),
            )
            .await?;
        manager.create_table(refunds()).await?;
        make_immutable(manager, "refunds").await?;
        manager
            .create_index(
                Index::create()
                    .name("refunds_newest")
                    .table("refunds")
                    .col("tenant_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("subscriptions and refunds would be lost".to_owned()))
    }
}

/// Gives passes their recipient, source, subscription, start and messages. A free pass from before
/// does not know its recipient: nil.
async fn widen_passes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let nil = super::nil(manager);
    let uuid = super::uuid_type(manager);
    let db = manager.get_connection();
    for column in [
        format!("recipient_tenant_id {uuid} NOT NULL DEFAULT {nil}"),
        format!("recipient_user_id {uuid} NOT NULL DEFAULT {nil}"),
        "source SMALLINT NOT NULL DEFAULT 1".to_owned(),
        format!("subscription_id {uuid}"),
        "start_at BIGINT NOT NULL DEFAULT 0".to_owned(),
        "messages INTEGER".to_owned(),
        "messages_spent INTEGER CHECK (messages_spent BETWEEN 0 AND messages)".to_owned(),
    ] {
        db.execute_unprepared(&format!("ALTER TABLE passes ADD COLUMN {column}")).await?;
    }
    let sql = "UPDATE passes SET start_at = created_at, \
               source = CASE WHEN charge_id IS NULL THEN 1 ELSE 2 END";
    db.execute_unprepared(sql).await?;
    let sql = "UPDATE passes SET recipient_tenant_id = c.tenant_id, \
               recipient_user_id = c.recipient_user_id \
               FROM charges c WHERE c.id = passes.charge_id";
    db.execute_unprepared(sql).await?;
    let index = Index::create()
        .name("passes_sold")
        .table("passes")
        .col("recipient_tenant_id")
        .col("created_at")
        .col("id")
        .to_owned();
    manager.create_index(index).await
}

/// One trial for a payer and a recipient.
fn trials() -> TableCreateStatement {
    Table::create()
        .table("trials")
        .col(uuid("tenant_id"))
        .col(uuid("recipient_user_id"))
        .col(uuid("payer_tenant_id"))
        .col(uuid("payer_user_id"))
        .col(number("created_at"))
        .primary_key(
            Index::create()
                .col("tenant_id")
                .col("recipient_user_id")
                .col("payer_tenant_id")
                .col("payer_user_id"),
        )
        .to_owned()
}

/// Subscriptions are kept by the recipient's tenant, which sells them.
fn subscriptions() -> TableCreateStatement {
    Table::create()
        .table("subscriptions")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(uuid("chat_id"))
        .col(uuid("payer_tenant_id"))
        .col(uuid("payer_user_id"))
        .col(uuid("recipient_user_id"))
        .col(uuid("price_id"))
        .col(ColumnDef::new("accepted_price_id").uuid())
        .col(text("currency", 3))
        .col(text("zone", 64))
        .col(ColumnDef::new("state").small_integer().not_null())
        .col(number("anchor_at"))
        .col(ColumnDef::new("next_period").integer().not_null())
        .col(number("period_end_at"))
        .col(number("periods_paid"))
        .col(ColumnDef::new("cancel_at_period_end").boolean().not_null())
        .col(ColumnDef::new("grace_end_at").big_integer())
        // When something is to be done for it; null once it has ended.
        .col(ColumnDef::new("due_at").big_integer())
        // Until when a node has it in hand.
        .col(number("leased_until"))
        .col(number("created_at"))
        .col(ColumnDef::new("ended_at").big_integer())
        .primary_key(Index::create().col("tenant_id").col("id"))
        .to_owned()
}

/// The paid periods. That a period begins once is what makes it paid once, whoever renews.
fn periods() -> TableCreateStatement {
    Table::create()
        .table("subscription_periods")
        .col(uuid("tenant_id"))
        .col(uuid("subscription_id"))
        .col(number("start_at"))
        .col(number("end_at"))
        .col(uuid("price_id"))
        .col(uuid("pass_id"))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("subscription_id").col("start_at"))
        .to_owned()
}

/// Messages that took a unit of a bundle: the same one is not paid for again.
fn spent_messages() -> TableCreateStatement {
    Table::create()
        .table("spent_messages")
        .col(uuid("chat_id"))
        .col(uuid("message_id"))
        .col(ColumnDef::new("digest").binary_len(32).not_null())
        .col(uuid("tenant_id"))
        .col(uuid("pass_id"))
        .col(number("created_at"))
        .primary_key(Index::create().col("chat_id").col("message_id").col("digest"))
        .to_owned()
}

/// Each refund with what has been given back of its charge up to it, so that the number within the
/// charge orders them and no sum exceeds the charge.
fn refunds() -> TableCreateStatement {
    Table::create()
        .table("refunds")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(uuid("charge_id"))
        .col(number("ordinal"))
        .col(text("currency", 3))
        .col(number("operator_minor_units"))
        .col(number("recipient_minor_units"))
        .col(number("platform_minor_units"))
        .col(number("refunded_operator_minor_units"))
        .col(number("refunded_recipient_minor_units"))
        .col(number("refunded_platform_minor_units"))
        .col(number("charge_minor_units"))
        .col(ColumnDef::new("ended_access").boolean().not_null())
        .col(text("reference", 80))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("refunds_ordinal")
                .col("tenant_id")
                .col("charge_id")
                .col("ordinal"),
        )
        .check(Expr::cust(
            "operator_minor_units >= 0 AND recipient_minor_units >= 0 \
             AND platform_minor_units >= 0 \
             AND refunded_operator_minor_units + refunded_recipient_minor_units \
             + refunded_platform_minor_units <= charge_minor_units",
        ))
        .to_owned()
}
