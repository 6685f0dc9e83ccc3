//! The clocks of sandboxes.

use sea_orm_migration::prelude::*;

use super::{number, uuid};

pub(super) struct Clocks;

impl MigrationName for Clocks {
    fn name(&self) -> &'static str {
        "m20261122_000011_billing_clocks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Clocks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(clocks()).await?;
        let mut index = Index::create();
        index.name("test_clocks_target").table("test_clocks").col("target_at");
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("test_clocks").to_owned()).await
    }
}

/// A sandbox's time is the real one and the offset, and `floor_at` at least; while there is a
/// target, it is `floor_at`.
fn clocks() -> TableCreateStatement {
    Table::create()
        .table("test_clocks")
        .col(uuid("tenant_id").primary_key())
        .col(number("offset_micros"))
        .col(number("floor_at"))
        .col(ColumnDef::new("target_at").big_integer())
        // Who moves it, and until when it is its to move.
        .col(uuid("holder"))
        .col(number("leased_until"))
        .to_owned()
}
