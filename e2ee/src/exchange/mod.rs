//! What a client does with a record: initiate, encrypt, peek, decrypt.

mod decrypt;
mod encrypt;
mod initiate;
mod peek;

pub(crate) use self::decrypt::split_signature;
pub use self::decrypt::{Decrypted, HandshakeKeys, decrypt};
pub use self::encrypt::encrypt;
pub use self::initiate::initiate;
pub use self::peek::{EnvelopeInfo, InitiationInfo, peek};
