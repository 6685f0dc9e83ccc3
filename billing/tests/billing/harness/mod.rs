//! A fresh database, one node or two over it, and callers.

mod caller;
mod others;
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plasma_billing::ports::{Chats, Parties, Tenants, Terms};
use plasma_billing::{Billing, Purchase, WalletPolicy};
use plasma_kit::bus::LocalBus;
use plasma_kit::db::DbConfig;
use plasma_kit::events::Events;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, Zone};
use plasma_proto::billing::v1 as pb;
use sea_orm::{ConnectionTrait, Database, Statement};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt;

pub use caller::Caller;
pub use others::Others;

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
            let channel = service::serve(billing.clone(), world.stop.clone()).await;
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
