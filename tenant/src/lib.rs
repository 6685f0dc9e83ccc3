//! Partner platforms: who they are and what they allow, the keys with which they call, who vouches
//! for their users, and the users themselves.
//!
//! Owns the tables `tenants`, `api_keys`, `identity_providers`, `users` and `used_tokens`, and the
//! services of `plasma.tenant.v1`. Answers three questions that other contexts have: whose key is
//! this, which user does this platform token vouch for, and what does this tenant allow. Knows no
//! device, chat or money.

mod admission;
mod authentication;
mod cache;
mod domain;
mod error;
pub mod migration;
pub mod service;
mod standing;
mod store;
mod tenants;

pub use domain::tenant::AccessMode;
pub use standing::{Standing, Terms};
pub use tenants::Tenants;
