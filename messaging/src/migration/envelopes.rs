//! The table of envelopes that wait for their devices.

use sea_orm_migration::prelude::*;

pub(crate) struct Envelopes;

impl MigrationName for Envelopes {
    fn name(&self) -> &'static str {
        "m20261121_000009_messaging_envelopes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Envelopes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(table()).await?;
        manager
            .create_index(
                Index::create()
                    .name("envelopes_message")
                    .table("envelopes")
                    .col("tenant_id")
                    .col("device_id")
                    .col("sender_device_id")
                    .col("message_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("envelopes_queue")
                    .table("envelopes")
                    .col("tenant_id")
                    .col("device_id")
                    .col("accepted_at")
                    .col("envelope_id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("envelopes_stored_at")
                    .table("envelopes")
                    .col("stored_at")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("envelopes").to_owned()).await
    }
}

fn table() -> TableCreateStatement {
    Table::create()
        .table("envelopes")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("device_id").uuid().not_null())
        .col(ColumnDef::new("envelope_id").uuid().not_null())
        .col(ColumnDef::new("chat_id").uuid().not_null())
        .col(ColumnDef::new("message_id").uuid().not_null())
        .col(ColumnDef::new("sender_tenant_id").uuid().not_null())
        .col(ColumnDef::new("sender_user_id").uuid().not_null())
        .col(ColumnDef::new("sender_device_id").uuid().not_null())
        .col(ColumnDef::new("ciphertext").blob().not_null())
        .col(ColumnDef::new("ciphertext_bytes").integer().not_null())
        .col(ColumnDef::new("accepted_at").big_integer().not_null())
        .col(ColumnDef::new("stored_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("device_id").col("envelope_id"))
        .to_owned()
}
