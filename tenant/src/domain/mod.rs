//! The rules: pure, without a clock of their own, a database or a transport.

pub mod api_key;
pub mod examination;
pub mod identity_provider;
pub mod json;
pub mod key_set;
pub mod link_base_url;
pub mod name;
pub mod public_key;
pub mod tenant;
pub mod token;
pub mod user;
