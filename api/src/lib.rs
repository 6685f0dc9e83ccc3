//! The binary `plasma`: configuration, wiring of the contexts, the layers on the wire, commands.
//!
//! Holds no business rule. Links the public half of trust through messaging, and never the
//! end-to-end protocol: `plasma demo` runs the separate program `plasma-demo`.

pub mod admin;
pub mod config;
pub mod connections;
pub mod keys;
pub mod landing;
pub mod layers;
pub mod ledger;
pub mod migrate;
pub mod node;
pub mod server;
pub mod wallet_check;
pub mod wiring;
