//! Reading the inputs of a file.

use serde_json::Value;
use uuid::Uuid;

/// A place in a file that was read. Every reader panics when the value is not there or is another.
pub trait Fields {
    /// Reads bytes in hexadecimal.
    fn bytes(&self, name: &str) -> Vec<u8>;
    /// Reads bytes that may be missing.
    fn optional_bytes(&self, name: &str) -> Option<Vec<u8>>;
    /// Reads exactly `N` bytes.
    fn array<const N: usize>(&self, name: &str) -> [u8; N];
    /// Reads an id.
    fn uuid(&self, name: &str) -> Uuid;
    /// Reads a text.
    fn text(&self, name: &str) -> &str;
    /// Reads a number.
    fn number(&self, name: &str) -> u64;
    /// Reads a number of 32 bits.
    fn number32(&self, name: &str) -> u32;
    /// Reads a list.
    fn list(&self, name: &str) -> &[Value];
    /// Reads an object.
    fn object(&self, name: &str) -> &Value;
}

/// Reads hexadecimal in lower case.
pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => panic!("{text} is not hexadecimal in lower case"),
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty(), "half a byte");
    pairs.iter().map(|[high, low]| digit(high) << 4 | digit(low)).collect()
}

impl Fields for Value {
    fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.text(name))
    }

    fn optional_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name).map(|_| self.bytes(name))
    }

    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap_or_else(|_| panic!("{name} is not {N} bytes long"))
    }

    fn uuid(&self, name: &str) -> Uuid {
        Uuid::from_bytes(self.array(name))
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name}"))
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number {name}"))
    }

    fn number32(&self, name: &str) -> u32 {
        self.number(name).try_into().unwrap_or_else(|_| panic!("{name} is above 2³²"))
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("no list {name}"))
    }

    fn object(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("no {name}"))
    }
}
