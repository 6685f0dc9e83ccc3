//! Drafts of prices, groups of payers and replays as the contract writes them.

use plasma_kit::convert;
use plasma_proto::billing::v1 as pb;

use crate::domain::money::Currency;
use crate::domain::simulation::{Revenue, Touched};
use crate::store::payer_groups::PayerGroup;
use crate::store::payers::Payer;
use crate::store::price_drafts::PriceDraft;
use crate::wire;

/// Writes a draft.
pub(super) fn draft(draft: &PriceDraft) -> pb::PriceDraft {
    pb::PriceDraft {
        price_draft_id: draft.id.to_string(),
        definition: Some(wire::definition(&draft.definition)),
        note: draft.note.clone(),
        create_time: Some(convert::timestamp(draft.created_at)),
        update_time: Some(convert::timestamp(draft.updated_at)),
    }
}

/// Writes a group of payers.
pub(super) fn group(group: PayerGroup) -> pb::PayerGroup {
    pb::PayerGroup {
        payer_group_id: group.id.to_string(),
        display_name: group.display_name,
        create_time: Some(convert::timestamp(group.created_at)),
    }
}

/// Writes one who is in a group.
pub(super) fn payer(payer: &Payer) -> pb::Payer {
    pb::Payer {
        payer_tenant_id: payer.tenant.to_string(),
        payer_user_id: payer.user.map(|user| user.to_string()).unwrap_or_default(),
        create_time: Some(convert::timestamp(payer.created_at)),
    }
}

/// Writes what charges of a currency came to, and what they would have.
pub(super) fn revenue((currency, revenue): (Currency, Revenue)) -> pb::SimulatedRevenue {
    let Revenue { actual, simulated } = revenue;
    pb::SimulatedRevenue {
        currency_code: currency.code().to_owned(),
        charges: count(actual.charges),
        amount_minor_units: count(actual.amount()),
        operator_minor_units: count(actual.operator),
        recipient_minor_units: count(actual.recipient),
        platform_minor_units: count(actual.platform),
        simulated_charges: count(simulated.charges),
        simulated_amount_minor_units: count(simulated.amount()),
        simulated_operator_minor_units: count(simulated.operator),
        simulated_recipient_minor_units: count(simulated.recipient),
        simulated_platform_minor_units: count(simulated.platform),
    }
}

/// Writes what a draft would have touched.
pub(super) fn touched(price_draft_id: &str, touched: Touched) -> pb::SimulatedDraft {
    pb::SimulatedDraft {
        price_draft_id: price_draft_id.to_owned(),
        charges: count(touched.charges),
        dearer_charges: count(touched.dearer),
        cheaper_charges: count(touched.cheaper),
    }
}

/// As much of it as the contract can say: nine thousand times the greatest balance of a wallet.
fn count(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
