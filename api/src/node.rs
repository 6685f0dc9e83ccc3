//! One running node: its parts, built in order, and its graceful stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_billing::{Billing, WalletPolicy};
use plasma_kit::bus::{Bus, LocalBus, RedisBus};
use plasma_kit::changes::{self, Freshness};
use plasma_kit::events::Events;
use plasma_kit::rate::Limits;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, SystemDb, idempotency};
use plasma_messaging::{Messaging, Parts};
use plasma_tenant::Tenants;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::wiring::{AccessOfMessaging, ChatsOfBilling, TenantsOfBilling, TenantsOfMessaging};
use crate::{keys, migrate};

/// How often old rows are deleted.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_hours(1);

/// The contexts of a node, wired.
pub struct Node {
    /// The tenant context.
    pub tenants: Tenants,
    /// The billing context.
    pub billing: Billing,
    /// The messaging context.
    pub messaging: Messaging,
    /// Makes limits of how often something is done.
    pub limits: Limits,
    /// The operator's key in force.
    pub operator_key: String,
    /// Ends the background work.
    pub stop: CancellationToken,
}

impl Node {
    /// Builds the node: database, schema, keys, bus, contexts.
    pub async fn start(config: &Config) -> Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot make the folder {}", config.data_dir.display()))?;
        let env = Env::system();
        let operator_key = keys::operator_key(config, &env)?;
        let secrets = keys::secrets(config, &env)?;
        let db = open(config).await?;
        env.follow(db.system().now().await?);

        let stop = CancellationToken::new();
        let bus = bus(config, &env, &secrets).await?;
        let events = Events::start(Arc::clone(&bus), stop.clone()).await;
        let freshness = Freshness::default();
        let (system, told) = (db.system(), events.clone());
        let feed = changes::follow(system, env.clone(), told, freshness.clone(), stop.clone());
        tokio::spawn(feed);

        let limits = limits(config, env.clone(), &secrets, stop.clone())?;
        let tenants = Tenants::new(
            db.clone(),
            env.clone(),
            secrets.clone(),
            events.clone(),
            &limits,
            config.account_reset_delay_min,
        );
        tenants.watch(stop.clone());
        let shared = (events, freshness, bus, limits.clone());
        let (billing, messaging) =
            contexts(config, &tenants, db.clone(), env.clone(), secrets, shared, &stop).await;
        let housekeeping = housekeep(db.system(), env, tenants.clone(), stop.clone());
        tokio::spawn(housekeeping);
        Ok(Self { tenants, billing, messaging, limits, operator_key, stop })
    }
}

async fn contexts(
    config: &Config,
    tenants: &Tenants,
    db: Db,
    env: Env,
    secrets: Secrets,
    (events, freshness, bus, limits): (Events, Freshness, Arc<dyn Bus>, Limits),
    stop: &CancellationToken,
) -> (Billing, Messaging) {
    // Billing asks messaging who is in a chat, and messaging asks billing what it costs.
    let chats = ChatsOfBilling::default();
    let billing = Billing::new(
        db.clone(),
        env.clone(),
        secrets.clone(),
        events.clone(),
        Arc::new(TenantsOfBilling(tenants.clone())),
        Arc::new(chats.clone()),
    )
    .with_wallet_policy(WalletPolicy {
        loopback: config.wallet_provider_loopback,
        ..WalletPolicy::default()
    });
    billing.start(stop);
    let parts = Parts {
        db,
        env,
        secrets,
        events,
        freshness,
        bus,
        limits,
        message_rates: config.message_rates,
        public_url: config.public_url.clone(),
        tenants: Arc::new(TenantsOfMessaging(tenants.clone())),
        access: Arc::new(AccessOfMessaging(billing.clone())),
    };
    let messaging = Messaging::start(parts, stop.clone()).await;
    let _ = chats.0.set(messaging.directory().clone());
    (billing, messaging)
}

/// Opens the database.
pub async fn connect(config: &Config) -> Result<Db> {
    if config.embedded {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot make the folder {}", config.data_dir.display()))?;
    }
    Db::connect(&config.database).await.context("the database is out of reach")
}

/// Opens the database and sees to its schema.
async fn open(config: &Config) -> Result<Db> {
    let db = connect(config).await?;
    if config.migrate_on_start {
        migrate::up(&db).await?;
    } else {
        let pending = migrate::pending(&db).await?;
        ensure!(
            pending.is_empty(),
            "the schema lacks {}; run `plasma migrate` first",
            pending.join(", ")
        );
    }
    Ok(db)
}

/// Checks that the bus, if there is one, takes a message.
pub async fn check_bus(config: &Config) -> Result<()> {
    if config.redis_url.is_some() {
        let env = Env::system();
        // Nobody listens, so that any key will do.
        let bus = bus(config, &env, &Secrets::new(vec![env.random()])?).await?;
        bus.publish("plasma:check", bytes::Bytes::new()).await?;
    }
    Ok(())
}

async fn bus(config: &Config, env: &Env, secrets: &Secrets) -> Result<Arc<dyn Bus>> {
    let Some(url) = &config.redis_url else { return Ok(Arc::new(LocalBus::default())) };
    let bus = RedisBus::connect(url, env.clone(), secrets).await;
    Ok(Arc::new(bus.context("redis_url is wrong")?))
}

fn limits(config: &Config, env: Env, secrets: &Secrets, stop: CancellationToken) -> Result<Limits> {
    Ok(match &config.redis_url {
        Some(url) => Limits::of_all_nodes(env, secrets, url, stop).context("redis_url is wrong")?,
        None => Limits::of_this_process(env),
    })
}

/// Deletes rows that have had their time, once an hour.
async fn housekeep(db: SystemDb, env: Env, tenants: Tenants, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING_INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = env.now();
        // Each by itself: one that fails must not keep the others' rows.
        let pruned = [
            idempotency::prune(&db, now).await,
            changes::prune(&db, now).await,
            tenants.prune(now).await,
        ];
        for error in pruned.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "old rows stay until the next hour");
        }
    }
}
