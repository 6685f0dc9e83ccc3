//! Operations at tenants' own wallets as the contract writes them.

use plasma_kit::convert;
use plasma_proto::billing::v1 as pb;

use crate::domain::external::Operation;
use crate::store::external::providers::Provider;
use crate::store::external::reconciliations::{Finding, Reconciliation};
use crate::wire;

/// Writes how a wallet is called, without the secret.
pub(crate) fn wallet_provider(provider: &Provider) -> pb::WalletProviderSettings {
    pb::WalletProviderSettings {
        url: provider.url.clone(),
        concurrency_max: i32::try_from(provider.concurrency_max).unwrap_or(i32::MAX),
        update_time: Some(convert::timestamp(provider.updated_at)),
    }
}

/// Writes an operation. States, kinds and reasons are stored under the contract's numbers.
pub(crate) fn external_operation(operation: &Operation) -> pb::ExternalOperation {
    pb::ExternalOperation {
        operation_id: operation.id.to_string(),
        kind: operation.kind.number().into(),
        state: operation.state.number().into(),
        user_id: operation.user.to_string(),
        amount: Some(wire::money(operation.money)),
        captured_minor_units: operation.captured,
        decline_reason: operation.decline_reason,
        reference: operation.obligation.clone(),
        failed_attempts: operation.failed_attempts,
        create_time: Some(convert::timestamp(operation.created_at)),
        update_time: Some(convert::timestamp(operation.updated_at)),
        close_time: operation.closed_at.map(convert::timestamp),
        reserve_operation_id: operation.reserve.map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// Writes a reconciliation.
pub(crate) fn reconciliation(reconciliation: &Reconciliation) -> pb::Reconciliation {
    pb::Reconciliation {
        reconciliation_id: reconciliation.id.to_string(),
        day_time: Some(convert::timestamp(reconciliation.day)),
        state: reconciliation.state.into(),
        matched_count: reconciliation.matched,
        finding_count: reconciliation.findings,
        compare_time: reconciliation.compared_at.map(convert::timestamp),
    }
}

/// Writes a difference.
pub(crate) fn finding(finding: &Finding) -> pb::ReconciliationFinding {
    pb::ReconciliationFinding {
        kind: finding.kind as i32,
        operation_id: finding.operation_id.clone(),
        currency_code: finding.currency.clone(),
        own_minor_units: finding.own,
        provider_minor_units: finding.provider,
    }
}
