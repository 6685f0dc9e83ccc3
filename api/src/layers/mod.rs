//! The layers between the wire and the services.

pub mod auth;
pub mod conformance;
