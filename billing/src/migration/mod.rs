//! The tables of billing, in the order in which they came.

mod access;
mod clocks;
mod external;
mod history;
mod ledger;
mod payouts;
mod pricing;
mod subscriptions;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The migrations of this crate.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(ledger::Ledger),
        Box::new(access::Access),
        Box::new(pricing::Pricing),
        Box::new(subscriptions::Subscriptions),
        Box::new(clocks::Clocks),
        Box::new(external::External),
        Box::new(history::History),
        Box::new(payouts::Payouts),
    ]
}

/// Makes the database refuse to change or delete rows of a table, whoever asks.
async fn make_immutable(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let statements: Vec<String> = match manager.get_database_backend() {
        DbBackend::Postgres => vec![
            "CREATE OR REPLACE FUNCTION billing_refuse_change() RETURNS trigger AS \
             $$ BEGIN RAISE EXCEPTION 'rows of % are immutable', TG_TABLE_NAME; END $$ \
             LANGUAGE plpgsql"
                .to_owned(),
            format!(
                "CREATE TRIGGER {table}_immutable BEFORE UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION billing_refuse_change()"
            ),
        ],
        _ => ["UPDATE", "DELETE"]
            .into_iter()
            .map(|change| {
                format!(
                    "CREATE TRIGGER {table}_immutable_{change} BEFORE {change} ON {table} \
                     BEGIN SELECT RAISE(ABORT, 'rows of {table} are immutable'); END"
                )
            })
            .collect(),
    };
    for statement in statements {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// The nil id as a literal.
fn nil(manager: &SchemaManager<'_>) -> &'static str {
    match manager.get_database_backend() {
        DbBackend::Postgres => "'00000000-0000-0000-0000-000000000000'::uuid",
        _ => "x'00000000000000000000000000000000'",
    }
}

/// The type of an id's column.
fn uuid_type(manager: &SchemaManager<'_>) -> &'static str {
    match manager.get_database_backend() {
        DbBackend::Postgres => "uuid",
        _ => "uuid_text",
    }
}

fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().take()
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn text(name: &'static str, bytes: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(bytes).not_null().take()
}
