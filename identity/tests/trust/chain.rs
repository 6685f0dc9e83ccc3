//! What a hostile service may try with accounts, each refused for its own reason.

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use plasma_identity::{
    Capabilities, CertificateHash, CertificateRequest, CertificateTerms, ChainError, DecodeError,
    DeviceCertificate, DeviceStatement, Fingerprint, Issuer, MANIFEST_LIFETIME_SECONDS,
    MAX_LATENCY_SECONDS, Manifest, ManifestHash, ManifestStatement, PrekeyError, PrekeyRole,
    PrekeyStatement, RootPublicKey, Signature, SignedPrekey, Signer, UserAddress, VerifiedAccount,
    session_challenge, verify_chain, verify_first, verify_successor,
};
use uuid::Uuid;

const NOW: u64 = 1_800_000_000;

pub struct Key(SigningKey);

impl Key {
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub fn public(&self) -> p256::PublicKey {
        self.0.verifying_key().into()
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Signature {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        signature.into()
    }
}

fn user() -> UserAddress {
    UserAddress { tenant: Uuid::from_u128(1), user: Uuid::from_u128(2) }
}

fn root() -> Key {
    Key::new(100)
}

fn root_key() -> RootPublicKey {
    root().public().into()
}

fn device(number: u8) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

fn request(number: u8, key: u8) -> CertificateRequest {
    let statement = DeviceStatement {
        address: user().device(device(number)),
        account: root_key().fingerprint(user()),
        signing_key: Key::new(key).public().into(),
        agreement_key: Key::new(key + 50).public().into(),
        capabilities: Capabilities::V1,
    };
    CertificateRequest::sign(statement, &Key::new(key))
}

/// A certificate of device `number`, whose key has the same number, issued by `issuer` (0: root).
fn certificate(number: u8, issuer: u8, may_approve: bool) -> DeviceCertificate {
    let (by, key) = match issuer {
        0 => (Issuer::Root, root()),
        issuer => (Issuer::Device(device(issuer)), Key::new(issuer)),
    };
    let terms = CertificateTerms { may_approve, not_before: NOW, issuer: by };
    DeviceCertificate::sign(request(number, number), terms, &key)
}

fn hashes(certificates: &[DeviceCertificate]) -> Vec<CertificateHash> {
    let mut hashes: Vec<_> = certificates.iter().map(DeviceCertificate::hash).collect();
    hashes.sort();
    hashes
}

fn first(certificates: &[DeviceCertificate]) -> ManifestStatement {
    ManifestStatement {
        user: user(),
        account: root_key().fingerprint(user()),
        generation: 0,
        epoch: 1,
        previous: ManifestHash::NONE,
        issued: NOW,
        expires: NOW + MANIFEST_LIFETIME_SECONDS,
        signer: Issuer::Root,
        certificates: hashes(certificates),
    }
}

fn after(previous: &Manifest, signer: u8, certificates: &[DeviceCertificate]) -> ManifestStatement {
    ManifestStatement {
        epoch: previous.statement().epoch + 1,
        generation: previous.statement().generation,
        previous: previous.hash(),
        signer: Issuer::Device(device(signer)),
        ..first(certificates)
    }
}

fn sign(statement: ManifestStatement) -> Manifest {
    let key = match statement.signer {
        Issuer::Root => root(),
        Issuer::Device(device) => Key::new(u8::try_from(device.as_u128()).unwrap()),
    };
    Manifest::sign(statement, &key).unwrap()
}

/// Device 1 (approver), then 1 and 2 (no approver), and a viewer who has seen both.
struct Scene {
    manifests: [Manifest; 2],
    certificates: [DeviceCertificate; 2],
    viewer: VerifiedAccount,
}

fn scene() -> Scene {
    let certificates = [certificate(1, 0, true), certificate(2, 1, false)];
    let one = sign(first(&certificates[..1]));
    let two = sign(after(&one, 1, &certificates));
    let manifests = [one, two];
    let fingerprint = Some(root_key().fingerprint(user()));
    let viewer =
        verify_chain(user(), fingerprint, root_key(), &manifests, &certificates, NOW).unwrap();
    Scene { manifests, certificates, viewer }
}

impl Scene {
    /// Offers a successor to the viewer, who must stay as it was, and to the service.
    fn refuses(&self, next: &Manifest, certificates: &[DeviceCertificate], expected: ChainError) {
        let mut viewer = self.viewer.clone();
        let result = viewer.advance(std::slice::from_ref(next), certificates, NOW);
        assert_eq!(result, Err(expected));
        assert_eq!(viewer.to_bytes(), self.viewer.to_bytes());
        let result = verify_successor(
            &root_key(),
            &self.manifests[1],
            &self.certificates,
            &[],
            next,
            certificates,
            NOW,
        );
        assert_eq!(result.unwrap_err(), expected);
    }
}

#[test]
fn a_chain_is_followed_from_the_root_to_the_newest_devices() {
    let Scene { viewer, manifests, certificates } = scene();
    assert_eq!((viewer.generation(), viewer.epoch()), (0, 2));
    assert_eq!(viewer.manifest_hash(), manifests[1].hash());
    assert_eq!(viewer.devices().len(), 2);
    assert!(viewer.device(device(2)).is_some());
    assert!(viewer.certificate_at(manifests[0].hash(), device(2)).is_none());
    assert!(viewer.certificate_at(manifests[0].hash(), device(1)).is_some());
    let mut again = VerifiedAccount::from_bytes(&viewer.to_bytes()).unwrap();
    assert_eq!(again.to_bytes(), viewer.to_bytes());
    again.advance(&manifests, &[], NOW).unwrap();
    again.advance(&[], &[], NOW).unwrap();
    assert_eq!(again.to_bytes(), viewer.to_bytes());
    verify_first(user(), &root_key(), &manifests[0], &certificates, NOW).unwrap();
}

#[test]
fn another_root_another_user_and_a_chain_without_a_root_are_refused() {
    let Scene { manifests, certificates, .. } = scene();
    let verify = |user, fingerprint, root, manifests: &[Manifest]| {
        verify_chain(user, fingerprint, root, manifests, &certificates, NOW).unwrap_err()
    };
    let expected = Some(root_key().fingerprint(user()));
    let other: RootPublicKey = Key::new(101).public().into();
    assert_eq!(verify(user(), expected, other, &manifests), ChainError::FingerprintMismatch);
    assert_eq!(verify(user(), None, other, &manifests), ChainError::WrongRoot);
    let stranger = UserAddress { user: Uuid::from_u128(3), ..user() };
    assert_eq!(verify(stranger, None, root_key(), &manifests), ChainError::WrongUser);
    assert_eq!(verify(user(), None, root_key(), &manifests[1..]), ChainError::NotRooted);
    assert_eq!(verify(user(), None, root_key(), &[]), ChainError::Empty);
    let mut early = first(&certificates[..1]);
    early.epoch = 2;
    early.previous = ManifestHash([1; 32]);
    assert_eq!(verify(user(), None, root_key(), &[sign(early)]), ChainError::NotRooted);
    let forged = Manifest::sign(first(&certificates[..1]), &Key::new(101)).unwrap();
    assert_eq!(verify(user(), None, root_key(), &[forged]), ChainError::BadManifestSignature);
}

#[test]
fn a_rollback_is_refused() {
    let scene = scene();
    let mut viewer = scene.viewer.clone();
    let result = viewer.advance(&scene.manifests[..1], &[], NOW);
    assert_eq!(result, Err(ChainError::RolledBack));
    let mut old = first(&scene.certificates[..1]);
    old.issued += 1;
    scene.refuses(&sign(old), &[], ChainError::RolledBack);
}

#[test]
fn a_fork_is_refused() {
    let scene = scene();
    let mut same_epoch = after(&scene.manifests[0], 1, &scene.certificates);
    same_epoch.issued += 1;
    scene.refuses(&sign(same_epoch), &[], ChainError::Forked);
    let mut other_past = after(&scene.manifests[1], 1, &scene.certificates);
    other_past.previous = scene.manifests[0].hash();
    scene.refuses(&sign(other_past), &[], ChainError::Forked);
}

#[test]
fn a_gap_is_refused() {
    let scene = scene();
    let third = sign(after(&scene.manifests[1], 1, &scene.certificates));
    let fourth = sign(after(&third, 1, &scene.certificates));
    scene.refuses(&fourth, &[], ChainError::MissingManifest);
    scene.viewer.clone().advance(&[third, fourth], &[], NOW).unwrap();
}

#[test]
fn a_ghost_device_is_refused() {
    let scene = scene();
    let [one, two] = scene.certificates;
    let ghost = certificate(3, 1, false);
    let with = |ghost| after(&scene.manifests[1], 1, &[one, two, ghost]);
    // Listed without a certificate.
    scene.refuses(&sign(with(ghost)), &[], ChainError::UncertifiedDevice(ghost.hash()));
    // Listed by the service itself.
    let forged = Manifest::sign(with(ghost), &Key::new(99)).unwrap();
    scene.refuses(&forged, &[ghost], ChainError::BadManifestSignature);
    // Certified by a device that may not, by itself, or by the root without a new generation.
    for issuer in [2, 3, 0] {
        let ghost = certificate(3, issuer, false);
        scene.refuses(&sign(with(ghost)), &[ghost], ChainError::IssuerNotApprover);
    }
    // Certified by someone else in the approver's name.
    let terms =
        CertificateTerms { may_approve: false, not_before: NOW, issuer: Issuer::Device(device(1)) };
    let unsigned = DeviceCertificate::sign(request(3, 3), terms, &Key::new(99));
    scene.refuses(&sign(with(unsigned)), &[unsigned], ChainError::BadCertificateSignature);
    // Not counter-signed by itself.
    let mut statement = *request(3, 3).statement();
    statement.signing_key = Key::new(4).public().into();
    let stolen = CertificateRequest::sign(statement, &Key::new(3));
    assert!(stolen.verify().is_err());
    let stolen = DeviceCertificate::sign(stolen, terms, &Key::new(1));
    scene.refuses(&sign(with(stolen)), &[stolen], ChainError::BadPossession);
    // Of another account.
    let mut statement = *request(3, 3).statement();
    statement.account = Fingerprint::from_bytes([9; 32]);
    let foreign = CertificateRequest::sign(statement, &Key::new(3));
    let foreign = DeviceCertificate::sign(foreign, terms, &Key::new(1));
    scene.refuses(&sign(with(foreign)), &[foreign], ChainError::ForeignCertificate);
    // As it should be.
    let mut viewer = scene.viewer.clone();
    viewer.advance(&[sign(with(ghost))], &[ghost], NOW).unwrap();
    assert!(viewer.device(device(3)).is_some());
}

#[test]
fn a_signer_that_is_not_an_approver_of_the_manifest_before_is_refused() {
    let scene = scene();
    let [one, two] = scene.certificates;
    let by_two = sign(after(&scene.manifests[1], 2, &[one, two]));
    scene.refuses(&by_two, &[], ChainError::SignerNotApprover);
    // An approver that certifies itself into the manifest that it signs.
    let three = certificate(3, 3, true);
    let by_three = sign(after(&scene.manifests[1], 3, &[one, two, three]));
    scene.refuses(&by_three, &[three], ChainError::SignerNotApprover);
    let no_approver = sign(after(&scene.manifests[1], 1, &[two]));
    scene.refuses(&no_approver, &[], ChainError::NoApprover);
}

#[test]
fn only_the_root_begins_a_generation() {
    let scene = scene();
    let mut by_device = after(&scene.manifests[1], 1, &scene.certificates);
    by_device.generation = 1;
    scene.refuses(&sign(by_device), &[], ChainError::UnauthorisedGeneration);
    let mut within = after(&scene.manifests[1], 1, &scene.certificates);
    within.signer = Issuer::Root;
    scene.refuses(&sign(within), &[], ChainError::UnauthorisedGeneration);
}

#[test]
fn a_new_generation_overrides_a_fork_and_cannot_be_undone() {
    let scene = scene();
    // A stolen approver removes the owner's other device; the viewer has seen that.
    let thief = sign(after(&scene.manifests[1], 1, &scene.certificates[..1]));
    let mut viewer = scene.viewer.clone();
    viewer.advance(std::slice::from_ref(&thief), &[], NOW).unwrap();
    // The root, from the manifest before, cuts the approver off; device 4 comes from the root.
    let rescued = certificate(4, 0, true);
    let mut rescue = after(&scene.manifests[1], 1, &[scene.certificates[1], rescued]);
    rescue.generation = 1;
    rescue.signer = Issuer::Root;
    let rescue = sign(rescue);
    let certificates = [scene.certificates[1], rescued];
    viewer.advance(std::slice::from_ref(&rescue), &certificates, NOW).unwrap();
    assert_eq!(viewer.generation(), 1);
    assert!(viewer.device(device(1)).is_none());
    let more = sign(after(&thief, 1, &scene.certificates[..1]));
    assert_eq!(viewer.advance(&[more], &[], NOW), Err(ChainError::RolledBack));
    // The service holds the thief's manifest: it takes the rescue only on top of that one.
    let held = [scene.certificates[0]];
    let result = verify_successor(&root_key(), &thief, &held, &[], &rescue, &certificates, NOW);
    assert_eq!(result.unwrap_err(), ChainError::Forked);
    // A first-time viewer may start at the generation.
    verify_chain(user(), None, root_key(), &[rescue], &certificates, NOW).unwrap();
}

#[test]
fn expired_and_future_manifests_are_refused() {
    let scene = scene();
    let expires = NOW + MANIFEST_LIFETIME_SECONDS;
    let mut viewer = scene.viewer.clone();
    viewer.advance(&[], &[], expires - 1).unwrap();
    assert_eq!(viewer.advance(&[], &[], expires), Err(ChainError::Expired));
    let (manifests, certificates) = (&scene.manifests, &scene.certificates);
    let late = verify_chain(user(), None, root_key(), manifests, certificates, expires);
    assert_eq!(late.unwrap_err(), ChainError::Expired);
    let mut future = after(&scene.manifests[1], 1, &scene.certificates);
    future.issued = NOW + 2 * 24 * 60 * 60;
    future.expires = future.issued + 1;
    scene.refuses(&sign(future), &[], ChainError::NotYetValid);
}

#[test]
fn a_device_is_listed_once_and_keeps_its_keys() {
    let scene = scene();
    let [one, two] = scene.certificates;
    let again = certificate(2, 1, true);
    let twice = sign(after(&scene.manifests[1], 1, &[one, two, again]));
    scene.refuses(&twice, &[again], ChainError::DuplicateDevice);
    let terms =
        CertificateTerms { may_approve: false, not_before: NOW, issuer: Issuer::Device(device(1)) };
    let other_keys = DeviceCertificate::sign(request(2, 30), terms, &Key::new(1));
    let changed = sign(after(&scene.manifests[1], 1, &[one, other_keys]));
    scene.refuses(&changed, &[other_keys], ChainError::KeysChanged);
    // The same keys under new terms are a new certificate of the same device.
    let promoted = sign(after(&scene.manifests[1], 1, &[one, again]));
    scene.viewer.clone().advance(&[promoted], &[again], NOW).unwrap();
}

#[test]
fn superseded_manifests_are_known_for_45_days() {
    let Scene { mut viewer, manifests, certificates } = scene();
    let later = NOW + MANIFEST_LIFETIME_SECONDS - 1;
    let mut removal = after(&manifests[1], 1, &certificates[..1]);
    removal.issued = later;
    removal.expires = later + MANIFEST_LIFETIME_SECONDS;
    let removal = sign(removal);
    viewer.advance(std::slice::from_ref(&removal), &[], later).unwrap();
    assert!(viewer.device(device(2)).is_none());
    assert!(viewer.certificate_at(manifests[1].hash(), device(2)).is_some());
    let mut viewer = VerifiedAccount::from_bytes(&viewer.to_bytes()).unwrap();
    let mut renewal = after(&removal, 1, &certificates[..1]);
    renewal.issued = later + MAX_LATENCY_SECONDS;
    renewal.expires = renewal.issued + MANIFEST_LIFETIME_SECONDS;
    viewer.advance(&[sign(renewal)], &[], later + MAX_LATENCY_SECONDS).unwrap();
    assert!(!viewer.knows(manifests[1].hash()));
    assert!(viewer.knows(removal.hash()));
}

#[test]
fn every_decoder_reads_back_its_own_bytes_and_refuses_all_else() {
    fn check(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<Vec<u8>, DecodeError>) {
        assert_eq!(decode(bytes).unwrap(), bytes);
        for length in 0..bytes.len() {
            decode(&bytes[..length]).unwrap_err();
        }
        let longer = [bytes, &[0]].concat();
        assert_eq!(decode(&longer), Err(DecodeError::TrailingBytes));
        let mut version = bytes.to_vec();
        version[1] = 2;
        assert_eq!(decode(&version), Err(DecodeError::UnsupportedVersion(2)));
        version[0] ^= 0x80;
        assert_eq!(decode(&version), Err(DecodeError::WrongType));
        for position in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[position] ^= 0x81;
            if let Ok(read) = decode(&changed) {
                assert_eq!(read, changed, "an encoding is not canonical");
            }
        }
    }
    let Scene { manifests, certificates, viewer } = scene();
    check(&request(1, 1).to_bytes(), |b| Ok(CertificateRequest::from_bytes(b)?.to_bytes()));
    check(&certificates[1].to_bytes(), |b| Ok(DeviceCertificate::from_bytes(b)?.to_bytes()));
    assert_eq!(certificates[1].to_bytes().len(), DeviceCertificate::LENGTH);
    check(&manifests[1].to_bytes(), |b| Ok(Manifest::from_bytes(b)?.to_bytes()));
    let prekey = prekey(PrekeyRole::SignedEc, NOW, Key::new(9).public().to_sec1_bytes().into());
    check(&prekey.unwrap().to_bytes(), |b| Ok(SignedPrekey::from_bytes(b)?.to_bytes()));
    assert!(VerifiedAccount::from_bytes(&viewer.to_bytes()[1..]).is_err());
}

fn prekey(role: PrekeyRole, expires: u64, key: Vec<u8>) -> Result<SignedPrekey, DecodeError> {
    let statement =
        PrekeyStatement { role, address: user().device(device(1)), id: 5, expires, key };
    SignedPrekey::sign(statement, &Key::new(1))
}

#[test]
fn prekeys_are_bound_to_device_role_and_time() {
    let [one, two] = scene().certificates;
    let point: Vec<u8> = Key::new(9).public().to_sec1_bytes().into();
    let signed = prekey(PrekeyRole::SignedEc, NOW + 1, point.clone()).unwrap();
    signed.verify_at(&one, NOW).unwrap();
    assert_eq!(signed.verify_at(&one, NOW + 1), Err(PrekeyError::Expired));
    assert_eq!(signed.verify(&two), Err(PrekeyError::WrongDevice));
    let one_time = prekey(PrekeyRole::OneTimeEc, 0, point.clone()).unwrap();
    one_time.verify_at(&one, u64::MAX).unwrap();
    let mut relabelled = signed.to_bytes();
    relabelled[2] = PrekeyRole::OneTimeEc.number();
    relabelled[55..63].fill(0);
    let relabelled = SignedPrekey::from_bytes(&relabelled).unwrap();
    assert_eq!(relabelled.verify(&one), Err(PrekeyError::BadSignature));
    for (role, expires) in [(PrekeyRole::SignedEc, 0), (PrekeyRole::OneTimeEc, NOW)] {
        let result = prekey(role, expires, point.clone());
        assert_eq!(result.unwrap_err(), DecodeError::InvalidField("expires"));
    }
    let short = prekey(PrekeyRole::OneTimeKem, 0, point);
    assert_eq!(short.unwrap_err(), DecodeError::InvalidKemKey);
    assert!(prekey(PrekeyRole::LastResortKem, NOW, vec![0; 1184]).is_ok());
}

#[test]
fn manifests_out_of_bounds_are_neither_signed_nor_read() {
    let certificates = [certificate(1, 0, true), certificate(2, 1, false)];
    let good = first(&certificates);
    let mut reversed = good.clone();
    reversed.certificates.reverse();
    let mut twice = good.clone();
    twice.certificates[1] = twice.certificates[0];
    let none = ManifestStatement { certificates: Vec::new(), ..good.clone() };
    let many = (0..11).map(|n| CertificateHash([n; 32])).collect();
    let many = ManifestStatement { certificates: many, ..good.clone() };
    let too_long = ManifestStatement { expires: good.expires + 1, ..good.clone() };
    let backwards = ManifestStatement { expires: good.issued, ..good.clone() };
    let orphan = ManifestStatement { epoch: 2, ..good.clone() };
    let with_past = ManifestStatement { previous: ManifestHash([1; 32]), ..good };
    for bad in [reversed, twice, none, many, too_long, backwards, orphan, with_past] {
        let result = Manifest::sign(bad, &root());
        assert!(matches!(result, Err(DecodeError::InvalidField(_))));
    }
}

#[test]
fn a_session_challenge_is_signed_for_one_device() {
    let [one, two] = scene().certificates;
    let challenge = [5; 32];
    let input = session_challenge(&one.address(), &challenge);
    let start = [&b"Plasma/v1/session-challenge\0\0\0\x30"[..], &one.address().to_bytes()].concat();
    assert_eq!(input, [&start[..], &[0, 0, 0, 32], &challenge].concat());
    let signature = Key::new(1).sign(&input);
    one.signing_key().verify(&input, &signature).unwrap();
    let other = session_challenge(&two.address(), &challenge);
    assert!(one.signing_key().verify(&other, &signature).is_err());
}
