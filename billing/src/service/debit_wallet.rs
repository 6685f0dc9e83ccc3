//! `WalletService.DebitWallet`.

use plasma_kit::actor;
use plasma_kit::idempotency::Key;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::wallet_movement::{self, Asked};
use crate::Billing;
use crate::movement::Direction;

/// Takes money out of a user's wallet.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::DebitWalletRequest>,
) -> Result<pb::DebitWalletResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let caller = plasma_kit::Actor::Key(key).caller();
    let asked = Asked {
        direction: Direction::Out,
        key: Key::new(caller, "DebitWallet", &request.request_id, request),
        request_id: &request.request_id,
        user_id: &request.user_id,
        amount: request.amount.as_ref(),
        reference: &request.reference,
    };
    wallet_movement::answer(billing, key, asked, |wallet, transaction_id| pb::DebitWalletResponse {
        wallet: Some(wallet),
        transaction_id,
    })
    .await
}
