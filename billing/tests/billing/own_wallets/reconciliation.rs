//! A day of two books, compared.

use std::time::Duration;

use pb::ReconciliationFindingKind as Kind;
use plasma_kit::convert;
use plasma_proto::billing::v1 as pb;
use plasma_wallet_provider::Fault;

use super::platform::Platform;
use crate::harness::{World, fresh};

/// Asks for the day before and waits for it.
async fn compared(world: &World, platform: &Platform) -> pb::GetReconciliationResponse {
    let external = platform.key.external.clone();
    let yesterday = world.env.now().minus(Duration::from_hours(24));
    let request = pb::StartReconciliationRequest {
        request_id: fresh("day"),
        day_time: Some(convert::timestamp(yesterday)),
    };
    let asked = external.clone().start_reconciliation(request).await.unwrap().into_inner();
    let reconciliation_id = asked.reconciliation.unwrap().reconciliation_id;
    for _ in 0..600 {
        let request = pb::GetReconciliationRequest { reconciliation_id: reconciliation_id.clone() };
        let got = external.clone().get_reconciliation(request).await.unwrap().into_inner();
        if got.reconciliation.as_ref().unwrap().state() != pb::ReconciliationState::Pending {
            return got;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the day was not compared");
}

async fn a_day_is_compared_and_its_differences_are_listed(world: World) {
    let platform = Platform::with(&world, None).await;
    let (ann, bob) = (platform.user(&world, 5_000), platform.user(&world, 0));
    let device = world.device(0, platform.tenant, ann);
    let buy = async || {
        let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
        device.buy(chat, &device.quote(chat).await).await
    };
    buy().await.unwrap();
    buy().await.unwrap();
    platform.comes_to_rest(&world).await;
    world.pass_time(Duration::from_hours(24));
    let same = compared(&world, &platform).await;
    assert_eq!(same.findings, []);
    let counted = same.reconciliation.unwrap();
    assert_eq!((counted.matched_count, counted.finding_count), (2, 0));
    assert_eq!(counted.state(), pb::ReconciliationState::Matched);
    // Something that Plasma never asked for.
    let stranger = pb::ReserveRequest {
        operation_id: "extop_00000000000000000000000001".to_owned(),
        partner_user_id: format!("partner-{ann}"),
        amount: Some(crate::harness::amount("EUR", 77)),
        ..Default::default()
    };
    platform.book.reserve(&stranger).unwrap();
    let capture = pb::CaptureRequest {
        operation_id: stranger.operation_id.clone(),
        amount: stranger.amount.clone(),
    };
    platform.book.capture(&capture).unwrap();
    // And a purchase that the wallet lists on the day before ours: late.
    buy().await.unwrap();
    let different = compared(&world, &platform).await;
    let kinds: Vec<_> = different.findings.iter().map(pb::ReconciliationFinding::kind).collect();
    assert_eq!(kinds.len(), 2, "{different:?}");
    for finding in &different.findings {
        match finding.kind() {
            Kind::MissingHere => {
                assert_eq!(finding.operation_id, stranger.operation_id);
                assert_eq!((finding.own_minor_units, finding.provider_minor_units), (0, 77));
            }
            Kind::Late => assert_ne!(finding.operation_id, stranger.operation_id),
            other => panic!("{other:?}"),
        }
    }
    let list = pb::ListReconciliationsRequest::default();
    let listed = platform.key.external.clone().list_reconciliations(list).await.unwrap();
    let listed = listed.into_inner().reconciliations;
    // The day was compared twice and is there once.
    let days: std::collections::HashSet<_> =
        listed.iter().map(|it| it.day_time.unwrap().seconds).collect();
    assert_eq!(days.len(), listed.len());
}

async fn another_amount_is_in_suspense_and_found(world: World) {
    let platform = Platform::with(&world, None).await;
    let (ann, bob) = (platform.user(&world, 5_000), platform.user(&world, 0));
    let device = world.device(0, platform.tenant, ann);
    let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
    let quote = device.quote(chat).await;
    // Every second call, of which the first is the reserve: until one capture is spoilt.
    let mut spoilt = None;
    for seed in 1..60 {
        let chat = world.chat((platform.tenant, ann), (platform.tenant, bob));
        platform.book.deposit(&format!("partner-{ann}"), "EUR", 500).unwrap();
        platform.faults.set(&[Fault::WrongAmount], 2, Duration::ZERO, seed);
        let bought = device.buy(chat, &quote).await;
        platform.comes_to_rest(&world).await;
        platform.faults.clear();
        let operation = platform.operations().await.remove(0);
        if bought.is_ok() && operation.captured_minor_units == 499 {
            spoilt = Some(operation);
            break;
        }
    }
    let spoilt = spoilt.expect("a capture of another amount");
    let lines = platform.key.statement("EUR").await;
    let suspense = lines.iter().find(|it| it.purpose() == pb::AccountPurpose::Suspense).unwrap();
    assert_eq!(suspense.closing_minor_units, -1);
    assert_eq!(spoilt.state(), pb::ExternalOperationState::Captured);
}

crate::on_both_databases!(
    a_day_is_compared_and_its_differences_are_listed,
    another_amount_is_in_suspense_and_found,
);
