//! Billing through its services, over real gRPC on the loopback, on both databases.
//!
//! The `PostgreSQL` half runs where `PLASMA_TEST_POSTGRES` names a server, such as
//! `postgres://user@127.0.0.1:5432`; each test makes a database of its own there and has two
//! nodes with their own pools.

#[cfg(test)]
mod books;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod model;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod own_wallets;
#[cfg(test)]
mod payouts;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod purchases;
#[cfg(test)]
mod races;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod sandboxes;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod tamper;
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
