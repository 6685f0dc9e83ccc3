//! Who may call what: every method with no credential, a bad one, two, and one of every kind of
//! principal that the contract does not allow it.

use bytes::Bytes;
use plasma_proto::Principal;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use plasma_testkit::{ClusterKind, secret};
use prost::Message;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};

use crate::fixtures::{self, Call};
use crate::wire::{bearer, describe};
use crate::world::{Newcomer, World};
use crate::{contract, rows};

const KINDS: [Principal; 5] = [
    Principal::Operator,
    Principal::TenantAdmin,
    Principal::TenantBackend,
    Principal::Enrollment,
    Principal::Device,
];

/// One credential of each kind, of one tenant.
struct Credentials {
    operator: String,
    admin: String,
    backend: String,
    enrollment: String,
    device: String,
}

impl Credentials {
    async fn of(world: &World) -> Self {
        let platform = &world.a.platform;
        Self {
            operator: world.cluster.operator_key().to_owned(),
            admin: platform.admin_key().to_owned(),
            backend: platform.backend_key().to_owned(),
            enrollment: Newcomer::of(&world.wire, platform).await.enrollment_token,
            device: world.a.ann.token().to_owned(),
        }
    }

    fn of_kind(&self, kind: Principal) -> &str {
        match kind {
            Principal::Operator => &self.operator,
            Principal::TenantAdmin => &self.admin,
            Principal::TenantBackend => &self.backend,
            Principal::Enrollment => &self.enrollment,
            Principal::Device => &self.device,
            Principal::Unspecified | Principal::Anyone => panic!("{kind:?} has no credential"),
        }
    }
}

/// Values of `authorization` that are no credential of anyone.
fn nobodys(credentials: &Credentials) -> Vec<String> {
    let changed = |good: &str| {
        let last = if good.ends_with('A') { 'B' } else { 'A' };
        format!("{}{last}", &good[..good.len() - 1])
    };
    // A signature of its own: the last letter of base64url may hold bits that count for nothing.
    let token = &credentials.device;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    vec![
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer nonsense".to_owned(),
        format!("Bearer {unsigned}"),
        format!("Bearer {signed}."),
        format!("Bearer {signed}.{turned}"),
        format!("Bearer  {}", credentials.admin),
        format!("Basic {}", credentials.admin),
        credentials.admin.clone(),
        format!("Bearer {}", changed(&credentials.admin)),
        format!("Bearer {}", changed(&credentials.operator)),
        format!("Bearer sk_live_{}", secret::name().repeat(3)),
        format!("Bearer sk_live_' OR 1=1 --%_{}", secret::name()),
        format!("Bearer {}", secret::operator_key()),
        format!("Bearer op_{}", "a".repeat(8_000)),
    ]
}

async fn with_values(world: &World, call: &Call, values: &[&str]) -> Result<Bytes, Status> {
    let mut request = Request::new(Bytes::from(call.message.encode_to_vec()));
    for value in values {
        let value: MetadataValue<Ascii> = value.parse().unwrap();
        request.metadata_mut().append("authorization", value);
    }
    world.wire.send(call.path, request).await
}

fn objection(answer: &Result<Bytes, Status>, code: Code, reason: ErrorReason) -> Option<String> {
    match answer {
        Ok(_) => Some("succeeded".to_owned()),
        Err(status) => {
            let right = status.code() == code && reason_of(status) == Some(reason);
            (!right).then(|| describe(status))
        }
    }
}

async fn only_who_is_allowed_may_call(kind: ClusterKind) {
    let world = World::start(kind).await;
    let credentials = Credentials::of(&world).await;
    let nobodys = nobodys(&credentials);
    let mut failed = Vec::new();
    for path in contract::paths() {
        let allowed = plasma_proto::method(path).unwrap().principals;
        if allowed.contains(&Principal::Anyone) {
            continue;
        }
        let call = fixtures::must_build(&world, &world.a, path, 0).await;
        let before = world.database.rows();
        let mut object = |name: String, what: Option<String>| {
            failed.extend(what.map(|what| format!("{path} {name}: {what}")));
        };
        let (code, reason) = (Code::Unauthenticated, ErrorReason::Unauthenticated);
        let answer = with_values(&world, &call, &[]).await;
        object("without a credential".to_owned(), objection(&answer, code, reason));
        for value in &nobodys {
            let answer = with_values(&world, &call, &[value]).await;
            object(format!("with {value:?}"), objection(&answer, code, reason));
        }
        let good = call.credential.as_deref().unwrap();
        let good = bearer(good).to_str().unwrap().to_owned();
        for values in [[good.as_str(), good.as_str()], [&good, "Bearer x"], ["Bearer x", &good]] {
            let answer = with_values(&world, &call, &values).await;
            object("with two credentials".to_owned(), objection(&answer, code, reason));
        }
        for other in KINDS.into_iter().filter(|kind| !allowed.contains(kind)) {
            let value = format!("Bearer {}", credentials.of_kind(other));
            let answer = with_values(&world, &call, &[&value]).await;
            let (code, reason) = (Code::PermissionDenied, ErrorReason::PrincipalNotAllowed);
            object(format!("as {other:?}"), objection(&answer, code, reason));
        }
        let changed = rows::difference(&before, &world.database.rows());
        object("stored".to_owned(), (!changed.is_empty()).then(|| changed.join(" ")));
        let answer = call.send(&world).await;
        object("as allowed".to_owned(), answer.err().map(|status| describe(&status)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_principals_that_the_contract_names_may_call_embedded() {
    only_who_is_allowed_may_call(ClusterKind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_principals_that_the_contract_names_may_call_scaled() {
    only_who_is_allowed_may_call(ClusterKind::Scaled).await;
}

/// Whether the request of the fixture is of one user or one side alone, so that nobody else can
/// make it. That both kinds of caller may is shown where accounts, linkings and
/// subscriptions are.
fn is_of_one_caller(path: &str) -> bool {
    [
        "DeviceService/GetAccount",
        "DeviceService/StartGeneration",
        "DeviceService/GetRecoveryKit",
        "DeviceLinkingService/PostLinkingMessage",
        "DeviceLinkingService/AwaitLinkingMessage",
        "AccessService/GetSubscription",
        "AccessService/ListSubscriptions",
        "AccessService/CancelSubscription",
    ]
    .iter()
    .any(|method| path.ends_with(method))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_principal_that_the_contract_names_may_call() {
    let world = World::start(ClusterKind::Embedded).await;
    let credentials = Credentials::of(&world).await;
    let mut failed = Vec::new();
    for path in contract::paths() {
        let allowed = plasma_proto::method(path).unwrap().principals;
        // Where one kind may call, the fixture is of that kind.
        for kind in allowed.iter().filter(|_| allowed.len() > 1) {
            let mut call = fixtures::must_build(&world, &world.a, path, 0).await;
            let is_of_twin = call.tenant == world.a.tenant() && !is_of_one_caller(path);
            if *kind == Principal::Operator || is_of_twin {
                call.credential = Some(credentials.of_kind(*kind).to_owned());
                let answer = call.send(&world).await;
                failed.extend(
                    answer.err().map(|status| format!("{path} as {kind:?}: {}", describe(&status))),
                );
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    world.check_health();
}
