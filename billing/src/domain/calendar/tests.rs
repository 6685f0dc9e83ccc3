use jiff::tz::TimeZoneDatabase;
use plasma_kit::Timestamp;
use proptest::prelude::{ProptestConfig, prop_assert, prop_oneof, proptest};
use proptest::strategy::Strategy;

use super::naive::{self, Found, Local, Place};
use super::{Period, Zone, day_start, local_date, period_start};

/// The model's places, the year of the first anchor of each, and whether its clocks jump in the
/// four years after.
const PLACES: [(Place, &str, i64, bool); 4] = [
    (Place::Utc, "UTC", 2023, false),
    (Place::NewYork, "America/New_York", 2023, true),
    (Place::LordHowe, "Australia/Lord_Howe", 2023, true),
    (Place::Apia, "Pacific/Apia", 2010, true),
];

/// Wall times in microseconds of the day: through the hours at which clocks jump, and the ends.
fn times_of_day() -> impl Iterator<Item = i64> {
    let minutes = [0, 30, 60, 90, 119, 120, 135, 150, 179, 180, 210, 240, 270, 720, 1_439];
    minutes.into_iter().map(|minute| minute * 60_000_000 + minute % 7)
}

#[test]
fn every_anchor_day_over_four_years_begins_where_the_model_says() {
    for (place, name, year, jumps) in PLACES {
        let zone = Zone::parse(name).unwrap();
        let (mut skipped, mut doubled) = (0, 0);
        for day in 1..=31 {
            for time in times_of_day() {
                let first = Local { year, month: 1, day, micros: time };
                let Found::Once(anchor) = naive::find(place, first) else { panic!("{first:?}") };
                let mut before = i64::MIN;
                for n in 0..48 {
                    let start = period_start(Timestamp(anchor), &zone, Period::Months(1), n);
                    let start = start.unwrap().0;
                    let wanted = naive::months_later(first, i64::from(n));
                    let at = || format!("{name}: {first:?} and {n} months");
                    assert!(start > before, "{}", at());
                    before = start;
                    assert_eq!(wanted.day, day.min(naive::last_day(wanted.year, wanted.month)));
                    match naive::find(place, wanted) {
                        Found::Once(moment) => assert_eq!(start, moment, "{}", at()),
                        Found::Twice(earlier) => {
                            doubled += 1;
                            assert_eq!(start, earlier, "{}", at());
                        }
                        Found::Never(later) => {
                            skipped += 1;
                            assert_eq!(start, later, "{}", at());
                            continue;
                        }
                    }
                    assert_eq!(naive::read(place, start), wanted, "{}", at());
                }
            }
        }
        assert_eq!((skipped > 0, doubled > 0), (jumps, jumps), "{name}: {skipped}, {doubled}");
    }
}

#[test]
fn several_months_and_days_begin_where_the_model_says() {
    for (place, name, year, _) in PLACES {
        let zone = Zone::parse(name).unwrap();
        for time in times_of_day() {
            for months in [2, 3, 6, 12] {
                let first = Local { year, month: 1, day: 31, micros: time };
                let Found::Once(anchor) = naive::find(place, first) else { panic!("{first:?}") };
                for n in 0..48 / u32::from(months) {
                    let start = period_start(Timestamp(anchor), &zone, Period::Months(months), n);
                    let wanted = naive::months_later(first, i64::from(months) * i64::from(n));
                    assert_eq!(start.unwrap().0, naive::find(place, wanted).moment(), "{name}");
                }
            }
            for days in [1, 7, 30, 365] {
                let first = Local { year, month: 1, day: 1, micros: time };
                let Found::Once(anchor) = naive::find(place, first) else { panic!("{first:?}") };
                for n in 0..1_461 / days {
                    let period = Period::Days(u16::try_from(days).unwrap());
                    let start = period_start(Timestamp(anchor), &zone, period, n).unwrap().0;
                    let wanted = naive::days_later(place, first, i64::from(days * n));
                    assert_eq!(start, naive::find(place, wanted).moment(), "{name} {days} x {n}");
                }
            }
        }
    }
}

#[test]
fn a_day_that_a_place_never_had_is_not_counted() {
    let zone = Zone::parse("Pacific/Apia").unwrap();
    let starts = |period: Period, day: i64| -> Vec<String> {
        let first = Local { year: 2011, month: 12, day, micros: 36_000_000_000 };
        let anchor = Timestamp(naive::find(Place::Apia, first).moment());
        (0..4)
            .map(|n| period_start(anchor, &zone, period, n).unwrap())
            .map(|start| local_date(start, &zone).unwrap().to_string())
            .collect()
    };
    let days = ["2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02"];
    assert_eq!(starts(Period::Days(1), 29), days);
    let weeks = ["2011-12-24", "2012-01-01", "2012-01-08", "2012-01-15"];
    assert_eq!(starts(Period::Days(7), 24), weeks);
}

#[test]
fn begins_grow_through_every_jump_of_every_zone() {
    let mut jumps = 0;
    for name in TimeZoneDatabase::bundled().available() {
        let Some(zone) = Zone::parse(name.as_str()) else { continue };
        let from = jiff::Timestamp::from_second(-5_000_000_000).unwrap();
        let until = jiff::Timestamp::from_second(2_000_000_000).unwrap();
        let rules = zone.rules();
        for jump in rules.following(from).take_while(|jump| jump.timestamp() < until) {
            jumps += 1;
            for hours in [-73, -49, -48, -25, -24, -1] {
                let anchor = Timestamp(jump.timestamp().as_microsecond() + hours * 3_600_000_000);
                let starts: Vec<_> =
                    (0..6).map(|n| period_start(anchor, &zone, Period::Days(1), n)).collect();
                assert!(starts.iter().is_sorted_by(|a, b| a < b), "{name:?}: {starts:?}");
            }
        }
    }
    assert!(jumps > 10_000, "{jumps}");
}

#[test]
fn a_period_past_the_calendar_has_no_beginning() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    for period in [Period::Months(12), Period::Days(366)] {
        assert_eq!(period_start(Timestamp(0), &zone, period, u32::MAX), None);
        assert_eq!(period_start(Timestamp(0), &zone, period, 9_000), None);
    }
    for beyond in [Timestamp(i64::MIN), Timestamp(i64::MAX)] {
        assert_eq!(period_start(beyond, &zone, Period::Days(1), 0), None);
        assert_eq!(local_date(beyond, &zone), None);
    }
}

#[test]
fn periods_have_bounds() {
    assert_eq!(
        [0, 1, 12, 13].map(Period::months),
        [None, Some(Period::Months(1)), Some(Period::Months(12)), None]
    );
    assert_eq!(
        [0, 1, 366, 367].map(Period::days),
        [None, Some(Period::Days(1)), Some(Period::Days(366)), None]
    );
}

#[test]
fn a_day_begins_at_its_first_moment() {
    // No jump; a jump from 0:00; one from 23:30 the day before; a midnight that comes twice; a day
    // that never was.
    for (name, date, start) in [
        ("Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z"),
        ("America/Sao_Paulo", "2015-10-18", "2015-10-18T03:00:00Z"),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),
        ("America/Havana", "2024-11-03", "2024-11-03T04:00:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
    ] {
        let zone = Zone::parse(name).unwrap();
        let found = day_start(date.parse().unwrap(), &zone).unwrap();
        let start: jiff::Timestamp = start.parse().unwrap();
        assert_eq!(found.0, start.as_microsecond(), "{name} {date}");
        let before = local_date(Timestamp(found.0 - 1), &zone).unwrap();
        assert!(before < date.parse().unwrap(), "{name} {date}: {before}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn begins_grow_for_every_anchor_zone_and_period(
        zone in 0_usize..1_000,
        anchor in -2_000_000_000_000_000_i64..4_000_000_000_000_000,
        period in prop_oneof![
            (1_u8..=12).prop_map(Period::Months),
            (1_u16..=366).prop_map(Period::Days),
        ],
        n in 0_u32..120,
    ) {
        let database = TimeZoneDatabase::bundled();
        let names: Vec<_> = database.available().collect();
        if let Some(zone) = Zone::parse(names[zone % names.len()].as_str()) {
            let start = |n| period_start(Timestamp(anchor), &zone, period, n).unwrap();
            prop_assert!(start(0) == Timestamp(anchor));
            prop_assert!(start(n) < start(n + 1), "{:?} {} {:?}", zone.name(), anchor, period);
        }
    }
}
