//! The primary key of the envelopes that wait is their queue: ids sort by the time of acceptance, to
//! the microsecond. The index that was the queue goes.

use sea_orm_migration::prelude::*;

pub(crate) struct EnvelopeOrder;

impl MigrationName for EnvelopeOrder {
    fn name(&self) -> &'static str {
        "m20261122_000031_messaging_envelope_order"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for EnvelopeOrder {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let queue = Index::drop().name("envelopes_queue").table("envelopes").to_owned();
        manager.drop_index(queue).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
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
            .await
    }
}
