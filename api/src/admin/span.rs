//! Spans of time on the command line.

use anyhow::{Result, anyhow};
use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// From when until when.
#[derive(Debug, Args)]
pub(crate) struct Span {
    /// The first moment: a day in UTC such as 2026-11-01, or a time such as 2026-11-01T09:00:00Z.
    /// The beginning where it is not given.
    #[arg(long)]
    from: Option<String>,
    /// The moment after the last, written in the same way. Now where it is not given.
    #[arg(long)]
    until: Option<String>,
}

impl Span {
    /// The first moment.
    pub(crate) fn start(&self) -> Result<Option<prost_types::Timestamp>> {
        self.from.as_deref().map(read).transpose()
    }

    /// The moment after the last.
    pub(crate) fn end(&self) -> Result<Option<prost_types::Timestamp>> {
        self.until.as_deref().map(read).transpose()
    }
}

fn read(text: &str) -> Result<prost_types::Timestamp> {
    let wrong = || anyhow!("{text} is neither a day such as 2026-11-01 nor a time with its zone");
    let moment = if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        moment
    } else {
        let day: Date = text.parse().map_err(|_| wrong())?;
        day.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp()
    };
    Ok(prost_types::Timestamp {
        seconds: moment.as_microsecond().div_euclid(1_000_000),
        nanos: i32::try_from(moment.as_microsecond().rem_euclid(1_000_000) * 1_000)?,
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn days_and_times_are_read_and_everything_else_is_refused() {
        for text in ["2026-11-01", "2026-11-01T00:00:00Z", "2026-11-01T01:00:00+01:00"] {
            assert_eq!(read(text).unwrap().seconds, 1_793_491_200, "{text}");
        }
        for text in ["", "yesterday", "2026-02-30", "01.11.2026"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
