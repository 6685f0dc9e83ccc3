//! Another calendar, for the tests of the first: days are counted one by one, and the clocks of
//! four places are written down by hand from their laws. Slow, and shares nothing with it.

const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;

/// A place whose clocks the model knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Utc,
    /// 2007 and later.
    NewYork,
    /// 2008 and later.
    LordHowe,
    /// 2010 to 2013.
    Apia,
}

/// What clock and calendar of a place show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) micros: i64,
}

/// When clocks show a wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Once(i64),
    /// The earlier of two moments.
    Twice(i64),
    /// The moment by the clock as it was before the jump.
    Never(i64),
}

impl Found {
    pub(super) fn moment(self) -> i64 {
        match self {
            Self::Once(moment) | Self::Twice(moment) | Self::Never(moment) => moment,
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn last_day(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, year by year and month by month.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|month| last_day(year, month)).sum();
    years + months + day - 1
}

fn as_if_utc(local: Local) -> i64 {
    day_number(local.year, local.month, local.day) * DAY + local.micros
}

fn from_as_if_utc(micros: i64) -> Local {
    let (mut days, mut year, mut month) = (micros.div_euclid(DAY), 1970, 1);
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    while days >= last_day(year, month) {
        days -= last_day(year, month);
        month += 1;
    }
    Local { year, month, day: days + 1, micros: micros.rem_euclid(DAY) }
}

/// The n-th Sunday of a month at an hour of the day, as if it were UTC.
fn sunday(year: i64, month: i64, nth: i64, hour: i64) -> i64 {
    let first = day_number(year, month, 1);
    // 1970-01-01 was a Thursday.
    let to_sunday = (3 - first).rem_euclid(7);
    (first + to_sunday + 7 * (nth - 1)) * DAY + hour * HOUR
}

/// The jumps of a place around a moment: when, and the offset from then on, after a first offset.
fn jumps(place: Place, year: i64) -> (i64, Vec<(i64, i64)>) {
    let at = |year, month, day, hour: i64| day_number(year, month, day) * DAY + hour * HOUR;
    match place {
        Place::Utc => (0, Vec::new()),
        Place::NewYork => {
            let (winter, summer) = (-5 * HOUR, -4 * HOUR);
            let jumps = (year - 1..=year + 1).flat_map(|year| {
                let march = sunday(year, 3, 2, 2) - winter;
                let november = sunday(year, 11, 1, 2) - summer;
                [(march, summer), (november, winter)]
            });
            (winter, jumps.collect())
        }
        Place::LordHowe => {
            let (winter, summer) = (10 * HOUR + HOUR / 2, 11 * HOUR);
            let jumps = (year - 1..=year + 1).flat_map(|year| {
                let april = sunday(year, 4, 1, 2) - summer;
                let october = sunday(year, 10, 1, 2) - winter;
                [(april, winter), (october, summer)]
            });
            (summer, jumps.collect())
        }
        // The first summer time, the change of side of the date line, and Sundays from then on.
        Place::Apia => (
            -11 * HOUR,
            vec![
                (at(2010, 9, 26, 11), -10 * HOUR),
                (at(2011, 4, 2, 14), -11 * HOUR),
                (at(2011, 9, 24, 14), -10 * HOUR),
                (at(2011, 12, 30, 10), 14 * HOUR),
                (at(2012, 3, 31, 14), 13 * HOUR),
                (at(2012, 9, 29, 14), 14 * HOUR),
                (at(2013, 4, 6, 14), 13 * HOUR),
                (at(2013, 9, 28, 14), 14 * HOUR),
            ],
        ),
    }
}

/// What the clocks of a place show at a moment.
pub(super) fn read(place: Place, moment: i64) -> Local {
    let (mut offset, jumps) = jumps(place, from_as_if_utc(moment).year);
    for (_, after) in jumps.into_iter().filter(|(when, _)| *when <= moment) {
        offset = after;
    }
    from_as_if_utc(moment + offset)
}

/// When the clocks of a place show a wall time: every offset is tried.
pub(super) fn find(place: Place, local: Local) -> Found {
    let (first, jumps) = jumps(place, local.year);
    let mut offsets: Vec<i64> = jumps.iter().map(|(_, offset)| *offset).collect();
    offsets.push(first);
    offsets.sort_unstable();
    offsets.dedup();
    let mut moments: Vec<i64> = offsets.iter().map(|offset| as_if_utc(local) - offset).collect();
    moments.retain(|moment| read(place, *moment) == local);
    moments.sort_unstable();
    match moments[..] {
        [one] => Found::Once(one),
        [earlier, _] => Found::Twice(earlier),
        _ => Found::Never(by_the_clock_before(first, &jumps, local)),
    }
}

/// A wall time that is jumped over, by the offset before that jump.
fn by_the_clock_before(first: i64, jumps: &[(i64, i64)], local: Local) -> i64 {
    let mut before = first;
    for (when, after) in jumps {
        let skipped = when + before..when + after;
        if skipped.contains(&as_if_utc(local)) {
            return as_if_utc(local) - before;
        }
        before = *after;
    }
    panic!("{local:?} is jumped over nowhere");
}

/// The same day of the month `months` later, or the month's last; at the same wall time.
pub(super) fn months_later(first: Local, months: i64) -> Local {
    let Local { mut year, mut month, day, micros } = first;
    for _ in 0..months {
        month += 1;
        if month == 13 {
            (year, month) = (year + 1, 1);
        }
    }
    Local { year, month, day: day.min(last_day(year, month)), micros }
}

/// The same wall time so many days later. One that Apia never had is not counted.
pub(super) fn days_later(place: Place, first: Local, days: i64) -> Local {
    let never = day_number(2011, 12, 30);
    let mut number = day_number(first.year, first.month, first.day);
    for _ in 0..days {
        number += 1;
        if place == Place::Apia && number == never {
            number += 1;
        }
    }
    from_as_if_utc(number * DAY + first.micros)
}
