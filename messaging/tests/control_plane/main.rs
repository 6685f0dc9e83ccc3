//! Sessions, devices, prekeys, links, chats, messages and reports through real gRPC, on both databases.
//!
//! PostgreSQL takes part where `PLASMA_TEST_POSTGRES` holds the base URL of a server, such as
//! `postgres://plasma@127.0.0.1:5433`; each test makes a database of its own there.

#[cfg(test)]
mod chats;
#[cfg(test)]
mod counted;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod generations;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod linking;
#[cfg(test)]
mod links;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod person;
#[cfg(test)]
mod ports;
#[cfg(test)]
mod recovery_kits;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod resets;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod world;

/// Runs a test on SQLite and, where there is one, on PostgreSQL.
macro_rules! on_both_databases {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($world: World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                run(World::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                match World::postgres().await {
                    Some(world) => run(world).await,
                    None => eprintln!("skipped: PLASMA_TEST_POSTGRES is not set"),
                }
            }
        }
    )*};
}

pub(crate) use on_both_databases;
