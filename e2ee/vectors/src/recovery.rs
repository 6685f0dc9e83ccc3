//! Recovery keys and kits: section 11.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_e2ee::RecoveryKey;
use plasma_identity::RecoveryKit;
use serde_json::Value;

use crate::account::Party;
use crate::bare::{hkdf, input, point, seal, verify};
use crate::fields::Fields;
use crate::json::Json;
use crate::random::Randomness;

/// A kit with its key, and texts that are no recovery keys.
pub fn make() -> Json {
    let mut randomness = Randomness::recording(8);
    let account = Party::found(1, &mut randomness);
    let loaded = account.load();
    let key = RecoveryKey::generate(&mut randomness);
    let kit = key.seal(&loaded.root, account.address.user_address(), &mut randomness);
    let [bytes, salt] = randomness.take().try_into().expect("a key and a salt");
    let zero = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                abandon";
    let refused = [
        format!("{zero} abandon"),
        format!("{zero} plasma"),
        zero.to_owned(),
        format!("{zero} about about"),
    ];
    let refused = refused.map(|text| {
        let error = RecoveryKey::from_words(&text).expect_err("not a recovery key");
        Json::from([("words", text.into()), ("error", format!("{error:?}").into())])
    });
    let signature = &kit.to_bytes()[130..];
    trace(&account, &bytes, &salt, signature, &key.words(), refused.to_vec())
}

/// Builds a kit from its inputs. The words are BIP-39's of the 16 bytes.
fn trace(
    account: &Party,
    key: &[u8],
    salt: &[u8],
    signature: &[u8],
    words: &str,
    refused: Vec<Json>,
) -> Json {
    let fingerprint = account.fingerprint();
    let address = account.address.to_bytes();
    let header = [&[6, 1], &address[..32], &fingerprint, salt].concat();
    let derived = hkdf(salt, key, "Plasma/v1/recovery-key", &fingerprint, 44);
    let associated_data = input("Plasma/v1/recovery-kit-contents", &[&header]);
    let sealed = seal(&derived[..32], &derived[32..], &associated_data, &account.root_private);
    let signed = [header, sealed.clone()].concat();
    let root = point(&account.root_private);
    verify(&root, "Plasma/v1/recovery-kit-signature", &[&signed], signature);
    Json::from([
        ("description", "A recovery key and a recovery kit of section 11.".into()),
        ("account", account.trace()),
        ("recovery_key", key.into()),
        ("words", words.into()),
        ("qr_text", format!("plasma-recovery:1:{}", URL_SAFE_NO_PAD.encode(key)).into()),
        ("salt", salt.into()),
        ("key", (&derived[..32]).into()),
        ("nonce", (&derived[32..]).into()),
        ("associated_data", (&associated_data).into()),
        ("ciphertext", (&sealed).into()),
        ("signature", signature.into()),
        ("kit", (&[&signed, signature].concat()).into()),
        ("refused", refused.into()),
    ])
}

/// Recomputes the kit, and lets the implementation read the words and open it.
pub fn replay(file: &Value) {
    let account = Party::read(file.object("account"));
    let [bytes, salt, signature] =
        ["recovery_key", "salt", "signature"].map(|name| file.bytes(name));
    let key = RecoveryKey::from_words(file.text("words")).expect("twelve words");
    assert_eq!(*key.qr_text(), file.text("qr_text"));
    let refused = file.list("refused").iter().map(|refused| {
        let error = RecoveryKey::from_words(refused.text("words")).expect_err("a refusal");
        Json::from([
            ("words", refused.text("words").into()),
            ("error", format!("{error:?}").into()),
        ])
    });
    let made = trace(&account, &bytes, &salt, &signature, &key.words(), refused.collect());
    made.expect(file, "recovery");
    let kit = RecoveryKit::from_bytes(&file.bytes("kit")).expect("a kit");
    let root = key.open(&kit).expect("the kit's key");
    assert_eq!(root.to_bytes()[2..], account.root_private);
    let mut randomness = Randomness::given(&[&salt]);
    let again = key.seal(&root, account.address.user_address(), &mut randomness);
    randomness.finish();
    assert_eq!(again.to_bytes(), kit.to_bytes());
}
