//! What must hold of the books at any moment, read from the tables themselves.

use sea_orm::{ConnectionTrait, Statement};

use crate::harness::World;
use crate::tamper::findings;

/// Checks every invariant of the ledger, and folds and verifies its history.
pub async fn audit(world: &World) {
    invariants(world).await;
    world.nodes[0].billing.fold().await.unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM ledger_unfolded").await, 0, "all is folded");
    assert_eq!(findings(world, None).await, [], "the verifier finds nothing");
}

/// Checks every invariant of the ledger. Each query counts offenders.
pub async fn invariants(world: &World) {
    let invariants = [
        (
            "a transaction's postings add up to 0",
            "SELECT COUNT(*) FROM (SELECT 1 FROM ledger_postings \
             GROUP BY tenant_id, transaction_id, currency HAVING SUM(minor_units) <> 0) AS wrong",
        ),
        (
            "a tenant's books add up to 0 in each currency",
            "SELECT COUNT(*) FROM (SELECT 1 FROM ledger_postings \
             GROUP BY tenant_id, currency HAVING SUM(minor_units) <> 0) AS wrong",
        ),
        (
            "a balance is the sum of its postings, and so is its last posting's",
            "SELECT COUNT(*) FROM ledger_balances b WHERE b.posted <> \
             (SELECT COALESCE(SUM(p.minor_units), 0) FROM ledger_postings p \
             WHERE p.tenant_id = b.tenant_id AND p.account_id = b.account_id) \
             OR b.posted <> (SELECT p.balance_after FROM ledger_postings p \
             WHERE p.tenant_id = b.tenant_id AND p.account_id = b.account_id \
             AND p.account_version = b.version)",
        ),
        (
            "no wallet is below 0, before or after",
            "SELECT (SELECT COUNT(*) FROM ledger_balances WHERE posted - held + credit_limit < 0) \
             + (SELECT COUNT(*) FROM ledger_postings WHERE balance_after < 0)",
        ),
        (
            "a posting is on an account of its tenant and currency",
            "SELECT COUNT(*) FROM ledger_postings p LEFT JOIN ledger_accounts a \
             ON a.tenant_id = p.tenant_id AND a.id = p.account_id AND a.currency = p.currency \
             WHERE a.id IS NULL",
        ),
        (
            "every wallet has a balance, and nothing else has one",
            "SELECT COUNT(*) FROM ledger_accounts a LEFT JOIN ledger_balances b \
             ON b.tenant_id = a.tenant_id AND b.account_id = a.id \
             WHERE (a.purpose = 1) <> (b.account_id IS NOT NULL)",
        ),
        (
            "every charge has its pass",
            "SELECT COUNT(*) FROM charges c LEFT JOIN passes p ON p.charge_id = c.id \
             AND p.chat_id = c.chat_id AND p.ordinal = c.ordinal \
             AND p.tenant_id = c.payer_tenant_id AND p.payer_user_id = c.payer_user_id \
             AND p.minor_units = c.minor_units AND p.currency = c.currency WHERE p.id IS NULL",
        ),
        (
            "every pass that was paid has its charge",
            "SELECT COUNT(*) FROM passes p LEFT JOIN charges c ON c.id = p.charge_id \
             WHERE p.charge_id IS NOT NULL AND c.id IS NULL",
        ),
        (
            "what one platform owes, the other is owed",
            "SELECT COUNT(*) FROM (SELECT SUM(p.minor_units) AS owed FROM ledger_postings p \
             JOIN ledger_accounts a ON a.tenant_id = p.tenant_id AND a.id = p.account_id \
             WHERE a.purpose IN (6, 7) GROUP BY p.currency) AS clearing WHERE owed <> 0",
        ),
    ];
    for (invariant, offenders) in invariants {
        assert_eq!(world.count(offenders).await, 0, "{invariant}");
    }
    let charged = "SELECT (SELECT COUNT(*) FROM charges) - (SELECT COUNT(*) \
                   FROM external_operations WHERE kind = 1 AND charge_id IS NOT NULL)";
    let charged = world.count(charged).await;
    let paid = "SELECT COUNT(*) FROM ledger_postings p JOIN ledger_transactions t \
                ON t.tenant_id = p.tenant_id AND t.id = p.transaction_id \
                WHERE t.kind = 3 AND p.balance_after IS NOT NULL";
    assert_eq!(world.count(paid).await, charged, "a wallet pays once for each charge");
}

async fn rows_cannot_be_changed(world: World) {
    use crate::offers::unlock;
    let tenant = world.tenant(false, 1_000);
    let (ann, bob) = (world.user(tenant), world.user(tenant));
    let key = world.key(0, tenant);
    key.publish(unlock("EUR", 500)).await;
    key.credit(ann, "EUR", 500).await;
    let chat = world.chat((tenant, ann), (tenant, bob));
    let device = world.device(0, tenant, ann);
    device.buy(chat, &device.quote(chat).await).await.unwrap();
    let conn = world.nodes[0].db.for_migrations();
    audit(&world).await;
    for table in
        ["ledger_postings", "ledger_transactions", "ledger_chain", "price_versions", "charges"]
    {
        let rows = world.count(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert!(rows > 0, "{table}");
        let update = format!("UPDATE {table} SET tenant_id = tenant_id");
        for change in [update, format!("DELETE FROM {table}")] {
            let statement = Statement::from_string(conn.get_database_backend(), &change);
            let error = conn.execute_raw(statement).await.unwrap_err().to_string();
            assert!(error.contains("immutable"), "{change}: {error}");
        }
    }
    audit(&world).await;
}

crate::on_both_databases!(rows_cannot_be_changed);
