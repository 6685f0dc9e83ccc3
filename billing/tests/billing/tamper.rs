//! The verifier against someone who has the database: drops the triggers and changes rows.

use std::time::Duration;

use plasma_billing::history::verify::{Finding, verify};
use plasma_kit::ids::{ChargeId, TenantId, TransactionId, UserId};
use plasma_kit::secrets::Secrets;
use plasma_proto::billing::v1 as pb;
use sea_orm::{ConnectionTrait, DbBackend};
use uuid::Uuid;

use crate::books::audit;
use crate::harness::{SECRET, World};
use crate::offers::{for_recipient, unlock};

/// Everything that the verifier finds.
pub async fn findings(world: &World, tenant: Option<TenantId>) -> Vec<Finding> {
    let mut found = Vec::new();
    let secrets = Secrets::new(vec![SECRET]).unwrap();
    let node = &world.nodes[0];
    let mut tell = |finding| found.push(finding);
    let verified = verify(&node.db, &world.env, &secrets, tenant, &mut tell).await.unwrap();
    assert_eq!(verified.findings, found.len() as u64);
    found
}

/// Two platforms with a few purchases, one of them between the two.
struct Shop {
    world: World,
    tenant: TenantId,
    ann: UserId,
    /// The purchase within the platform, and the next one.
    bought: [(TransactionId, ChargeId); 2],
    credit: TransactionId,
    /// The purchase at the other platform, in the payer's books.
    abroad: (TransactionId, ChargeId),
}

async fn shop(world: World) -> Shop {
    let (tenant, other) = (world.tenant(false, 1_000), world.tenant(false, 500));
    let ann = world.user(tenant);
    let (bob, cem, dan) = (world.user(tenant), world.user(tenant), world.user(other));
    let (key, abroad) = (world.key(0, tenant), world.key(0, other));
    key.publish(unlock("EUR", 500)).await;
    key.publish(for_recipient(unlock("EUR", 700), cem)).await;
    abroad.publish(unlock("EUR", 300)).await;
    key.credit(ann, "EUR", 9_000).await;
    let device = world.device(0, tenant, ann);
    for peer in [(tenant, bob), (tenant, cem), (other, dan)] {
        let chat = world.chat((tenant, ann), peer);
        device.buy(chat, &device.quote(chat).await).await.unwrap();
    }
    let request = pb::ListWalletEntriesRequest {
        currency_code: "EUR".to_owned(),
        page_size: 10,
        ..Default::default()
    };
    let listed = device.wallet.clone().list_wallet_entries(request).await.unwrap().into_inner();
    let entries: Vec<_> = listed
        .entries
        .iter()
        .map(|entry| (id(&entry.transaction_id), ChargeId(parse("charge", &entry.reference))))
        .collect();
    let [abroad, second, first, (credit, _)] = entries[..] else { panic!("{entries:?}") };
    Shop { world, tenant, ann, bought: [first, second], credit, abroad }
}

fn id(text: &str) -> TransactionId {
    TransactionId(parse("txn", text))
}

fn parse(prefix: &str, text: &str) -> Uuid {
    Uuid::from_u128(plasma_proto::id::parse(prefix, text).unwrap_or_default())
}

impl Shop {
    async fn run(&self, sql: &str) {
        let conn = self.world.nodes[0].db.for_migrations();
        conn.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn backend(&self) -> DbBackend {
        self.world.nodes[0].db.backend()
    }

    fn literal(&self, id: Uuid) -> String {
        match self.backend() {
            DbBackend::Postgres => format!("'{id}'"),
            _ => format!("X'{}'", id.simple()),
        }
    }

    fn bytes(&self, value: u8) -> String {
        match self.backend() {
            DbBackend::Postgres => format!("decode(repeat('{value:02x}', 32), 'hex')"),
            _ => format!("X'{}'", format!("{value:02x}").repeat(32)),
        }
    }

    /// What stands between the database's owner and its rows.
    async fn drop_triggers(&self) {
        for table in [
            "ledger_postings",
            "ledger_transactions",
            "ledger_chain",
            "ledger_subtrees",
            "ledger_checkpoints",
            "charges",
        ] {
            if self.backend() == DbBackend::Postgres {
                self.run(&format!("DROP TRIGGER {table}_immutable ON {table}")).await;
            } else {
                self.run(&format!("DROP TRIGGER {table}_immutable_UPDATE")).await;
                self.run(&format!("DROP TRIGGER {table}_immutable_DELETE")).await;
            }
        }
    }

    /// Changes rows, and demands that the verifier names what was changed; then puts them back.
    async fn tampered(&self, change: &str, back: &str, named: &[&str]) {
        self.run(change).await;
        let found = findings(&self.world, None).await;
        let text: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(
            text.iter().any(|finding| named.iter().all(|word| finding.contains(word))),
            "{change}\nshould name {named:?}, found {text:#?}"
        );
        self.run(back).await;
        assert_eq!(findings(&self.world, None).await, [], "{back}");
    }

    /// Sets a column of some rows to something else, and back.
    async fn changed(&self, table: &str, place: &str, set: (&str, &str), named: &[&str]) {
        let change = format!("UPDATE {table} SET {} WHERE {place}", set.0);
        let back = format!("UPDATE {table} SET {} WHERE {place}", set.1);
        self.tampered(&change, &back, named).await;
    }

    /// Deletes rows, and puts them back.
    async fn deleted(&self, tables: &[(&str, String)], named: &[&str]) {
        let (mut change, mut back) = (String::new(), String::new());
        for (table, place) in tables {
            use std::fmt::Write;
            write!(
                change,
                "CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {place}; \
                 DELETE FROM {table} WHERE {place};"
            )
            .unwrap();
            back = format!(
                "INSERT INTO {table} SELECT * FROM kept_{table}; DROP TABLE kept_{table}; {back}"
            );
        }
        self.tampered(&change, &back, named).await;
    }
}

#[expect(clippy::too_many_lines, reason = "one tampering after the other")]
async fn a_row_that_was_tampered_with_is_found_and_named(world: World) {
    let shop = shop(world).await;
    let (first, second) = (shop.bought[0], shop.bought[1]);
    shop.world.nodes[0].billing.fold().await.unwrap();
    assert_eq!(findings(&shop.world, None).await, []);
    shop.drop_triggers().await;
    let of = |id: TransactionId| format!("transaction_id = {}", shop.literal(id.0));
    let line = |id: TransactionId, line: i16| format!("{} AND line = {line}", of(id));
    let row = |id: Uuid| format!("id = {}", shop.literal(id));
    let (one, two) = (first.0.to_string(), second.0.to_string());

    // Amounts: of one posting, of two that still add up, and exchanged between two.
    let more = ("minor_units = minor_units + 1", "minor_units = minor_units - 1");
    shop.changed("ledger_postings", &line(first.0, 2), more, &[&one, "add up to 1"]).await;
    let shifted = |sign: &str| format!("minor_units = minor_units {sign} (5 - 2 * line)");
    let place = format!("{} AND line IN (2, 3)", of(first.0));
    let set = (shifted("+"), shifted("-"));
    shop.changed("ledger_postings", &place, (&set.0, &set.1), &[&one, "changed since"]).await;
    let charge = first.1.to_string();
    shop.changed("ledger_postings", &place, (&set.0, &set.1), &[&charge, "split", &one]).await;
    let account = Uuid::from_u128(7);
    let exchange = |from: i16, to: i16| {
        format!(
            "UPDATE ledger_postings SET account_id = {} WHERE {};\
             UPDATE ledger_postings SET account_id = (SELECT k.account_id FROM kept k \
             WHERE k.line = {from}) WHERE {};\
             UPDATE ledger_postings SET account_id = (SELECT k.account_id FROM kept k \
             WHERE k.line = {to}) WHERE {};",
            shop.literal(account),
            line(second.0, from),
            line(second.0, to),
            line(second.0, from),
        )
    };
    let keep =
        format!("CREATE TABLE kept AS SELECT * FROM ledger_postings WHERE {};", of(second.0));
    let back = format!(
        "UPDATE ledger_postings SET account_id = (SELECT k.account_id FROM kept k \
         WHERE k.line = ledger_postings.line) WHERE {}; DROP TABLE kept;",
        of(second.0)
    );
    shop.tampered(&(keep + &exchange(2, 3)), &back, &[&two, "changed since"]).await;

    // Lines taken away, and a transaction with all that is left of it.
    let credit = shop.credit.to_string();
    shop.deleted(&[("ledger_postings", of(shop.credit))], &[&credit, "not one transaction's"])
        .await;
    let whole = [("ledger_postings", of(shop.credit)), ("ledger_transactions", row(shop.credit.0))];
    shop.deleted(&whole, &[&credit, "is gone"]).await;
    shop.deleted(&[("ledger_chain", of(shop.credit))], &[&credit, "not in the history"]).await;
    shop.deleted(&[("ledger_chain", of(first.0))], &["of the chain is missing"]).await;

    // What a transaction says of itself, and when.
    let reference = ("reference = 'another'", "reference = 'a payment'");
    let place = row(shop.credit.0);
    shop.changed("ledger_transactions", &place, reference, &[&credit, "changed since"]).await;
    let later = ("created_at = created_at + 1", "created_at = created_at - 1");
    shop.changed("ledger_transactions", &place, later, &[&credit, "changed since"]).await;
    shop.changed("ledger_postings", &line(first.0, 1), later, &[&one, "changed since"]).await;

    // Balances.
    let wallet = format!(
        "account_id IN (SELECT account_id FROM ledger_postings WHERE {})",
        line(first.0, 1)
    );
    let richer = ("posted = posted + 100", "posted = posted - 100");
    shop.changed("ledger_balances", &wallet, richer, &["wallet", "by its postings"]).await;
    let version = ("version = version + 1", "version = version - 1");
    shop.changed("ledger_balances", &wallet, version, &["wallet", "movements"]).await;
    let after = ("balance_after = balance_after + 1", "balance_after = balance_after - 1");
    shop.changed("ledger_postings", &line(first.0, 1), after, &[&one, "leaves"]).await;
    let earned = format!(
        "account_id IN (SELECT account_id FROM ledger_postings WHERE {})",
        line(first.0, 2)
    );
    shop.changed("ledger_folded", &earned, richer, &["by its kept balance"]).await;

    // Charges.
    let split = (
        "operator_minor_units = operator_minor_units + 1, platform_minor_units = platform_minor_units - 1",
        "operator_minor_units = operator_minor_units - 1, platform_minor_units = platform_minor_units + 1",
    );
    shop.changed("charges", &row(first.1.0), split, &[&charge, "split", &one]).await;
    shop.deleted(&[("charges", row(first.1.0))], &[&charge, &one, "gone"]).await;
    let owed = format!("{} AND line IN (1, 2)", of(shop.abroad.0));
    let abroad = shop.abroad.1.to_string();
    let less =
        ("minor_units = minor_units - 3 + 2 * line", "minor_units = minor_units + 3 - 2 * line");
    shop.changed("ledger_postings", &owed, less, &[&abroad, "split"]).await;
    shop.changed("ledger_postings", &owed, less, &["between", "there"]).await;

    // The history itself.
    let chain = of(first.0);
    shop.history(&chain, &one).await;
    audit(&shop.world).await;
}

impl Shop {
    async fn history(&self, chain: &str, one: &str) {
        for (table, place, column, named) in [
            ("ledger_chain", chain, "chain_hash", ["does not follow", one]),
            ("ledger_chain", chain, "entry_hash", ["changed since", one]),
            ("ledger_heads", "size > 0", "root_hash", ["states another history", ""]),
            ("ledger_checkpoints", "size > 0", "chain_hash", ["states another history", ""]),
        ] {
            let change = format!(
                "CREATE TABLE kept AS SELECT tenant_id AS t, {column} AS h FROM {table} \
                 WHERE {place}; UPDATE {table} SET {column} = {} WHERE {place};",
                self.bytes(9)
            );
            let back = format!(
                "UPDATE {table} SET {column} = (SELECT h FROM kept WHERE t = {table}.tenant_id) \
                 WHERE {place}; DROP TABLE kept;"
            );
            self.tampered(&change, &back, &named).await;
        }
        let later = ("signed_at = signed_at + 1", "signed_at = signed_at - 1");
        self.changed("ledger_heads", "size > 0", later, &["not signed"]).await;
        self.changed("ledger_checkpoints", "size > 0", later, &["not signed"]).await;
        let place = "size IN (SELECT size FROM ledger_heads)";
        self.changed("ledger_heads", place, ("size = size + 1", "size = size - 1"), &["its head"])
            .await;
    }
}

async fn what_is_not_folded_for_long_is_found_and_one_tenant_can_be_verified(world: World) {
    let shop = shop(world).await;
    // Just made: all of it waits, and nothing is wrong with that.
    assert_eq!(findings(&shop.world, None).await, []);
    shop.world.pass_time(Duration::from_mins(11));
    let found = findings(&shop.world, Some(shop.tenant)).await;
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 4, "{text:#?}");
    assert!(text.iter().all(|finding| finding.contains("has waited")), "{text:#?}");
    assert!(found.iter().all(|finding| finding.tenant == shop.tenant));
    let folded = shop.world.nodes[0].billing.fold().await.unwrap();
    assert_eq!((folded, shop.world.nodes[0].billing.fold().await.unwrap()), (5, 0));
    assert_eq!(findings(&shop.world, None).await, []);
    // What is posted afterwards goes on from there.
    shop.world.key(0, shop.tenant).credit(shop.ann, "EUR", 5).await;
    audit(&shop.world).await;
}

crate::on_both_databases!(
    a_row_that_was_tampered_with_is_found_and_named,
    what_is_not_folded_for_long_is_found_and_one_tenant_can_be_verified,
);
