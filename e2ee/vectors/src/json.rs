//! JSON whose fields stay in the order in which they were given.

use serde_json::Value;

/// A value of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// A text, or bytes in lower-case hexadecimal.
    Text(String),
    /// A number; all of them are below 2⁵³.
    Number(u64),
    /// Yes or no.
    Bool(bool),
    /// A list.
    List(Vec<Json>),
    /// Fields in their order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Returns the text of a file.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out.push('\n');
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(&Value::from(text.as_str()).to_string()),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Bool(value) => out.push_str(&value.to_string()),
            Self::List(list) => {
                write_all(["[", "]"], list, depth, out, |item, out| item.write(depth + 1, out));
            }
            Self::Object(fields) => {
                write_all(["{", "}"], fields, depth, out, |(name, value), out| {
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push_str(": ");
                    value.write(depth + 1, out);
                });
            }
        }
    }

    /// Compares with what was read from a file, and names the first value that differs.
    ///
    /// # Panics
    ///
    /// When they differ.
    pub fn expect(&self, read: &Value, path: &str) {
        match (self, read) {
            (Self::Object(fields), Value::Object(map)) => {
                assert_eq!(fields.len(), map.len(), "{path}: other fields");
                for (name, value) in fields {
                    let path = format!("{path}.{name}");
                    let found = map.get(name).unwrap_or_else(|| panic!("{path} is missing"));
                    value.expect(found, &path);
                }
            }
            (Self::List(list), Value::Array(read)) => {
                assert_eq!(list.len(), read.len(), "{path}: another length");
                for (position, (value, read)) in list.iter().zip(read).enumerate() {
                    value.expect(read, &format!("{path}[{position}]"));
                }
            }
            (Self::Text(text), Value::String(read)) => assert_eq!(text, read, "{path}"),
            (Self::Number(number), Value::Number(_)) => {
                assert_eq!(Some(*number), read.as_u64(), "{path}");
            }
            (Self::Bool(value), Value::Bool(read)) => assert_eq!(value, read, "{path}"),
            _ => panic!("{path}: another type"),
        }
    }
}

fn write_all<T>(
    [open, close]: [&str; 2],
    items: &[T],
    depth: usize,
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    out.push_str(open);
    for (position, item) in items.iter().enumerate() {
        out.push_str(if position == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        write(item, out);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push_str(close);
}

impl From<&[u8]> for Json {
    fn from(bytes: &[u8]) -> Self {
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
        Self::Text(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }
}

impl From<&Vec<u8>> for Json {
    fn from(bytes: &Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Json {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Vec<Json>> for Json {
    fn from(list: Vec<Json>) -> Self {
        Self::List(list)
    }
}

impl From<Vec<(&str, Json)>> for Json {
    fn from(fields: Vec<(&str, Json)>) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl<const N: usize> From<[(&str, Json); N]> for Json {
    fn from(fields: [(&str, Json); N]) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}
