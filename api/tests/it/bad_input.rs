//! Bad input, for every field of every method: `INVALID_ARGUMENT` with the field's name or the
//! refusal that the table of `spoil` states, no panic, no row.

use plasma_testkit::ClusterKind;
use prost_reflect::DynamicMessage;

use crate::fixtures::{self, Call};
use crate::spoil::{self, Expect};
use crate::world::World;
use crate::{contract, rows, wire};

/// Fewer spoiled requests than this means that the generator is broken.
const LEAST_CASES: usize = 1_500;

async fn every_spoiled_field_is_refused(kind: ClusterKind) {
    let world = World::start(kind).await;
    let (mut failed, mut cases) = (Vec::new(), 0);
    for path in contract::paths() {
        for variant in 0..fixtures::variants(path) {
            let mut method = Method { world: &world, path, variant, failed: Vec::new() };
            cases += method.check().await;
            failed.extend(method.failed);
        }
    }
    println!("{kind:?}: {cases} spoiled requests");
    assert!(failed.is_empty(), "{} of {cases}:\n{}", failed.len(), failed.join("\n"));
    assert!(cases >= LEAST_CASES, "{cases} spoiled requests only");
    world.check_health();
}

struct Method<'a> {
    world: &'a World,
    path: &'static str,
    variant: usize,
    failed: Vec<String>,
}

impl Method<'_> {
    fn object(&mut self, name: &str, what: &str) {
        self.failed.push(format!("{} [{}] {name}: {what}", self.path, self.variant));
    }

    async fn fresh(&self) -> Call {
        fixtures::must_build(self.world, &self.world.a, self.path, self.variant).await
    }

    async fn must_succeed(&mut self, name: &str, call: &Call) {
        if let Err(status) = call.send(self.world).await {
            self.object(name, &wire::describe(&status));
        }
    }

    /// Spoils the method's request in every way; how many ways there are.
    async fn check(&mut self) -> usize {
        let unspoiled = self.fresh().await;
        self.must_succeed("unspoiled", &unspoiled).await;

        let base = self.fresh().await;
        let spoiled = spoil::all(&base);
        let before = self.world.database.rows();
        for case in spoiled.iter().filter(|case| matches!(case.expect, Expect::Field(_))) {
            // Under the idempotency key of the request to come: a refusal does not use it up.
            self.judge(&base, &case.name, &case.message, &case.expect).await;
        }
        let after = self.world.database.rows();
        for row in rows::difference(&before, &after) {
            self.object("a refused request wrote a row", &row);
        }
        // What the refusals were for was the one field: the request that was spoiled is good.
        self.must_succeed("unspoiled after all", &base).await;

        for (place, case) in spoiled.iter().enumerate() {
            if !matches!(case.expect, Expect::Field(_)) {
                // A state of its own each: this one may succeed and use it up.
                let base = self.fresh().await;
                let case = spoil::all(&base).swap_remove(place);
                self.judge(&base, &case.name, &case.message, &case.expect).await;
            }
        }
        spoiled.len()
    }

    async fn judge(&mut self, base: &Call, name: &str, message: &DynamicMessage, expect: &Expect) {
        let answer = base.send_message(self.world, message).await;
        if let Some(objection) = expect.objection(&answer) {
            self.object(name, &objection);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_in_any_field_of_any_method_is_refused_by_name_and_stores_nothing_embedded() {
    every_spoiled_field_is_refused(ClusterKind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_in_any_field_of_any_method_is_refused_by_name_and_stores_nothing_scaled() {
    every_spoiled_field_is_refused(ClusterKind::Scaled).await;
}
