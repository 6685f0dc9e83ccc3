//! What a new device asks for: its certificate request, its first prekeys and its name.

use plasma_identity::encoding::{DecodeError, Reader, length_prefix};
use plasma_identity::{CertificateRequest, Fingerprint, PrekeyRole, SignedPrekey, UserAddress};

use super::LinkingError;

const REQUEST_LENGTH: usize = 280;
const MAX_NAME_LENGTH: usize = 64;

/// A new device's request, checked: the approver shows the name, and certifies or declines.
#[derive(Clone, Debug)]
pub struct LinkingRequest {
    /// What the approver turns into a certificate.
    pub certificate_request: CertificateRequest,
    /// The device's first signed EC prekey.
    pub signed_prekey: SignedPrekey,
    /// The device's first last-resort KEM prekey.
    pub last_resort_kem_prekey: SignedPrekey,
    /// What the device calls itself, 1 to 64 bytes. A claim of the device, like all of it.
    pub name: String,
}

impl LinkingRequest {
    /// Checks everything that an approver asks of a request before it shows it.
    pub(super) fn check(
        &self,
        user: UserAddress,
        account: Fingerprint,
    ) -> Result<(), LinkingError> {
        let statement = self.certificate_request.statement();
        if statement.address.user_address() != user || statement.account != account {
            return Err(LinkingError::WrongAccount);
        }
        self.certificate_request.verify().map_err(|_| LinkingError::BadRequest)?;
        if self.signed_prekey.role() != PrekeyRole::SignedEc
            || self.last_resort_kem_prekey.role() != PrekeyRole::LastResortKem
        {
            return Err(LinkingError::WrongRole);
        }
        for prekey in [&self.signed_prekey, &self.last_resort_kem_prekey] {
            prekey.verify_by(statement.address, &statement.signing_key)?;
        }
        check_name(&self.name)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.certificate_request.to_bytes();
        length_prefix(&mut out, &self.signed_prekey.to_bytes());
        length_prefix(&mut out, &self.last_resort_kem_prekey.to_bytes());
        length_prefix(&mut out, self.name.as_bytes());
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, LinkingError> {
        let mut reader = Reader::new(bytes);
        let certificate_request = CertificateRequest::from_bytes(reader.slice(REQUEST_LENGTH)?)?;
        let signed_prekey = SignedPrekey::from_bytes(reader.length_prefixed()?)?;
        let last_resort_kem_prekey = SignedPrekey::from_bytes(reader.length_prefixed()?)?;
        let name = core::str::from_utf8(reader.length_prefixed()?)
            .map_err(|_| DecodeError::InvalidField("name"))?
            .to_owned();
        reader.finish()?;
        Ok(Self { certificate_request, signed_prekey, last_resort_kem_prekey, name })
    }
}

fn check_name(name: &str) -> Result<(), LinkingError> {
    let deceives = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !(1..=MAX_NAME_LENGTH).contains(&name.len()) || name.contains(deceives) {
        return Err(LinkingError::BadName);
    }
    Ok(())
}
