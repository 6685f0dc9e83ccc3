//! The comparison after each operation.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::run::Run;
use crate::books::invariants;

impl Run {
    /// Compares every account, and counts what there is one of.
    pub(super) async fn check(&self, n: u64) {
        let conn = self.world.nodes[0].db.for_migrations();
        let sql = "SELECT a.tenant_id, a.purpose, a.owner_id, a.currency, \
                   CAST(COALESCE(SUM(p.minor_units), 0) AS BIGINT) AS posted \
                   FROM ledger_accounts a LEFT JOIN ledger_postings p \
                   ON p.tenant_id = a.tenant_id AND p.account_id = a.id \
                   GROUP BY a.tenant_id, a.purpose, a.owner_id, a.currency";
        let statement = Statement::from_string(conn.get_database_backend(), sql);
        let rows = conn.query_all_raw(statement).await.unwrap();
        let stored: BTreeMap<(Uuid, i16, Uuid, String), i64> = rows
            .iter()
            .map(|row| {
                let key = (
                    row.try_get("", "tenant_id").unwrap(),
                    row.try_get("", "purpose").unwrap(),
                    row.try_get("", "owner_id").unwrap(),
                    row.try_get("", "currency").unwrap(),
                );
                (key, row.try_get("", "posted").unwrap())
            })
            .collect();
        assert_eq!(stored, self.model.accounts, "after operation {n}");
        let passes: usize = self.model.chats.values().map(|chat| chat.ends.len()).sum();
        for (table, expected) in [
            ("passes", i64::try_from(passes).unwrap()),
            ("charges", self.model.charges),
            ("ledger_transactions", self.model.transactions),
        ] {
            let stored = self.world.count(&format!("SELECT COUNT(*) FROM {table}")).await;
            assert_eq!(stored, expected, "{table} after operation {n}");
        }
        invariants(&self.world).await;
    }
}
