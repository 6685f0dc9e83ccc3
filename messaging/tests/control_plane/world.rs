//! A node of this context behind real gRPC, with fake neighbours.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor::{Actor, DeviceActor, EnrollmentActor, KeyActor};
use plasma_kit::bus::LocalBus;
use plasma_kit::changes::Freshness;
use plasma_kit::db::{DbConfig, TenantClaim};
use plasma_kit::events::Events;
use plasma_kit::ids::{ApiKeyId, DeviceId, Id, TenantId, UserId};
use plasma_kit::rate::Limits;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env};
use plasma_messaging::service::{
    ChatService, DeviceLinkingService, DeviceService, KeyService, LinkService, MessageService,
    ReportService, SessionService,
};
use plasma_messaging::{MessageRates, Messaging, Parts};
use plasma_proto::error_info::{ErrorReason, reason_of};
use plasma_proto::messaging::v1::chat_service_client::ChatServiceClient;
use plasma_proto::messaging::v1::chat_service_server::ChatServiceServer;
use plasma_proto::messaging::v1::device_linking_service_client::DeviceLinkingServiceClient;
use plasma_proto::messaging::v1::device_linking_service_server::DeviceLinkingServiceServer;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use plasma_proto::messaging::v1::device_service_server::DeviceServiceServer;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use plasma_proto::messaging::v1::key_service_server::KeyServiceServer;
use plasma_proto::messaging::v1::link_service_client::LinkServiceClient;
use plasma_proto::messaging::v1::link_service_server::LinkServiceServer;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_proto::messaging::v1::message_service_server::MessageServiceServer;
use plasma_proto::messaging::v1::report_service_client::ReportServiceClient;
use plasma_proto::messaging::v1::report_service_server::ReportServiceServer;
use plasma_proto::messaging::v1::session_service_client::SessionServiceClient;
use plasma_proto::messaging::v1::session_service_server::SessionServiceServer;
use sea_orm::{ConnectionTrait, Database, Statement, Value};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};

use crate::ports::{FakeAccess, FakeTenants};

struct Migrations;

impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = plasma_kit::migration::migrations();
        all.extend(plasma_messaging::migration::migrations());
        all
    }
}

/// One node and its fake neighbours.
pub struct World {
    pub env: Env,
    pub db: Db,
    pub tenants: Arc<FakeTenants>,
    pub access: Arc<FakeAccess>,
    pub messaging: Messaging,
    pub events: Events,
    channel: Channel,
    stop: CancellationToken,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const ACTOR: &str = "x-test-actor";

impl World {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("plasma.db").display());
        Self::start(url, Some(folder)).await
    }

    /// A world on a fresh PostgreSQL database; `None` where there is no server.
    pub async fn postgres() -> Option<Self> {
        let base = std::env::var("PLASMA_TEST_POSTGRES").ok()?;
        let name = format!("control_plane_{}", Env::system().uuid().simple());
        let server = Database::connect(format!("{base}/postgres")).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        server.close().await.unwrap();
        Some(Self::start(format!("{base}/{name}"), None).await)
    }

    async fn start(url: String, folder: Option<tempfile::TempDir>) -> Self {
        let acquire_timeout = Duration::from_secs(10);
        let config = DbConfig { url, connections_max: 8, acquire_timeout };
        let db = Db::connect(&config).await.unwrap();
        Migrations::up(db.for_migrations(), None).await.unwrap();
        let (env, stop) = (Env::system(), CancellationToken::new());
        let bus = Arc::new(LocalBus::default());
        let events = Events::start(Arc::clone(&bus) as _, stop.clone()).await;
        let (tenants, access) = (Arc::new(FakeTenants::default()), Arc::new(FakeAccess::default()));
        let parts = Parts {
            db: db.clone(),
            env: env.clone(),
            secrets: Secrets::new(vec![[7; 32]]).unwrap(),
            events: events.clone(),
            freshness: Freshness::default(),
            bus,
            limits: Limits::of_this_process(env.clone()),
            message_rates: MessageRates::UNLIMITED,
            public_url: "http://links.example".to_owned(),
            tenants: Arc::clone(&tenants) as _,
            access: Arc::clone(&access) as _,
        };
        let messaging = Messaging::start(parts, stop.clone()).await;
        let channel = serve(&messaging, stop.clone()).await;
        Self { env, db, tenants, access, messaging, events, channel, stop, _folder: folder }
    }

    pub fn sessions(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.channel.clone())
    }

    pub fn devices(&self) -> DeviceServiceClient<Channel> {
        DeviceServiceClient::new(self.channel.clone())
    }

    pub fn linkings(&self) -> DeviceLinkingServiceClient<Channel> {
        DeviceLinkingServiceClient::new(self.channel.clone())
    }

    pub fn keys(&self) -> KeyServiceClient<Channel> {
        KeyServiceClient::new(self.channel.clone())
    }

    pub fn links(&self) -> LinkServiceClient<Channel> {
        LinkServiceClient::new(self.channel.clone())
    }

    pub fn chats(&self) -> ChatServiceClient<Channel> {
        ChatServiceClient::new(self.channel.clone())
    }

    pub fn messages(&self) -> MessageServiceClient<Channel> {
        MessageServiceClient::new(self.channel.clone())
    }

    pub fn reports(&self) -> ReportServiceClient<Channel> {
        ReportServiceClient::new(self.channel.clone())
    }

    /// Counts the rows that a query of one number gives.
    pub async fn count(&self, sql: &str, values: Vec<Value>) -> i64 {
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, values);
        let row = self.db.system().conn().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// The bytes of a column named `blob`.
    pub async fn blobs(&self, sql: &str) -> Vec<Vec<u8>> {
        let statement = Statement::from_string(self.db.backend(), sql);
        let rows = self.db.system().conn().query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get("", "blob").unwrap()).collect()
    }

    /// Lets time pass.
    pub fn wait(&self, duration: Duration) {
        self.env.follow(self.env.now().plus(duration));
    }

    /// Runs a statement in a transaction of the tenant.
    pub async fn execute(&self, tenant: TenantId, sql: &str, values: Vec<Value>) -> u64 {
        use plasma_kit::Scope;
        let tx = self.db.tenant(TenantClaim::of_peer(tenant)).begin().await.unwrap();
        let statement = Statement::from_sql_and_values(tx.backend(), sql, values);
        let rows = tx.conn().execute_raw(statement).await.unwrap().rows_affected();
        tx.commit().await.unwrap();
        rows
    }
}

async fn serve(messaging: &Messaging, stop: CancellationToken) -> Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let messaging = messaging.clone();
    let server = Server::builder()
        .add_service(SessionServiceServer::with_interceptor(
            SessionService::new(messaging.clone()),
            identify,
        ))
        .add_service(DeviceServiceServer::with_interceptor(
            DeviceService::new(messaging.clone()),
            identify,
        ))
        .add_service(DeviceLinkingServiceServer::with_interceptor(
            DeviceLinkingService::new(messaging.clone()),
            identify,
        ))
        .add_service(KeyServiceServer::with_interceptor(
            KeyService::new(messaging.clone()),
            identify,
        ))
        .add_service(LinkServiceServer::with_interceptor(
            LinkService::new(messaging.clone()),
            identify,
        ))
        .add_service(ChatServiceServer::with_interceptor(
            ChatService::new(messaging.clone()),
            identify,
        ))
        .add_service(MessageServiceServer::with_interceptor(
            MessageService::new(messaging.clone()),
            identify,
        ))
        .add_service(ReportServiceServer::with_interceptor(
            ReportService::new(messaging),
            identify,
        ));
    tokio::spawn(server.serve_with_incoming_shutdown(TcpIncoming::from(listener), async move {
        stop.cancelled().await;
    }));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Stands in for the auth layer: the actor is what the test says.
#[expect(clippy::unnecessary_wraps, reason = "the signature of an interceptor")]
fn identify(mut request: Request<()>) -> Result<Request<()>, Status> {
    let text = request.metadata().get(ACTOR).map(|value| value.to_str().unwrap().to_owned());
    let words: Vec<&str> =
        text.as_deref().map(|text| text.split(' ').collect()).unwrap_or_default();
    let actor = match words.as_slice() {
        ["key", tenant] => Actor::Key(KeyActor {
            tenant: TenantId::parse(tenant).unwrap(),
            key: ApiKeyId::from_uuid(uuid::Uuid::from_u128(1)),
            admin: true,
            backend: true,
        }),
        [tenant, user] => Actor::Enrollment(EnrollmentActor {
            tenant: TenantId::parse(tenant).unwrap(),
            user: UserId::parse(user).unwrap(),
        }),
        [tenant, user, device] => Actor::Device(DeviceActor {
            tenant: TenantId::parse(tenant).unwrap(),
            user: UserId::parse(user).unwrap(),
            device: DeviceId::parse(device).unwrap(),
        }),
        _ => Actor::Anyone,
    };
    request.extensions_mut().insert(actor);
    Ok(request)
}

/// A request of a device.
pub fn by<T>(device: DeviceActor, message: T) -> Request<T> {
    let DeviceActor { tenant, user, device } = device;
    with_actor(&format!("{tenant} {user} {device}"), message)
}

/// A request of a tenant's key.
pub fn keyed<T>(tenant: TenantId, message: T) -> Request<T> {
    with_actor(&format!("key {tenant}"), message)
}

/// A request of a user with an enrollment token.
pub fn enrolling<T>(user: (TenantId, UserId), message: T) -> Request<T> {
    with_actor(&format!("{} {}", user.0, user.1), message)
}

fn with_actor<T>(actor: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(ACTOR, actor.parse().unwrap());
    request
}

/// The reason of a refusal.
#[track_caller]
pub fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> ErrorReason {
    let status = outcome.expect_err("a refusal");
    reason_of(&status).unwrap_or_else(|| panic!("a status without reason: {status:?}"))
}

/// A value of a refusal's metadata.
#[track_caller]
pub fn metadata<T: std::fmt::Debug>(outcome: Result<T, Status>, key: &str) -> String {
    use tonic_types::StatusExt;
    let status = outcome.expect_err("a refusal");
    let info = status.get_details_error_info().expect("details");
    info.metadata.get(key).unwrap_or_else(|| panic!("no {key} in {status:?}")).clone()
}

/// Waits until a condition holds, for 5 seconds at most.
pub async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to hold within 5 seconds");
}
