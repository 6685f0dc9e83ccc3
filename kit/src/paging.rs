//! Pages of a list: a keyset cursor in an opaque token that cannot be forged.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::secrets::Secrets;
use crate::status::Failure;

const DEFAULT_SIZE: u64 = 50;
const MAC_BYTES: usize = 16;
const CURSOR_BYTES: usize = 24;

/// Where a page ends: the sort key of its last row, and its id to break ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The sort key, such as microseconds since 1970.
    pub key: i64,
    /// The row's id.
    pub id: Uuid,
}

/// The size of a page that the contract's rules have checked to be 0 or more.
pub fn size(page_size: i32) -> u64 {
    match u64::try_from(page_size) {
        Ok(0) | Err(_) => DEFAULT_SIZE,
        Ok(size) => size,
    }
}

/// Writes the token of a cursor for a list, which `list` names together with whatever selects its
/// rows, so that a token works only where it came from.
pub fn token(secrets: &Secrets, list: &str, cursor: Cursor) -> String {
    let body = [&cursor.key.to_be_bytes()[..], cursor.id.as_bytes()].concat();
    let mac = mac(secrets, list, &body);
    URL_SAFE_NO_PAD.encode([body, mac.to_vec()].concat())
}

/// Reads a page token; `None` for the first page.
pub fn cursor(secrets: &Secrets, list: &str, token: &str) -> Result<Option<Cursor>, Failure> {
    if token.is_empty() {
        return Ok(None);
    }
    let refused = || Failure::invalid("page_token", "must be a token that this list gave");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    if bytes.len() != CURSOR_BYTES + MAC_BYTES {
        return Err(refused());
    }
    let (body, given) = bytes.split_at(CURSOR_BYTES);
    if given != mac(secrets, list, body) {
        return Err(refused());
    }
    let key = i64::from_be_bytes(body[..8].try_into().map_err(|_| refused())?);
    let id = Uuid::from_slice(&body[8..]).map_err(|_| refused())?;
    Ok(Some(Cursor { key, id }))
}

/// Splits `rows`, of which one more than `size` was asked for, into a page and the token of the
/// next.
pub fn page<T>(
    secrets: &Secrets,
    list: &str,
    mut rows: Vec<T>,
    size: u64,
    cursor: impl Fn(&T) -> Cursor,
) -> (Vec<T>, String) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return (rows, String::new());
    }
    rows.truncate(size);
    let next = rows.last().map(|row| token(secrets, list, cursor(row))).unwrap_or_default();
    (rows, next)
}

fn mac(secrets: &Secrets, list: &str, body: &[u8]) -> [u8; MAC_BYTES] {
    let hash = secrets.keyed_hash("page-token", &[list.as_bytes(), &[0], body].concat());
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&hash[..MAC_BYTES]);
    mac
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Cursor, cursor, page, token};
    use crate::secrets::Secrets;

    #[test]
    fn a_token_leads_back_to_its_cursor_and_nowhere_else() {
        let secrets = Secrets::new(vec![[7; 32]]).unwrap();
        let here = Cursor { key: -5, id: Uuid::from_u128(9) };
        let written = token(&secrets, "links", here);
        assert_eq!(cursor(&secrets, "links", &written).unwrap(), Some(here));
        assert!(cursor(&secrets, "chats", &written).is_err());
        assert!(cursor(&secrets, "links", "AAAA").is_err());
        let forged =
            written.replacen(&written[..1], if written.starts_with('A') { "B" } else { "A" }, 1);
        assert!(cursor(&secrets, "links", &forged).is_err());
    }

    #[test]
    fn the_last_page_has_no_token() {
        let secrets = Secrets::new(vec![[7; 32]]).unwrap();
        let place = |row: &i64| Cursor { key: *row, id: Uuid::nil() };
        assert_eq!(page(&secrets, "l", vec![1, 2], 2, place).1, "");
        let (rows, next) = page(&secrets, "l", vec![1, 2, 3], 2, place);
        assert_eq!(rows, [1, 2]);
        assert_eq!(cursor(&secrets, "l", &next).unwrap().unwrap().key, 2);
    }
}
