//! Contact links.

use sea_orm_migration::prelude::*;

pub(crate) struct Links;

impl MigrationName for Links {
    fn name(&self) -> &'static str {
        "m20261121_000003_messaging_links"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Links {
    /// The table alone opens no chat: a token is found by its hash and shown again from its sealed
    /// copy.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("links")
                    .col(ColumnDef::new("tenant_id").uuid().not_null())
                    .col(ColumnDef::new("link_id").uuid().not_null())
                    .col(ColumnDef::new("user_id").uuid().not_null())
                    .col(ColumnDef::new("token_hash").binary_len(32).not_null())
                    .col(ColumnDef::new("sealed_token").blob().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .col(ColumnDef::new("revoked_at").big_integer())
                    .primary_key(Index::create().col("tenant_id").col("link_id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from_col("tenant_id")
                            .from_col("user_id")
                            .to_tbl("accounts")
                            .to_col("tenant_id")
                            .to_col("user_id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("links_token_hash")
                    .table("links")
                    .col("token_hash")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("links_user")
                    .table("links")
                    .col("tenant_id")
                    .col("user_id")
                    .col("created_at")
                    .col("link_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("links").to_owned()).await
    }
}
