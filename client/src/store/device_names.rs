//! Names of one's own devices. The service never learns them: they travel inside the encryption,
//! and the name that was set last holds.

use plasma_proto::content::v1::DeviceName;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{StoreError, read_uuid};
use crate::wire;

/// Longest name, in bytes.
pub(crate) const NAME_LENGTH_MAX: usize = 64;

/// A device's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedDevice {
    pub(crate) device: Uuid,
    pub(crate) name: String,
    pub(crate) set_micros: i64,
}

impl NamedDevice {
    /// Writes the name as one's own devices tell it to each other.
    pub(crate) fn to_content(&self) -> DeviceName {
        DeviceName {
            device_id: self.device.as_bytes().to_vec().into(),
            name: self.name.clone(),
            set_time: Some(wire::timestamp(self.set_micros)),
        }
    }
}

/// Tells whether a name can be shown: 1 to 64 bytes, with nothing that hides or turns text.
pub(crate) fn is_valid(name: &str) -> bool {
    let deceives = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    (1..=NAME_LENGTH_MAX).contains(&name.len()) && !name.contains(deceives)
}

/// Keeps a name unless a later one is known. Answers whether it holds now.
///
/// Of two names set at the same moment the greater one holds, so that all devices agree.
pub(crate) fn set(connection: &Connection, named: &NamedDevice) -> Result<bool, StoreError> {
    let changed = connection.execute(
        "INSERT INTO device_name (device, name, set_micros) VALUES (?1, ?2, ?3)
         ON CONFLICT (device) DO UPDATE SET name = excluded.name, set_micros = excluded.set_micros
         WHERE (excluded.set_micros, excluded.name) > (set_micros, name)",
        params![&named.device.as_bytes()[..], named.name, named.set_micros],
    )?;
    Ok(changed == 1)
}

/// Takes a name that another device of one's own has told. One that cannot be shown is left out.
pub(crate) fn apply(connection: &Connection, told: &DeviceName) -> Result<bool, StoreError> {
    let Ok(device) = Uuid::from_slice(&told.device_id) else { return Ok(false) };
    if !is_valid(&told.name) {
        return Ok(false);
    }
    let set_micros = wire::micros(told.set_time);
    set(connection, &NamedDevice { device, name: told.name.clone(), set_micros })
}

pub(crate) fn list(connection: &Connection) -> Result<Vec<NamedDevice>, StoreError> {
    let sql = "SELECT device, name, set_micros FROM device_name ORDER BY device";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let device: Vec<u8> = row.get(0)?;
        let (name, set_micros) = (row.get(1)?, row.get(2)?);
        names.push(NamedDevice { device: read_uuid(&device)?, name, set_micros });
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn named(name: &str, set_micros: i64) -> NamedDevice {
        NamedDevice { device: Uuid::from_u128(1), name: name.to_owned(), set_micros }
    }

    fn after(names: &[NamedDevice]) -> String {
        let store = Store::in_memory().unwrap();
        store
            .write(|tx| {
                for name in names {
                    apply(tx, &name.to_content())?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        store.read(list).unwrap().remove(0).name
    }

    #[test]
    fn the_name_set_last_holds_whatever_comes_first() {
        let (early, late) = (named("Phone", 5), named("Tablet", 7));
        assert_eq!(after(&[early.clone(), late.clone()]), "Tablet");
        assert_eq!(after(&[late, early]), "Tablet");
        let (one, other) = (named("Phone", 5), named("Tablet", 5));
        assert_eq!(after(&[one.clone(), other.clone()]), after(&[other, one]));
    }

    #[test]
    fn a_name_that_deceives_is_not_kept() {
        let store = Store::in_memory().unwrap();
        let long = "x".repeat(NAME_LENGTH_MAX + 1);
        for bad in ["", "Pho\u{202e}ne", "a\nb", &long] {
            let told = named(bad, 5).to_content();
            assert!(!store.write(|tx| apply(tx, &told)).unwrap(), "{bad:?}");
        }
        assert!(store.read(list).unwrap().is_empty());
    }
}
