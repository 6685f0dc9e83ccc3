//! Keys inside of what devices publish: off the curve, at infinity, of the wrong form. What holds
//! such a key is refused before its signature is looked at.

use bytes::Bytes;
use plasma_identity::{DeviceCertificate, SignedPrekey};
use prost_reflect::{DynamicMessage, Value};

use super::{Expect, Spoiled};
use crate::place::{self, Place};

const POINT_BYTES: usize = 65;

/// Spoils the keys of a request.
pub(super) fn spoil(request: &DynamicMessage) -> Vec<Spoiled> {
    let places = place::all(request);
    let is_key = |place: &&Place| matches!(place.get(request), Value::Bytes(_));
    places.iter().filter(is_key).flat_map(|place| of_place(request, place)).collect()
}

fn of_place(request: &DynamicMessage, place: &Place) -> Vec<Spoiled> {
    let value = place.get(request);
    let whole = value.as_bytes().unwrap();
    let keys: Vec<Vec<u8>> = match place.field().name() {
        "root_public_key" => vec![whole.to_vec()],
        "certificate" => {
            let certificate = DeviceCertificate::from_bytes(whole).unwrap();
            let (signing, agreement) = (certificate.signing_key(), certificate.agreement_key());
            vec![signing.as_bytes().to_vec(), agreement.as_bytes().to_vec()]
        }
        "signed_prekey" | "one_time_prekeys" => {
            vec![SignedPrekey::from_bytes(whole).unwrap().key().to_vec()]
        }
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        for (what, bad) in bad_points(key) {
            let value = Value::Bytes(Bytes::from(replaced(whole, key, &bad)));
            let name = format!("{} key {number} {what}", place.path());
            let message = place.with(request, value);
            found.push(Spoiled { name, message, expect: Expect::Field(place.path()) });
        }
    }
    found
}

/// No points of P-256, in the length of one.
fn bad_points(key: &[u8]) -> [(&'static str, Vec<u8>); 5] {
    assert_eq!((key.len(), key[0]), (POINT_BYTES, 4), "an uncompressed point");
    let mut off_curve = key.to_vec();
    off_curve[POINT_BYTES - 1] ^= 1;
    let mut beyond = vec![0xff; POINT_BYTES];
    beyond[0] = 4;
    let mut hybrid = key.to_vec();
    hybrid[0] = 6;
    let mut origin = vec![0; POINT_BYTES];
    origin[0] = 4;
    [
        ("off the curve", off_curve),
        ("at infinity", vec![0; POINT_BYTES]),
        ("at the origin", origin),
        ("beyond the field", beyond),
        ("in the hybrid form", hybrid),
    ]
}

fn replaced(whole: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = whole.windows(old.len()).position(|window| window == old).unwrap();
    [&whole[..at], new, &whole[at + old.len()..]].concat()
}
