//! Proofs of charges, as payers and platforms get them, and the folder on two nodes.

use futures::future::join_all;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_proof::{
    ChargeProof, Checkpoint, CheckpointKey, ProofPart, ProvedCharge, SignedCheckpoint,
};
use plasma_proto::billing::v1 as pb;
use tonic::Status;

use crate::books::audit;
use crate::harness::{Caller, World, reason};
use crate::offers::unlock;

/// Reads an answer, as a client does.
fn read(answer: &pb::GetChargeProofResponse) -> ChargeProof {
    let parts = answer.parts.iter().map(|part| {
        if part.content.is_empty() {
            ProofPart::Hidden(part.commitment[..].try_into().unwrap())
        } else {
            let salt = part.salt[..].try_into().unwrap();
            ProofPart::Shown { salt, content: part.content.to_vec() }
        }
    });
    ChargeProof {
        parts: parts.collect(),
        number: answer.number.try_into().unwrap(),
        path: answer.path.iter().map(|hash| hash[..].try_into().unwrap()).collect(),
        checkpoint: read_checkpoint(answer.checkpoint.as_ref().unwrap()),
    }
}

fn read_checkpoint(checkpoint: &pb::LedgerCheckpoint) -> SignedCheckpoint {
    let time = checkpoint.sign_time.unwrap();
    let tenant = plasma_proto::id::parse("tenant", &checkpoint.tenant_id).unwrap();
    SignedCheckpoint {
        checkpoint: Checkpoint {
            tenant: uuid::Uuid::from_u128(tenant),
            size: checkpoint.size.try_into().unwrap(),
            root: checkpoint.root_hash[..].try_into().unwrap(),
            chain: checkpoint.chain_hash[..].try_into().unwrap(),
            time: time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000,
        },
        signature: checkpoint.signature[..].try_into().unwrap(),
    }
}

async fn prove(caller: &Caller, charge: &str) -> Result<ChargeProof, Status> {
    let request = pb::GetChargeProofRequest { charge_id: charge.to_owned() };
    Ok(read(caller.ledger.clone().get_charge_proof(request).await?.get_ref()))
}

async fn keys(caller: &Caller) -> Vec<CheckpointKey> {
    let answer = caller.ledger.clone().get_checkpoint(pb::GetCheckpointRequest {}).await.unwrap();
    let answer = answer.into_inner();
    let keys: Vec<_> =
        answer.public_keys.iter().map(|key| CheckpointKey::from_bytes(key).unwrap()).collect();
    let newest = read_checkpoint(answer.checkpoint.as_ref().unwrap());
    assert_eq!(newest.verify(&keys[..1]), Ok(()));
    keys
}

async fn buy(world: &World, payer: (TenantId, UserId), to: (TenantId, UserId)) -> String {
    let chat: ChatId = world.chat(payer, to);
    let device = world.device(0, payer.0, payer.1);
    device.buy(chat, &device.quote(chat).await).await.unwrap().charge_id
}

async fn a_charge_is_proved_to_its_payer_and_to_who_was_paid(world: World) {
    let (here, there) = (world.tenant(false, 1_000), world.tenant(false, 0));
    let (ann, bob, cem) = (world.user(here), world.user(here), world.user(there));
    let (key, abroad) = (world.key(0, here), world.key(0, there));
    key.publish(unlock("EUR", 500)).await;
    abroad.publish(unlock("EUR", 300)).await;
    key.credit(ann, "EUR", 9_000).await;
    let home = buy(&world, (here, ann), (here, bob)).await;
    let away = buy(&world, (here, ann), (there, cem)).await;
    let device = world.device(0, here, ann);
    assert_eq!(reason(&prove(&device, &home).await.unwrap_err()), "PROOF_NOT_READY");
    let none = device.ledger.clone().get_checkpoint(pb::GetCheckpointRequest {}).await;
    assert_eq!(reason(&none.unwrap_err()), "NOT_FOUND");
    world.nodes[0].billing.fold().await.unwrap();
    let keys = keys(&device).await;

    let shown = |proved: &ProvedCharge| -> Vec<i64> {
        proved.postings.iter().map(|posting| posting.minor_units).collect()
    };
    for (charge, paid) in [(&home, -500), (&away, -300)] {
        let proof = prove(&device, charge).await.unwrap();
        let proved = proof.verify(&keys).unwrap();
        assert_eq!((&proved.header.reference, shown(&proved)), (charge, vec![paid]));
        assert!(proved.postings[0].is_on_wallet_of(here.0, ann.0));
        let hidden = |part: &&ProofPart| matches!(part, ProofPart::Hidden(_));
        assert_eq!(proof.parts.iter().filter(hidden).count(), proof.parts.len() - 2);
    }
    // Who was paid sees all of its own books, and nothing of the other's.
    let proved = prove(&key, &home).await.unwrap().verify(&keys).unwrap();
    assert_eq!(shown(&proved), [-500, 360, 90, 50]);
    let proved = prove(&abroad, &away).await.unwrap().verify(&keys).unwrap();
    assert_eq!((proved.header.tenant, shown(&proved)), (there.0, vec![-300, 240, 60]));

    let strangers = [world.device(0, here, bob), world.device(0, there, cem), abroad.clone()];
    for stranger in strangers {
        assert_eq!(reason(&prove(&stranger, &home).await.unwrap_err()), "NOT_FOUND");
    }
    assert_eq!(reason(&prove(&key, &away).await.unwrap_err()), "NOT_FOUND");
    audit(&world).await;
}

async fn a_history_grows_on_two_nodes_without_a_gap_and_every_charge_is_proved(world: World) {
    let tenant = world.tenant(false, 1_000);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    key.publish(unlock("EUR", 5)).await;
    key.credit(ann, "EUR", 9_000).await;
    // More than one batch and more than one kept subtree, folded while more comes.
    let mut charges = Vec::new();
    for _ in 0..5 {
        let bought = join_all((0..56).map(|_| {
            let world = &world;
            async move { buy(world, (tenant, ann), (tenant, world.user(tenant))).await }
        }));
        let folding = join_all((0..4).map(|n| {
            let billing = world.node(n).billing.clone();
            async move { billing.fold().await.unwrap() }
        }));
        charges.extend(tokio::join!(bought, folding).0);
    }
    audit(&world).await;
    assert_eq!(world.count("SELECT COUNT(*) FROM ledger_chain").await, 281);
    assert_eq!(world.count("SELECT COUNT(*) FROM ledger_subtrees").await, 1);
    let device = world.device(1, tenant, ann);
    let keys = keys(&device).await;
    for charge in charges.iter().step_by(7) {
        let proved = prove(&device, charge).await.unwrap().verify(&keys).unwrap();
        assert_eq!(&proved.header.reference, charge);
    }
}

crate::on_both_databases!(
    a_charge_is_proved_to_its_payer_and_to_who_was_paid,
    a_history_grows_on_two_nodes_without_a_gap_and_every_charge_is_proved,
);
