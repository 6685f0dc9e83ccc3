//! `LedgerService.GetChargeProof`.

use plasma_kit::actor::{self, Actor};
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{ChargeId, UserId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::domain::ledger::{Account, Kind};
use crate::error::{Error, Object, Refusal};
use crate::history::{Seals, prove};
use crate::store::{history, recorded};
use crate::wire;

/// Proves a charge to who paid it, or to the platform that was paid.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetChargeProofRequest>,
) -> Result<pb::GetChargeProofResponse, Error> {
    let (claim, payer) = caller(actor::of(request)?)?;
    let charge = ChargeId::checked(&request.get_ref().charge_id);
    let books = billing.db.tenant(claim);
    let debt = match payer {
        Some(payer) => history::debt_of_payer(&books, payer, charge).await?,
        None => history::debt_of_charge(&books, charge).await?,
    };
    let absent = || Error::from(Refusal::NotFound(Object::Charge));
    let kind = Kind::AccessCharge.number();
    let external_id = debt.ok_or_else(absent)?.external_id();
    let recorded = recorded::find(&books, kind, &external_id).await?.ok_or_else(absent)?;
    let seals = Seals::derive(&billing.secrets);
    let proof = prove(&books, &seals, &recorded, |posting| {
        payer.is_none_or(|payer| is_on_wallet(posting, claim, payer))
    });
    Ok(wire::charge_proof(proof.await?.ok_or(Refusal::ProofNotReady)?))
}

/// The books that a caller may ask, and the payer whose posting alone it may see.
fn caller(actor: Actor) -> Result<(TenantClaim, Option<UserId>), Failure> {
    match actor {
        Actor::Device(device) => Ok((TenantClaim::of_device(&device), Some(device.user))),
        Actor::Key(key) => Ok((TenantClaim::of_key(&key), None)),
        Actor::Anyone | Actor::Operator | Actor::Enrollment(_) => {
            Err(Failure::principal_not_allowed())
        }
    }
}

fn is_on_wallet(posting: &plasma_proof::Posting, claim: TenantClaim, payer: UserId) -> bool {
    let wallet = Account::Wallet(payer);
    let (tenant, owner) = (claim.tenant().0, wallet.owner());
    posting.account == plasma_proof::account_id(tenant, wallet.purpose(), owner, &posting.currency)
}
