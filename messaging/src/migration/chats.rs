//! Chats and their members.

use sea_orm_migration::prelude::*;

pub(crate) struct Chats;

impl MigrationName for Chats {
    fn name(&self) -> &'static str {
        "m20261121_000004_messaging_chats"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Chats {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(chats()).await?;
        manager
            .create_index(
                Index::create()
                    .name("chats_pair")
                    .table("chats")
                    .col("low_tenant_id")
                    .col("low_user_id")
                    .col("high_tenant_id")
                    .col("high_user_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager.create_table(members()).await?;
        manager
            .create_index(
                Index::create()
                    .name("chat_members_peer")
                    .table("chat_members")
                    .col("tenant_id")
                    .col("user_id")
                    .col("peer_tenant_id")
                    .col("peer_user_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("chat_members_created_at")
                    .table("chat_members")
                    .col("tenant_id")
                    .col("user_id")
                    .col("created_at")
                    .col("chat_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("chat_members").to_owned()).await?;
        manager.drop_table(Table::drop().table("chats").to_owned()).await
    }
}

/// One row for a pair of users, ordered, so that two users have one chat whoever opens it.
fn chats() -> TableCreateStatement {
    Table::create()
        .table("chats")
        .col(ColumnDef::new("host_tenant_id").uuid().not_null())
        .col(ColumnDef::new("chat_id").uuid().not_null())
        .col(ColumnDef::new("low_tenant_id").uuid().not_null())
        .col(ColumnDef::new("low_user_id").uuid().not_null())
        .col(ColumnDef::new("high_tenant_id").uuid().not_null())
        .col(ColumnDef::new("high_user_id").uuid().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("host_tenant_id").col("chat_id"))
        .to_owned()
}

/// The chat as each of its two users sees it, in that user's tenant. What concerns both stands in
/// both rows, which change in one transaction.
fn members() -> TableCreateStatement {
    Table::create()
        .table("chat_members")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("user_id").uuid().not_null())
        .col(ColumnDef::new("chat_id").uuid().not_null())
        .col(ColumnDef::new("host_tenant_id").uuid().not_null())
        .col(ColumnDef::new("peer_tenant_id").uuid().not_null())
        .col(ColumnDef::new("peer_user_id").uuid().not_null())
        .col(ColumnDef::new("is_initiator").boolean().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("opened_at").big_integer())
        .col(ColumnDef::new("blocked_at").big_integer())
        .col(ColumnDef::new("peer_blocked_at").big_integer())
        .col(ColumnDef::new("closed_at").big_integer())
        .primary_key(Index::create().col("tenant_id").col("user_id").col("chat_id"))
        .foreign_key(
            ForeignKey::create()
                .from_col("host_tenant_id")
                .from_col("chat_id")
                .to_tbl("chats")
                .to_col("host_tenant_id")
                .to_col("chat_id"),
        )
        .to_owned()
}
