//! Ratchets filled with known secrets, for the test that `Debug` is silent about them.

use plasma_identity::encoding::Reader;

use super::{Carried, Change, Ratchet, Turn};
use crate::header::SessionId;
use crate::kdf::PqSecret;
use crate::kem::KemSeed;
use crate::secrecy::{Specimen, agreement_key, secret};
use crate::secret::Secret;

/// A ratchet in its stored form: it sends, and keeps an open receiving chain with two stored keys.
pub(crate) fn stored_ratchet() -> Vec<u8> {
    let mut out = secret::<32>(20).to_vec();
    out.push(1);
    agreement_key(21).write_pair(&mut out);
    out.push(1);
    out.extend_from_slice(&secret::<32>(22));
    out.extend_from_slice(&[0, 0, 0, 3, 0, 0, 0, 2, 1]);
    kem_seed().write(&mut out);
    out.extend_from_slice(kem_seed().public().as_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(agreement_key(23).public().as_bytes());
    out.push(1);
    out.extend_from_slice(&secret::<32>(24));
    out.extend_from_slice(&[0, 0, 0, 9, 0, 2]);
    for number in [4, 5] {
        out.extend_from_slice(&u32::from(number).to_be_bytes());
        out.extend_from_slice(&secret::<32>(21 + number));
    }
    out.extend_from_slice(&[0, 0, 0, 49, 0, 0, 0, 0, 0x6b, 0x49, 0xd2, 0]);
    out
}

fn kem_seed() -> KemSeed {
    KemSeed::read(&mut Reader::new(&secret::<64>(27))).unwrap()
}

/// Every secret in [`stored_ratchet`].
pub(crate) fn secrets() -> Vec<Vec<u8>> {
    let mut secrets = [20, 21, 22, 24, 25, 26].map(|number| secret::<32>(number).to_vec()).to_vec();
    secrets.push(secret::<64>(27).to_vec());
    secrets
}

/// Prints a ratchet, its parts and what changes it.
pub(crate) fn all() -> Vec<Specimen> {
    let stored = stored_ratchet();
    let ratchet = Ratchet::read(SessionId([8; 16]), &mut Reader::new(&stored)).unwrap();
    let secrets = secrets();
    let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).collect();
    let keys = || vec![(4, Secret::new(secret(25))), (5, Secret::new(secret(26)))];
    let theirs = Turn::Theirs {
        remote: *agreement_key(23).public(),
        previous: 1,
        offered: Some(kem_seed().public()),
    };
    let theirs = Ratchet { turn: theirs, ..ratchet.clone() };
    let opened = Box::new(ratchet.receiving[0].clone());
    let moved = Change::Moved { skipped: keys(), next: Secret::new(secret(24)), number: 9 };
    let turned = Change::Turned {
        closing: keys(),
        root: Secret::new(secret(20)),
        opened,
        offered: None,
        pq_step: true,
    };
    let carried = Carried::Key { seed: kem_seed(), key: kem_seed().public() };
    let mixed = PqSecret { shared: Secret::new(secret(28)), step: [1; 32] };
    vec![
        Specimen::new("Ratchet, sending", &ratchet, &secrets),
        Specimen::new("Ratchet, receiving", &theirs, &secrets),
        Specimen::new("Carried", &carried, &secrets),
        Specimen::new("KemSeed", &kem_seed(), &[&secret::<64>(27)]),
        Specimen::new("PqSecret", &mixed, &[&secret::<32>(28)]),
        Specimen::new("Turn", &ratchet.turn, &secrets),
        Specimen::new("ReceivingChain", &ratchet.receiving[0], &secrets),
        Specimen::new("Change, moved", &moved, &secrets),
        Specimen::new("Change, turned", &turned, &secrets),
    ]
}
