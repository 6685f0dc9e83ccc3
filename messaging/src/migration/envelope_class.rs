//! What the sender of an envelope says that it is. What waits from before is a message.

use sea_orm_migration::prelude::*;

pub(crate) struct EnvelopeClass;

impl MigrationName for EnvelopeClass {
    fn name(&self) -> &'static str {
        "m20261122_000080_messaging_envelope_class"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for EnvelopeClass {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let class = ColumnDef::new("class").small_integer().not_null().default(1).to_owned();
        manager.alter_table(Table::alter().table("envelopes").add_column(class).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let without = Table::alter().table("envelopes").drop_column("class").to_owned();
        manager.alter_table(without).await
    }
}
