//! Exports as CSV: pages of rows, written as they are asked for, so that a file of any size takes
//! the memory of one page, and one that nobody reads any longer ends by itself.

mod cell;
mod charges;
mod payouts;
mod postings;
mod wallet_entries;

use futures::Stream;
use jiff::tz::TimeZone;
use plasma_kit::db::{StoreError, TenantDb};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::UserId;
use uuid::Uuid;

use crate::domain::money::Currency;
use crate::time::{self, Span};

use cell::text;

/// Rows that are read at a time.
const PAGE: u64 = 500;
/// Most bytes of a chunk.
const CHUNK: usize = 64 * 1024;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Charges,
    Postings,
    WalletEntries(UserId),
    Payouts,
}

/// An export.
pub(crate) struct Export {
    pub(crate) books: TenantDb,
    pub(crate) kind: Kind,
    pub(crate) currency: Currency,
    pub(crate) span: Span,
    pub(crate) zone: TimeZone,
}

/// Where a page ends: the time or number of its last row, and its id.
type Place = (i64, Uuid);

/// Some rows, and where they end; `None` after the last.
struct Page {
    rows: Vec<Vec<String>>,
    last: Option<Place>,
}

impl Export {
    /// The file in chunks.
    pub(crate) fn chunks(self) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + Send {
        let header = csv_rows(&[self.columns().iter().map(ToString::to_string).collect()]);
        let begin = Progress { written: header, after: Some((i64::MIN, Uuid::nil())) };
        futures::stream::try_unfold((self, begin), |(export, mut progress)| async move {
            while progress.written.len() < CHUNK
                && let Some(after) = progress.after
            {
                let page = export.page(after).await?;
                progress.written.extend(csv_rows(&page.rows));
                progress.after = page.last;
            }
            if progress.written.is_empty() {
                return Ok(None);
            }
            let rest = progress.written.split_off(progress.written.len().min(CHUNK));
            let chunk = std::mem::replace(&mut progress.written, rest);
            Ok(Some((chunk, (export, progress))))
        })
    }

    fn columns(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Charges => charges::COLUMNS,
            Kind::Postings => postings::COLUMNS,
            Kind::WalletEntries(_) => wallet_entries::COLUMNS,
            Kind::Payouts => payouts::COLUMNS,
        }
    }

    async fn page(&self, after: Place) -> Result<Page, StoreError> {
        match self.kind {
            Kind::Charges => charges::page(self, after).await,
            Kind::Postings => postings::page(self, after).await,
            Kind::WalletEntries(user) => wallet_entries::page(self, user, after).await,
            Kind::Payouts => payouts::page(self, after).await,
        }
    }

    /// The currency's code, and an amount in minor and in major units.
    fn amount(&self, minor_units: i64) -> [String; 3] {
        let [minor, major] = self.both(minor_units);
        [self.currency.code().to_owned(), minor, major]
    }

    /// An amount in minor and in major units.
    fn both(&self, minor_units: i64) -> [String; 2] {
        [minor_units.to_string(), self.currency.decimal(minor_units)]
    }

    /// A moment in UTC and in the tenant's time zone.
    fn moments(&self, at: Timestamp) -> [String; 2] {
        [time::written(at, &TimeZone::UTC), time::written(at, &self.zone)]
    }
}

/// How far an export has come.
struct Progress {
    /// What is written and not yet handed over.
    written: Vec<u8>,
    /// Where the next page begins; `None` after the last.
    after: Option<Place>,
}

fn csv_rows(rows: &[Vec<String>]) -> Vec<u8> {
    let terminator = csv::Terminator::CRLF;
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("memory takes rows of the same length");
    }
    writer.into_inner().expect("memory takes what is left")
}
