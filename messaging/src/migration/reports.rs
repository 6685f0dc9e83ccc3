//! Reports and what they disclose.

use sea_orm_migration::prelude::*;

pub(crate) struct Reports;

impl MigrationName for Reports {
    fn name(&self) -> &'static str {
        "m20261122_000021_messaging_reports"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Reports {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(reports()).await?;
        manager
            .create_index(
                Index::create()
                    .name("reports_created_at")
                    .table("reports")
                    .col("tenant_id")
                    .col("created_at")
                    .col("report_id")
                    .to_owned(),
            )
            .await?;
        manager.create_table(messages()).await?;
        manager
            .create_index(
                Index::create()
                    .name("report_messages_created_at")
                    .table("report_messages")
                    .col("created_at")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("report_messages").to_owned()).await?;
        manager.drop_table(Table::drop().table("reports").to_owned()).await
    }
}

/// A report belongs to the tenant of the reported user, whose platform reads it.
fn reports() -> TableCreateStatement {
    Table::create()
        .table("reports")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("report_id").uuid().not_null())
        .col(ColumnDef::new("chat_id").uuid().not_null())
        .col(ColumnDef::new("reported_user_id").uuid().not_null())
        .col(ColumnDef::new("reporter_tenant_id").uuid().not_null())
        .col(ColumnDef::new("reporter_user_id").uuid().not_null())
        .col(ColumnDef::new("reporter_device_id").uuid().not_null())
        .col(ColumnDef::new("category").small_integer().not_null())
        .col(ColumnDef::new("comment").text().not_null())
        .col(ColumnDef::new("message_count").integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("report_id"))
        .to_owned()
}

/// What was disclosed, in the order of the request, as the contract encodes it, sealed.
/// `created_at` is the report's: what was disclosed is deleted by it.
fn messages() -> TableCreateStatement {
    Table::create()
        .table("report_messages")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("report_id").uuid().not_null())
        .col(ColumnDef::new("place").integer().not_null())
        .col(ColumnDef::new("sealed_message").blob().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("report_id").col("place"))
        .foreign_key(
            ForeignKey::create()
                .from_col("tenant_id")
                .from_col("report_id")
                .to_tbl("reports")
                .to_col("tenant_id")
                .to_col("report_id"),
        )
        .to_owned()
}
