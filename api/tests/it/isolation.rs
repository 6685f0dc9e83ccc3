//! Another tenant's id, in every field that holds one, answers with the same bytes as an id that
//! nothing has, and changes nothing of the other tenant's.

mod legal;
mod table;

use bytes::Bytes;
use plasma_testkit::ClusterKind;
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};
use tonic::{Code, Status};

use plasma_proto::Principal;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use prost::Message as _;
use table::Answers;

use crate::fixtures::{self, Call};
use crate::place::{self, Place};
use crate::world::{World, fresh_id};
use crate::{contract, rows, wire};

/// Fewer fields that hold an id than the contract has means that the walk is broken.
const LEAST_CASES: usize = 60;

async fn no_tenant_reaches_another(kind: ClusterKind) {
    let world = World::start(kind).await;
    let (mut failed, mut cases) = (Vec::new(), 0);
    for path in contract::paths().into_iter().filter(|path| !is_of_operator_alone(path)) {
        for variant in 0..fixtures::variants(path) {
            let (found, objections) = check(&world, path, variant).await;
            cases += found;
            failed.extend(objections.into_iter().map(|what| format!("{path} [{variant}] {what}")));
        }
    }
    println!("{kind:?}: {cases} foreign ids");
    assert!(failed.is_empty(), "{} of {cases}:\n{}", failed.len(), failed.join("\n"));
    assert!(cases >= LEAST_CASES, "{cases} foreign ids only");
    legal::check(&world.cluster, &world.wire).await;
    world.check_health();
}

/// The operator may act on any tenant, and no key of a tenant may call these at all.
fn is_of_operator_alone(path: &str) -> bool {
    plasma_proto::method(path).unwrap().principals == [Principal::Operator]
}

async fn check(world: &World, path: &'static str, variant: usize) -> (usize, Vec<String>) {
    let mut failed = Vec::new();
    let own = fixtures::must_build(world, &world.a, path, variant).await;
    if let Err(status) = own.send(world).await {
        failed.push(format!("with its own ids: {}", wire::describe(&status)));
    }
    let base = fixtures::must_build(world, &world.a, path, variant).await;
    let other = fixtures::must_build(world, &world.b, path, variant).await;
    let before = rows::without_tenant(world.database.rows(), &base.tenant);
    let mut cases = 0;
    for place in place::all(&base.message) {
        let Some(absent) = absent(&place) else { continue };
        let foreign = place.get(&other.message);
        if foreign == Value::String(String::new()) {
            continue;
        }
        cases += 1;
        let ask = |value: &Value| fixtures::renewed(place.with(&base.message, value.clone()));
        let to_foreign = base.send_message(world, &ask(&foreign)).await;
        let to_absent = base.send_message(world, &ask(&absent)).await;
        let answers = Pair { place: &place, foreign, absent, to_foreign, to_absent };
        failed.extend(answers.objection(path).map(|what| format!("{}: {what}", place.path())));
    }
    let after = rows::without_tenant(world.database.rows(), &base.tenant);
    let changed = rows::difference(&before, &after);
    failed.extend(changed.into_iter().map(|row| format!("changed another tenant's row: {row}")));
    failed.extend(still_good(world, &base, "the own request after all").await);
    // Whatever of the other tenant was named is still there for it.
    failed.extend(still_good(world, &other, "the other tenant's own request after all").await);
    (cases, failed)
}

async fn still_good(world: &World, call: &Call, name: &str) -> Option<String> {
    let answer = call.send(world).await;
    answer.err().map(|status| format!("{name}: {}", wire::describe(&status)))
}

/// A value for a place that nothing has; `None` where the place holds no id.
fn absent(place: &Place) -> Option<Value> {
    if place.is_list() {
        return None;
    }
    let field = place.field();
    let prefix = contract::rules(field).id_prefix;
    if !prefix.is_empty() {
        return Some(Value::String(fresh_id(&prefix)));
    }
    match (field.name(), field.kind()) {
        ("partner_user_id", _) => Some(Value::String("nobody".to_owned())),
        ("link_token", _) => Some(Value::String(format!("{}A", &fresh_id("x")[2..23]))),
        ("page_token", _) => Some(Value::String("A".repeat(54))),
        (_, Kind::Message(kind)) if kind.name().ends_with("Address") => {
            let mut address = DynamicMessage::new(kind.clone());
            for field in kind.fields() {
                let prefix = contract::rules(&field).id_prefix;
                address.set_field(&field, Value::String(fresh_id(&prefix)));
            }
            Some(Value::Message(address))
        }
        _ => None,
    }
}

/// What was answered to another tenant's id and to an absent one.
struct Pair<'a> {
    place: &'a Place,
    foreign: Value,
    absent: Value,
    to_foreign: Result<Bytes, Status>,
    to_absent: Result<Bytes, Status>,
}

impl Pair<'_> {
    fn objection(&self, path: &str) -> Option<String> {
        let expected = table::answers(path, self.place);
        let both = [&self.to_foreign, &self.to_absent];
        let wrong = both.iter().find_map(|answer| expected.objection(answer));
        match expected {
            Answers::Known { foreign, .. } => {
                let right = |answer: &Result<Bytes, Status>, reason| {
                    answer.as_ref().is_err_and(|status| reason_of(status) == Some(reason))
                };
                let right = right(&self.to_foreign, foreign)
                    && right(&self.to_absent, ErrorReason::NotFound);
                (!right).then(|| format!("{:?} and {:?}", self.to_foreign, self.to_absent))
            }
            Answers::AsLong => {
                let [one, two] = both.map(|answer| answer.as_ref().map_or(0, Bytes::len));
                wrong.or_else(|| (one != two).then(|| format!("{one} and {two} bytes")))
            }
            Answers::Stored => wrong,
            Answers::Same(..) | Answers::SameSuccess => wrong.or_else(|| {
                let (one, two) = (self.normal(&self.to_foreign), self.normal(&self.to_absent));
                (one != two).then(|| {
                    format!(
                        "tells another's from an absent one: {:?} and {:?}",
                        self.to_foreign, self.to_absent
                    )
                })
            }),
        }
    }

    /// An answer's code, message and bytes; an id that was echoed counts as the same in both.
    fn normal(&self, answer: &Result<Bytes, Status>) -> (Code, String, Vec<u8>) {
        let (code, text, mut bytes) = match answer {
            Ok(bytes) => (Code::Ok, String::new(), bytes.to_vec()),
            Err(status) => (status.code(), status.message().to_owned(), status.details().to_vec()),
        };
        if let (Value::String(foreign), Value::String(absent)) = (&self.foreign, &self.absent)
            && foreign.len() == absent.len()
        {
            replace(&mut bytes, foreign.as_bytes(), absent.as_bytes());
        }
        (code, text, bytes)
    }
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    for start in 0..bytes.len().saturating_sub(old.len() - 1) {
        if bytes[start..].starts_with(old) {
            bytes[start..start + old.len()].copy_from_slice(new);
        }
    }
}

/// What only the operator may call answers every key of a tenant alike, whomever it names.
async fn operator_calls_tell_nothing(kind: ClusterKind) {
    let world = World::start(kind).await;
    let mut methods = 0;
    for path in contract::paths().into_iter().filter(|path| is_of_operator_alone(path)) {
        methods += 1;
        let call = fixtures::must_build(&world, &world.a, path, 0).await;
        let platform = &world.a.platform;
        let mut seen = Vec::new();
        for credential in [platform.admin_key(), platform.backend_key(), world.a.ann.token()] {
            let absent = fresh_id("tenant");
            for tenant_id in [platform.tenant_id(), world.b.platform.tenant_id(), &absent] {
                let mut message = call.message.clone();
                if let Some(field) = message.descriptor().get_field_by_name("tenant_id") {
                    message.set_field(&field, Value::String(tenant_id.to_owned()));
                }
                let bytes = message.encode_to_vec();
                let status = world.wire.call(path, Some(credential), bytes).await.unwrap_err();
                assert_eq!(reason_of(&status), Some(ErrorReason::PrincipalNotAllowed), "{path}");
                seen.push((status.code(), status.message().to_owned(), status.details().to_vec()));
            }
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "{path}: {seen:?}");
    }
    assert_eq!(methods, 4, "the operator's own methods");
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_id_in_any_field_answers_as_an_absent_one_embedded() {
    Box::pin(no_tenant_reaches_another(ClusterKind::Embedded)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_id_in_any_field_answers_as_an_absent_one_scaled() {
    Box::pin(no_tenant_reaches_another(ClusterKind::Scaled)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_alone_may_call_tells_a_tenant_nothing() {
    operator_calls_tell_nothing(ClusterKind::Embedded).await;
}
