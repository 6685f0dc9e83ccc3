//! Random values for tests: keys, names, idempotency keys.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Random bytes of the operating system.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A name of 16 hexadecimal digits that nothing else has.
pub fn name() -> String {
    format!("{:016x}", u64::from_be_bytes(bytes()))
}

/// A fresh `request_id` of 32 hexadecimal digits.
pub fn request_id() -> String {
    format!("{:032x}", u128::from_be_bytes(bytes()))
}

/// A master key as `PLASMA_MASTER_KEY` takes it: 32 bytes in base64.
pub fn master_key() -> String {
    STANDARD.encode(bytes::<32>())
}

/// An operator key as `PLASMA_OPERATOR_KEY` takes it.
pub fn operator_key() -> String {
    format!("op_{}", URL_SAFE_NO_PAD.encode(bytes::<32>()))
}
