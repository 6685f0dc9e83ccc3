//! What a message says, and how it is named.

/// A device ever made in a history, revoked ones included.
pub type DeviceNo = usize;
/// A person.
pub type UserNo = usize;
/// A chat of two persons.
pub type ChatNo = usize;
/// What clients deduplicate on: the sending device and the id that it gave the message.
pub type MessageKey = (DeviceNo, u64);

/// The plaintext of an envelope.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Content {
    pub chat: ChatNo,
    pub id: u64,
    pub lamport: u64,
    pub text: Vec<u8>,
}

impl Content {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = u64::try_from(self.chat).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.lamport.to_be_bytes());
        out.extend_from_slice(&self.text);
        out
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (words, _) = bytes[..24].as_chunks::<8>();
        let [chat, id, lamport] = [0, 1, 2].map(|at| u64::from_be_bytes(words[at]));
        Self { chat: usize::try_from(chat).unwrap(), id, lamport, text: bytes[24..].to_vec() }
    }
}
