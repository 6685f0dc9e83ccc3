//! The harness of tests, demo and load tests: private database servers, real `plasma serve`
//! processes, partner platforms that onboard themselves through gRPC, and observers that look at
//! the stores from outside.
//!
//! Everything here runs outside the server and talks to it as anyone could. The server never
//! links this crate, and this crate knows no business rule. Whatever it starts listens on loopback
//! only and is ended, by process id, when its handle is dropped.

pub mod cluster;
pub mod database;
pub mod interruption;
pub mod line;
pub mod node;
pub mod platform;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod resp;
pub mod scan;
pub mod secret;
pub mod servers;
pub mod stores;

pub use cluster::{Cluster, ClusterKind};
pub use database::TestDatabase;
pub use interruption::{Signals, unless_interrupted};
pub use line::Line;
pub use node::{Node, NodeBuilder};
pub use platform::{Algorithm, Onboarding, Platform};
pub use postgres::PrivatePostgres;
pub use proxy::Proxy;
pub use redis::PrivateRedis;
pub use servers::Servers;
pub use stores::Stores;
