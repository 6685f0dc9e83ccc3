//! Passes.

use plasma_kit::convert;
use plasma_proto::billing::v1 as pb;

use super::money;
use crate::domain::pass::{Bundle, Pass, Source};

/// Writes a pass.
pub(crate) fn pass(pass: &Pass) -> pb::Pass {
    let (kind, paid) = match pass.source {
        Source::Free => (pb::PassKind::Free, None),
        Source::Paid(paid, charge) => (pb::PassKind::Paid, Some((paid, charge))),
        Source::Trial => (pb::PassKind::Trial, None),
        Source::Grace => (pb::PassKind::Grace, None),
    };
    pb::Pass {
        pass_id: pass.id.to_string(),
        chat_id: pass.obligation.chat.to_string(),
        payer_tenant_id: pass.payer.tenant.to_string(),
        payer_user_id: pass.payer.user.to_string(),
        amount: paid.map(|(paid, _)| money(paid)),
        charge_id: paid.map(|(_, charge)| charge.to_string()).unwrap_or_default(),
        start_time: Some(convert::timestamp(pass.start)),
        expire_time: pass.expire.map(convert::timestamp),
        kind: kind.into(),
        subscription_id: pass.subscription.map(|id| id.to_string()).unwrap_or_default(),
        messages: pass.bundle.map(|bundle| count(bundle.messages)),
        messages_spent: pass.bundle.map(|Bundle { spent, .. }| count(spent)),
    }
}

fn count(messages: u32) -> i32 {
    i32::try_from(messages).unwrap_or(i32::MAX)
}
