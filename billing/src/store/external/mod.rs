//! Rows of `wallet_providers`, `external_operations`, `external_reconciliations` and
//! `external_findings`.

pub(crate) mod operations;
pub(crate) mod providers;
pub(crate) mod reconciliations;
