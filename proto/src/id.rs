//! The text form of ids: a type prefix, `_`, and 128 bits as 26 characters of lower-case Crockford
//! base32, as in the TypeID convention (<https://github.com/jetify-com/typeid>).

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;
const NONE: u8 = 0xff;
const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        #[expect(clippy::cast_possible_truncation, reason = "the alphabet has 32 letters")]
        {
            table[ALPHABET[index] as usize] = index as u8;
        }
        index += 1;
    }
    table
}

/// Writes an id.
pub fn format(prefix: &str, value: u128) -> String {
    let mut out = String::with_capacity(prefix.len() + 1 + LENGTH);
    out.push_str(prefix);
    out.push('_');
    for place in (0..LENGTH).rev() {
        let index = (value >> (5 * place)) & 31;
        out.push(char::from(ALPHABET[usize::try_from(index).expect("five bits fit")]));
    }
    out
}

/// Reads an id; `None` where the prefix, the length or a character is wrong, or all bits are zero.
pub fn parse(prefix: &str, text: &str) -> Option<u128> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('_')?.as_bytes();
    // 26 digits hold 130 bits: the first may use three of its five.
    if digits.len() != LENGTH || VALUES[usize::from(digits[0])] > 7 {
        return None;
    }
    let mut value = 0_u128;
    for digit in digits {
        let bits = VALUES[usize::from(*digit)];
        if bits == NONE {
            return None;
        }
        value = (value << 5) | u128::from(bits);
    }
    (value != 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{format, parse};

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        for value in [1, 42, u128::MAX, 1 << 127, 0x0190_0000_0000_7000_8000_0000_0000_0001] {
            assert_eq!(parse("user", &format("user", value)), Some(value));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let good = format("user", 7);
        let wrong = [
            String::new(),
            "user_".to_owned(),
            format("tenant", 7),
            format("user", 0),
            good.to_uppercase(),
            good.replace('7', "u"),
            format!("{good}0"),
            format!("user_8{}", "0".repeat(25)),
            "user_\u{e9}".repeat(13),
        ];
        for text in wrong {
            assert_eq!(parse("user", &text), None, "{text}");
        }
    }
}
