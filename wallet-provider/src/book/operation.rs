//! One operation: its row, and how the contract writes it.

use pb::{WalletOperationKind, WalletOperationState};
use plasma_proto::billing::v1 as pb;
use prost::Message;
use rusqlite::{OptionalExtension, Transaction, params};

use super::Result;

/// An operation as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(super) id: String,
    pub(super) kind: WalletOperationKind,
    pub(super) state: WalletOperationState,
    pub(super) user: String,
    pub(super) currency: String,
    pub(super) minor_units: i64,
    pub(super) captured: i64,
    /// The request's bytes, by which another body is told; a tombstone has none.
    pub(super) body: Option<Vec<u8>>,
    pub(super) decline: Option<pb::WalletDeclined>,
    pub(super) reserve_id: String,
    /// Microseconds since 1970.
    pub(super) created_at: i64,
}

pub(super) const COLUMNS: &str = "id, kind, state, user, currency, minor_units, captured, body, \
                                  decline, reserve_id, created_at";

impl Row {
    /// What a release leaves of a reserve that never came.
    pub(super) fn tombstone(id: &str, created_at: i64) -> Self {
        Self {
            id: id.to_owned(),
            kind: WalletOperationKind::Reserve,
            state: WalletOperationState::Released,
            user: String::new(),
            currency: String::new(),
            minor_units: 0,
            captured: 0,
            body: None,
            decline: None,
            reserve_id: String::new(),
            created_at,
        }
    }

    pub(super) fn load(tx: &Transaction<'_>, id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM operations WHERE id = ?1");
        tx.query_row(&sql, [id], Self::read).optional()
    }

    pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        let (kind, state): (i32, i32) = (row.get(1)?, row.get(2)?);
        let decline: Option<Vec<u8>> = row.get(8)?;
        Ok(Self {
            id: row.get(0)?,
            kind: WalletOperationKind::try_from(kind).unwrap_or_default(),
            state: WalletOperationState::try_from(state).unwrap_or_default(),
            user: row.get(3)?,
            currency: row.get(4)?,
            minor_units: row.get(5)?,
            captured: row.get(6)?,
            body: row.get(7)?,
            decline: decline.and_then(|bytes| pb::WalletDeclined::decode(&*bytes).ok()),
            reserve_id: row.get(9)?,
            created_at: row.get(10)?,
        })
    }

    pub(super) fn insert(&self, tx: &Transaction<'_>) -> Result<()> {
        let sql = format!(
            "INSERT INTO operations ({COLUMNS}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        );
        tx.execute(
            &sql,
            params![
                self.id,
                i32::from(self.kind),
                i32::from(self.state),
                self.user,
                self.currency,
                self.minor_units,
                self.captured,
                self.body,
                self.decline.as_ref().map(Message::encode_to_vec),
                self.reserve_id,
                self.created_at,
            ],
        )?;
        Ok(())
    }

    /// Stores the state and what was captured.
    pub(super) fn update(&self, tx: &Transaction<'_>) -> Result<()> {
        let sql = "UPDATE operations SET state = ?2, captured = ?3 WHERE id = ?1";
        tx.execute(sql, params![self.id, i32::from(self.state), self.captured])?;
        Ok(())
    }

    pub(super) fn written(&self) -> pb::WalletOperation {
        let amount =
            pb::Amount { currency_code: self.currency.clone(), minor_units: self.minor_units };
        pb::WalletOperation {
            operation_id: self.id.clone(),
            kind: self.kind.into(),
            state: self.state.into(),
            partner_user_id: self.user.clone(),
            // A tombstone knows no amount.
            amount: (!self.currency.is_empty()).then_some(amount),
            captured_minor_units: self.captured,
            create_time: Some(prost_types::Timestamp {
                seconds: self.created_at.div_euclid(1_000_000),
                nanos: i32::try_from(self.created_at.rem_euclid(1_000_000) * 1_000)
                    .unwrap_or_default(),
            }),
            reserve_operation_id: self.reserve_id.clone(),
        }
    }

    pub(super) fn accepted(&self) -> pb::WalletAccepted {
        pb::WalletAccepted { operation: Some(self.written()) }
    }
}
