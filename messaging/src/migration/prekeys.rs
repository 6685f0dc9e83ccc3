//! Prekeys.

use sea_orm_migration::prelude::*;

pub(crate) struct Prekeys;

impl MigrationName for Prekeys {
    fn name(&self) -> &'static str {
        "m20261121_000002_messaging_prekeys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Prekeys {
    /// A one-time key that was handed out leaves a row without its bytes, so that a late retry of
    /// its publication does not put it back.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("prekeys")
                    .col(ColumnDef::new("tenant_id").uuid().not_null())
                    .col(ColumnDef::new("device_id").uuid().not_null())
                    .col(ColumnDef::new("role").small_integer().not_null())
                    .col(ColumnDef::new("key_id").big_integer().not_null())
                    .col(ColumnDef::new("position").big_integer().not_null())
                    .col(ColumnDef::new("prekey").blob().not_null())
                    .col(ColumnDef::new("taken_at").big_integer())
                    .primary_key(
                        Index::create().col("tenant_id").col("device_id").col("role").col("key_id"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from_col("tenant_id")
                            .from_col("device_id")
                            .to_tbl("devices")
                            .to_col("tenant_id")
                            .to_col("device_id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("prekeys_position")
                    .table("prekeys")
                    .col("tenant_id")
                    .col("device_id")
                    .col("role")
                    .col("taken_at")
                    .col("position")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("prekeys").to_owned()).await
    }
}
