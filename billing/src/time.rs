//! Spans of time, and the days of a tenant's time zone.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use plasma_kit::convert;
use plasma_kit::env::Timestamp;
use plasma_kit::ids::TenantId;
use plasma_kit::status::Failure;
use plasma_kit::zone::Zone;

use crate::Billing;
use crate::domain::calendar;
use crate::error::Refusal;

/// From a moment until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first moment.
    pub(crate) start: Timestamp,
    /// The moment after the last.
    pub(crate) end: Timestamp,
}

impl Span {
    /// Reads `start_time`, from the beginning where unset, and `end_time`, until `now`.
    pub(crate) fn read(
        start: Option<&prost_types::Timestamp>,
        end: Option<&prost_types::Timestamp>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let start = start.map_or(Timestamp(i64::MIN), convert::moment);
        let end = end.map_or(now, convert::moment);
        if start >= end {
            let rule = "must be before the end";
            return Err(Refusal::Invalid { field: "start_time", rule });
        }
        Ok(Self { start, end })
    }
}

/// The time zone of a tenant's business.
pub(crate) async fn zone_of(billing: &Billing, tenant: TenantId) -> Result<Zone, Failure> {
    let terms = billing.tenants.terms(tenant).await?;
    Ok(terms.map_or_else(Zone::utc, |terms| terms.time_zone))
}

/// The day of a moment at a place; the first or last day of the calendar for a moment beyond it.
pub(crate) fn local_date(at: Timestamp, zone: &Zone) -> Date {
    let beyond = if at.0 < 0 { Date::MIN } else { Date::MAX };
    calendar::local_date(at, zone).unwrap_or(beyond)
}

/// The first moment of a day at a place; the end of time beyond the calendar.
pub(crate) fn day_start(date: Date, zone: &Zone) -> Timestamp {
    calendar::day_start(date, zone).unwrap_or(Timestamp(i64::MAX))
}

/// A moment as RFC 3339 writes it at a place, to the microsecond.
pub(crate) fn written(at: Timestamp, zone: &TimeZone) -> String {
    let Ok(moment) = jiff::Timestamp::from_microsecond(at.0) else { return String::new() };
    let local = zone.to_datetime(moment);
    let offset = zone.to_offset(moment);
    let sign = if offset.seconds() < 0 { '-' } else { '+' };
    let minutes = offset.seconds().unsigned_abs() / 60;
    format!("{local:.6}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::{Offset, TimeZone};
    use plasma_kit::env::Timestamp;
    use plasma_kit::zone::Zone;

    use super::{Span, day_start, local_date, written};

    #[test]
    fn a_day_begins_at_its_midnight_and_has_the_moments_until_the_next() {
        for zone in [Zone::utc(), Zone::parse("America/Caracas").unwrap()] {
            let start = day_start(date(2026, 11, 22), &zone);
            assert_eq!(local_date(start, &zone), date(2026, 11, 22));
            assert_eq!(local_date(Timestamp(start.0 - 1), &zone), date(2026, 11, 21));
            let next = day_start(date(2026, 11, 23), &zone);
            assert_eq!(local_date(Timestamp(next.0 - 1), &zone), date(2026, 11, 22));
        }
        let beyond = [Timestamp(i64::MIN), Timestamp(i64::MAX)];
        let days = beyond.map(|moment| local_date(moment, &Zone::utc()));
        assert!(days[0] < date(1, 1, 1) && days[1] > date(9999, 1, 1));
    }

    #[test]
    fn a_moment_is_written_with_its_offset() {
        let west = TimeZone::fixed(Offset::from_seconds(-16_200).unwrap());
        let moment = Timestamp(1_700_000_000_000_001);
        assert_eq!(written(moment, &TimeZone::UTC), "2023-11-14T22:13:20.000001+00:00");
        assert_eq!(written(moment, &west), "2023-11-14T17:43:20.000001-04:30");
        assert_eq!(written(Timestamp(i64::MIN), &west), "");
    }

    #[test]
    fn a_span_begins_before_it_ends() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let now = Timestamp(5_000_000);
        assert_eq!(Span::read(None, None, now).unwrap().end, now);
        let (one, two) = (at(1), at(2));
        assert!(Span::read(one.as_ref(), two.as_ref(), now).is_ok());
        assert!(Span::read(two.as_ref(), two.as_ref(), now).is_err());
        assert!(Span::read(at(5).as_ref(), None, now).is_err());
    }
}
