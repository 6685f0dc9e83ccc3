//! A user with devices, made from keys as a client makes them.

use std::time::{SystemTime, UNIX_EPOCH};

use plasma_e2ee::rand_core::UnwrapErr;
use plasma_e2ee::{DeviceKeys, PrivatePrekey, RecoveryKey, RootKey};
use plasma_identity::{
    Capabilities, DeviceAddress, PrekeyRole, Signer, UserAddress, VerifiedAccount,
    session_challenge, verify_chain,
};
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::{Platform, secret};
use uuid::Uuid;

use crate::wire::Wire;

/// A user with at least one device.
pub(crate) struct Person {
    /// The platform's own id of the user.
    pub(crate) sub: String,
    pub(crate) address: UserAddress,
    pub(crate) account: VerifiedAccount,
    pub(crate) root: RootKey,
    pub(crate) devices: Vec<Gadget>,
}

/// A device with its keys and a token.
pub(crate) struct Gadget {
    pub(crate) keys: DeviceKeys,
    pub(crate) token: String,
}

/// A user that its platform vouched for, and what registers its first device.
pub(crate) struct Newcomer {
    pub(crate) sub: String,
    pub(crate) address: UserAddress,
    pub(crate) enrollment_token: String,
}

impl Newcomer {
    /// A user whom the service has not seen before.
    pub(crate) async fn of(wire: &Wire, platform: &Platform) -> Self {
        Self::named(wire, platform, format!("user-{}", secret::name())).await
    }

    /// The user whom the platform knows by this id.
    pub(crate) async fn named(wire: &Wire, platform: &Platform, sub: String) -> Self {
        let request = pb::ExchangeTokenRequest {
            tenant_id: platform.tenant_id().to_owned(),
            platform_token: platform.user_token(&sub).unwrap(),
        };
        let method = "messaging.v1.SessionService/ExchangeToken";
        let answer: pb::ExchangeTokenResponse = wire.ask(method, None, &request).await;
        let user = answer.user.unwrap();
        let address = UserAddress {
            tenant: parse("tenant", &user.tenant_id),
            user: parse("user", &user.user_id),
        };
        Self { sub, address, enrollment_token: answer.enrollment_token }
    }

    /// What the first device of the user shows to the service, the device, and the root.
    pub(crate) fn first_device(
        &self,
    ) -> (DeviceKeys, VerifiedAccount, pb::RegisterFirstDeviceRequest, RootKey) {
        let (root, now) = (RootKey::generate(&mut rng()), now());
        let keys = new_device(self.address);
        let wish = keys.certificate_request(root.fingerprint(self.address), Capabilities::V1);
        let certificate = root.certify(&wish, now).unwrap();
        let manifest = root.start_generation(self.address, &[certificate], None, now).unwrap();
        let request = pb::RegisterFirstDeviceRequest {
            root_public_key: root.public().to_bytes().to_vec().into(),
            certificate: certificate.to_bytes().into(),
            manifest: manifest.to_bytes().into(),
            prekeys: Some(first_prekeys(&keys)),
        };
        let account =
            verify_chain(self.address, None, root.public(), &[manifest], &[certificate], now);
        (keys, account.unwrap(), request, root)
    }

    /// Registers the first device.
    pub(crate) async fn register(self, wire: &Wire) -> Person {
        let (keys, account, request, root) = self.first_device();
        let method = "messaging.v1.DeviceService/RegisterFirstDevice";
        let token = Some(self.enrollment_token.as_str());
        let answer: pb::RegisterFirstDeviceResponse = wire.ask(method, token, &request).await;
        let devices = vec![Gadget { keys, token: answer.access_token }];
        Person { sub: self.sub, address: self.address, account, root, devices }
    }
}

impl Person {
    /// A new user with one device.
    pub(crate) async fn of(wire: &Wire, platform: &Platform) -> Self {
        Newcomer::of(wire, platform).await.register(wire).await
    }

    pub(crate) fn user_id(&self) -> String {
        plasma_proto::id::format("user", self.address.user.as_u128())
    }

    pub(crate) fn user(&self) -> pb::UserAddress {
        let tenant_id = plasma_proto::id::format("tenant", self.address.tenant.as_u128());
        pb::UserAddress { tenant_id, user_id: self.user_id() }
    }

    /// The user as its platform vouches for it again, without a device.
    pub(crate) async fn enrolling(&self, wire: &Wire, platform: &Platform) -> Newcomer {
        Newcomer::named(wire, platform, self.sub.clone()).await
    }

    /// What begins the next generation with a new device alone.
    pub(crate) fn generation(&self) -> pb::StartGenerationRequest {
        let keys = new_device(self.address);
        let wish = keys.certificate_request(self.account.fingerprint(), Capabilities::V1);
        let (certificate, manifest) =
            self.root.recover(&self.account, &[], Some(&wish), now()).unwrap();
        pb::StartGenerationRequest {
            manifest: manifest.to_bytes().into(),
            new_device: Some(pb::RecoveredDevice {
                certificate: certificate.unwrap().to_bytes().into(),
                prekeys: Some(first_prekeys(&keys)),
            }),
        }
    }

    /// The root, sealed under a recovery key that nobody has.
    pub(crate) fn recovery_kit(&self) -> pb::SetRecoveryKitRequest {
        let key = RecoveryKey::generate(&mut rng());
        let kit = key.seal(&self.root, self.address, &mut rng());
        pb::SetRecoveryKitRequest { recovery_kit: kit.to_bytes().into() }
    }

    /// What removes one of the devices.
    pub(crate) fn removal(&self, gone: &Gadget) -> pb::RevokeDeviceRequest {
        let gone = gone.keys.address().device;
        let manifest = self.devices[0].keys.revoke(&self.account, gone, now()).unwrap();
        pb::RevokeDeviceRequest { manifest: manifest.to_bytes().into() }
    }

    /// The first device's token.
    pub(crate) fn token(&self) -> &str {
        &self.devices[0].token
    }

    pub(crate) fn manifest_hash(&self) -> Vec<u8> {
        self.account.manifest_hash().0.to_vec()
    }

    /// What adds a device that the first one certifies, and the device.
    pub(crate) fn next_device(&self) -> (DeviceKeys, VerifiedAccount, pb::AddDeviceRequest) {
        let keys = new_device(self.address);
        let wish = keys.certificate_request(self.account.fingerprint(), Capabilities::V1);
        let approver = &self.devices[0].keys;
        let (certificate, manifest) = approver.approve(&self.account, &wish, true, now()).unwrap();
        let mut account = self.account.clone();
        account.advance(std::slice::from_ref(&manifest), &[certificate], now()).unwrap();
        let request = pb::AddDeviceRequest {
            certificate: certificate.to_bytes().into(),
            manifest: manifest.to_bytes().into(),
            prekeys: Some(first_prekeys(&keys)),
        };
        (keys, account, request)
    }

    /// Adds a device and opens its session.
    pub(crate) async fn add_device(&mut self, wire: &Wire) {
        let (keys, account, request) = self.next_device();
        let method = "messaging.v1.DeviceService/AddDevice";
        let _: pb::AddDeviceResponse = wire.ask(method, Some(self.token()), &request).await;
        let request = signed_challenge(wire, &keys).await;
        let method = "messaging.v1.SessionService/CreateSession";
        let answer: pb::CreateSessionResponse = wire.ask(method, None, &request).await;
        self.account = account;
        self.devices.push(Gadget { keys, token: answer.access_token });
    }
}

impl Gadget {
    pub(crate) fn device_id(&self) -> String {
        plasma_proto::id::format("device", self.keys.address().device.as_u128())
    }
}

/// A device's address as the contract writes it.
pub(crate) fn written(address: DeviceAddress) -> pb::DeviceAddress {
    use plasma_proto::id::format;
    pb::DeviceAddress {
        tenant_id: format("tenant", address.tenant.as_u128()),
        user_id: format("user", address.user.as_u128()),
        device_id: format("device", address.device.as_u128()),
    }
}

/// What opens a device's session.
pub(crate) async fn signed_challenge(wire: &Wire, keys: &DeviceKeys) -> pb::CreateSessionRequest {
    let device = Some(written(keys.address()));
    let request = pb::CreateChallengeRequest { device: device.clone() };
    let method = "messaging.v1.SessionService/CreateChallenge";
    let challenge: pb::CreateChallengeResponse = wire.ask(method, None, &request).await;
    let signature = keys.sign(&session_challenge(&keys.address(), &challenge.challenge));
    pb::CreateSessionRequest {
        device,
        challenge: challenge.challenge,
        signature: signature.to_bytes().to_vec().into(),
    }
}

/// A new prekey of a device, with an id of its own.
pub(crate) fn prekey(keys: &DeviceKeys, role: PrekeyRole) -> PrivatePrekey {
    let id = u32::from_be_bytes(secret::bytes()) | 1;
    PrivatePrekey::generate(keys, role, id, now(), &mut rng())
}

fn first_prekeys(keys: &DeviceKeys) -> pb::DevicePrekeys {
    let public = |role| prekey(keys, role).public().to_bytes().into();
    pb::DevicePrekeys {
        signed_prekey: public(PrekeyRole::SignedEc),
        last_resort_kem_prekey: public(PrekeyRole::LastResortKem),
    }
}

fn new_device(user: UserAddress) -> DeviceKeys {
    let device = Uuid::from_u128(u128::from_be_bytes(secret::bytes()) | 1);
    DeviceKeys::generate(user.device(device), &mut rng())
}

fn parse(prefix: &str, text: &str) -> Uuid {
    Uuid::from_u128(plasma_proto::id::parse(prefix, text).unwrap())
}

fn rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

/// Whole seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a client outside of the service has its own clock")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
