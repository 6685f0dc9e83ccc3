//! Billing through its services, over real gRPC on the loopback, on both databases.
//!
//! The `PostgreSQL` half runs where `PLASMA_TEST_POSTGRES` names a server, such as
//! `postgres://user@127.0.0.1:5432`; each test makes a database of its own there and has two
//! nodes with their own pools.

#[cfg(test)]
mod books;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod model;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod purchases;
#[cfg(test)]
mod races;
#[cfg(test)]
mod wallets;

/// Runs each test on the embedded database and on `PostgreSQL`.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::harness::World::sqlite().await).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    match crate::harness::World::postgres().await {
                        Some(world) => super::$name(world).await,
                        None => eprintln!("skipped: PLASMA_TEST_POSTGRES is not set"),
                    }
                }
            )*
        }
    };
}
pub(crate) use on_both_databases;
