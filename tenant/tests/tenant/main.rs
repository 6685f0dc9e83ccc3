//! The services of this context through real gRPC, on SQLite and, where `PLASMA_TEST_POSTGRES` says
//! where one is (`postgres://user@127.0.0.1:5432`), on PostgreSQL.

mod api_keys;
mod attacks;
mod identity_providers;
mod platform_tokens;
mod support;
mod tenants;
mod users;
