//! The rules of the contract over one SQLite file: every call is one transaction, and every decision
//! is stored before it is answered.

mod listing;
mod operation;
mod schema;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use pb::{DeclineReason, WalletOperationKind, WalletOperationState as State};
use plasma_proto::billing::v1 as pb;
use prost::Message;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::flaws::Flaw;
use operation::Row;

/// What a book could not do.
pub type Result<T> = std::result::Result<T, rusqlite::Error>;

/// A wallet's book. Clones share it.
#[derive(Debug, Clone)]
pub struct Book {
    connection: Arc<Mutex<Connection>>,
    flaw: Option<Flaw>,
    clock_offset_micros: i64,
}

impl Book {
    /// Opens a book in a file, which is made where there is none.
    pub fn open(file: &Path) -> Result<Self> {
        Self::over(Connection::open(file)?)
    }

    /// A book that lasts as long as the process.
    pub fn in_memory() -> Result<Self> {
        Self::over(Connection::open_in_memory()?)
    }

    fn over(connection: Connection) -> Result<Self> {
        connection.execute_batch(schema::SCHEMA)?;
        let connection = Arc::new(Mutex::new(connection));
        Ok(Self { connection, flaw: None, clock_offset_micros: 0 })
    }

    /// The same book, kept by someone who misunderstands the contract.
    #[must_use]
    pub fn with_flaw(self, flaw: Option<Flaw>) -> Self {
        Self { flaw, ..self }
    }

    /// The same book with another clock, for tests of what happens on other days.
    #[must_use]
    pub fn with_clock_offset(self, clock_offset_micros: i64) -> Self {
        Self { clock_offset_micros, ..self }
    }

    /// The misunderstanding, if there is one.
    pub(crate) fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Gives a user money, and makes it known where it is not.
    pub fn deposit(&self, user: &str, currency: &str, minor_units: i64) -> Result<()> {
        self.transact(|tx| {
            tx.execute(
                "INSERT INTO users (user, currency, balance) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET balance = balance + ?3",
                params![user, currency, minor_units],
            )?;
            Ok(())
        })
    }

    /// What a user has and what of it can be spent.
    pub fn balance(&self, user: &str, currency: &str) -> Result<(i64, i64)> {
        let shows_reserved = self.has(Flaw::ShowsReserved);
        self.transact(|tx| {
            let money = money(tx, user, currency)?;
            let (balance, reserved) = money.unwrap_or_default();
            Ok((balance, if shows_reserved { balance } else { balance - reserved }))
        })
    }

    /// Everything that was captured less what was given back, of all users.
    pub fn taken(&self, currency: &str) -> Result<i64> {
        self.transact(|tx| {
            tx.query_row(
                "SELECT COALESCE(SUM(CASE state WHEN 2 THEN captured WHEN 5 THEN -minor_units \
                 ELSE 0 END), 0) FROM operations WHERE currency = ?1",
                [currency],
                |row| row.get(0),
            )
        })
    }

    /// How many operations are in a state.
    pub fn count(&self, state: State) -> Result<i64> {
        self.transact(|tx| {
            let sql = "SELECT COUNT(*) FROM operations WHERE state = ?1";
            tx.query_row(sql, [i32::from(state)], |row| row.get(0))
        })
    }

    /// Sets money aside.
    pub fn reserve(&self, request: &pb::ReserveRequest) -> Result<pb::ReserveResponse> {
        use pb::reserve_response::Outcome;
        let outcome = self.transact(|tx| {
            let amount = request.amount.clone().unwrap_or_default();
            let body = request.encode_to_vec();
            if let Some(known) = Row::load(tx, &request.operation_id)? {
                return Ok(match &known.body {
                    // Released before it came.
                    None => Outcome::Declined(declined(DeclineReason::Released)),
                    Some(first) if *first != body && !self.has(Flaw::IgnoresOtherBody) => {
                        Outcome::Duplicate(pb::WalletDuplicate { operation: Some(known.written()) })
                    }
                    Some(_) => {
                        if let Some(declined) = known.decline {
                            Outcome::Declined(declined)
                        } else {
                            if self.has(Flaw::RepeatsReserve) {
                                self.ghost(tx, &known)?;
                            }
                            Outcome::Accepted(known.accepted())
                        }
                    }
                });
            }
            let row = Row {
                id: request.operation_id.clone(),
                kind: WalletOperationKind::Reserve,
                state: State::Reserved,
                user: request.partner_user_id.clone(),
                currency: amount.currency_code.clone(),
                minor_units: amount.minor_units,
                captured: 0,
                body: Some(body),
                decline: self.refusal(tx, &request.partner_user_id, &amount)?,
                reserve_id: String::new(),
                created_at: self.now(tx)?,
            };
            let row =
                if row.decline.is_some() { Row { state: State::Declined, ..row } } else { row };
            row.insert(tx)?;
            Ok(match row.decline.clone() {
                Some(declined) => Outcome::Declined(declined),
                None => Outcome::Accepted(row.accepted()),
            })
        })?;
        Ok(pb::ReserveResponse { outcome: Some(outcome) })
    }

    /// Takes what was set aside, or a part of it.
    pub fn capture(&self, request: &pb::CaptureRequest) -> Result<pb::CaptureResponse> {
        use pb::capture_response::Outcome;
        let outcome = self.transact(|tx| {
            let amount = request.amount.clone().unwrap_or_default();
            let Some(mut row) = Row::load(tx, &request.operation_id)? else {
                return Ok(Outcome::UnknownOperation(pb::WalletUnknownOperation {}));
            };
            let duplicate = |row: &Row| {
                Outcome::Duplicate(pb::WalletDuplicate { operation: Some(row.written()) })
            };
            let takes_released = row.state == State::Released && self.has(Flaw::CapturesReleased);
            match row.state {
                State::Captured if self.has(Flaw::CapturesTwice) => {
                    pay(tx, &row.user, &row.currency, -amount.minor_units)?;
                    return Ok(Outcome::Accepted(row.accepted()));
                }
                State::Captured if row.captured == amount.minor_units => {
                    return Ok(Outcome::Accepted(row.accepted()));
                }
                State::Captured => return Ok(duplicate(&row)),
                State::Released if !takes_released => {
                    return Ok(Outcome::Declined(declined(DeclineReason::Released)));
                }
                State::Declined | State::Refunded | State::Unspecified => {
                    return Ok(Outcome::Declined(declined(DeclineReason::Other)));
                }
                State::Reserved if self.has(Flaw::DeclinesCaptures) => {
                    row.state = State::Released;
                    row.update(tx)?;
                    return Ok(Outcome::Declined(declined(DeclineReason::Expired)));
                }
                State::Reserved | State::Released => {}
            }
            if amount.currency_code != row.currency || amount.minor_units > row.minor_units {
                return Ok(duplicate(&row));
            }
            let taken =
                if self.has(Flaw::CapturesWhole) { row.minor_units } else { amount.minor_units };
            pay(tx, &row.user, &row.currency, -taken)?;
            row.captured = amount.minor_units;
            row.state = State::Captured;
            row.update(tx)?;
            Ok(Outcome::Accepted(row.accepted()))
        })?;
        Ok(pb::CaptureResponse { outcome: Some(outcome) })
    }

    /// Frees what was set aside, or makes sure that it never will be.
    pub fn release(&self, request: &pb::ReleaseRequest) -> Result<pb::ReleaseResponse> {
        use pb::release_response::Outcome;
        let outcome = self.transact(|tx| {
            let Some(mut row) = Row::load(tx, &request.operation_id)? else {
                let tombstone = Row::tombstone(&request.operation_id, self.now(tx)?);
                if !self.has(Flaw::ForgetsRelease) {
                    tombstone.insert(tx)?;
                }
                return Ok(Outcome::Accepted(tombstone.accepted()));
            };
            match row.state {
                State::Captured if self.has(Flaw::ReleasesCaptured) => {
                    pay(tx, &row.user, &row.currency, row.captured)?;
                    row.state = State::Released;
                    row.update(tx)?;
                }
                State::Captured => {
                    return Ok(Outcome::Declined(declined(DeclineReason::Captured)));
                }
                State::Reserved => {
                    if self.has(Flaw::KeepsReleased) {
                        pay(tx, &row.user, &row.currency, -row.minor_units)?;
                    }
                    row.state = State::Released;
                    row.update(tx)?;
                }
                State::Declined if self.has(Flaw::KeepsDeclined) => {
                    return Ok(Outcome::Declined(declined(DeclineReason::Other)));
                }
                State::Released | State::Declined | State::Refunded | State::Unspecified => {}
            }
            Ok(Outcome::Accepted(row.accepted()))
        })?;
        Ok(pb::ReleaseResponse { outcome: Some(outcome) })
    }

    /// Gives back what was taken, or a part of it.
    pub fn refund(&self, request: &pb::RefundRequest) -> Result<pb::RefundResponse> {
        use pb::refund_response::Outcome;
        let outcome = self.transact(|tx| {
            let amount = request.amount.clone().unwrap_or_default();
            let body = request.encode_to_vec();
            if let Some(known) = Row::load(tx, &request.operation_id)? {
                return Ok(match (&known.body, known.decline.clone()) {
                    (Some(first), Some(declined)) if *first == body => Outcome::Declined(declined),
                    (Some(first), None) if *first == body => {
                        if self.has(Flaw::RepeatsRefund) {
                            pay(tx, &known.user, &known.currency, known.minor_units)?;
                        }
                        Outcome::Accepted(known.accepted())
                    }
                    _ => {
                        Outcome::Duplicate(pb::WalletDuplicate { operation: Some(known.written()) })
                    }
                });
            }
            let Some(reserve) = Row::load(tx, &request.reserve_operation_id)? else {
                return Ok(Outcome::UnknownOperation(pb::WalletUnknownOperation {}));
            };
            let left = reserve.captured - refunded(tx, &reserve.id)?;
            let decline =
                if reserve.state != State::Captured || reserve.currency != amount.currency_code {
                    Some(declined(DeclineReason::Other))
                } else if amount.minor_units > left && !self.has(Flaw::RefundsTooMuch) {
                    Some(declined(DeclineReason::Limit))
                } else {
                    None
                };
            let state = if decline.is_some() { State::Declined } else { State::Refunded };
            let row = Row {
                id: request.operation_id.clone(),
                kind: WalletOperationKind::Refund,
                state,
                user: reserve.user.clone(),
                currency: amount.currency_code.clone(),
                minor_units: amount.minor_units,
                captured: 0,
                body: Some(body),
                decline: decline.clone(),
                reserve_id: reserve.id.clone(),
                created_at: self.now(tx)?,
            };
            row.insert(tx)?;
            Ok(if let Some(declined) = decline {
                Outcome::Declined(declined)
            } else {
                pay(tx, &row.user, &row.currency, row.minor_units)?;
                Outcome::Accepted(row.accepted())
            })
        })?;
        Ok(pb::RefundResponse { outcome: Some(outcome) })
    }

    /// What became of an operation.
    pub fn operation(&self, id: &str) -> Result<pb::GetOperationResponse> {
        use pb::get_operation_response::Answer;
        let answer = self.transact(|tx| {
            Ok(match Row::load(tx, id)? {
                Some(row) if self.has(Flaw::ShowsOldState) => {
                    Answer::Operation(Row { state: State::Reserved, ..row }.written())
                }
                Some(row) => Answer::Operation(row.written()),
                None => Answer::UnknownOperation(pb::WalletUnknownOperation {}),
            })
        })?;
        Ok(pb::GetOperationResponse { answer: Some(answer) })
    }

    /// Why a user cannot have an amount set aside; `None` where it can.
    fn refusal(
        &self,
        tx: &Transaction<'_>,
        user: &str,
        amount: &pb::Amount,
    ) -> Result<Option<pb::WalletDeclined>> {
        let known = "SELECT 1 FROM users WHERE user = ?1 LIMIT 1";
        let known: Option<i64> = tx.query_row(known, [user], |row| row.get(0)).optional()?;
        if known.is_none() {
            return Ok(
                (!self.has(Flaw::WelcomesStrangers)).then(|| declined(DeclineReason::UserUnknown))
            );
        }
        let Some((balance, reserved)) = money(tx, user, &amount.currency_code)? else {
            return Ok(Some(declined(DeclineReason::CurrencyNotHeld)));
        };
        let available = balance - reserved;
        let short = available < amount.minor_units && !self.has(Flaw::LendsMoney);
        Ok(short.then(|| pb::WalletDeclined {
            available_minor_units: available,
            ..declined(DeclineReason::InsufficientFunds)
        }))
    }

    /// Sets the money of a reserve aside once more, as a flaw does.
    pub(crate) fn ghost(&self, tx: &Transaction<'_>, row: &Row) -> Result<()> {
        let id = format!("{}/{}", row.id, self.now(tx)?);
        Row { id, body: None, ..row.clone() }.insert(tx)
    }

    /// The same outside a transaction.
    pub(crate) fn double(&self, id: &str) -> Result<()> {
        self.transact(|tx| match Row::load(tx, id)? {
            Some(row) => self.ghost(tx, &row),
            None => Ok(()),
        })
    }

    fn now(&self, tx: &Transaction<'_>) -> Result<i64> {
        let sql = "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)";
        let now: i64 = tx.query_row(sql, [], |row| row.get(0))?;
        Ok(now + self.clock_offset_micros)
    }

    fn transact<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }
}

fn declined(reason: DeclineReason) -> pb::WalletDeclined {
    let message = reason.as_str_name().trim_start_matches("DECLINE_REASON_").to_lowercase();
    pb::WalletDeclined { reason: reason.into(), message, available_minor_units: 0 }
}

/// A user's balance and what of it is reserved; `None` where it has no such wallet.
fn money(tx: &Transaction<'_>, user: &str, currency: &str) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT balance, (SELECT COALESCE(SUM(minor_units), 0) FROM operations o \
               WHERE o.user = u.user AND o.currency = u.currency AND o.state = 1) \
               FROM users u WHERE user = ?1 AND currency = ?2";
    tx.query_row(sql, [user, currency], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// Adds to a user's money, or takes from it.
fn pay(tx: &Transaction<'_>, user: &str, currency: &str, minor_units: i64) -> Result<()> {
    tx.execute(
        "UPDATE users SET balance = balance + ?3 WHERE user = ?1 AND currency = ?2",
        params![user, currency, minor_units],
    )?;
    Ok(())
}

/// What was given back of a reserve.
fn refunded(tx: &Transaction<'_>, reserve: &str) -> Result<i64> {
    let sql = "SELECT COALESCE(SUM(minor_units), 0) FROM operations \
               WHERE reserve_id = ?1 AND state = 5";
    tx.query_row(sql, [reserve], |row| row.get(0))
}
