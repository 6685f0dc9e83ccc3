//! Platforms' own wallets: the example provider behind real gRPC, and nodes that call it.

mod death;
mod faults;
mod life;
mod platform;
mod reconciliation;
