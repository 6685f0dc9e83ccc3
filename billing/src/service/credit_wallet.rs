//! `WalletService.CreditWallet`.

use plasma_kit::actor;
use plasma_kit::idempotency::Key;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::wallet_movement::{self, Asked};
use crate::Billing;
use crate::movement::Direction;

/// Adds money to a user's wallet.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::CreditWalletRequest>,
) -> Result<pb::CreditWalletResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let caller = plasma_kit::Actor::Key(key).caller();
    let asked = Asked {
        direction: Direction::In,
        key: Key::new(caller, "CreditWallet", &request.request_id, request),
        request_id: &request.request_id,
        user_id: &request.user_id,
        amount: request.amount.as_ref(),
        reference: &request.reference,
    };
    wallet_movement::answer(billing, key, asked, |wallet, transaction_id| {
        pb::CreditWalletResponse { wallet: Some(wallet), transaction_id }
    })
    .await
}
