//! Periods by the calendar of a place: when each begins, and which day a moment falls on.
//!
//! The n-th period is always computed from the moment at which the first began, never from the one
//! before: who begins on 31 January pays on 28 February and on 31 March.

use jiff::Span;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use plasma_kit::Timestamp;

pub use plasma_kit::zone::Zone;

const SECONDS_A_DAY: i64 = 86_400;

/// How long one period of a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Calendar months: 1 to 12.
    Months(u8),
    /// Calendar days: 1 to 366.
    Days(u16),
}

impl Period {
    /// A period of calendar months; `None` outside 1 to 12.
    pub fn months(months: u32) -> Option<Self> {
        u8::try_from(months).ok().filter(|months| (1..=12).contains(months)).map(Self::Months)
    }

    /// A period of calendar days; `None` outside 1 to 366.
    pub fn days(days: u32) -> Option<Self> {
        u16::try_from(days).ok().filter(|days| (1..=366).contains(days)).map(Self::Days)
    }
}

/// When period `n` (from 0) of a subscription that began at `anchor` begins; it ends where the next
/// begins. `None` past the last year of the calendar, 9999.
///
/// A period begins at the anchor's wall time: on the anchor's day of the month, or on the last of a
/// month that has no such day; or so many days later. A wall time that is skipped, as when summer
/// time begins, is as much later as the clock jumps; of one that comes twice the first counts. A
/// day that a place never had (Samoa's 30 December 2011) is not counted, for a period of one day
/// would end where it begins. So the begins strictly grow with `n`.
pub fn period_start(anchor: Timestamp, zone: &Zone, period: Period, n: u32) -> Option<Timestamp> {
    let begun = moment(anchor)?;
    if n == 0 {
        // Even where the anchor's wall time comes twice and this is the second.
        return Some(anchor);
    }
    let (rules, n) = (zone.rules(), i64::from(n));
    let first = rules.to_datetime(begun);
    match period {
        Period::Months(months) => {
            let span = Span::new().try_months(n.checked_mul(i64::from(months))?).ok()?;
            Some(micros(resolve(&rules, first.checked_add(span).ok()?)?))
        }
        Period::Days(days) => {
            let days = n.checked_mul(i64::from(days))?;
            days_later(&rules, begun, first, days).map(micros)
        }
    }
}

/// The day of a moment at a place. `None` past the years of the calendar.
pub fn local_date(at: Timestamp, zone: &Zone) -> Option<Date> {
    Some(zone.rules().to_datetime(moment(at)?).date())
}

/// The first moment of a day at a place; that of the next day where the place never had this one.
/// `None` past the years of the calendar.
pub fn day_start(date: Date, zone: &Zone) -> Option<Timestamp> {
    let midnight = date.to_datetime(jiff::civil::Time::midnight());
    let rules = zone.rules();
    let ambiguous = rules.to_ambiguous_timestamp(midnight);
    let start = match ambiguous.offset() {
        // The day begins with the jump, which may have begun before midnight.
        AmbiguousOffset::Gap { .. } => {
            let after = ambiguous.earlier().ok()?;
            rules.following(after).next()?.timestamp()
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            ambiguous.compatible().ok()?
        }
    };
    Some(micros(start))
}

/// The wall time of `first`, `days` existing days later.
fn days_later(
    zone: &TimeZone,
    begun: jiff::Timestamp,
    first: DateTime,
    days: i64,
) -> Option<jiff::Timestamp> {
    let mut skipped = 0;
    loop {
        let span = Span::new().try_days(days.checked_add(skipped)?).ok()?;
        let start = resolve(zone, first.checked_add(span).ok()?)?;
        let now_skipped = skipped_days(zone, begun, start);
        if now_skipped == skipped {
            return Some(start);
        }
        skipped = now_skipped;
    }
}

/// How many whole days the place's clocks jumped over.
fn skipped_days(zone: &TimeZone, after: jiff::Timestamp, until: jiff::Timestamp) -> i64 {
    let mut skipped = 0;
    let mut before = zone.to_offset(after);
    for transition in zone.following(after).take_while(|next| next.timestamp() <= until) {
        let jump = i64::from(transition.offset().seconds()) - i64::from(before.seconds());
        skipped += (jump / SECONDS_A_DAY).max(0);
        before = transition.offset();
    }
    skipped
}

fn resolve(zone: &TimeZone, local: DateTime) -> Option<jiff::Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

fn moment(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(at.0).ok()
}

fn micros(at: jiff::Timestamp) -> Timestamp {
    Timestamp(at.as_microsecond())
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
