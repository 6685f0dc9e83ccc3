//! The list of operations: by the order in which they were made, so that a page that was there when
//! the first was asked for stays where it is.

use plasma_proto::billing::v1 as pb;
use rusqlite::params;

use super::operation::{COLUMNS, Row};
use super::{Book, Result};
use crate::flaws::Flaw;

impl Book {
    /// A page of the operations of a time, oldest first.
    pub fn list(&self, request: &pb::ListOperationsRequest) -> Result<pb::ListOperationsResponse> {
        let after: i64 = match request.page_token.parse() {
            Ok(place) if !self.has(Flaw::RepeatsPage) => place,
            _ => 0,
        };
        let (start, end) = (micros(request.start_time), micros(request.end_time));
        let size = request.page_size.clamp(1, 200);
        let released = if self.has(Flaw::ListsTooLittle) { "AND state <> 3" } else { "" };
        self.transact(|tx| {
            let sql = format!(
                "SELECT {COLUMNS}, place FROM operations WHERE place > ?1 \
                 AND created_at >= ?2 AND created_at < ?3 {released} ORDER BY place LIMIT ?4"
            );
            let mut statement = tx.prepare(&sql)?;
            let rows = statement.query_map(params![after, start, end, size + 1], |row| {
                Ok((Row::read(row)?, row.get::<_, i64>(11)?))
            })?;
            let mut rows = rows.collect::<Result<Vec<_>>>()?;
            let size = usize::try_from(size).unwrap_or(1);
            let more = rows.len() > size;
            rows.truncate(size);
            let next_page_token = match rows.last() {
                Some((_, place)) if more => place.to_string(),
                _ => String::new(),
            };
            let operations = rows.iter().map(|(row, _)| row.written()).collect();
            Ok(pb::ListOperationsResponse { operations, next_page_token })
        })
    }
}

fn micros(time: Option<prost_types::Timestamp>) -> i64 {
    let time = time.unwrap_or_default();
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1_000)
}
