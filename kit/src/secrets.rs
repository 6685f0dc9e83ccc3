//! Secrets at rest: what must be handed back is sealed, what only needs comparing is a keyed hash.
//!
//! One ring of master keys, newest first. Everything is derived from it with HKDF-SHA-256 under a
//! label. The newest seals; every one opens; the oldest is the root of keyed hashes, which cannot
//! be made again, and so it stays in the ring.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;
const KEY_ID_BYTES: usize = 4;

/// The ring of master keys.
#[derive(Clone)]
pub struct Secrets {
    ring: Arc<Vec<Zeroizing<[u8; 32]>>>,
}

/// The ring is empty.
#[derive(Debug, thiserror::Error)]
#[error("there is no master key")]
pub struct NoMasterKey;

/// The sealed bytes are damaged, or no key of the ring opens them.
#[derive(Debug, thiserror::Error)]
#[error("the sealed bytes do not open")]
pub struct OpenError;

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} keys)", self.ring.len())
    }
}

impl Secrets {
    /// Takes master keys, newest first.
    pub fn new(ring: Vec<[u8; 32]>) -> Result<Self, NoMasterKey> {
        if ring.is_empty() {
            return Err(NoMasterKey);
        }
        Ok(Self { ring: Arc::new(ring.into_iter().map(Zeroizing::new).collect()) })
    }

    /// Derives a key of its own for each label from the root of the ring.
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let root = self.ring.last().expect("a ring has a key");
        derive(root, label)
    }

    /// Derives the keys for a label from every key of the ring, newest first: one signs, all verify.
    pub fn derive_all(&self, label: &str) -> Vec<Zeroizing<[u8; 32]>> {
        self.ring.iter().map(|key| derive(key, label)).collect()
    }

    /// A keyed hash (HMAC-SHA-256), for what only needs comparing.
    pub fn keyed_hash(&self, label: &str, data: &[u8]) -> [u8; 32] {
        let key = self.derive(label);
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*key).expect("any key length");
        mac.update(data);
        mac.finalize().into_bytes().into()
    }

    /// A keyed hash over what comes in parts, its key derived once: for hot paths.
    pub fn keyed_hasher(&self, label: &str) -> KeyedHasher {
        KeyedHasher::new(&self.derive(label))
    }

    /// Keyed hashers from every key of the ring, newest first: one signs, all verify. For what
    /// lives no longer than it takes to bring a new key to every node.
    pub fn keyed_hashers(&self, label: &str) -> Vec<KeyedHasher> {
        self.derive_all(label).iter().map(|key| KeyedHasher::new(key)).collect()
    }

    /// Seals what must be handed back, bound to its label and context.
    pub fn seal(&self, label: &str, context: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let master = self.ring.first().expect("a ring has a key");
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
        let sealed = cipher(master, label)
            .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: context })
            .expect("the plaintext is far below the limit of GCM");
        [&key_id(master)[..], &nonce, &sealed].concat()
    }

    /// Opens what [`Secrets::seal`] made under the same label and context.
    pub fn open(&self, label: &str, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (id, rest) = sealed.split_at_checked(KEY_ID_BYTES).ok_or(OpenError)?;
        let (nonce, body) = rest.split_at_checked(NONCE_BYTES).ok_or(OpenError)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError)?;
        let master = self.ring.iter().find(|key| key_id(key) == id).ok_or(OpenError)?;
        cipher(master, label)
            .decrypt(&Nonce::from(nonce), Payload { msg: body, aad: context })
            .map_err(|_| OpenError)
    }
}

/// A keyed hash (HMAC-SHA-256) under one key.
#[derive(Clone)]
pub struct KeyedHasher(Hmac<Sha256>);

impl fmt::Debug for KeyedHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHasher")
    }
}

impl KeyedHasher {
    fn new(key: &[u8; 32]) -> Self {
        Self(<Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length"))
    }

    /// Hashes parts, each behind its length, so that no two lists of parts are the same bytes.
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac(parts).finalize().into_bytes().into()
    }

    /// Whether `hash` is that of the parts; takes the same time for every wrong one.
    pub fn verifies(&self, parts: &[&[u8]], hash: &[u8]) -> bool {
        self.mac(parts).verify_slice(hash).is_ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

fn derive(master: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(b"plasma/server/v1"), master)
        .expand(label.as_bytes(), &mut *key)
        .expect("32 bytes are a valid length");
    key
}

fn cipher(master: &[u8; 32], label: &str) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*derive(master, &format!("seal/{label}"))))
}

fn key_id(master: &[u8; 32]) -> [u8; KEY_ID_BYTES] {
    let digest = Sha256::digest(*derive(master, "key-id"));
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn a_rotated_ring_opens_what_the_older_key_sealed() {
        let old = Secrets::new(vec![[1; 32]]).unwrap();
        let sealed = old.seal("webhook", b"t", b"secret");
        let rotated = Secrets::new(vec![[2; 32], [1; 32]]).unwrap();
        assert_eq!(rotated.open("webhook", b"t", &sealed).unwrap(), b"secret");
        assert_eq!(rotated.keyed_hash("user", b"ann"), old.keyed_hash("user", b"ann"));
        assert!(Secrets::new(vec![[2; 32]]).unwrap().open("webhook", b"t", &sealed).is_err());
    }

    #[test]
    fn sealed_bytes_are_bound_to_label_context_and_content() {
        let secrets = Secrets::new(vec![[1; 32]]).unwrap();
        let mut sealed = secrets.seal("webhook", b"t", b"secret");
        assert!(secrets.open("wallet", b"t", &sealed).is_err());
        assert!(secrets.open("webhook", b"u", &sealed).is_err());
        *sealed.last_mut().unwrap() ^= 1;
        assert!(secrets.open("webhook", b"t", &sealed).is_err());
        assert!(secrets.open("webhook", b"t", &[]).is_err());
    }

    #[test]
    fn a_hash_of_parts_tells_where_one_ends_and_which_key_made_it() {
        let hasher = Secrets::new(vec![[1; 32]]).unwrap().keyed_hasher("franking");
        let hash = hasher.hash(&[b"ab", b"c"]);
        assert!(hasher.verifies(&[b"ab", b"c"], &hash));
        assert!(!hasher.verifies(&[b"a", b"bc"], &hash));
        assert!(!hasher.verifies(&[b"ab", b"c"], &hash[..31]));
        assert!(!hasher.verifies(&[b"ab", b"c"], &[]));
        let rotated = Secrets::new(vec![[2; 32], [1; 32]]).unwrap();
        assert!(rotated.keyed_hasher("franking").verifies(&[b"ab", b"c"], &hash));
        assert!(!rotated.keyed_hasher("other").verifies(&[b"ab", b"c"], &hash));
        let stranger = Secrets::new(vec![[2; 32]]).unwrap();
        assert!(!stranger.keyed_hasher("franking").verifies(&[b"ab", b"c"], &hash));
    }

    #[test]
    fn debug_shows_no_key() {
        let secrets = Secrets::new(vec![[0xab; 32]]).unwrap();
        assert_eq!(format!("{secrets:?}"), "Secrets(1 keys)");
        assert_eq!(format!("{:?}", secrets.keyed_hasher("franking")), "KeyedHasher");
    }
}
