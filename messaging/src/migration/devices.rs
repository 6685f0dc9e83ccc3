//! Accounts, their manifests, and devices.

use sea_orm_migration::prelude::*;

pub(crate) struct Devices;

impl MigrationName for Devices {
    fn name(&self) -> &'static str {
        "m20261121_000001_messaging_devices"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Devices {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(accounts()).await?;
        manager.create_table(manifests()).await?;
        manager.create_table(devices()).await?;
        manager
            .create_index(
                Index::create()
                    .name("devices_user")
                    .table("devices")
                    .col("tenant_id")
                    .col("user_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("devices").to_owned()).await?;
        manager.drop_table(Table::drop().table("manifests").to_owned()).await?;
        manager.drop_table(Table::drop().table("accounts").to_owned()).await
    }
}

/// One row for a user with devices; `manifest_hash` names the manifest in force and is what a
/// successor compares and sets.
fn accounts() -> TableCreateStatement {
    Table::create()
        .table("accounts")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("user_id").uuid().not_null())
        .col(ColumnDef::new("root_public_key").binary_len(65).not_null())
        .col(ColumnDef::new("generation").big_integer().not_null())
        .col(ColumnDef::new("epoch").big_integer().not_null())
        .col(ColumnDef::new("manifest_hash").binary_len(32).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("user_id"))
        .to_owned()
}

/// Every manifest that was ever in force: the chain that viewers verify.
fn manifests() -> TableCreateStatement {
    Table::create()
        .table("manifests")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("user_id").uuid().not_null())
        .col(ColumnDef::new("generation").big_integer().not_null())
        .col(ColumnDef::new("epoch").big_integer().not_null())
        .col(ColumnDef::new("manifest").blob().not_null())
        .primary_key(Index::create().col("tenant_id").col("user_id").col("generation").col("epoch"))
        .foreign_key(&mut of_account())
        .to_owned()
}

/// Every device that a manifest ever named, with its certificate. `state` is 1 while the device is
/// listed. `connection` is the number of its newest stream.
fn devices() -> TableCreateStatement {
    Table::create()
        .table("devices")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("device_id").uuid().not_null())
        .col(ColumnDef::new("user_id").uuid().not_null())
        .col(ColumnDef::new("certificate").blob().not_null())
        .col(ColumnDef::new("state").small_integer().not_null())
        .col(ColumnDef::new("tokens_valid_from").big_integer().not_null())
        .col(ColumnDef::new("connection").big_integer().not_null().default(0))
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("device_id"))
        .foreign_key(&mut of_account())
        .to_owned()
}

fn of_account() -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col("tenant_id")
        .from_col("user_id")
        .to_tbl("accounts")
        .to_col("tenant_id")
        .to_col("user_id")
        .to_owned()
}
