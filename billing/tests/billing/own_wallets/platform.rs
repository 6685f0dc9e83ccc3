//! A platform with a wallet of its own, and what must hold of both books once nothing is open.

use std::time::Duration;

use plasma_kit::ids::{TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use plasma_wallet_provider::{Book, Faults, Flaw, Wallet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::{Caller, World, fresh};
use crate::offers::unlock;

pub const SECRET: &str = "a-secret-of-the-wallet";

/// How long both books may take to come to rest, on a busy machine.
const REST_MAX: Duration = Duration::from_secs(90);

/// A platform and its wallet.
pub struct Platform {
    pub tenant: TenantId,
    pub book: Book,
    pub faults: Faults,
    pub url: String,
    pub key: Caller,
    _stop: DropGuard,
}

/// Serves a wallet, and gives its address.
pub async fn serve(book: &Book, faults: &Faults) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(Wallet::new(book.clone(), faults.clone(), SECRET).serve(listener));
    url
}

impl Platform {
    /// A platform that charges 500 EUR cents, with a wallet; every node works for it.
    pub async fn with(world: &World, flaw: Option<Flaw>) -> Self {
        let (tenant, book) = (world.tenant(false, 1_000), Book::in_memory().unwrap());
        let (book, faults) = (book.with_flaw(flaw), Faults::default());
        let url = serve(&book, &faults).await;
        let key = world.key(0, tenant);
        key.publish(unlock("EUR", 500)).await;
        connect(&key, &url).await;
        let stop = CancellationToken::new();
        for node in &world.nodes {
            node.billing.work_on_external_wallets(stop.clone());
        }
        Self { tenant, book, faults, url, key, _stop: stop.drop_guard() }
    }

    /// A user with money in the wallet.
    pub fn user(&self, world: &World, minor_units: i64) -> UserId {
        let user = world.user(self.tenant);
        self.book.deposit(&format!("partner-{user}"), "EUR", minor_units).unwrap();
        user
    }

    /// What a user can spend at the wallet.
    pub fn available(&self, user: UserId) -> i64 {
        self.book.balance(&format!("partner-{user}"), "EUR").unwrap().1
    }

    /// The operations that Plasma has, newest first.
    pub async fn operations(&self) -> Vec<pb::ExternalOperation> {
        let request = pb::ListExternalOperationsRequest { page_size: 200, ..Default::default() };
        let answer = self.key.external.clone().list_external_operations(request).await;
        answer.unwrap().into_inner().operations
    }

    /// Waits until nothing is open, and checks that both books say the same.
    pub async fn comes_to_rest(&self, world: &World) {
        let open = "SELECT COUNT(*) FROM external_operations WHERE closed_at IS NULL";
        let begun = tokio::time::Instant::now();
        while world.count(open).await > 0 {
            assert!(begun.elapsed() < REST_MAX, "open: {:#?}", self.operations().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // What was delayed on the way to the wallet arrives, and changes nothing.
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.books_agree(world).await;
    }

    async fn books_agree(&self, world: &World) {
        let taken = self.book.taken("EUR").unwrap();
        let clearing = "SELECT CAST(COALESCE(SUM(p.minor_units), 0) AS BIGINT) \
                        FROM ledger_postings p JOIN ledger_accounts a \
                        ON a.tenant_id = p.tenant_id AND a.id = p.account_id WHERE a.purpose = 20";
        assert_eq!(-world.count(clearing).await, taken, "the ledger says what the wallet took");
        let captured = "SELECT CAST(COALESCE(SUM(CASE WHEN kind = 1 THEN captured_minor_units \
                        WHEN state = 11 THEN -minor_units ELSE 0 END), 0) AS BIGINT) \
                        FROM external_operations";
        assert_eq!(world.count(captured).await, taken, "the operations say what the wallet took");
        let reserved = self.book.count(pb::WalletOperationState::Reserved).unwrap();
        assert_eq!(reserved, 0, "nothing stays set aside");
        for (invariant, offenders) in [
            (
                "no pass is paid without a capture",
                "SELECT COUNT(*) FROM passes p JOIN charges c ON c.id = p.charge_id \
                 WHERE NOT EXISTS (SELECT 1 FROM external_operations o \
                 WHERE o.charge_id = c.id AND o.kind = 1 AND o.state IN (7, 10))",
            ),
            (
                "no capture is without a pass",
                "SELECT COUNT(*) FROM external_operations o WHERE o.state = 7 \
                 AND NOT EXISTS (SELECT 1 FROM passes p WHERE p.charge_id = o.charge_id)",
            ),
            (
                "a pass whose capture was declined has ended",
                "SELECT COUNT(*) FROM external_operations o JOIN passes p \
                 ON p.charge_id = o.charge_id WHERE o.state = 10 AND p.expire_at IS NULL",
            ),
            (
                "a debt is captured once",
                "SELECT COUNT(*) FROM (SELECT 1 FROM external_operations WHERE state = 7 \
                 GROUP BY tenant_id, obligation, user_id HAVING COUNT(*) > 1) AS twice",
            ),
            (
                "a charge is paid by one operation",
                "SELECT COUNT(*) FROM (SELECT 1 FROM external_operations WHERE kind = 1 \
                 AND charge_id IS NOT NULL GROUP BY charge_id HAVING COUNT(*) > 1) AS twice",
            ),
        ] {
            assert_eq!(world.count(offenders).await, 0, "{invariant}");
        }
        crate::books::audit(world).await;
    }
}

/// Sets the wallet of the caller's platform.
pub async fn connect(key: &Caller, url: &str) {
    let request = pb::SetWalletProviderRequest {
        request_id: fresh("provider"),
        url: url.to_owned(),
        bearer_secret: SECRET.to_owned(),
        concurrency_max: 0,
    };
    key.external.clone().set_wallet_provider(request).await.unwrap();
}
