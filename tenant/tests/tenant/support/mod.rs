//! A fresh database, nodes that serve it, and callers with any actor.

pub mod platform;

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor::{Actor, KeyActor};
use plasma_kit::bus::LocalBus;
use plasma_kit::db::{Db, DbConfig};
use plasma_kit::env::Env;
use plasma_kit::events::Events;
use plasma_kit::ids::{ApiKeyId, Id, TenantId};
use plasma_kit::rate::Limits;
use plasma_kit::secrets::Secrets;
use plasma_kit::status::ErrorReason;
use plasma_kit::{changes, migration};
use plasma_proto::error_info::reason_of;
use plasma_proto::tenant::v1 as pb;
use plasma_tenant::Tenants;
use plasma_tenant::service::{ApiKeyService, IdentityProviderService, TenantService, UserService};
use sea_orm::{ConnectionTrait, Database, Statement};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::{InterceptedService, InterceptorLayer};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};

const ACTOR: &str = "x-test-actor";

/// What the operator of a test demands of the delay of resets.
pub const ACCOUNT_RESET_DELAY_MIN: Duration = Duration::from_hours(24);

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        [migration::migrations(), plasma_tenant::migration::migrations()]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Runs a test on a fresh database of each kind.
pub async fn on_each_database(test: impl AsyncFn(&World)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plasma.db");
    eprintln!("on SQLite");
    test(&World::open(format!("sqlite://{}", path.display())).await).await;

    let Ok(server) = std::env::var("PLASMA_TEST_POSTGRES") else {
        eprintln!("not on PostgreSQL: PLASMA_TEST_POSTGRES is not set");
        return;
    };
    eprintln!("on PostgreSQL");
    let admin = Database::connect(format!("{server}/postgres")).await.expect("PostgreSQL");
    let name = format!("plasma_tenant_{}", Env::system().uuid().simple());
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
    test(&World::open(format!("{server}/{name}")).await).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.execute_unprepared(&drop).await.expect("the database goes");
}

/// One database and what nodes share.
pub struct World {
    pub db: Db,
    pub secrets: Secrets,
    url: String,
    bus: LocalBus,
}

/// One serving node. Stops when it is dropped.
pub struct Node {
    pub tenants: Tenants,
    pub env: Env,
    channel: Channel,
    _stop: DropGuard,
}

impl World {
    async fn open(url: String) -> Self {
        let db = connect(&url).await;
        Migrator::up(db.for_migrations(), None).await.expect("the migrations run");
        Self {
            db,
            secrets: Secrets::new(vec![[7; 32]]).expect("a ring"),
            url,
            bus: LocalBus::default(),
        }
    }

    /// Takes every table down and up again.
    pub async fn migrate_down_and_up(&self) {
        Migrator::down(self.db.for_migrations(), None).await.expect("the migrations go back");
        Migrator::up(self.db.for_migrations(), None).await.expect("the migrations run again");
    }

    /// Starts a node on the bus that all such nodes share.
    pub async fn node(&self) -> Node {
        self.node_on(self.bus.join()).await
    }

    /// Starts a node that hears no other: only the database and time tell it anything.
    pub async fn deaf_node(&self) -> Node {
        self.node_on(LocalBus::default()).await
    }

    async fn node_on(&self, bus: LocalBus) -> Node {
        let stop = CancellationToken::new();
        let env = Env::system();
        // A pool of its own, as another process has.
        let db = connect(&self.url).await;
        let db = if self.url.starts_with("sqlite") { self.db.clone() } else { db };
        let events = Events::start(Arc::new(bus), stop.clone()).await;
        let tenants = Tenants::new(
            db.clone(),
            env.clone(),
            self.secrets.clone(),
            events.clone(),
            &Limits::of_this_process(env.clone()),
            ACCOUNT_RESET_DELAY_MIN,
        );
        tenants.watch(stop.clone());
        let freshness = changes::Freshness::default();
        tokio::spawn(changes::follow(db.system(), env.clone(), events, freshness, stop.clone()));
        let channel = serve(&tenants, stop.clone()).await;
        Node { tenants, env, channel, _stop: stop.drop_guard() }
    }

    /// Counts the rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) AS rows_there FROM {table}");
        let row = self.query(&sql).await.expect("a count");
        row.try_get("", "rows_there").expect("a number")
    }

    /// Reads the first row of a query.
    pub async fn query(&self, sql: &str) -> Option<sea_orm::QueryResult> {
        let statement = Statement::from_string(self.db.backend(), sql);
        self.db.for_migrations().query_one_raw(statement).await.expect("the query runs")
    }
}

async fn connect(url: &str) -> Db {
    let config = DbConfig {
        url: url.to_owned(),
        connections_max: 8,
        acquire_timeout: Duration::from_secs(10),
    };
    Db::connect(&config).await.expect("the database opens")
}

async fn serve(tenants: &Tenants, stop: CancellationToken) -> Channel {
    use pb::api_key_service_server::ApiKeyServiceServer;
    use pb::identity_provider_service_server::IdentityProviderServiceServer;
    use pb::tenant_service_server::TenantServiceServer;
    use pb::user_service_server::UserServiceServer;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let providers = IdentityProviderService::new(tenants.clone());
    let server = Server::builder()
        .layer(InterceptorLayer::new(NamedActor))
        .add_service(TenantServiceServer::new(TenantService::new(tenants.clone())))
        .add_service(ApiKeyServiceServer::new(ApiKeyService::new(tenants.clone())))
        .add_service(IdentityProviderServiceServer::new(providers))
        .add_service(UserServiceServer::new(UserService::new(tenants.clone())))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop.cancelled_owned());
    tokio::spawn(server);
    Channel::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect()
        .await
        .expect("the node answers")
}

/// Stands in for the auth layer: takes the actor that the test names.
#[derive(Clone)]
struct NamedActor;

impl Interceptor for NamedActor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let name = request.metadata().get(ACTOR).and_then(|value| value.to_str().ok());
        if let Some(actor) = name.and_then(read_actor) {
            request.extensions_mut().insert(actor);
        }
        Ok(request)
    }
}

fn read_actor(text: &str) -> Option<Actor> {
    if text == "operator" {
        return Some(Actor::Operator);
    }
    let (tenant, key) = text.split_once(' ')?;
    Some(Actor::Key(KeyActor {
        tenant: TenantId::parse(tenant)?,
        key: ApiKeyId::parse(key)?,
        admin: true,
        backend: true,
    }))
}

/// Adds the actor's name to every request.
#[derive(Clone)]
pub struct AsActor(Option<MetadataValue<tonic::metadata::Ascii>>);

impl Interceptor for AsActor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(actor) = &self.0 {
            request.metadata_mut().insert(ACTOR, actor.clone());
        }
        Ok(request)
    }
}

type Client = InterceptedService<Channel, AsActor>;

/// The clients of one caller.
#[derive(Clone)]
pub struct Caller {
    pub tenants: pb::tenant_service_client::TenantServiceClient<Client>,
    pub keys: pb::api_key_service_client::ApiKeyServiceClient<Client>,
    pub providers: pb::identity_provider_service_client::IdentityProviderServiceClient<Client>,
    pub users: pb::user_service_client::UserServiceClient<Client>,
}

impl Node {
    pub fn operator(&self) -> Caller {
        self.caller(Some("operator".to_owned()))
    }

    /// A key of the tenant with both scopes.
    pub fn key_of(&self, tenant: TenantId) -> Caller {
        self.caller(Some(format!("{tenant} {}", ApiKeyId(self.env.uuid()))))
    }

    pub fn nobody(&self) -> Caller {
        self.caller(None)
    }

    fn caller(&self, actor: Option<String>) -> Caller {
        use pb::api_key_service_client::ApiKeyServiceClient;
        use pb::identity_provider_service_client::IdentityProviderServiceClient;
        use pb::tenant_service_client::TenantServiceClient;
        use pb::user_service_client::UserServiceClient;

        let actor = AsActor(actor.map(|actor| actor.parse().expect("a header value")));
        let client = InterceptedService::new(self.channel.clone(), actor);
        Caller {
            tenants: TenantServiceClient::new(client.clone()),
            keys: ApiKeyServiceClient::new(client.clone()),
            providers: IdentityProviderServiceClient::new(client.clone()),
            users: UserServiceClient::new(client),
        }
    }

    /// Creates a paid tenant.
    pub async fn tenant(&self) -> TenantId {
        let created = self.operator().tenants.create_tenant(self.new_tenant("Clinic Nord")).await;
        let tenant = created.expect("a tenant").into_inner().tenant.expect("a tenant");
        TenantId::checked(&tenant.tenant_id)
    }

    pub fn new_tenant(&self, name: &str) -> pb::CreateTenantRequest {
        pb::CreateTenantRequest {
            request_id: self.request_id(),
            display_name: name.to_owned(),
            link_base_url: "https://clinic.example/chat".to_owned(),
            policy: Some(policy(pb::AccessMode::Paid, true)),
            operator_share_basis_points: 1_500,
            sandbox: false,
            time_zone: "Europe/Berlin".to_owned(),
        }
    }

    /// A request id that no other request has.
    pub fn request_id(&self) -> String {
        self.env.uuid().to_string()
    }
}

pub fn policy(mode: pb::AccessMode, allow_other_platforms: bool) -> pb::TenantPolicy {
    let week = prost_types::Duration { seconds: 7 * 24 * 60 * 60, nanos: 0 };
    pb::TenantPolicy {
        access_mode: mode.into(),
        allow_other_platforms,
        account_reset_delay: Some(week),
    }
}

/// Checks a refusal's code and reason.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(
    answer: Result<T, impl Into<Status>>,
    code: Code,
    reason: ErrorReason,
) -> Status {
    let status: Status = answer.expect_err("a refusal").into();
    assert_eq!((status.code(), reason_of(&status)), (code, Some(reason)), "{status:?}");
    status
}

/// Checks that a field was refused, and gives the rule.
#[track_caller]
pub fn refused_field<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) -> String {
    let status = refused(answer, Code::InvalidArgument, ErrorReason::InvalidField);
    let details = tonic_types::StatusExt::get_error_details(&status);
    let violation = &details.bad_request().expect("a violation").field_violations[0];
    assert_eq!(violation.field, field);
    violation.description.clone()
}

/// Checks that two refusals are the same, byte for byte.
#[track_caller]
pub fn same_bytes(one: &Status, two: &Status) {
    assert_eq!((one.code(), one.message()), (two.code(), two.message()));
    assert_eq!(one.details(), two.details());
}

/// Waits until `met` is true, for `limit` at most.
pub async fn within(limit: Duration, met: impl AsyncFn() -> bool) {
    let reached = tokio::time::timeout(limit, async {
        while !met().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    reached.await.expect("it takes longer than it may");
}
