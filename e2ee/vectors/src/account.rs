//! A user with one device, as the files name it.

use plasma_e2ee::{DeviceKeys, LocalDevice, RemoteDevice, RootKey};
use plasma_identity::{
    Capabilities, DeviceAddress, DeviceCertificate, Manifest, UserAddress, VerifiedAccount,
    verify_chain,
};
use serde_json::Value;
use uuid::Uuid;

use crate::bare::{hash, point, verify};
use crate::fields::Fields;
use crate::json::Json;
use crate::random::{Randomness, agreement_scalar};

/// When everything in the files begins, in unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// The inputs: ids, private keys, and the two structures whose signatures are only verified.
#[derive(Clone)]
pub struct Party {
    /// The device.
    pub address: DeviceAddress,
    /// The root's private scalar.
    pub root_private: Vec<u8>,
    /// The DSK's private scalar.
    pub signing_private: Vec<u8>,
    /// The DHK's private scalar.
    pub agreement_private: Vec<u8>,
    /// The device's certificate.
    pub certificate: Vec<u8>,
    /// The account's only manifest.
    pub manifest: Vec<u8>,
}

/// Names a user by one byte.
pub fn user(number: u8) -> UserAddress {
    UserAddress { tenant: Uuid::from_bytes([0xa0; 16]), user: Uuid::from_bytes([number; 16]) }
}

impl Party {
    /// Founds an account at [`NOW`].
    pub fn found(number: u8, randomness: &mut Randomness) -> Self {
        let user = user(number);
        let root = RootKey::generate(randomness);
        let address = user.device(Uuid::from_bytes([number | 0xd0; 16]));
        let keys = DeviceKeys::generate(address, randomness);
        let request = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
        let certificate = root.certify(&request, NOW).expect("a request for this root");
        let manifest =
            root.start_generation(user, &[certificate], None, NOW).expect("one approver");
        let [root_private, signing_private, agreement_private] =
            randomness.take().try_into().expect("three draws, one for each key");
        Self {
            address,
            root_private,
            signing_private,
            agreement_private: agreement_scalar(agreement_private),
            certificate: certificate.to_bytes(),
            manifest: manifest.to_bytes(),
        }
    }

    /// Reads the inputs.
    pub fn read(file: &Value) -> Self {
        let (tenant, user, device) = (file.uuid("tenant"), file.uuid("user"), file.uuid("device"));
        Self {
            address: DeviceAddress { tenant, user, device },
            root_private: file.bytes("root_private"),
            signing_private: file.bytes("signing_private"),
            agreement_private: file.bytes("agreement_private"),
            certificate: file.bytes("certificate"),
            manifest: file.bytes("manifest"),
        }
    }

    /// `Hash("Plasma/v1/certificate-hash", …)`.
    pub fn certificate_hash(&self) -> Vec<u8> {
        hash("Plasma/v1/certificate-hash", &[&self.certificate[..306]])
    }

    /// `Hash("Plasma/v1/manifest-hash", …)`.
    pub fn manifest_hash(&self) -> Vec<u8> {
        hash("Plasma/v1/manifest-hash", &[&self.manifest[..self.manifest.len() - 64]])
    }

    /// The account's fingerprint.
    pub fn fingerprint(&self) -> Vec<u8> {
        let (tenant, user) = (self.address.tenant, self.address.user);
        let root = point(&self.root_private);
        hash("Plasma/v1/fingerprint", &[tenant.as_bytes(), user.as_bytes(), &root])
    }

    /// Writes inputs and what follows from them, after checking both structures by their offsets.
    pub fn trace(&self) -> Json {
        let root = point(&self.root_private);
        let (signing, agreement) = (point(&self.signing_private), point(&self.agreement_private));
        let (certificate, manifest) = (&self.certificate, &self.manifest);
        assert_eq!((certificate.len(), &certificate[..2]), (370, &[1, 1][..]));
        assert_eq!(certificate[2..50], self.address.to_bytes());
        assert_eq!(certificate[50..82], self.fingerprint());
        assert_eq!((&certificate[82..147], &certificate[147..212]), (&signing[..], &agreement[..]));
        let (possession, issuer) = (&certificate[216..280], &certificate[306..]);
        verify(&signing, "Plasma/v1/device-possession", &[&certificate[2..216]], possession);
        verify(&root, "Plasma/v1/device-certificate", &[&certificate[..306]], issuer);
        assert_eq!((manifest.len(), &manifest[..2]), (240, &[3, 1][..]));
        assert_eq!(manifest[144..176], self.certificate_hash());
        verify(&root, "Plasma/v1/manifest-signature", &[&manifest[..176]], &manifest[176..]);
        Json::from([
            ("tenant", self.address.tenant.as_bytes().into()),
            ("user", self.address.user.as_bytes().into()),
            ("device", self.address.device.as_bytes().into()),
            ("root_private", (&self.root_private).into()),
            ("root_public", (&root).into()),
            ("fingerprint", (&self.fingerprint()).into()),
            ("signing_private", (&self.signing_private).into()),
            ("signing_public", (&signing).into()),
            ("agreement_private", (&self.agreement_private).into()),
            ("agreement_public", (&agreement).into()),
            ("certificate", certificate.into()),
            ("certificate_hash", (&self.certificate_hash()).into()),
            ("manifest", manifest.into()),
            ("manifest_hash", (&self.manifest_hash()).into()),
        ])
    }

    /// Hands the inputs to the implementation.
    pub fn load(&self) -> Loaded {
        let root = RootKey::from_bytes(&[&[0x40, 1], &self.root_private[..]].concat());
        let root = root.expect("a private key");
        let keys = [
            &[0x41, 1],
            &self.address.to_bytes()[..],
            &self.signing_private,
            &self.agreement_private,
        ];
        let keys = DeviceKeys::from_bytes(&keys.concat()).expect("private keys");
        let certificate = DeviceCertificate::from_bytes(&self.certificate).expect("a certificate");
        let manifest = Manifest::from_bytes(&self.manifest).expect("a manifest");
        let user = self.address.user_address();
        let account = verify_chain(user, None, root.public(), &[manifest], &[certificate], NOW);
        Loaded { root, keys, account: account.expect("a chain of one") }
    }
}

/// The implementation's view of a party.
pub struct Loaded {
    /// The root key.
    pub root: RootKey,
    /// The device's keys.
    pub keys: DeviceKeys,
    /// The account.
    pub account: VerifiedAccount,
}

impl Loaded {
    /// The device as the one at hand.
    pub fn local(&self) -> LocalDevice<'_> {
        LocalDevice::new(&self.keys, &self.account).expect("a certified device")
    }

    /// The device as a peer.
    pub fn remote(&self) -> RemoteDevice<'_> {
        RemoteDevice::new(&self.account, self.keys.address().device).expect("a certified device")
    }
}
