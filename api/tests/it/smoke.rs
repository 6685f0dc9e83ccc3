//! Every method has a fixture, and every fixture succeeds.

use std::collections::BTreeSet;

use plasma_testkit::ClusterKind;

use crate::world::World;
use crate::{contract, fixtures, place, wire};

async fn every_fixture_succeeds(kind: ClusterKind) {
    let world = World::start(kind).await;
    let mut failed = Vec::new();
    for path in contract::paths() {
        let mut reached = BTreeSet::new();
        for variant in 0..fixtures::variants(path) {
            let Some(call) = fixtures::build(&world, &world.a, path, variant).await else {
                failed.push(format!("{path} has no fixture"));
                continue;
            };
            reached.extend(
                place::all(&call.message).iter().map(|place| place.field().full_name().to_owned()),
            );
            if let Err(status) = call.send(&world).await {
                failed.push(format!("{path} {variant}: {}", wire::describe(&status)));
            }
        }
        failed.extend(
            contract::fields_of(path)
                .into_iter()
                .filter(|field| !reached.contains(field))
                .map(|field| format!("{path}: no fixture reaches {field}")),
        );
    }
    assert_eq!(failed, [""; 0]);
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_has_a_fixture_that_succeeds_and_reaches_every_field_embedded() {
    every_fixture_succeeds(ClusterKind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_has_a_fixture_that_succeeds_and_reaches_every_field_scaled() {
    every_fixture_succeeds(ClusterKind::Scaled).await;
}
