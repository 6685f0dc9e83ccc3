//! The layers between the wire and the services.

pub mod admission;
pub mod auth;
pub mod conformance;
