//! What is sold: price versions, charges, passes.

use sea_orm_migration::prelude::*;

use super::{make_immutable, number, text, uuid};

pub(super) struct Access;

impl MigrationName for Access {
    fn name(&self) -> &'static str {
        "m20261121_000002_billing_access"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Access {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(prices()).await?;
        manager.create_table(charges()).await?;
        manager.create_table(passes()).await?;
        manager.create_index(newest("prices_newest", "prices", &["tenant_id"])).await?;
        manager.create_index(newest("charges_newest", "charges", &["tenant_id"])).await?;
        let payer = ["tenant_id", "payer_user_id"];
        manager.create_index(newest("passes_newest", "passes", &payer)).await?;
        make_immutable(manager, "prices").await?;
        make_immutable(manager, "charges").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["passes", "charges", "prices"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn newest(name: &'static str, table: &'static str, by: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in by {
        index.col(*column);
    }
    index.col("created_at").col("id").to_owned()
}

fn prices() -> TableCreateStatement {
    Table::create()
        .table("prices")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(ColumnDef::new("scope").small_integer().not_null())
        // Nil for the tenant's default.
        .col(uuid("recipient_user_id"))
        .col(number("version"))
        .col(ColumnDef::new("mode").small_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3))
        .col(ColumnDef::new("minor_units").big_integer())
        .col(ColumnDef::new("duration_micros").big_integer())
        .col(ColumnDef::new("recipient_basis_points").integer().not_null())
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("prices_version")
                .col("tenant_id")
                .col("scope")
                .col("recipient_user_id")
                .col("version"),
        )
        .check(Expr::cust("minor_units > 0"))
        .check(Expr::cust("recipient_basis_points BETWEEN 0 AND 10000"))
        .to_owned()
}

/// Charges are kept by the recipient's tenant, whose price list and revenue they concern.
fn charges() -> TableCreateStatement {
    Table::create()
        .table("charges")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(uuid("chat_id"))
        .col(number("ordinal"))
        .col(uuid("price_id"))
        .col(uuid("payer_tenant_id"))
        .col(uuid("payer_user_id"))
        .col(uuid("recipient_user_id"))
        .col(text("currency", 3))
        .col(number("minor_units"))
        .col(number("operator_minor_units"))
        .col(number("recipient_minor_units"))
        .col(number("platform_minor_units"))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(Index::create().unique().name("charges_obligation").col("chat_id").col("ordinal"))
        .check(Expr::cust(
            "minor_units > 0 AND operator_minor_units >= 0 AND recipient_minor_units >= 0 \
             AND platform_minor_units >= 0 AND minor_units = \
             operator_minor_units + recipient_minor_units + platform_minor_units",
        ))
        .to_owned()
}

/// Passes are kept by the payer's tenant, whose user lists them. The unique (chat, ordinal) spans
/// tenants: it is what makes a debt paid once, and the index by which a chat's pass is found.
fn passes() -> TableCreateStatement {
    Table::create()
        .table("passes")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(uuid("chat_id"))
        .col(number("ordinal"))
        .col(uuid("payer_user_id"))
        .col(ColumnDef::new("charge_id").uuid())
        .col(ColumnDef::new("currency").string_len(3))
        .col(ColumnDef::new("minor_units").big_integer())
        .col(ColumnDef::new("expire_at").big_integer())
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(Index::create().unique().name("passes_obligation").col("chat_id").col("ordinal"))
        .to_owned()
}
