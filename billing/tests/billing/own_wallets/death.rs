//! A node that is killed between reserve, commit and capture: another goes on.
//!
//! The node is a process of its own, this test program started again, so that the kill is one.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use plasma_billing::ports::{Chats, Parties, Tenants, Terms};
use plasma_billing::{Billing, Purchase};
use plasma_kit::bus::{Bus, LocalBus};
use plasma_kit::db::DbConfig;
use plasma_kit::events::Events;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, Failure, Zone};
use plasma_wallet_provider::Fault;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::platform::Platform;
use crate::harness::{QUICK, SECRET, World, accept};

/// What the node that is killed is told: the database, the platform, the recipient, and pairs of a
/// chat and its payer.
const ORDERS: &str = "PLASMA_TEST_BILLING_NODE";
const ROUNDS: usize = 6;
const CHATS: usize = 12;

struct Orders {
    url: String,
    tenant: TenantId,
    recipient: UserId,
    chats: Vec<(ChatId, UserId)>,
}

impl Orders {
    fn written(&self) -> String {
        let chats = self.chats.iter().map(|(chat, user)| format!("{},{}", chat.0, user.0));
        let head = [self.url.clone(), self.tenant.0.to_string(), self.recipient.0.to_string()];
        head.into_iter().chain(chats).collect::<Vec<_>>().join("|")
    }

    fn read(text: &str) -> Self {
        let id = |text: &str| text.parse::<Uuid>().unwrap();
        let parts: Vec<&str> = text.split('|').collect();
        let pair = |text: &&str| {
            let (chat, user) = text.split_once(',').unwrap();
            (ChatId(id(chat)), UserId(id(user)))
        };
        Self {
            url: parts[0].to_owned(),
            tenant: TenantId(id(parts[1])),
            recipient: UserId(id(parts[2])),
            chats: parts[3..].iter().map(pair).collect(),
        }
    }
}

#[async_trait::async_trait]
impl Tenants for Orders {
    async fn terms(&self, _: TenantId) -> Result<Option<Terms>, Failure> {
        Ok(Some(Terms {
            free: false,
            suspended: false,
            operator_share_basis_points: 1_000,
            sandbox: false,
            time_zone: Zone::utc(),
        }))
    }

    async fn user_exists(&self, _: TenantId, _: UserId) -> Result<bool, Failure> {
        Ok(true)
    }

    async fn partner_user_id(&self, _: TenantId, user: UserId) -> Result<Option<String>, Failure> {
        Ok(Some(format!("partner-{user}")))
    }
}

#[async_trait::async_trait]
impl Chats for Orders {
    async fn parties(
        &self,
        tenant: TenantId,
        _: UserId,
        _: ChatId,
    ) -> Result<Option<Parties>, Failure> {
        let (recipient_tenant, recipient_user) = (tenant, self.recipient);
        Ok(Some(Parties { recipient_tenant, recipient_user, closed: false, blocked: false }))
    }
}

/// The node: buys everything at once, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_will_be_killed() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let orders = Arc::new(Orders::read(&orders));
    let config = DbConfig {
        url: orders.url.clone(),
        connections_max: 8,
        acquire_timeout: Duration::from_secs(30),
    };
    let db = Db::connect(&config).await.unwrap();
    let bus: Arc<dyn Bus> = Arc::new(LocalBus::default());
    let billing = Billing::new(
        db,
        Env::system(),
        Secrets::new(vec![SECRET]).unwrap(),
        Events::start(bus, CancellationToken::new()).await,
        Arc::clone(&orders) as Arc<dyn Tenants>,
        Arc::clone(&orders) as Arc<dyn Chats>,
    )
    .with_wallet_policy(QUICK);
    let buy = async |(chat, payer): (ChatId, UserId)| {
        let recipient = (orders.tenant, orders.recipient);
        let quote = billing.quote((orders.tenant, payer), recipient).await.unwrap();
        let purchase = Purchase {
            chat,
            payer_tenant: orders.tenant,
            payer_user: payer,
            recipient_tenant: orders.tenant,
            recipient_user: orders.recipient,
            accepted: accept(&quote),
            extend: false,
        };
        while billing.purchase(purchase.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    futures::future::join_all(orders.chats.iter().copied().map(buy)).await;
    println!("all is bought");
    std::future::pending::<()>().await;
}

fn start(orders: &Orders) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "own_wallets::death::a_node_that_will_be_killed", "--nocapture"])
        .env(ORDERS, orders.written())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn what_a_killed_node_leaves_another_finishes(world: World) {
    let platform = Platform::with(&world, None).await;
    let bob = platform.user(&world, 0);
    let (mut left_open, mut bought) = (0, HashMap::new());
    for round in 0..ROUNDS {
        let pay = |_| {
            let ann = platform.user(&world, 500);
            (world.chat((platform.tenant, ann), (platform.tenant, bob)), ann)
        };
        let chats: Vec<_> = (0..CHATS).map(pay).collect();
        let orders = Orders {
            url: world.url.clone(),
            tenant: platform.tenant,
            recipient: bob,
            chats: chats.clone(),
        };
        // Slow enough that a kill meets operations at every step.
        platform.faults.set(&[Fault::Delay], 1, Duration::from_millis(150), 1);
        let mut node = start(&orders);
        let begun = world.count("SELECT COUNT(*) FROM external_operations").await;
        let steps = 1 + i64::try_from(round).unwrap() * 2;
        loop {
            let now = world.count("SELECT COUNT(*) FROM external_operations").await;
            if now >= begun + steps || node.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(60 * u64::try_from(round).unwrap())).await;
        node.kill().unwrap();
        node.wait().unwrap();
        left_open +=
            world.count("SELECT COUNT(*) FROM external_operations WHERE closed_at IS NULL").await;
        platform.faults.clear();
        // Half of the payers try again, at another node; the others never do.
        for (n, (chat, ann)) in chats.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
            let device = world.device(n, platform.tenant, *ann);
            let quote = device.quote(*chat).await;
            let mut bought_it = device.buy(*chat, &quote).await;
            for _ in 0..200 {
                if bought_it.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                bought_it = device.buy(*chat, &quote).await;
            }
            bought.insert(*chat, bought_it.unwrap());
        }
        platform.comes_to_rest(&world).await;
    }
    assert!(left_open > 0, "no kill met an open operation");
    assert_eq!(bought.len(), ROUNDS * CHATS / 2);
    println!("{left_open} operations were open when a node was killed");
}

crate::on_both_databases!(what_a_killed_node_leaves_another_finishes);
