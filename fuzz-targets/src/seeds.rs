//! Valid structures for each target: two users with three devices, who talk.

use std::sync::LazyLock;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use plasma_e2ee::{
    DeviceKeys, HandshakeKeys, LocalDevice, PQ_STEP_SECONDS, PrekeyBundle, PrivatePrekey,
    RecoveryKey, RemoteDevice, RetryRequest, RootKey, SessionRecord, decrypt, encrypt, initiate,
    pad,
};
use plasma_identity::{
    Capabilities, DeviceCertificate, Manifest, PrekeyRole, SafetyNumber, SigningPublicKey,
    UserAddress, VerifiedAccount, verify_chain,
};
use plasma_proto::content::v1::{Content, Text, content::Body};
use plasma_vectors::bare::lp;
use prost::Message;
use prost_types::Timestamp;
use uuid::Uuid;

use crate::linking;

const NOW: u64 = 1_800_000_000;
const TOKEN_URL: &str = "https://chat.example/c/AbCdEfGhIjKlMnOpQrStUv";

/// Somebody's key, under which no signature of the corpus verifies.
pub(crate) static SIGNER: LazyLock<SigningPublicKey> =
    LazyLock::new(|| User::new(9).keys.signing_key());

static NEWCOMER: LazyLock<User> = LazyLock::new(|| User::new(linking::USER));

/// What the safety number of two users is on either side.
pub(crate) static SAFETY: LazyLock<SafetyNumber> = LazyLock::new(|| safety(1, 2));
pub(crate) static THEIR_SAFETY: LazyLock<SafetyNumber> = LazyLock::new(|| safety(2, 1));

fn safety(own: u8, peer: u8) -> SafetyNumber {
    let [own, peer] = [own, peer].map(|number| User::new(number).account.fingerprint());
    SafetyNumber::of(own, peer)
}

pub(crate) struct User {
    root: RootKey,
    keys: DeviceKeys,
    pub(crate) account: VerifiedAccount,
    rng: ChaCha20Rng,
}

impl User {
    pub(crate) fn new(number: u8) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(number));
        let user = UserAddress {
            tenant: Uuid::from_u128(0x0a0b_0c0d),
            user: Uuid::from_u128(u128::from(number)),
        };
        let root = RootKey::generate(&mut rng);
        let keys = DeviceKeys::generate(user.device(Uuid::from_u128(1)), &mut rng);
        let request = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
        let devices = [root.certify(&request, NOW).expect("a request of this root")];
        let manifest = root.start_generation(user, &devices, None, NOW).expect("one device");
        let account = verify_chain(user, None, root.public(), &[manifest], &devices, NOW)
            .expect("a chain of one");
        Self { root, keys, account, rng }
    }

    /// The user whose device is linked.
    pub(crate) fn shared() -> &'static Self {
        &NEWCOMER
    }

    /// Adds a second device, then renews.
    fn grow(&mut self) {
        let address = self.account.user_address().device(Uuid::from_u128(2));
        let second = DeviceKeys::generate(address, &mut self.rng);
        let request = second.certificate_request(self.account.fingerprint(), Capabilities(0x8001));
        let (certificate, manifest) =
            self.keys.approve(&self.account, &request, false, NOW).expect("an approver");
        self.account.advance(&[manifest], &[certificate], NOW).expect("a successor");
        let renewed = self.keys.renew(&self.account, NOW + 60).expect("an approver");
        self.account.advance(&[renewed], &[], NOW + 60).expect("a successor");
    }

    fn local(&self) -> LocalDevice<'_> {
        LocalDevice::new(&self.keys, &self.account).expect("a certified device")
    }

    fn remote(&self) -> RemoteDevice<'_> {
        RemoteDevice::new(&self.account, self.keys.address().device).expect("a certified device")
    }

    fn prekey(&mut self, role: PrekeyRole, id: u32) -> PrivatePrekey {
        PrivatePrekey::generate(&self.keys, role, id, NOW, &mut self.rng)
    }
}

/// Everything that a short conversation leaves behind.
struct World {
    alice: User,
    bob: User,
    prekeys: Vec<PrivatePrekey>,
    envelopes: Vec<Vec<u8>>,
    records: Vec<Vec<u8>>,
    disclosure: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(World::play);

impl World {
    fn play() -> Self {
        let (mut alice, mut bob) = (User::new(1), User::new(2));
        alice.grow();
        let prekeys = vec![
            bob.prekey(PrekeyRole::SignedEc, 7),
            bob.prekey(PrekeyRole::OneTimeKem, 3),
            bob.prekey(PrekeyRole::OneTimeEc, 5),
            bob.prekey(PrekeyRole::LastResortKem, 8),
        ];
        let (envelopes, records, disclosure) = (vec![], vec![], vec![]);
        let mut world = Self { alice, bob, prekeys, envelopes, records, disclosure };
        world.talk(1, Some(2));
        world.talk(3, None);
        world
    }

    /// Starts a session with some of the prekeys, and sends in turns and out of order.
    fn talk(&mut self, kem: usize, one_time: Option<usize>) {
        let Self { alice, bob, prekeys, envelopes, records, disclosure } = self;
        let mut rng = ChaCha20Rng::seed_from_u64(0x7a1c);
        let (ours, theirs) = (alice.keys.address(), bob.keys.address());
        let mut to = SessionRecord::new(ours, theirs);
        let mut back = SessionRecord::new(theirs, ours);
        let bundle = PrekeyBundle {
            certificate: bob.account.devices()[0],
            signed: prekeys[0].public().clone(),
            kem: prekeys[kem].public().clone(),
            one_time: one_time.map(|index| prekeys[index].public().clone()),
        };
        let handshake = HandshakeKeys {
            signed: Some(prekeys[0].clone()),
            kem: Some(prekeys[kem].clone()),
            one_time: one_time.map(|index| prekeys[index].clone()),
            initiation_seen: false,
        };
        records.push(to.to_bytes().to_vec());
        initiate(&mut to, &alice.local(), &bob.remote(), &bundle, &mut rng, NOW).expect("a bundle");
        for text in ["first", "second", "third"] {
            let sent =
                encrypt(&mut to, &alice.local(), &bob.remote(), text.as_bytes(), &mut rng, NOW);
            envelopes.push(sent.expect("a session"));
        }
        records.push(to.to_bytes().to_vec());
        let last = envelopes.last().cloned().unwrap_or_default();
        decrypt(&mut back, &bob.local(), &handshake, &alice.account, &last, NOW)
            .expect("the third");
        records.push(back.to_bytes().to_vec());
        // A step is due: the reply carries a key, and what is sent after it the ciphertext.
        let later = NOW + PQ_STEP_SECONDS;
        let reply = encrypt(&mut back, &bob.local(), &alice.remote(), b"reply", &mut rng, later)
            .expect("a session");
        records.push(back.to_bytes().to_vec());
        let none = HandshakeKeys::default();
        decrypt(&mut to, &alice.local(), &none, &bob.account, &reply, later).expect("a reply");
        records.push(to.to_bytes().to_vec());
        let sent = encrypt(&mut to, &alice.local(), &bob.remote(), b"fourth", &mut rng, later)
            .expect("a session");
        let opened = decrypt(&mut back, &bob.local(), &none, &alice.account, &sent, later);
        *disclosure = opened.expect("an answer").disclosure.to_bytes().to_vec();
        let again = encrypt(&mut back, &bob.local(), &alice.remote(), b"fifth", &mut rng, later)
            .expect("a session");
        envelopes.extend([reply, sent, again]);
        to.archive_active();
        initiate(&mut to, &alice.local(), &bob.remote(), &bundle, &mut rng, NOW).expect("a bundle");
        records.extend([to.to_bytes().to_vec(), back.to_bytes().to_vec()]);
    }
}

/// Returns valid encodings for a target.
///
/// # Panics
///
/// When there is no such target.
pub(crate) fn valid(target: &str) -> Vec<Vec<u8>> {
    let World { alice, bob, prekeys, envelopes, records, disclosure } = &*WORLD;
    let devices = || alice.account.devices().iter().chain(bob.account.devices());
    let request = |user: &User| {
        user.keys.certificate_request(user.account.fingerprint(), Capabilities::V1).to_bytes()
    };
    match target {
        "envelope" => envelopes.clone(),
        "certificate" => devices().map(DeviceCertificate::to_bytes).collect(),
        "certificate_request" => vec![request(alice), request(bob)],
        "manifest" => manifests().iter().map(Manifest::to_bytes).collect(),
        "signed_prekey" => prekeys.iter().map(|prekey| prekey.public().to_bytes()).collect(),
        "signature" => devices().map(|device| device.to_bytes()[306..].to_vec()).collect(),
        "points" => devices().map(|device| device.signing_key().to_bytes().to_vec()).collect(),
        "verified_account" => vec![alice.account.to_bytes(), bob.account.to_bytes()],
        "session_record" => records.clone(),
        "private_prekey" => prekeys.iter().map(|prekey| prekey.to_bytes().to_vec()).collect(),
        "device_keys" => vec![alice.keys.to_bytes().to_vec(), bob.keys.to_bytes().to_vec()],
        "root_key" => vec![alice.root.to_bytes().to_vec(), bob.root.to_bytes().to_vec()],
        "fingerprint" => {
            let fingerprint = alice.account.fingerprint();
            vec![fingerprint.to_string().into_bytes(), fingerprint.to_fragment().into_bytes()]
        }
        "padding" => [0, 1, 127, 128, 1023, 1024].map(padded).to_vec(),
        "content" => contents().iter().map(Message::encode_to_vec).collect(),
        "contact_link" => {
            let fragment = alice.account.fingerprint().to_fragment();
            vec![TOKEN_URL.into(), format!("{TOKEN_URL}{fragment}").into_bytes()]
        }
        "recovery_kit" => vec![recovery().1],
        "recovery_words" => {
            let words = recovery().0.words();
            vec![words.as_bytes().to_vec(), words.to_uppercase().replace(' ', "\n ").into_bytes()]
        }
        "recovery_code" => vec![recovery().0.qr_text().as_bytes().to_vec()],
        "safety_code" => {
            vec![THEIR_SAFETY.qr_text().into_bytes(), SAFETY.qr_text().into_bytes()]
        }
        "retry_request" => {
            let asked = alice.keys.address();
            let request = RetryRequest::for_envelope(&bob.keys, asked, &envelopes[0], NOW);
            vec![request.expect("an envelope").to_bytes()]
        }
        "disclosure" => vec![disclosure.clone()],
        "linking_code" => vec![linking::code().into_bytes()],
        "linking_request" => {
            let mut newcomer = User::new(linking::USER);
            let parts = [
                request(&newcomer),
                lp(&newcomer.prekey(PrekeyRole::SignedEc, 1).public().to_bytes()),
                lp(&newcomer.prekey(PrekeyRole::LastResortKem, 2).public().to_bytes()),
                lp("Anna's tablet".as_bytes()),
            ];
            vec![parts.concat()]
        }
        other => panic!("no valid structures for {other}"),
    }
}

/// Returns what comes close to a valid encoding, and that a decoder has to look at closely to
/// refuse it.
pub(crate) fn refused(target: &str) -> Vec<Vec<u8>> {
    let Some(valid) = valid(target).into_iter().next() else { return Vec::new() };
    let changed = |at: usize, bytes: &[u8]| {
        let mut out = valid.clone();
        out[at..at + bytes.len()].copy_from_slice(bytes);
        out
    };
    let end = valid.len();
    match target {
        "points" => {
            let parity = valid[64] & 1;
            let compressed = [&[2 | parity], &valid[1..33]].concat();
            vec![compressed, changed(0, &[6 | parity]), vec![0], vec![0; 65]]
        }
        "signature" => vec![changed(0, &[0; 32]), changed(32, &[0; 32]), changed(32, &[0xff; 32])],
        // Behind 32 bytes of a prekey's head the second one holds a KEM key: 3329 is the modulus.
        "signed_prekey" => {
            let mut modulus = WORLD.prekeys[1].public().to_bytes();
            modulus[63..66].copy_from_slice(&[0x01, 0x0d, 0x00]);
            vec![modulus, changed(55, &[0; 8]), changed(63, &[2])]
        }
        "certificate" => vec![changed(280, &[2]), changed(289, &[0, 1]), changed(215, &[0])],
        "manifest" => vec![changed(143, &[0]), changed(70, &[0; 8]), changed(118, &[0xff; 8])],
        // The current manifest again, of another epoch.
        "verified_account" => {
            vec![changed(end - 32 * 2 - 2 - 8 - 32 - 8, &[0, 0, 0, 0, 0, 0, 0, 9])]
        }
        "envelope" => vec![changed(69 + 253, &[1]), changed(3, &[1]), valid[..1484].to_vec()],
        "padding" => vec![vec![0; 128], [&valid[..], &[0; 128]].concat()],
        "fingerprint" => {
            let text = String::from_utf8_lossy(&valid).into_owned();
            vec![format!("##{text}").into(), format!("{text}=").into(), vec![b'B'; 43]]
        }
        "contact_link" => {
            let fragment = WORLD.alice.account.fingerprint();
            vec![format!("{TOKEN_URL}##{fragment}").into(), format!("{TOKEN_URL}#").into()]
        }
        // A word that is not on the list, a word too few, and words that do not fit together.
        "recovery_words" => vec![
            "plasma ".repeat(12).into_bytes(),
            "abandon ".repeat(11).into_bytes(),
            "abandon ".repeat(12).into_bytes(),
        ],
        "recovery_code" | "safety_code" | "linking_code" => {
            let text = String::from_utf8_lossy(&valid).into_owned();
            vec![format!("{text}=").into(), text.replacen(":1:", ":2:", 1).into(), text[1..].into()]
        }
        "content" => vec![vec![0x2a, 3, 0x0a, 1, 0xff]],
        _ => Vec::new(),
    }
}

fn recovery() -> (RecoveryKey, Vec<u8>) {
    let user = &WORLD.alice;
    let mut rng = ChaCha20Rng::seed_from_u64(0x4ec0);
    let key = RecoveryKey::generate(&mut rng);
    let kit = key.seal(&user.root, user.account.user_address(), &mut rng);
    (key, kit.to_bytes())
}

fn manifests() -> [Manifest; 3] {
    let World { alice, bob, .. } = &*WORLD;
    let devices = alice.account.devices();
    let user = alice.account.user_address();
    let previous = Some(alice.account.manifest());
    let anew = alice.root.start_generation(user, &devices[..1], previous, NOW);
    [alice.account.manifest().clone(), bob.account.manifest().clone(), anew.expect("one device")]
}

fn padded(length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    pad(&vec![0x80; length], &mut out).expect("a short content");
    out
}

fn contents() -> [Content; 2] {
    let text = Content {
        chat_id: vec![1; 16].into(),
        message_id: vec![2; 16].into(),
        lamport: 300,
        write_time: Some(Timestamp { seconds: 1_800_000_000, nanos: 500 }),
        body: Some(Body::Text(Text { body: "Grüße, 世界".to_owned(), ..Text::default() })),
    };
    [text.clone(), Content { lamport: u64::MAX, write_time: None, body: None, ..text }]
}
