//! The tables of this context.

use plasma_kit::Zone;
use sea_orm_migration::prelude::*;

use crate::domain::tenant::ACCOUNT_RESET_DELAY;

/// The migrations of this context.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Tenants), Box::new(Users), Box::new(AccountResetDelay), Box::new(Sandbox)]
}

struct Tenants;

impl MigrationName for Tenants {
    fn name(&self) -> &'static str {
        "m20261121_000001_tenant_tenants"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tenants {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(tenants()).await?;
        manager
            .create_index(index("tenants_created_at", "tenants", &["created_at", "tenant_id"]))
            .await?;
        manager.create_table(api_keys()).await?;
        // A secret names no tenant: its hash is looked up among all.
        let mut secrets = index("api_keys_secret_hash", "api_keys", &["secret_hash"]);
        manager.create_index(secrets.unique().to_owned()).await?;
        manager
            .create_index(index(
                "api_keys_created_at",
                "api_keys",
                &["tenant_id", "created_at", "id"],
            ))
            .await?;
        manager.create_table(identity_providers()).await?;
        let columns = ["tenant_id", "issuer"];
        let mut issuers = index("identity_providers_issuer", "identity_providers", &columns);
        manager.create_index(issuers.unique().to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["identity_providers", "api_keys", "tenants"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

struct Users;

impl MigrationName for Users {
    fn name(&self) -> &'static str {
        "m20261121_000002_tenant_users"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Users {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(users()).await?;
        let mut partners = index("users_partner_hash", "users", &["tenant_id", "partner_hash"]);
        manager.create_index(partners.unique().to_owned()).await?;
        manager.create_table(used_tokens()).await?;
        manager.create_index(index("used_tokens_expires_at", "used_tokens", &["expires_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["used_tokens", "users"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

struct AccountResetDelay;

impl MigrationName for AccountResetDelay {
    fn name(&self) -> &'static str {
        "m20261122_000000_tenant_account_reset_delay"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AccountResetDelay {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let week = plasma_kit::env::micros(ACCOUNT_RESET_DELAY);
        let mut column = ColumnDef::new("account_reset_delay_micros");
        column.big_integer().not_null().default(week);
        manager.alter_table(Table::alter().table("tenants").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter().table("tenants").to_owned();
        manager.alter_table(table.drop_column("account_reset_delay_micros").to_owned()).await
    }
}

struct Sandbox;

impl MigrationName for Sandbox {
    fn name(&self) -> &'static str {
        "m20261122_000010_tenant_sandbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Sandbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A column at a time: SQLite adds no two at once. Tenants that were there are live.
        let mut sandbox = ColumnDef::new("sandbox");
        sandbox.boolean().not_null().default(false);
        let mut time_zone = ColumnDef::new("time_zone");
        time_zone.string_len(64).not_null().default(Zone::utc().name());
        for column in [sandbox, time_zone] {
            let table = Table::alter().table("tenants").add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["time_zone", "sandbox"] {
            let table = Table::alter().table("tenants").drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}

fn tenants() -> TableCreateStatement {
    Table::create()
        .table("tenants")
        .col(ColumnDef::new("tenant_id").uuid().not_null().primary_key())
        .col(ColumnDef::new("display_name").string_len(120).not_null())
        .col(ColumnDef::new("link_base_url").string_len(200).not_null())
        .col(ColumnDef::new("access_mode").small_integer().not_null())
        .col(ColumnDef::new("allow_other_platforms").boolean().not_null())
        .col(ColumnDef::new("operator_share_basis_points").integer().not_null())
        .col(ColumnDef::new("state").small_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .to_owned()
}

fn api_keys() -> TableCreateStatement {
    owned("api_keys")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("secret_hash").binary_len(32).not_null())
        .col(ColumnDef::new("secret_prefix").string_len(16).not_null())
        .col(ColumnDef::new("label").string_len(80).not_null())
        .col(ColumnDef::new("scopes").small_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("revoked_at").big_integer())
        .primary_key(Index::create().col("tenant_id").col("id"))
        .to_owned()
}

fn identity_providers() -> TableCreateStatement {
    owned("identity_providers")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("issuer").string_len(200).not_null())
        .col(ColumnDef::new("audience").string_len(200).not_null())
        .col(ColumnDef::new("jwks_json").text().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("id"))
        .to_owned()
}

fn users() -> TableCreateStatement {
    owned("users")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("partner_hash").binary_len(32).not_null())
        .col(ColumnDef::new("partner_sealed").blob().not_null())
        .col(ColumnDef::new("state").small_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("id"))
        .to_owned()
}

fn used_tokens() -> TableCreateStatement {
    owned("used_tokens")
        .col(ColumnDef::new("jti_hash").binary_len(32).not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("jti_hash"))
        .to_owned()
}

/// Begins a table whose rows belong to a tenant.
fn owned(table: &'static str) -> TableCreateStatement {
    Table::create()
        .table(table)
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .foreign_key(
            ForeignKey::create()
                .name(format!("{table}_tenant_id"))
                .from(table, "tenant_id")
                .to("tenants", "tenant_id"),
        )
        .to_owned()
}

fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}
