//! A user with real keys: root, devices, certificates, manifests, prekeys.

use bytes::Bytes;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use plasma_identity::{
    AgreementPublicKey, Capabilities, CertificateHash, CertificateRequest, CertificateTerms,
    DeviceAddress, DeviceCertificate, DeviceStatement, Issuer, Manifest, ManifestHash,
    ManifestStatement, PrekeyRole, PrekeyStatement, RecoveryKit, RecoveryKitHeader, RootPublicKey,
    Signature, SignedPrekey, Signer, SigningPublicKey, UserAddress,
};
use plasma_kit::Env;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{DeviceId, TenantId, UserId};
use plasma_proto::messaging::v1 as pb;
use uuid::Uuid;

use crate::world::{World, by, enrolling};

const WEEK: u64 = 7 * 24 * 60 * 60;

/// A private key of a test.
#[derive(Clone)]
pub struct Key(pub SigningKey);

impl Key {
    pub fn generate(env: &Env) -> Self {
        Self(SigningKey::from_slice(&env.random::<32>()).unwrap())
    }

    fn public(&self) -> p256::PublicKey {
        p256::PublicKey::from(self.0.verifying_key())
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Signature {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        signature.into()
    }
}

/// A device of a test.
#[derive(Clone)]
pub struct Device {
    pub actor: DeviceActor,
    pub key: Key,
    pub certificate: DeviceCertificate,
}

impl Device {
    fn certify(
        env: &Env,
        user: (TenantId, UserId),
        root: RootPublicKey,
        may_approve: bool,
        issuer: (Issuer, &Key),
    ) -> Self {
        let key = Key::generate(env);
        let device = Uuid::from_bytes(env.random());
        let (tenant, user) = user;
        let address = UserAddress { tenant: tenant.0, user: user.0 };
        let statement = DeviceStatement {
            address: address.device(device),
            account: root.fingerprint(address),
            signing_key: SigningPublicKey::from(key.public()),
            agreement_key: AgreementPublicKey::from(Key::generate(env).public()),
            capabilities: Capabilities::V1,
        };
        let request = CertificateRequest::sign(statement, &key);
        let not_before = now(env) - 60;
        let terms = CertificateTerms { may_approve, not_before, issuer: issuer.0 };
        let certificate = DeviceCertificate::sign(request, terms, issuer.1);
        Self { actor: DeviceActor { tenant, user, device: DeviceId(device) }, key, certificate }
    }

    pub fn address(&self) -> DeviceAddress {
        self.certificate.address()
    }

    /// A prekey of this device; keys of different ids differ.
    pub fn prekey(&self, env: &Env, role: PrekeyRole, id: u32) -> Bytes {
        let key = if role.is_kem() {
            let mut key = vec![0; 1184];
            // Each byte is the low part of a coefficient, which is then below the modulus.
            for (place, byte) in id.to_be_bytes().into_iter().enumerate() {
                key[place * 3] = byte;
            }
            key
        } else {
            AgreementPublicKey::from(Key::generate(env).public()).to_bytes().to_vec()
        };
        let expires = if role.is_one_time() { 0 } else { now(env) + WEEK };
        let statement = PrekeyStatement { role, address: self.address(), id, expires, key };
        SignedPrekey::sign(statement, &self.key).unwrap().to_bytes().into()
    }

    pub fn prekeys(&self, env: &Env) -> pb::DevicePrekeys {
        pb::DevicePrekeys {
            signed_prekey: self.prekey(env, PrekeyRole::SignedEc, 1),
            last_resort_kem_prekey: self.prekey(env, PrekeyRole::LastResortKem, 1),
        }
    }

    pub fn pb_address(&self) -> pb::DeviceAddress {
        pb::DeviceAddress {
            tenant_id: self.actor.tenant.to_string(),
            user_id: self.actor.user.to_string(),
            device_id: self.actor.device.to_string(),
        }
    }
}

/// A user of a test.
#[derive(Clone)]
pub struct Person {
    pub user: (TenantId, UserId),
    pub root: Key,
    pub devices: Vec<Device>,
    pub manifest: Manifest,
}

fn now(env: &Env) -> u64 {
    u64::try_from(env.now().seconds()).unwrap()
}

impl Person {
    /// A user with one device that nobody knows yet.
    pub fn new(world: &World, tenant: TenantId) -> Self {
        Self::of_user(world, (tenant, UserId(world.env.uuid())))
    }

    pub fn of_user(world: &World, user: (TenantId, UserId)) -> Self {
        let env = &world.env;
        let root = Key::generate(env);
        let public = RootPublicKey::from(root.public());
        let device = Device::certify(env, user, public, true, (Issuer::Root, &root));
        let address = UserAddress { tenant: user.0.0, user: user.1.0 };
        let statement = ManifestStatement {
            user: address,
            account: public.fingerprint(address),
            generation: 0,
            epoch: 1,
            previous: ManifestHash::NONE,
            issued: now(env),
            expires: now(env) + WEEK,
            signer: Issuer::Root,
            certificates: vec![device.certificate.hash()],
        };
        let manifest = Manifest::sign(statement, &root).unwrap();
        Self { user, root, devices: vec![device], manifest }
    }

    /// A user with one registered device.
    pub async fn registered(world: &World, tenant: TenantId) -> Self {
        let person = Self::new(world, tenant);
        person.register(world).await.unwrap();
        person
    }

    pub async fn register(
        &self,
        world: &World,
    ) -> Result<pb::RegisterFirstDeviceResponse, tonic::Status> {
        let request = enrolling(self.user, self.registration(world));
        Ok(world.devices().register_first_device(request).await?.into_inner())
    }

    pub fn registration(&self, world: &World) -> pb::RegisterFirstDeviceRequest {
        pb::RegisterFirstDeviceRequest {
            root_public_key: self.root_public_key().to_bytes().to_vec().into(),
            certificate: self.devices[0].certificate.to_bytes().into(),
            manifest: self.manifest.to_bytes().into(),
            prekeys: Some(self.devices[0].prekeys(&world.env)),
        }
    }

    pub fn root_public_key(&self) -> RootPublicKey {
        RootPublicKey::from(self.root.public())
    }

    pub fn address(&self) -> UserAddress {
        UserAddress { tenant: self.user.0.0, user: self.user.1.0 }
    }

    pub fn pb_address(&self) -> pb::UserAddress {
        pb::UserAddress { tenant_id: self.user.0.to_string(), user_id: self.user.1.to_string() }
    }

    pub fn actor(&self) -> DeviceActor {
        self.devices[0].actor
    }

    /// A new device that the first one certifies.
    pub fn certify(&self, world: &World, may_approve: bool) -> Device {
        let approver = &self.devices[0];
        let issuer = (Issuer::Device(approver.actor.device.0), &approver.key);
        Device::certify(&world.env, self.user, self.root_public_key(), may_approve, issuer)
    }

    /// A new device that the root certifies.
    pub fn certify_by_root(&self, world: &World) -> Device {
        let issuer = (Issuer::Root, &self.root);
        Device::certify(&world.env, self.user, self.root_public_key(), true, issuer)
    }

    /// The manifest that lists `added` as well, signed by `signer`.
    pub fn successor(&self, world: &World, added: &[&Device], signer: (Issuer, &Key)) -> Manifest {
        let said = self.manifest.statement();
        let mut certificates = said.certificates.clone();
        certificates.extend(added.iter().map(|device| device.certificate.hash()));
        self.next(world, 0, certificates, signer)
    }

    /// The manifest that lists everybody but `gone`, signed by `signer`.
    pub fn without(&self, world: &World, gone: &[&Device], signer: (Issuer, &Key)) -> Manifest {
        let gone: Vec<_> = gone.iter().map(|device| device.certificate.hash()).collect();
        let mut certificates = self.manifest.statement().certificates.clone();
        certificates.retain(|hash| !gone.contains(hash));
        self.next(world, 0, certificates, signer)
    }

    /// The first manifest of the next generation, with these devices.
    pub fn generation(
        &self,
        world: &World,
        devices: &[&Device],
        signer: (Issuer, &Key),
    ) -> Manifest {
        let certificates = devices.iter().map(|device| device.certificate.hash()).collect();
        self.next(world, 1, certificates, signer)
    }

    fn next(
        &self,
        world: &World,
        generations: u32,
        mut certificates: Vec<CertificateHash>,
        signer: (Issuer, &Key),
    ) -> Manifest {
        let said = self.manifest.statement();
        certificates.sort_unstable();
        let statement = ManifestStatement {
            generation: said.generation + generations,
            epoch: said.epoch + 1,
            previous: self.manifest.hash(),
            issued: now(&world.env),
            expires: now(&world.env) + WEEK,
            signer: signer.0,
            certificates,
            ..said.clone()
        };
        Manifest::sign(statement, signer.1).unwrap()
    }

    /// The root as a signer.
    pub fn by_root(&self) -> (Issuer, &Key) {
        (Issuer::Root, &self.root)
    }

    /// A recovery kit of this account, as far as the service can see, signed by `signer`.
    pub fn kit(&self, world: &World, signer: &Key) -> RecoveryKit {
        let header = RecoveryKitHeader {
            user: self.address(),
            account: self.root_public_key().fingerprint(self.address()),
            salt: world.env.random(),
        };
        RecoveryKit::sign(header, world.env.random(), signer)
    }

    /// The first device as a signer.
    pub fn approver(&self) -> (Issuer, &Key) {
        let first = &self.devices[0];
        (Issuer::Device(first.actor.device.0), &first.key)
    }

    /// Certifies and adds a device.
    pub async fn add_device(&mut self, world: &World, may_approve: bool) -> Device {
        let device = self.certify(world, may_approve);
        let manifest = self.successor(world, &[&device], self.approver());
        let request = addition(world, &device, &manifest);
        world.devices().add_device(by(self.actor(), request)).await.unwrap();
        self.devices.push(device.clone());
        self.manifest = manifest;
        device
    }
}

/// The request that adds a device.
pub fn addition(world: &World, device: &Device, manifest: &Manifest) -> pb::AddDeviceRequest {
    pb::AddDeviceRequest {
        certificate: device.certificate.to_bytes().into(),
        manifest: manifest.to_bytes().into(),
        prekeys: Some(device.prekeys(&world.env)),
    }
}

/// A tenant that nobody knows.
pub fn tenant(world: &World) -> TenantId {
    TenantId(world.env.uuid())
}

/// A device of the same user that only a test's actor has.
pub fn some_device_of(world: &World, person: &Person) -> DeviceActor {
    DeviceActor { device: DeviceId(Uuid::from_bytes(world.env.random())), ..person.actor() }
}
