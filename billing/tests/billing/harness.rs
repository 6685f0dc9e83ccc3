//! A fresh database, one node or two over it, and callers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pb::access_service_client::AccessServiceClient;
use pb::access_service_server::AccessServiceServer;
use pb::clock_service_client::ClockServiceClient;
use pb::clock_service_server::ClockServiceServer;
use pb::external_wallet_service_client::ExternalWalletServiceClient;
use pb::external_wallet_service_server::ExternalWalletServiceServer;
use pb::ledger_service_client::LedgerServiceClient;
use pb::ledger_service_server::LedgerServiceServer;
use pb::payout_service_client::PayoutServiceClient;
use pb::payout_service_server::PayoutServiceServer;
use pb::pricing_service_client::PricingServiceClient;
use pb::pricing_service_server::PricingServiceServer;
use pb::statement_service_client::StatementServiceClient;
use pb::statement_service_server::StatementServiceServer;
use pb::wallet_service_client::WalletServiceClient;
use pb::wallet_service_server::WalletServiceServer;
use plasma_billing::ports::{Chats, Parties, Tenants, Terms};
use plasma_billing::service::{
    AccessService, ClockService, ExternalWalletService, LedgerService, PayoutService,
    PricingService, StatementService, WalletService,
};
use plasma_billing::{Billing, Purchase, WalletPolicy};
use plasma_kit::actor::{Actor, DeviceActor, KeyActor};
use plasma_kit::bus::LocalBus;
use plasma_kit::db::DbConfig;
use plasma_kit::events::Events;
use plasma_kit::ids::{ApiKeyId, ChatId, DeviceId, TenantId, UserId};
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, Failure, Zone};
use plasma_proto::billing::v1 as pb;
use sea_orm::{ConnectionTrait, Database, Statement};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

/// The master key of every node.
pub const SECRET: [u8; 32] = [7; 32];

/// A policy towards platforms' own wallets for tests: on this machine, and without long waits. No
/// breaker, which would only keep back what a test is about.
pub const QUICK: WalletPolicy = WalletPolicy {
    loopback: true,
    call_timeout: Duration::from_millis(1_500),
    connect_timeout: Duration::from_secs(1),
    turn_timeout: Duration::from_secs(5),
    lease: Duration::from_secs(6),
    grace: Duration::from_secs(2),
    hold: Duration::from_hours(7 * 24),
    backoff_min: Duration::from_millis(20),
    backoff_max: Duration::from_millis(500),
    worker_interval: Duration::from_millis(100),
    breaker_failures: u32::MAX,
    breaker_wait: Duration::from_secs(1),
    breaker_wait_max: Duration::from_secs(1),
    settings_max_age: Duration::ZERO,
};

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = plasma_kit::migration::migrations();
        all.extend(plasma_billing::migration::migrations());
        all
    }
}

/// What the other contexts would answer.
#[derive(Default)]
pub struct Others {
    terms: Mutex<HashMap<TenantId, Terms>>,
    users: Mutex<HashSet<(TenantId, UserId)>>,
    chats: Mutex<HashMap<(TenantId, UserId, ChatId), Parties>>,
}

#[async_trait::async_trait]
impl Tenants for Others {
    async fn terms(&self, tenant: TenantId) -> Result<Option<Terms>, Failure> {
        Ok(self.terms.lock().unwrap().get(&tenant).cloned())
    }

    async fn partner_user_id(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<String>, Failure> {
        let known = self.users.lock().unwrap().contains(&(tenant, user));
        Ok(known.then(|| format!("partner-{user}")))
    }

    async fn user_exists(&self, tenant: TenantId, user: UserId) -> Result<bool, Failure> {
        Ok(self.users.lock().unwrap().contains(&(tenant, user)))
    }
}

#[async_trait::async_trait]
impl Chats for Others {
    async fn parties(
        &self,
        tenant: TenantId,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Parties>, Failure> {
        Ok(self.chats.lock().unwrap().get(&(tenant, user, chat)).copied())
    }
}

/// One node.
pub struct Node {
    pub billing: Billing,
    pub db: Db,
    pub events: Events,
    channel: Channel,
}

/// A database and the nodes over it. Stops them when dropped.
pub struct World {
    pub nodes: Vec<Node>,
    pub others: Arc<Others>,
    pub env: Env,
    pub url: String,
    stop: CancellationToken,
    _folder: Option<TempDir>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

static DATABASES: AtomicU64 = AtomicU64::new(0);

impl World {
    /// The embedded default: one process over a file.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("billing.db").display());
        Self::over(url, 1, Some(folder)).await
    }

    /// Two nodes over a new database of the server that the environment names.
    pub async fn postgres() -> Option<Self> {
        let base = std::env::var("PLASMA_TEST_POSTGRES").ok()?;
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("billing_{}_{number}", std::process::id());
        let server = Database::connect(format!("{base}/postgres")).await.unwrap();
        server.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        server.close().await.unwrap();
        Some(Self::over(format!("{base}/{name}"), 2, None).await)
    }

    async fn over(url: String, nodes: usize, folder: Option<TempDir>) -> Self {
        // Another test of the process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (others, env) = (Arc::new(Others::default()), Env::system());
        let (bus, stop) = (LocalBus::default(), CancellationToken::new());
        let address = url.clone();
        let mut world =
            Self { nodes: Vec::new(), others, env, url: address, stop, _folder: folder };
        for _ in 0..nodes {
            let config = DbConfig {
                url: url.clone(),
                connections_max: 16,
                acquire_timeout: Duration::from_secs(30),
            };
            let db = Db::connect(&config).await.unwrap();
            Migrator::up(db.for_migrations(), None).await.unwrap();
            let events = Events::start(Arc::new(bus.join()), world.stop.clone()).await;
            let billing = Billing::new(
                db.clone(),
                world.env.clone(),
                Secrets::new(vec![SECRET]).unwrap(),
                events.clone(),
                Arc::clone(&world.others) as Arc<dyn Tenants>,
                Arc::clone(&world.others) as Arc<dyn Chats>,
            )
            .with_wallet_policy(QUICK);
            let channel = serve(billing.clone(), world.stop.clone()).await;
            world.nodes.push(Node { billing, db, events, channel });
        }
        world
    }

    /// The node for the n-th caller.
    pub fn node(&self, n: usize) -> &Node {
        &self.nodes[n % self.nodes.len()]
    }

    /// A new platform.
    pub fn tenant(&self, free: bool, operator_share_basis_points: u32) -> TenantId {
        let tenant = TenantId(self.env.uuid());
        self.set_terms(tenant, free, operator_share_basis_points);
        tenant
    }

    /// A new platform for trying things out, whose clock can be moved.
    pub fn sandbox(&self) -> TenantId {
        let tenant = self.tenant(false, 0);
        let mut terms = self.others.terms.lock().unwrap();
        terms.get_mut(&tenant).unwrap().sandbox = true;
        tenant
    }

    pub fn set_terms(&self, tenant: TenantId, free: bool, operator_share_basis_points: u32) {
        let (sandbox, time_zone) = (false, Zone::utc());
        let terms =
            Terms { free, suspended: false, operator_share_basis_points, sandbox, time_zone };
        self.others.terms.lock().unwrap().insert(tenant, terms);
    }

    /// Changes a platform's terms.
    pub fn change_terms(&self, tenant: TenantId, change: impl FnOnce(&mut Terms)) {
        change(self.others.terms.lock().unwrap().get_mut(&tenant).unwrap());
    }

    /// Has one of a chat's two users block it.
    pub fn set_blocked(&self, chat: ChatId, one: (TenantId, UserId), two: (TenantId, UserId)) {
        let mut chats = self.others.chats.lock().unwrap();
        for (tenant, user) in [one, two] {
            chats.get_mut(&(tenant, user, chat)).unwrap().blocked = true;
        }
    }

    /// A new user of a platform.
    pub fn user(&self, tenant: TenantId) -> UserId {
        let user = UserId(self.env.uuid());
        self.others.users.lock().unwrap().insert((tenant, user));
        user
    }

    /// A new chat of two users.
    pub fn chat(&self, one: (TenantId, UserId), two: (TenantId, UserId)) -> ChatId {
        let chat = ChatId(self.env.uuid());
        self.set_chat(chat, one, two, false);
        chat
    }

    pub fn set_chat(
        &self,
        chat: ChatId,
        one: (TenantId, UserId),
        two: (TenantId, UserId),
        closed: bool,
    ) {
        let mut chats = self.others.chats.lock().unwrap();
        for (me, peer) in [(one, two), (two, one)] {
            let parties = Parties {
                recipient_tenant: peer.0,
                recipient_user: peer.1,
                closed,
                blocked: false,
            };
            chats.insert((me.0, me.1, chat), parties);
        }
    }

    /// Moves the nodes' clock on.
    pub fn pass_time(&self, duration: Duration) {
        self.env.follow(self.env.now().plus(duration));
    }

    /// Runs a query of one number.
    pub async fn count(&self, sql: &str) -> i64 {
        let conn = self.nodes[0].db.for_migrations();
        let statement = Statement::from_string(conn.get_database_backend(), sql);
        let row = conn.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index::<Option<i64>>(0).unwrap().unwrap_or_default()
    }

    /// A platform's back-end or administrator at the n-th node.
    pub fn key(&self, n: usize, tenant: TenantId) -> Caller {
        Caller::new(self.node(n), &format!("key {}", tenant.0))
    }

    /// A user's device at the n-th node.
    pub fn device(&self, n: usize, tenant: TenantId, user: UserId) -> Caller {
        Caller::new(self.node(n), &format!("device {} {}", tenant.0, user.0))
    }

    /// A purchase as messaging would ask for it.
    pub fn purchase(
        chat: ChatId,
        payer: (TenantId, UserId),
        recipient: (TenantId, UserId),
        quote: &pb::Quote,
    ) -> Purchase {
        Purchase {
            chat,
            payer_tenant: payer.0,
            payer_user: payer.1,
            recipient_tenant: recipient.0,
            recipient_user: recipient.1,
            accepted: accept(quote),
            extend: false,
        }
    }
}

async fn serve(billing: Billing, stop: CancellationToken) -> Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Server::builder()
        .add_service(AccessServiceServer::with_interceptor(
            AccessService::new(billing.clone()),
            authenticate,
        ))
        .add_service(PricingServiceServer::with_interceptor(
            PricingService::new(billing.clone()),
            authenticate,
        ))
        .add_service(WalletServiceServer::with_interceptor(
            WalletService::new(billing.clone()),
            authenticate,
        ))
        .add_service(ClockServiceServer::with_interceptor(
            ClockService::new(billing.clone()),
            authenticate,
        ))
        .add_service(ExternalWalletServiceServer::with_interceptor(
            ExternalWalletService::new(billing.clone()),
            authenticate,
        ))
        .add_service(StatementServiceServer::with_interceptor(
            StatementService::new(billing.clone()),
            authenticate,
        ))
        .add_service(PayoutServiceServer::with_interceptor(
            PayoutService::new(billing.clone()),
            authenticate,
        ))
        .add_service(LedgerServiceServer::with_interceptor(
            LedgerService::new(billing),
            authenticate,
        ));
    tokio::spawn(async move {
        let incoming = TcpIncoming::from(listener);
        router.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await.unwrap();
    });
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Stands for the auth layer: believes what the caller says it is.
fn authenticate(mut request: Request<()>) -> Result<Request<()>, Status> {
    let actor = request.metadata().get("x-actor").ok_or_else(Failure::unauthenticated)?;
    let words: Vec<&str> = actor.to_str().unwrap().split(' ').collect();
    let id = |index: usize| words[index].parse::<Uuid>().unwrap();
    let actor = match words[0] {
        "key" => Actor::Key(KeyActor {
            tenant: TenantId(id(1)),
            key: ApiKeyId(Uuid::from_u128(1)),
            admin: true,
            backend: true,
        }),
        "device" => Actor::Device(DeviceActor {
            tenant: TenantId(id(1)),
            user: UserId(id(2)),
            device: DeviceId(Uuid::from_u128(2)),
        }),
        other => panic!("{other}"),
    };
    request.extensions_mut().insert(actor);
    Ok(request)
}

type Authenticated = InterceptedService<Channel, Introduce>;

/// Says who is calling.
#[derive(Clone)]
pub struct Introduce(MetadataValue<tonic::metadata::Ascii>);

impl tonic::service::Interceptor for Introduce {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("x-actor", self.0.clone());
        Ok(request)
    }
}

/// A caller of every service at one node.
#[derive(Clone)]
pub struct Caller {
    pub access: AccessServiceClient<Authenticated>,
    pub pricing: PricingServiceClient<Authenticated>,
    pub external: ExternalWalletServiceClient<Authenticated>,
    pub wallet: WalletServiceClient<Authenticated>,
    pub statement: StatementServiceClient<Authenticated>,
    pub clock: ClockServiceClient<Authenticated>,
    pub payout: PayoutServiceClient<Authenticated>,
    pub ledger: LedgerServiceClient<Authenticated>,
}

impl Caller {
    fn new(node: &Node, actor: &str) -> Self {
        let (channel, who) = (node.channel.clone(), Introduce(actor.parse().unwrap()));
        Self {
            access: AccessServiceClient::with_interceptor(channel.clone(), who.clone()),
            pricing: PricingServiceClient::with_interceptor(channel.clone(), who.clone()),
            wallet: WalletServiceClient::with_interceptor(channel.clone(), who.clone()),
            external: ExternalWalletServiceClient::with_interceptor(channel.clone(), who.clone()),
            statement: StatementServiceClient::with_interceptor(channel.clone(), who.clone()),
            clock: ClockServiceClient::with_interceptor(channel.clone(), who.clone()),
            payout: PayoutServiceClient::with_interceptor(channel.clone(), who.clone()),
            ledger: LedgerServiceClient::with_interceptor(channel, who),
        }
    }

    pub async fn credit(&self, user: UserId, code: &str, minor_units: i64) -> i64 {
        let request = credit(&fresh("credit"), user, code, minor_units);
        let response = self.wallet.clone().credit_wallet(request).await.unwrap().into_inner();
        response.wallet.unwrap().balance.unwrap().minor_units
    }

    pub async fn balance(&self, user: UserId, code: &str) -> i64 {
        let request =
            pb::GetWalletRequest { user_id: user.to_string(), currency_code: code.to_owned() };
        let response = self.wallet.clone().get_wallet(request).await.unwrap().into_inner();
        response.wallet.unwrap().balance.unwrap().minor_units
    }

    pub async fn publish(&self, request: pb::PublishPriceRequest) -> pb::Price {
        let response = self.pricing.clone().publish_price(request).await.unwrap();
        response.into_inner().price.unwrap()
    }

    pub async fn quote(&self, chat: ChatId) -> pb::Quote {
        let request = pb::GetQuoteRequest { chat_id: chat.to_string() };
        self.access.clone().get_quote(request).await.unwrap().into_inner().quote.unwrap()
    }

    pub async fn buy(&self, chat: ChatId, quote: &pb::Quote) -> Result<pb::Pass, Status> {
        let request = purchase(&fresh("buy"), chat, quote);
        let response = self.access.clone().purchase_access(request).await?;
        Ok(response.into_inner().pass.unwrap())
    }

    pub async fn statement(&self, code: &str) -> Vec<pb::StatementLine> {
        let request =
            pb::GetStatementRequest { currency_code: code.to_owned(), ..Default::default() };
        self.statement.clone().get_statement(request).await.unwrap().into_inner().lines
    }
}

/// An idempotency key that no other call has.
pub fn fresh(what: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{what}-{:08}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn amount(code: &str, minor_units: i64) -> pb::Amount {
    pb::Amount { currency_code: code.to_owned(), minor_units }
}

pub fn credit(
    request_id: &str,
    user: UserId,
    code: &str,
    minor_units: i64,
) -> pb::CreditWalletRequest {
    pb::CreditWalletRequest {
        request_id: request_id.to_owned(),
        user_id: user.to_string(),
        amount: Some(amount(code, minor_units)),
        reference: "a payment".to_owned(),
    }
}

pub fn debit(
    request_id: &str,
    user: UserId,
    code: &str,
    minor_units: i64,
) -> pb::DebitWalletRequest {
    pb::DebitWalletRequest {
        request_id: request_id.to_owned(),
        user_id: user.to_string(),
        amount: Some(amount(code, minor_units)),
        reference: "a payout".to_owned(),
    }
}

pub fn purchase(request_id: &str, chat: ChatId, quote: &pb::Quote) -> pb::PurchaseAccessRequest {
    pb::PurchaseAccessRequest {
        request_id: request_id.to_owned(),
        chat_id: chat.to_string(),
        accepted_price: Some(accept(quote)),
        extend: false,
    }
}

/// Accepts a quote as it is, without its trial.
pub fn accept(quote: &pb::Quote) -> pb::AcceptedPrice {
    quote.accepted()
}

/// The reason of a status, without its prefix.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    reason.trim_start_matches("ERROR_REASON_").to_owned()
}

/// A value of a status's metadata.
pub fn metadata(status: &Status, key: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(key)).cloned().unwrap_or_default()
}
