//! The services of this context through real gRPC, on SQLite and, where `PLASMA_TEST_POSTGRES` says
//! where one is (`postgres://user@127.0.0.1:5432`), on PostgreSQL.

#[cfg(test)]
mod account_reset_delay;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod identity_providers;
#[cfg(test)]
mod platform_tokens;
#[cfg(test)]
mod sandboxes;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod users;
