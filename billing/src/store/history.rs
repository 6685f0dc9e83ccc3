//! The chain and the tree over a tenant's ledger, and what waits to be folded into them.

use std::collections::BTreeMap;

use sea_orm::{DatabaseTransaction, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use plasma_kit::SystemDb;
use plasma_kit::db::{Scope, StoreError, SystemTx, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, ChatId, TenantId, UserId};
use plasma_proof::tree::{Frontier, Subtree};
use plasma_proof::{Checkpoint, Hash, NO_CHAIN, SignedCheckpoint};

use super::{Write, all, one, placeholders, write};
use crate::domain::pass::Obligation;

/// A tenant's books in a transaction of the folder, which serves all tenants.
pub(crate) struct FoldedBooks<'a> {
    tx: &'a SystemTx,
    tenant: TenantId,
}

impl<'a> FoldedBooks<'a> {
    pub(crate) fn new(tx: &'a SystemTx, tenant: TenantId) -> Self {
        Self { tx, tenant }
    }
}

impl Scope for FoldedBooks<'_> {
    type Connection = DatabaseTransaction;

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn conn(&self) -> &DatabaseTransaction {
        self.tx.conn()
    }
}

impl Write for FoldedBooks<'_> {}

/// Where a tenant's history ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The tree's right edge.
    pub(crate) frontier: Frontier,
    /// The chain after the last entry.
    pub(crate) chain: Hash,
}

/// The first tenant after another, in the order of ids, of whom something waits.
pub(crate) async fn next_tenant(
    db: &SystemDb,
    after: TenantId,
) -> Result<Option<TenantId>, StoreError> {
    use sea_orm::ConnectionTrait;
    // Nil is before every tenant.
    let sql = "SELECT tenant_id FROM ledger_unfolded WHERE tenant_id > $1 \
               ORDER BY tenant_id LIMIT 1";
    let statement = Statement::from_sql_and_values(db.backend(), sql, [after.0.into()]);
    let row = db.conn().query_one_raw(statement).await?;
    row.map(|row| Ok(TenantId(row.try_get("", "tenant_id")?))).transpose()
}

/// Takes hold of a tenant's head until the transaction ends, and makes it where there is none.
/// `None` where another node has it.
pub(crate) async fn hold_head(books: &impl Write) -> Result<Option<Head>, StoreError> {
    // On SQLite the transaction began as the only one that writes.
    let lock = match books.backend() {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let sql =
        format!("SELECT size, chain_hash, frontier FROM ledger_heads WHERE tenant_id = $1 {lock}");
    if let Some(row) = one(books, &sql, vec![books.tenant().0.into()]).await? {
        return head(&row).map(Some);
    }
    let sql = "INSERT INTO ledger_heads \
               (tenant_id, size, chain_hash, frontier, root_hash, signed_at, signature) \
               VALUES ($1, 0, $2, $3, $3, 0, $3) ON CONFLICT DO NOTHING";
    let values = vec![books.tenant().0.into(), NO_CHAIN.to_vec().into(), Vec::<u8>::new().into()];
    let made = write(books, sql, values).await? == 1;
    Ok(made.then(|| Head { frontier: Frontier::default(), chain: NO_CHAIN }))
}

fn head(row: &QueryResult) -> Result<Head, StoreError> {
    let size = number(row.try_get("", "size")?)?;
    let frontier: Vec<u8> = row.try_get("", "frontier")?;
    let frontier = Frontier::from_bytes(size, &frontier)
        .ok_or_else(|| StoreError::Inconsistent(format!("the frontier of {size} entries")))?;
    Ok(Head { frontier, chain: hash(row, "chain_hash")? })
}

/// The transactions that wait, some of them, by their ids.
pub(crate) async fn waiting(books: &impl Scope, most: usize) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT u.transaction_id FROM ledger_unfolded u \
               JOIN ledger_transactions t ON t.tenant_id = u.tenant_id AND t.id = u.transaction_id \
               WHERE u.tenant_id = $1 ORDER BY u.transaction_id LIMIT $2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = all(books, sql, vec![books.tenant().0.into(), most.into()]).await?;
    rows.iter().map(|row| Ok(row.try_get("", "transaction_id")?)).collect()
}

/// One link of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) transaction: Uuid,
    pub(crate) entry: Hash,
    pub(crate) chain: Hash,
}

/// What a batch adds to a tenant's history.
#[derive(Debug, Default)]
pub(crate) struct Addition {
    pub(crate) links: Vec<Link>,
    pub(crate) subtrees: Vec<(Subtree, Hash)>,
    /// By account without a floor.
    pub(crate) posted: BTreeMap<Uuid, i64>,
}

/// Writes a batch, of which nothing waits any longer.
pub(crate) async fn append(books: &impl Write, addition: &Addition) -> Result<(), StoreError> {
    let tenant = books.tenant().0;
    let count = addition.links.len();
    let sql = format!(
        "INSERT INTO ledger_chain (tenant_id, number, transaction_id, entry_hash, chain_hash) \
         VALUES {}",
        placeholders(count, 5)
    );
    let values = addition.links.iter().flat_map(|link| -> [Value; 5] {
        [
            tenant.into(),
            signed(link.number).into(),
            link.transaction.into(),
            link.entry.to_vec().into(),
            link.chain.to_vec().into(),
        ]
    });
    expect_rows("link a chain", count as u64, write(books, &sql, values.collect()).await?)?;
    let list: Vec<String> = (0..count).map(|n| format!("${}", n + 2)).collect();
    let sql = format!(
        "DELETE FROM ledger_unfolded WHERE tenant_id = $1 AND transaction_id IN ({})",
        list.join(", ")
    );
    let folded = addition.links.iter().map(|link| link.transaction.into());
    let values = std::iter::once(tenant.into()).chain(folded).collect();
    expect_rows("take from what waits", count as u64, write(books, &sql, values).await?)?;
    keep_subtrees(books, &addition.subtrees).await?;
    add_to_balances(books, &addition.posted).await
}

async fn keep_subtrees(books: &impl Write, subtrees: &[(Subtree, Hash)]) -> Result<(), StoreError> {
    if subtrees.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO ledger_subtrees (tenant_id, height, position, hash) VALUES {}",
        placeholders(subtrees.len(), 4)
    );
    let values = subtrees.iter().flat_map(|(subtree, hash)| -> [Value; 4] {
        [
            books.tenant().0.into(),
            i16::try_from(subtree.height).unwrap_or(i16::MAX).into(),
            signed(subtree.index).into(),
            hash.to_vec().into(),
        ]
    });
    write(books, &sql, values.collect()).await?;
    Ok(())
}

async fn add_to_balances(
    books: &impl Write,
    posted: &BTreeMap<Uuid, i64>,
) -> Result<(), StoreError> {
    if posted.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO ledger_folded (tenant_id, account_id, posted) VALUES {} \
         ON CONFLICT (tenant_id, account_id) \
         DO UPDATE SET posted = ledger_folded.posted + excluded.posted",
        placeholders(posted.len(), 3)
    );
    let values = posted.iter().flat_map(|(account, minor_units)| -> [Value; 3] {
        [books.tenant().0.into(), (*account).into(), (*minor_units).into()]
    });
    write(books, &sql, values.collect()).await?;
    Ok(())
}

/// Moves the head of `before` entries on to a checkpoint.
pub(crate) async fn move_head(
    books: &impl Write,
    before: u64,
    frontier: &Frontier,
    signed_checkpoint: &SignedCheckpoint,
) -> Result<(), StoreError> {
    let SignedCheckpoint { checkpoint, signature } = signed_checkpoint;
    let sql = "UPDATE ledger_heads SET size = $3, chain_hash = $4, frontier = $5, root_hash = $6, \
               signed_at = $7, signature = $8 WHERE tenant_id = $1 AND size = $2";
    let values = vec![
        books.tenant().0.into(),
        signed(before).into(),
        signed(checkpoint.size).into(),
        checkpoint.chain.to_vec().into(),
        frontier.to_bytes().into(),
        checkpoint.root.to_vec().into(),
        checkpoint.time.into(),
        signature.to_vec().into(),
    ];
    expect_rows("move a ledger's head", 1, write(books, sql, values).await?)
}

/// Keeps a checkpoint for ever, unless one was kept since `since`.
pub(crate) async fn keep_checkpoint(
    books: &impl Write,
    signed_checkpoint: &SignedCheckpoint,
    since: Timestamp,
) -> Result<(), StoreError> {
    let SignedCheckpoint { checkpoint, signature } = signed_checkpoint;
    let sql = "SELECT signed_at FROM ledger_checkpoints WHERE tenant_id = $1 \
               ORDER BY size DESC LIMIT 1";
    let latest = one(books, sql, vec![books.tenant().0.into()]).await?;
    let latest: Option<i64> = latest.map(|row| row.try_get("", "signed_at")).transpose()?;
    if latest.is_some_and(|latest| latest > since.0) {
        return Ok(());
    }
    let sql = "INSERT INTO ledger_checkpoints \
               (tenant_id, size, chain_hash, root_hash, signed_at, signature) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        books.tenant().0.into(),
        signed(checkpoint.size).into(),
        checkpoint.chain.to_vec().into(),
        checkpoint.root.to_vec().into(),
        checkpoint.time.into(),
        signature.to_vec().into(),
    ];
    expect_rows("keep a checkpoint", 1, write(books, sql, values).await?)
}

/// The checkpoint of a tenant's head; `None` where nothing has been folded.
pub(crate) async fn checkpoint(books: &impl Scope) -> Result<Option<SignedCheckpoint>, StoreError> {
    let sql = "SELECT size, chain_hash, root_hash, signed_at, signature FROM ledger_heads \
               WHERE tenant_id = $1 AND size > 0";
    let row = one(books, sql, vec![books.tenant().0.into()]).await?;
    row.map(|row| read_checkpoint(books.tenant(), &row)).transpose()
}

/// Reads a checkpoint's columns.
pub(crate) fn read_checkpoint(
    tenant: TenantId,
    row: &QueryResult,
) -> Result<SignedCheckpoint, StoreError> {
    let signature: Vec<u8> = row.try_get("", "signature")?;
    Ok(SignedCheckpoint {
        checkpoint: Checkpoint {
            tenant: tenant.0,
            size: number(row.try_get("", "size")?)?,
            root: hash(row, "root_hash")?,
            chain: hash(row, "chain_hash")?,
            time: row.try_get("", "signed_at")?,
        },
        signature: signature.try_into().map_err(|_| wrong_length("signature"))?,
    })
}

/// The number under which a transaction was folded; `None` where it waits.
pub(crate) async fn number_of(
    books: &impl Scope,
    transaction: Uuid,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT number FROM ledger_chain WHERE tenant_id = $1 AND transaction_id = $2";
    let row = one(books, sql, vec![books.tenant().0.into(), transaction.into()]).await?;
    row.map(|row| number(row.try_get("", "number")?)).transpose()
}

/// The entries of some numbers, in their order.
pub(crate) async fn links(
    books: &impl Scope,
    first: u64,
    count: u64,
) -> Result<Vec<Link>, StoreError> {
    let sql = "SELECT number, transaction_id, entry_hash, chain_hash FROM ledger_chain \
               WHERE tenant_id = $1 AND number >= $2 ORDER BY number LIMIT $3";
    let values = vec![books.tenant().0.into(), signed(first).into(), signed(count).into()];
    let link = |row: &QueryResult| {
        Ok(Link {
            number: number(row.try_get("", "number")?)?,
            transaction: row.try_get("", "transaction_id")?,
            entry: hash(row, "entry_hash")?,
            chain: hash(row, "chain_hash")?,
        })
    };
    all(books, sql, values).await?.iter().map(link).collect()
}

/// The hashes of some perfect subtrees of a height that is kept, in their order.
pub(crate) async fn subtrees(
    books: &impl Scope,
    height: u32,
    first: u64,
    count: u64,
) -> Result<Vec<Hash>, StoreError> {
    let sql = "SELECT hash FROM ledger_subtrees WHERE tenant_id = $1 AND height = $2 \
               AND position >= $3 ORDER BY position LIMIT $4";
    let values = vec![
        books.tenant().0.into(),
        i16::try_from(height).unwrap_or(i16::MAX).into(),
        signed(first).into(),
        signed(count).into(),
    ];
    all(books, sql, values).await?.iter().map(|row| hash(row, "hash")).collect()
}

/// Reads a column of 32 bytes.
pub(crate) fn hash(row: &QueryResult, column: &str) -> Result<Hash, StoreError> {
    let bytes: Vec<u8> = row.try_get("", column)?;
    bytes.try_into().map_err(|_| wrong_length(column))
}

fn wrong_length(column: &str) -> StoreError {
    StoreError::Inconsistent(format!("{column} has a wrong length"))
}

fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Inconsistent(format!("the number {value}")))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The debt that a charge of the tenant pays.
pub(crate) async fn debt_of_charge(
    books: &impl Scope,
    charge: ChargeId,
) -> Result<Option<Obligation>, StoreError> {
    let sql = "SELECT chat_id, ordinal FROM charges WHERE tenant_id = $1 AND id = $2";
    let row = one(books, sql, vec![books.tenant().0.into(), charge.0.into()]).await?;
    row.map(|row| obligation(&row)).transpose()
}

/// The debt that a charge paid for a user of the tenant.
pub(crate) async fn debt_of_payer(
    books: &impl Scope,
    payer: UserId,
    charge: ChargeId,
) -> Result<Option<Obligation>, StoreError> {
    let sql = "SELECT chat_id, ordinal FROM passes \
               WHERE tenant_id = $1 AND payer_user_id = $2 AND charge_id = $3";
    let values = vec![books.tenant().0.into(), payer.0.into(), charge.0.into()];
    one(books, sql, values).await?.map(|row| obligation(&row)).transpose()
}

fn obligation(row: &QueryResult) -> Result<Obligation, StoreError> {
    Ok(Obligation {
        chat: ChatId(row.try_get("", "chat_id")?),
        ordinal: row.try_get("", "ordinal")?,
    })
}
