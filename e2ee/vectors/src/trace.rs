//! A conversation by `docs/PROTOCOL.md` alone: every value between its inputs and its envelopes.

use crate::account::Party;
use crate::bare::{
    decapsulate, dh, encapsulate, hash, hkdf, hmac, input, kem_key, lp, pad, point, rejected, seal,
    sha256, verify,
};
use crate::json::Json;
use crate::script::{Event, Prekey, Script, Sending, Side, prekey};

/// What a sending chain carries for a post-quantum step.
#[derive(Clone)]
enum Carried {
    Nothing,
    Key { seed: Vec<u8>, key: Vec<u8> },
    Ciphertext(Vec<u8>),
}

impl Carried {
    fn flags_and_bytes(&self) -> (u8, &[u8]) {
        match self {
            Self::Nothing => (0, &[]),
            Self::Key { key, .. } => (1, key),
            Self::Ciphertext(ciphertext) => (2, ciphertext),
        }
    }
}

/// One side's half of the ratchet.
struct Half {
    root: Vec<u8>,
    private: Vec<u8>,
    remote: Option<Vec<u8>>,
    chain: Option<Vec<u8>>,
    number: u32,
    previous: u32,
    turn_due: bool,
    carried: Carried,
    offered: Option<Vec<u8>>,
}

/// What a header says that its receiver uses.
struct Made {
    from: Side,
    ratchet_key: Vec<u8>,
    /// The chain's key before its first message.
    chain_start: Vec<u8>,
    carried: Carried,
    envelope: Vec<u8>,
}

struct Trace<'a> {
    script: &'a Script,
    session_id: Vec<u8>,
    initiation: Vec<u8>,
    confirmed: bool,
    halves: [Half; 2],
    starts: [Vec<u8>; 2],
    made: Vec<Made>,
}

/// Computes everything; returns the file's object and the envelopes.
pub fn trace(script: &Script) -> (Json, Vec<Vec<u8>>) {
    let (handshake, mut trace) = Trace::start(script);
    let events = script.events.iter().map(|event| match event {
        Event::Send(sending) => trace.send(sending),
        Event::Deliver { index, now, error } => trace.deliver(*index, *now, error.as_deref()),
    });
    let events: Vec<Json> = events.collect();
    let mut fields = vec![
        ("name", script.name.as_str().into()),
        ("initiator", script.initiator.trace()),
        ("responder", script.responder.trace()),
        ("signed_prekey", prekey(&script.signed)),
        ("kem_prekey", prekey(&script.kem)),
    ];
    fields.extend(script.one_time.as_ref().map(|key| ("one_time_prekey", prekey(key))));
    fields.extend([("handshake", handshake), ("events", events.into())]);
    (fields.into(), trace.made.into_iter().map(|made| made.envelope).collect())
}

fn turn(root: &[u8], agreement: &[u8], session_id: &[u8]) -> [Vec<u8>; 2] {
    halves(hkdf(root, agreement, "Plasma/v1/ratchet", session_id, 64))
}

fn pq_turn(
    root: &[u8],
    agreement: &[u8],
    shared: &[u8],
    session_id: &[u8],
    step: &[u8],
) -> [Vec<u8>; 2] {
    let key = [agreement, shared].concat();
    let context = [session_id, step].concat();
    halves(hkdf(root, &key, "Plasma/v1/pq-ratchet", &context, 64))
}

fn halves(mut bytes: Vec<u8>) -> [Vec<u8>; 2] {
    let second = bytes.split_off(32);
    [bytes, second]
}

impl<'a> Trace<'a> {
    /// Section 5.
    fn start(script: &'a Script) -> (Json, Self) {
        let Script { initiator: a, responder: b, signed, kem, one_time, .. } = script;
        for key in [signed, kem].into_iter().chain(one_time) {
            check_prekey(b, key);
        }
        let ephemeral = point(&script.ephemeral_private);
        let mut agreements = vec![
            dh(&a.agreement_private, signed.key()),
            dh(&script.ephemeral_private, &point(&b.agreement_private)),
            dh(&script.ephemeral_private, signed.key()),
        ];
        agreements.extend(one_time.iter().map(|key| dh(&script.ephemeral_private, key.key())));
        let (ciphertext, shared) = encapsulate(kem.key(), &script.kem_message);
        assert_eq!(decapsulate(&kem.private, &ciphertext), shared);
        let transcript = transcript(script, &ephemeral, &ciphertext);
        let transcript_hash = sha256(&transcript);
        let input_key = [agreements.concat(), shared.clone()].concat();
        let root = hkdf(&[0; 32], &input_key, "Plasma/v1/root", &transcript_hash, 32);
        let session_id = hash("Plasma/v1/session-id", &[&transcript_hash])[..16].to_vec();
        let signing = point(&a.signing_private);
        verify(&signing, "Plasma/v1/initiation", &[&transcript_hash], &script.signature);
        let agreement = dh(&script.ratchet_private, signed.key());
        let [next_root, chain] = turn(&root, &agreement, &session_id);
        let initiation = initiation(script, &ephemeral, &ciphertext);
        let mut fields = vec![
            ("ephemeral_private", (&script.ephemeral_private).into()),
            ("ephemeral_public", (&ephemeral).into()),
        ];
        let names = ["dh1", "dh2", "dh3", "dh4"];
        fields.extend(names.into_iter().zip(&agreements).map(|(name, dh)| (name, dh.into())));
        fields.extend([
            ("kem_message", (&script.kem_message).into()),
            ("kem_ciphertext", (&ciphertext).into()),
            ("kem_shared", (&shared).into()),
            ("transcript", (&transcript).into()),
            ("transcript_hash", (&transcript_hash).into()),
            ("root", (&root).into()),
            ("session_id", (&session_id).into()),
            ("signature", (&script.signature).into()),
            ("initiation", (&initiation).into()),
            ("ratchet_private", (&script.ratchet_private).into()),
            ("ratchet_agreement", (&agreement).into()),
            ("ratchet_root", (&next_root).into()),
            ("chain_key", (&chain).into()),
        ]);
        let half = |root: &[u8], private: &[u8], chain: Option<&Vec<u8>>| Half {
            root: root.to_vec(),
            private: private.to_vec(),
            remote: None,
            chain: chain.cloned(),
            number: 0,
            previous: 0,
            turn_due: false,
            carried: Carried::Nothing,
            offered: None,
        };
        let trace = Self {
            script,
            session_id,
            initiation,
            confirmed: false,
            halves: [
                half(&next_root, &script.ratchet_private, Some(&chain)),
                half(&root, &signed.private, None),
            ],
            starts: [chain, Vec::new()],
            made: Vec::new(),
        };
        (fields.into(), trace)
    }

    fn party(&self, side: Side) -> &'a Party {
        match side {
            Side::Initiator => &self.script.initiator,
            Side::Responder => &self.script.responder,
        }
    }

    /// Sections 6 and 7.
    fn send(&mut self, sending: &Sending) -> Json {
        let side = sending.from;
        let turned = self.halves[side as usize].turn_due.then(|| self.turn(sending));
        let half = &mut self.halves[side as usize];
        let chain_key = half.chain.take().expect("a side that may send");
        let message_key = hmac(&chain_key, 1);
        half.chain = Some(hmac(&chain_key, 2));
        let (number, previous) = (half.number, half.previous);
        half.number += 1;
        let (ratchet_key, carried) = (point(&half.private), half.carried.clone());
        let initiation = (side == Side::Initiator && !self.confirmed).then_some(&self.initiation);
        let header = self.header(sending, &ratchet_key, [previous, number], &carried, initiation);
        let (sender, recipient) = (self.party(side), self.party(side.other()));
        let associated_data = input(
            "Plasma/v1/associated-data",
            &[
                &header,
                &sender.address.to_bytes(),
                &recipient.address.to_bytes(),
                &sender.certificate_hash(),
                &recipient.certificate_hash(),
            ],
        );
        let signature = initiation.map_or(&[][..], |_| &self.script.signature);
        let body = [signature, &pad(&sending.content)].concat();
        let derived = hkdf(&sending.salt, &message_key, "Plasma/v1/message", &self.session_id, 76);
        let (key, nonce, commitment) = (&derived[..32], &derived[32..44], &derived[44..]);
        let sealed = seal(key, nonce, &associated_data, &body);
        let envelope = [&header, commitment, &sealed].concat();
        let mut fields = vec![
            ("event", "send".into()),
            ("from", side.name().into()),
            ("now", sending.now.into()),
            ("content", (&sending.content).into()),
        ];
        fields.extend(turned.map(|turned| ("turn", turned)));
        fields.extend([
            ("previous", previous.into()),
            ("number", number.into()),
            ("chain_key", (&chain_key).into()),
            ("message_key", (&message_key).into()),
            ("salt", (&sending.salt).into()),
            ("key", key.into()),
            ("nonce", nonce.into()),
            ("commitment", commitment.into()),
            ("header", (&header).into()),
            ("associated_data", (&associated_data).into()),
            ("body", (&body).into()),
            ("envelope", (&envelope).into()),
        ]);
        let chain_start = self.starts[side as usize].clone();
        self.made.push(Made { from: side, ratchet_key, chain_start, carried, envelope });
        fields.into()
    }

    fn turn(&mut self, sending: &Sending) -> Json {
        let half = &mut self.halves[sending.from as usize];
        let private = sending.ratchet_private.clone().expect("a new ratchet key");
        let remote = half.remote.as_ref().expect("the peer's ratchet key");
        let agreement = dh(&private, remote);
        let mut fields = vec![
            ("ratchet_private", (&private).into()),
            ("ratchet_public", (&point(&private)).into()),
            ("agreement", (&agreement).into()),
        ];
        let carried;
        let [root, chain] = if let Some(key) = half.offered.take() {
            let message = sending.kem_message.as_ref().expect("an answer to the ML-KEM key");
            let (ciphertext, shared) = encapsulate(&key, message);
            let step = hash("Plasma/v1/pq-step", &[&key, &ciphertext]);
            fields.extend([
                ("kem_message", message.into()),
                ("kem_ciphertext", (&ciphertext).into()),
                ("kem_shared", (&shared).into()),
                ("kem_step", (&step).into()),
            ]);
            carried = Carried::Ciphertext(ciphertext);
            pq_turn(&half.root, &agreement, &shared, &self.session_id, &step)
        } else {
            carried = match &sending.kem_seed {
                None => Carried::Nothing,
                Some(seed) => Carried::Key { seed: seed.clone(), key: kem_key(seed) },
            };
            if let Carried::Key { seed, key } = &carried {
                fields.extend([
                    ("kem_seed", seed.into()),
                    ("kem_rejected", (&rejected(seed)).into()),
                    ("kem_key", key.into()),
                ]);
            }
            turn(&half.root, &agreement, &self.session_id)
        };
        fields.extend([("root", (&root).into()), ("chain_key", (&chain).into())]);
        self.starts[sending.from as usize].clone_from(&chain);
        half.root = root;
        half.private = private;
        half.chain = Some(chain);
        half.number = 0;
        half.turn_due = false;
        half.carried = carried;
        fields.into()
    }

    fn header(
        &self,
        sending: &Sending,
        ratchet_key: &[u8],
        counts: [u32; 2],
        carried: &Carried,
        initiation: Option<&Vec<u8>>,
    ) -> Vec<u8> {
        let (sender, recipient) = (self.party(sending.from), self.party(sending.from.other()));
        let (flags, extension) = carried.flags_and_bytes();
        let kind = if initiation.is_some() { 0x11 } else { 0x10 };
        [
            &[kind, 1, 1, flags][..],
            &sender.address.to_bytes(),
            recipient.address.device.as_bytes(),
            &self.session_id,
            &1_u64.to_be_bytes(),
            &sender.manifest_hash(),
            &1_u64.to_be_bytes(),
            &recipient.manifest_hash(),
            ratchet_key,
            &counts[0].to_be_bytes(),
            &counts[1].to_be_bytes(),
            &sending.salt,
            extension,
            initiation.map_or(&[], Vec::as_slice),
        ]
        .concat()
    }

    /// Section 6, as far as the receiver's next turn needs it.
    fn deliver(&mut self, index: usize, now: u64, error: Option<&str>) -> Json {
        let made = &self.made[index];
        let half = &mut self.halves[made.from.other() as usize];
        let position = u64::try_from(index).expect("a small position");
        let mut fields =
            vec![("event", "deliver".into()), ("index", position.into()), ("now", now.into())];
        if let Some(error) = error {
            fields.push(("error", error.into()));
            return fields.into();
        }
        self.confirmed |= made.from == Side::Responder;
        if half.remote.as_ref() != Some(&made.ratchet_key) && !is_old(&self.made, made, half) {
            let agreement = dh(&half.private, &made.ratchet_key);
            let [root, chain] = match (&half.carried, &made.carried) {
                (Carried::Key { seed, key }, Carried::Ciphertext(ciphertext)) => {
                    let shared = decapsulate(seed, ciphertext);
                    let step = hash("Plasma/v1/pq-step", &[key, ciphertext]);
                    pq_turn(&half.root, &agreement, &shared, &self.session_id, &step)
                }
                _ => turn(&half.root, &agreement, &self.session_id),
            };
            assert_eq!(chain, made.chain_start, "the two sides' chains differ");
            fields.push((
                "turn",
                Json::from([
                    ("agreement", (&agreement).into()),
                    ("root", (&root).into()),
                    ("chain_key", (&chain).into()),
                ]),
            ));
            half.root = root;
            half.remote = Some(made.ratchet_key.clone());
            half.previous = half.number;
            half.turn_due = true;
            half.offered = match &made.carried {
                Carried::Key { key, .. } => Some(key.clone()),
                _ => None,
            };
        }
        fields.into()
    }
}

/// Tells whether a message is of a chain before the peer's newest one that has arrived.
fn is_old(made: &[Made], late: &Made, half: &Half) -> bool {
    let first = |key: &[u8]| made.iter().position(|it| it.ratchet_key == key);
    half.remote.as_ref().is_some_and(|remote| first(&late.ratchet_key) < first(remote))
}

fn check_prekey(owner: &Party, key: &Prekey) {
    let (public, signed) = (&key.public, key.public.len() - 64);
    assert_eq!((&public[..2], &public[3..51]), (&[4, 1][..], &owner.address.to_bytes()[..]));
    let expected = if key.role() < 3 { point(&key.private) } else { kem_key(&key.private) };
    assert_eq!(key.key(), expected);
    let signing = point(&owner.signing_private);
    verify(&signing, "Plasma/v1/prekey", &[&public[..signed]], &public[signed..]);
}

/// TH of section 5.
pub fn transcript_hash(script: &Script) -> Vec<u8> {
    let (ciphertext, _) = encapsulate(script.kem.key(), &script.kem_message);
    sha256(&transcript(script, &point(&script.ephemeral_private), &ciphertext))
}

fn transcript(script: &Script, ephemeral: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let Script { initiator: a, responder: b, signed, kem, one_time, .. } = script;
    let mut out = b"Plasma/v1/handshake".to_vec();
    out.extend(lp(&[1]));
    for party in [a, b] {
        out.extend(lp(party.address.tenant.as_bytes()));
        out.extend(lp(party.address.user.as_bytes()));
        out.extend(lp(party.address.device.as_bytes()));
        out.extend(lp(&party.certificate_hash()));
    }
    let (id, key) = one_time.as_ref().map_or((&[][..], &[][..]), |key| (key.id(), key.key()));
    let (manifest_a, manifest_b) = (a.manifest_hash(), b.manifest_hash());
    let role = [kem.role()];
    let parts: [&[u8]; 11] = [
        ephemeral,
        signed.id(),
        signed.key(),
        id,
        key,
        &role,
        kem.id(),
        kem.key(),
        ciphertext,
        &manifest_a,
        &manifest_b,
    ];
    for part in parts {
        out.extend(lp(part));
    }
    out
}

fn initiation(script: &Script, ephemeral: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let Script { initiator: a, responder: b, signed, kem, one_time, .. } = script;
    let used = [u8::from(one_time.is_some())];
    let role = [kem.role()];
    let id = one_time.as_ref().map_or(&[0; 4][..], Prekey::id);
    let manifests = [a.manifest_hash(), b.manifest_hash()].concat();
    [ephemeral, signed.id(), &role, kem.id(), &used, id, &manifests, ciphertext].concat()
}
