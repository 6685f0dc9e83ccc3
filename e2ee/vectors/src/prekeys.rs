//! Prekeys of every role: section 4.

use plasma_identity::{DeviceCertificate, PrekeyRole};
use serde_json::Value;

use crate::account::{NOW, Party};
use crate::bare::{kem_key, point, rejected, verify};
use crate::fields::Fields;
use crate::json::Json;
use crate::random::Randomness;
use crate::script::Prekey;

/// One prekey of each role.
pub fn make() -> Json {
    let mut randomness = Randomness::recording(4);
    let device = Party::found(1, &mut randomness);
    let roles = [
        PrekeyRole::SignedEc,
        PrekeyRole::OneTimeEc,
        PrekeyRole::OneTimeKem,
        PrekeyRole::LastResortKem,
    ];
    let prekeys: Vec<Json> = roles
        .iter()
        .zip(100..)
        .map(|(role, id)| trace(&device, &Prekey::make(&device, *role, id, &mut randomness)))
        .collect();
    Json::from([
        ("description", "Prekeys of section 4.".into()),
        ("device", device.trace()),
        ("prekeys", prekeys.into()),
    ])
}

/// Builds the structure from its fields and the signature.
fn trace(device: &Party, prekey: &Prekey) -> Json {
    let role = prekey.role();
    let key = if role < 3 { point(&prekey.private) } else { kem_key(&prekey.private) };
    let lasting = role == 1 || role == 4;
    let expires = if lasting { NOW + 45 * 24 * 60 * 60 } else { 0 };
    let address = device.address.to_bytes();
    let head = [&[4, 1, role], &address[..], prekey.id(), &expires.to_be_bytes()];
    let statement = [&head.concat(), &key[..]].concat();
    let signature = &prekey.public[statement.len()..];
    assert_eq!(prekey.public[..statement.len()], statement);
    verify(&point(&device.signing_private), "Plasma/v1/prekey", &[&statement], signature);
    let id = u32::from_be_bytes(prekey.id().try_into().expect("four bytes"));
    let mut fields = vec![
        ("role", u32::from(role).into()),
        ("id", id.into()),
        ("expires", expires.into()),
        ("private", (&prekey.private).into()),
        ("key", (&key).into()),
        ("signature", signature.into()),
        ("public", (&prekey.public).into()),
    ];
    if role > 2 {
        fields.push(("kem_rejected", (&rejected(&prekey.private)).into()));
    }
    fields.into()
}

/// Rebuilds every structure, and lets the implementation verify it.
pub fn replay(file: &Value) {
    let device = Party::read(file.object("device"));
    device.trace().expect(file.object("device"), "device");
    let certificate = DeviceCertificate::from_bytes(&device.certificate).expect("a certificate");
    for (position, read) in file.list("prekeys").iter().enumerate() {
        let prekey = Prekey::read(read);
        trace(&device, &prekey).expect(read, &format!("prekeys[{position}]"));
        prekey.signed().verify_at(&certificate, NOW).expect("a prekey that holds");
    }
}
