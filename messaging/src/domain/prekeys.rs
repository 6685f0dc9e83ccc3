//! Which prekeys the service takes from a device.

use plasma_identity::{DeviceCertificate, PrekeyRole, SignedPrekey};

use super::refusal::Refusal;

/// A prekey whose role, owner and signature have been checked.
#[derive(Debug, Clone)]
pub struct Prekey {
    role: PrekeyRole,
    id: u32,
    bytes: Vec<u8>,
}

impl Prekey {
    /// What the key is for.
    pub fn role(&self) -> PrekeyRole {
        self.role
    }

    /// Names the key among those of its role.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The signed encoding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn read(
        field: &str,
        role: PrekeyRole,
        bytes: &[u8],
        certificate: &DeviceCertificate,
        now: u64,
    ) -> Result<Self, Refusal> {
        let undecodable = |rule| Refusal::Undecodable { field: field.to_owned(), rule };
        let prekey =
            SignedPrekey::from_bytes(bytes).map_err(|_| undecodable("must be a signed prekey"))?;
        if prekey.role() != role {
            return Err(undecodable("must be a signed prekey of the role that the field is for"));
        }
        prekey.verify_at(certificate, now)?;
        Ok(Self { role, id: prekey.id(), bytes: bytes.to_vec() })
    }
}

/// The two keys that a device must have before anyone can write to it.
#[derive(Debug, Clone)]
pub struct FirstPrekeys {
    /// The signed EC prekey.
    pub signed: Prekey,
    /// The last-resort KEM prekey.
    pub last_resort: Prekey,
}

/// Checks the keys that come with a new device, in the message field `within`. `now` is in unix
/// seconds.
pub fn read_first(
    within: &str,
    signed: &[u8],
    last_resort: &[u8],
    certificate: &DeviceCertificate,
    now: u64,
) -> Result<FirstPrekeys, Refusal> {
    let read = |field: &str, role, bytes| {
        Prekey::read(&format!("{within}.{field}"), role, bytes, certificate, now)
    };
    Ok(FirstPrekeys {
        signed: read("signed_prekey", PrekeyRole::SignedEc, signed)?,
        last_resort: read("last_resort_kem_prekey", PrekeyRole::LastResortKem, last_resort)?,
    })
}

/// Checks keys that a device publishes under the field that names their role, in order. `now` is
/// in unix seconds. Costs one signature check a key.
pub fn read_published<'a>(
    field: &str,
    role: PrekeyRole,
    keys: impl IntoIterator<Item = &'a [u8]>,
    certificate: &DeviceCertificate,
    now: u64,
) -> Result<Vec<Prekey>, Refusal> {
    keys.into_iter()
        .enumerate()
        .map(|(index, bytes)| {
            let path =
                if role.is_one_time() { format!("{field}[{index}]") } else { field.to_owned() };
            Prekey::read(&path, role, bytes, certificate, now)
        })
        .collect()
}
