//! The tables that every service shares. Each context exports its own list the same way; the
//! binary runs them all in order of their names.

use sea_orm_migration::prelude::*;

/// The migrations of this crate.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Shared), Box::new(Changes)]
}

struct Shared;

impl MigrationName for Shared {
    fn name(&self) -> &'static str {
        "m20261121_000000_kit_shared"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Shared {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("idempotency_keys")
                    .col(ColumnDef::new("tenant_id").uuid().not_null())
                    .col(ColumnDef::new("caller").string_len(64).not_null())
                    .col(ColumnDef::new("rpc").string_len(64).not_null())
                    .col(ColumnDef::new("request_id").string_len(64).not_null())
                    .col(ColumnDef::new("request_hash").binary_len(32).not_null())
                    .col(ColumnDef::new("outcome").blob().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .primary_key(
                        Index::create().col("tenant_id").col("caller").col("rpc").col("request_id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idempotency_keys_created_at")
                    .table("idempotency_keys")
                    .col("created_at")
                    .to_owned(),
            )
            .await?;
        create_feed_table(manager, "revocations").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("revocations").to_owned()).await?;
        manager.drop_table(Table::drop().table("idempotency_keys").to_owned()).await
    }
}

/// What changed that is no revocation. Nodes of the version before do not read it, and do not remember
/// for long.
struct Changes;

impl MigrationName for Changes {
    fn name(&self) -> &'static str {
        "m20261122_000000_kit_changes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Changes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_feed_table(manager, "changes").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("changes").to_owned()).await
    }
}

/// Creates a table that the feed of changes reads.
async fn create_feed_table(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(name)
                .col(ColumnDef::new("id").uuid().not_null().primary_key())
                .col(ColumnDef::new("tenant_id").uuid().not_null())
                .col(ColumnDef::new("kind").small_integer().not_null())
                .col(ColumnDef::new("subject_id").uuid().not_null())
                .col(ColumnDef::new("created_at").big_integer().not_null())
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name(format!("{name}_created_at"))
                .table(name)
                .col("created_at")
                .to_owned(),
        )
        .await
}
