//! Time zones by their IANA names. The database of zones is part of the binary: every node knows
//! the same ones, whatever its machine has installed.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The longest name.
pub const NAME_BYTES_MAX: usize = 64;

/// What a field that names a zone is told where it names none.
pub const RULE: &str = "must be an IANA time zone name as it is written there, such as \
                        Europe/Berlin or Etc/UTC";

/// A name that the database has and that is no place's time.
const NOT_A_PLACE: &str = "Factory";

/// An IANA time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(&'static str);

impl Zone {
    /// The zone of a name, which must be written exactly as IANA does, in at most
    /// [`NAME_BYTES_MAX`] bytes.
    pub fn parse(name: &str) -> Option<Self> {
        let names = names();
        let found = names.binary_search_by(|known| known.as_str().cmp(name)).ok()?;
        Some(Self(&names[found]))
    }

    /// The zone of a tenant that has chosen none: `Etc/UTC`.
    pub fn utc() -> Self {
        Self::parse("Etc/UTC").expect("every database of zones has Etc/UTC")
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Its rules.
    pub fn rules(self) -> TimeZone {
        let rules = TimeZoneDatabase::bundled().get(self.0);
        rules.expect("a zone is made from the database's names only")
    }
}

/// The names of all zones, sorted.
fn names() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let database = TimeZoneDatabase::bundled();
        let names = database.available().map(|name| name.as_str().to_owned());
        let mut names: Vec<_> = names
            .filter(|name| name != NOT_A_PLACE && name.len() <= NAME_BYTES_MAX)
            .filter(|name| database.get(name).is_ok())
            .collect();
        names.sort_unstable();
        names
    })
}

#[cfg(test)]
mod tests {
    use super::Zone;

    #[test]
    fn only_names_as_iana_writes_them_are_zones() {
        for name in ["Etc/UTC", "UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia"] {
            assert_eq!(Zone::parse(name).map(|zone| zone.name().to_owned()).as_deref(), Some(name));
        }
        let long = format!("Europe/{}", "x".repeat(60));
        let others = [
            "",
            " ",
            "utc",
            "europe/berlin",
            "Europe/Berlin ",
            "Europe/Nowhere",
            "localtime",
            "posixrules",
            "Factory",
            "Etc/Unknown",
            "CET-1CEST",
            "EST5EDT4,M3.2.0,M11.1.0",
            "+02:00",
            "../Europe/Berlin",
            "posix/Europe/Berlin",
            "Europe/Berlin\0",
            &long,
        ];
        for name in others {
            assert_eq!(Zone::parse(name), None, "{name:?}");
        }
        assert_eq!(Zone::utc().name(), "Etc/UTC");
    }

    #[test]
    fn every_zone_has_rules() {
        assert!(super::names().len() > 400, "{} zones", super::names().len());
        for name in super::names() {
            let zone = Zone::parse(name).unwrap();
            assert_eq!(zone.name(), name);
            assert!(zone.rules().iana_name().is_some(), "{name}");
        }
    }
}
