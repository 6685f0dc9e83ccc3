//! The chain of `manifests.json`, and what is wrong with each offer that is refused.

use plasma_e2ee::{DeviceKeys, RootKey};
use plasma_identity::{
    Capabilities, CertificateTerms, DeviceCertificate, Issuer, Manifest, ManifestStatement, Signer,
    UserAddress, VerifiedAccount, verify_chain,
};
use uuid::Uuid;

use crate::account::user;
use crate::manifests::{Chain, Refused, START, Signed};
use crate::random::Randomness;

const DAY: u64 = 24 * 60 * 60;

/// A device before it is certified.
struct Device {
    keys: DeviceKeys,
    signing_private: Vec<u8>,
}

/// Who makes the chain.
struct Owner {
    user: UserAddress,
    root: RootKey,
    root_private: Vec<u8>,
    phone: Device,
    tablet: Device,
    laptop: Device,
    certificates: Vec<Signed>,
    manifests: Vec<Signed>,
}

impl Device {
    fn new(number: u8, randomness: &mut Randomness) -> Self {
        let address = user(1).device(Uuid::from_bytes([number; 16]));
        let keys = DeviceKeys::generate(address, randomness);
        let [signing_private, _] = randomness.take().try_into().expect("a draw for each key");
        Self { keys, signing_private }
    }

    fn id(&self) -> Uuid {
        self.keys.address().device
    }
}

impl Owner {
    fn new() -> Self {
        let mut randomness = Randomness::recording(11);
        let root = RootKey::generate(&mut randomness);
        let [root_private] = randomness.take().try_into().expect("one draw");
        let mut device = |number| Device::new(number, &mut randomness);
        let (phone, tablet, laptop) = (device(0xd1), device(0xd2), device(0xd3));
        let (certificates, manifests) = (Vec::new(), Vec::new());
        Self { user: user(1), root, root_private, phone, tablet, laptop, certificates, manifests }
    }

    fn certified(&mut self, name: &str, signer: &[u8], certificate: &DeviceCertificate, now: u64) {
        self.certificates.push(signed(name, signer, certificate.to_bytes(), now));
    }

    fn listed(&mut self, name: &str, signer: &[u8], manifest: &Manifest, now: u64) {
        self.manifests.push(signed(name, signer, manifest.to_bytes(), now));
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.certificates.iter().map(|certificate| certificate.bytes.clone()).collect()
    }
}

fn signed(name: &str, signer: &[u8], bytes: Vec<u8>, now: u64) -> Signed {
    Signed { name: name.to_owned(), signer_private: signer.to_vec(), bytes, now }
}

/// Makes the chain and what is refused along it.
pub fn chain() -> Chain {
    let mut owner = Owner::new();
    let accounts = follow(&mut owner);
    let refused = refused(&owner, &accounts);
    let Owner { user, root_private, certificates, manifests, .. } = owner;
    Chain { user, root_private, certificates, manifests, refused }
}

/// Start, add twice, revoke, renew, and a new generation; what a viewer sees after each.
fn follow(owner: &mut Owner) -> Vec<VerifiedAccount> {
    let [root, phone] = [owner.root_private.clone(), owner.phone.signing_private.clone()];
    let fingerprint = owner.root.fingerprint(owner.user);
    let request = |device: &Device| device.keys.certificate_request(fingerprint, Capabilities::V1);
    let certificate = owner.root.certify(&request(&owner.phone), START).expect("a request");
    let manifest = owner.root.start_generation(owner.user, &[certificate], None, START);
    let manifest = manifest.expect("one approver");
    owner.certified("phone", &root, &certificate, START);
    owner.listed("start", &root, &manifest, START);
    let chain = [manifest];
    let account =
        verify_chain(owner.user, None, owner.root.public(), &chain, &[certificate], START);
    let mut accounts = vec![account.expect("a chain of one")];
    let step = |accounts: &mut Vec<VerifiedAccount>, manifest: &Manifest, new: &[_], now| {
        let mut next = accounts.last().expect("an account").clone();
        next.advance(core::slice::from_ref(manifest), new, now).expect("a successor");
        accounts.push(next);
    };

    let additions = [("tablet", true, DAY), ("laptop", false, 2 * DAY)];
    for (name, may_approve, later) in additions {
        let device = if name == "tablet" { &owner.tablet } else { &owner.laptop };
        let (account, now) = (accounts.last().expect("an account"), START + later);
        let made = owner.phone.keys.approve(account, &request(device), may_approve, now);
        let (certificate, manifest) = made.expect("an approver");
        step(&mut accounts, &manifest, &[certificate], now);
        owner.certified(name, &phone, &certificate, now);
        owner.listed(&format!("add {name}"), &phone, &manifest, now);
    }
    let (account, now) = (accounts.last().expect("an account"), START + 3 * DAY);
    let manifest = owner.phone.keys.revoke(account, owner.laptop.id(), now).expect("an approver");
    step(&mut accounts, &manifest, &[], now);
    owner.listed("revoke laptop", &phone, &manifest, now);

    let (account, now) = (accounts.last().expect("an account"), START + 20 * DAY);
    let manifest = owner.tablet.keys.renew(account, now).expect("an approver");
    let tablet = owner.tablet.signing_private.clone();
    step(&mut accounts, &manifest, &[], now);
    owner.listed("renew", &tablet, &manifest, now);

    let (account, now) = (accounts.last().expect("an account"), START + 21 * DAY);
    let keep = [owner.phone.id()];
    let (_, manifest) = owner.root.recover(account, &keep, None, now).expect("an approver");
    step(&mut accounts, &manifest, &[], now);
    owner.listed("new generation without the tablet", &root, &manifest, now);
    accounts
}

/// The statement of a proper successor of the chain's second manifest, signed by the phone.
fn successor(owner: &Owner, account: &VerifiedAccount) -> ManifestStatement {
    let now = START + 2 * DAY;
    let manifest = owner.phone.keys.renew(account, now).expect("an approver");
    manifest.statement().clone()
}

fn refused(owner: &Owner, accounts: &[VerifiedAccount]) -> Vec<Refused> {
    let now = START + 2 * DAY;
    let good = || successor(owner, &accounts[1]);
    let phone = &owner.phone.keys;
    let mut all = Vec::new();
    let mut refuse = |name: &str, known: u64, manifests: Vec<Vec<u8>>, certificates, now| {
        all.push(Refused { name: name.to_owned(), known, manifests, certificates, now });
    };
    let own = |position: usize| owner.manifests[position].bytes.clone();
    let sign = |statement: ManifestStatement, signer: &dyn SignerOf| signer.manifest(statement);

    refuse("no manifest", 0, vec![], owner.bytes(), now);
    refuse("begins at a device's manifest", 0, vec![own(1)], owner.bytes(), now);
    refuse("an older manifest", 3, vec![own(1)], owner.bytes(), now);
    refuse("a gap", 1, vec![own(2)], owner.bytes(), now);
    refuse("a certificate is missing", 1, vec![own(1)], vec![], now);
    refuse("has expired", 0, vec![own(0)], owner.bytes(), START + 30 * DAY);
    refuse("lies in the future", 0, vec![own(0)], owner.bytes(), START - DAY - 1);

    let fork = ManifestStatement { issued: now + 1, expires: now + 2, ..good() };
    refuse("another manifest of an epoch", 3, vec![sign(fork, phone)], owner.bytes(), now);
    let stranger = ManifestStatement { user: user(9), ..good() };
    refuse("of another user", 2, vec![sign(stranger, phone)], owner.bytes(), now);
    let device = owner.laptop.id();
    let signer = ManifestStatement { signer: Issuer::Device(device), ..good() };
    let by_laptop = sign(signer, &owner.laptop.keys);
    refuse("signed by a device that is not listed", 2, vec![by_laptop], owner.bytes(), now);
    let forged = sign(good(), &owner.tablet.keys);
    refuse("signed with another key", 2, vec![forged], owner.bytes(), now);
    let by_root = ManifestStatement { signer: Issuer::Root, ..good() };
    let by_root = sign(by_root, &owner.root);
    refuse("signed by the root within a generation", 2, vec![by_root], owner.bytes(), now);
    let generation = ManifestStatement { generation: 1, ..good() };
    let generation = sign(generation, phone);
    refuse("a generation that a device begins", 2, vec![generation], owner.bytes(), now);

    let laptop = self_issued(owner);
    let mut hashes = good().certificates;
    hashes.push(laptop.hash());
    hashes.sort_unstable();
    let listing = ManifestStatement { certificates: hashes, ..good() };
    let (listing, offered) = (sign(listing, phone), vec![laptop.to_bytes()]);
    refuse("a device that certified itself", 2, vec![listing], offered, now);
    let only = owner.certificates[2].bytes.clone();
    let only = DeviceCertificate::from_bytes(&only).expect("a certificate");
    let helpless = ManifestStatement { certificates: vec![only.hash()], ..good() };
    refuse("no approver is left", 2, vec![sign(helpless, phone)], owner.bytes(), now);
    all
}

/// A certificate that the laptop signs for itself, as an approver.
fn self_issued(owner: &Owner) -> DeviceCertificate {
    let laptop = &owner.laptop;
    let fingerprint = owner.root.fingerprint(owner.user);
    let request = laptop.keys.certificate_request(fingerprint, Capabilities::V1);
    let issuer = Issuer::Device(laptop.id());
    let terms = CertificateTerms { may_approve: true, not_before: START, issuer };
    DeviceCertificate::sign(request, terms, &laptop.keys)
}

/// Signs statements, whoever it is.
trait SignerOf {
    fn manifest(&self, statement: ManifestStatement) -> Vec<u8>;
}

impl<T: Signer> SignerOf for T {
    fn manifest(&self, statement: ManifestStatement) -> Vec<u8> {
        Manifest::sign(statement, self).expect("a statement within its bounds").to_bytes()
    }
}
