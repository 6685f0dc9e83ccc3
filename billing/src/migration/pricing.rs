//! Price lists: versions for every target and mode, withdrawals, drafts, and groups of payers.

use sea_orm_migration::prelude::*;

use super::{make_immutable, number, text, uuid};

pub(super) struct Pricing;

impl MigrationName for Pricing {
    fn name(&self) -> &'static str {
        "m20261122_000001_billing_pricing"
    }
}

/// The columns of the versions before, of tenants' defaults and recipients only.
const CARRY_OVER: &str = "INSERT INTO price_versions (tenant_id, id, scope, recipient_user_id, \
     payer_group_id, payer_tenant_id, payer_user_id, version, mode, currency, minor_units, \
     duration_micros, recipient_basis_points, effective_at, created_at) \
     SELECT tenant_id, id, scope, recipient_user_id, NIL, NIL, NIL, version, mode, currency, \
     minor_units, duration_micros, recipient_basis_points, created_at, created_at FROM prices";

#[async_trait::async_trait]
impl MigrationTrait for Pricing {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(versions()).await?;
        let nil = super::nil(manager);
        let carry_over = CARRY_OVER.replace("NIL", nil);
        manager.get_connection().execute_unprepared(&carry_over).await?;
        manager.drop_table(Table::drop().table("prices").to_owned()).await?;
        manager
            .create_index(
                Index::create()
                    .name("price_versions_newest")
                    .table("price_versions")
                    .col("tenant_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        // Which version of a target is in force.
        manager
            .create_index(
                Index::create()
                    .name("price_versions_in_force")
                    .table("price_versions")
                    .col("tenant_id")
                    .col("scope")
                    .col("recipient_user_id")
                    .col("payer_group_id")
                    .col("payer_tenant_id")
                    .col("payer_user_id")
                    .col("effective_at")
                    .col("version")
                    .to_owned(),
            )
            .await?;
        make_immutable(manager, "price_versions").await?;
        manager.create_table(withdrawals()).await?;
        make_immutable(manager, "price_withdrawals").await?;
        manager.create_table(drafts()).await?;
        manager.create_table(groups()).await?;
        manager.create_table(payers()).await?;
        manager
            .create_index(
                Index::create()
                    .name("payers_group")
                    .table("payers")
                    .col("tenant_id")
                    .col("payer_group_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("prices of other targets would be lost".to_owned()))
    }
}

/// Nil stands in every column that names whom a version is for and that its scope does not have, so
/// that the unique key counts the versions of one target.
fn versions() -> TableCreateStatement {
    Table::create()
        .table("price_versions")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(ColumnDef::new("scope").small_integer().not_null())
        .col(uuid("recipient_user_id"))
        .col(uuid("payer_group_id"))
        .col(uuid("payer_tenant_id"))
        .col(uuid("payer_user_id"))
        .col(number("version"))
        .col(ColumnDef::new("mode").small_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3))
        .col(ColumnDef::new("minor_units").big_integer())
        .col(ColumnDef::new("duration_micros").big_integer())
        .col(ColumnDef::new("period_months").small_integer())
        .col(ColumnDef::new("period_days").small_integer())
        .col(ColumnDef::new("grace_micros").big_integer())
        .col(ColumnDef::new("messages").integer())
        .col(ColumnDef::new("trial_micros").big_integer())
        .col(ColumnDef::new("trial_converts").boolean())
        .col(ColumnDef::new("recipient_basis_points").integer().not_null())
        .col(ColumnDef::new("consent_micros").big_integer())
        .col(number("effective_at"))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("price_versions_version")
                .col("tenant_id")
                .col("scope")
                .col("recipient_user_id")
                .col("payer_group_id")
                .col("payer_tenant_id")
                .col("payer_user_id")
                .col("version"),
        )
        .check(Expr::cust("minor_units > 0"))
        .check(Expr::cust("recipient_basis_points BETWEEN 0 AND 10000"))
        .to_owned()
}

/// Versions that were withdrawn before they took effect.
fn withdrawals() -> TableCreateStatement {
    Table::create()
        .table("price_withdrawals")
        .col(uuid("tenant_id"))
        .col(uuid("price_id"))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("price_id"))
        .foreign_key(
            ForeignKey::create()
                .name("price_withdrawals_price")
                .from("price_withdrawals", ("tenant_id", "price_id"))
                .to("price_versions", ("tenant_id", "id")),
        )
        .to_owned()
}

fn drafts() -> TableCreateStatement {
    Table::create()
        .table("price_drafts")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        // A `plasma.billing.v1.PriceDefinition`, which was checked.
        .col(ColumnDef::new("definition").binary().not_null())
        .col(text("note", 200))
        .col(number("created_at"))
        .col(number("updated_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .to_owned()
}

fn groups() -> TableCreateStatement {
    Table::create()
        .table("payer_groups")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(text("display_name", 120))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .to_owned()
}

/// A payer is in one group of a tenant at most. Nil for the user: everybody of the platform.
fn payers() -> TableCreateStatement {
    Table::create()
        .table("payers")
        .col(uuid("tenant_id"))
        // Of this stay in the group, by which pages are cut.
        .col(uuid("id"))
        .col(uuid("payer_tenant_id"))
        .col(uuid("payer_user_id"))
        .col(uuid("payer_group_id"))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("payer_tenant_id").col("payer_user_id"))
        .foreign_key(
            ForeignKey::create()
                .name("payers_group_exists")
                .from("payers", ("tenant_id", "payer_group_id"))
                .to("payer_groups", ("tenant_id", "id")),
        )
        .to_owned()
}
