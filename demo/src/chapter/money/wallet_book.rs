//! The book of a platform’s own wallet, read from its file and not through the service.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::person::SOON;

/// `plasma.billing.v1.WalletOperationState`, as the book keeps it.
const RESERVED: i32 = 1;
const CAPTURED: i32 = 2;

/// The book.
#[derive(Debug)]
pub struct WalletBook(Connection);

impl WalletBook {
    /// Opens the file of a wallet, which may be running.
    pub fn open(file: &Path) -> Result<Self> {
        let book = Connection::open(file)?;
        book.busy_timeout(SOON)?;
        Ok(Self(book))
    }

    /// What was captured, in minor units, by the id of the operation.
    pub fn captured(&self) -> Result<BTreeMap<String, i64>> {
        let sql = "SELECT id, captured FROM operations WHERE state = ?1";
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.query_map([CAPTURED], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many operations hold money back without having taken it.
    pub fn held(&self) -> Result<i64> {
        let sql = "SELECT count(*) FROM operations WHERE state = ?1";
        Ok(self.0.query_row(sql, [RESERVED], |row| row.get(0))?)
    }

    /// What was captured of a user, in minor units.
    pub fn taken_of(&self, user: &str) -> Result<i64> {
        let sql =
            "SELECT COALESCE(SUM(captured), 0) FROM operations WHERE state = ?1 AND user = ?2";
        Ok(self.0.query_row(sql, params![CAPTURED, user], |row| row.get(0))?)
    }

    /// Dates every operation to a moment, in microseconds.
    pub fn date_to(&self, moment: i64) -> Result<()> {
        self.0.execute("UPDATE operations SET created_at = ?1", [moment])?;
        Ok(())
    }

    /// Writes another amount into one captured operation than was captured.
    pub fn misstate(&self, operation_id: &str, by: i64) -> Result<()> {
        let sql = "UPDATE operations SET captured = captured + ?1 WHERE id = ?2";
        self.0.execute(sql, params![by, operation_id])?;
        Ok(())
    }
}
