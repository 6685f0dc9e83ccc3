//! The public keys of an identity provider: a JSON Web Key Set (RFC 7517), read strictly.

use serde_json::{Value, json};

use super::json;
use super::public_key::{KeyError, PublicKey};

/// Most keys of a set.
pub const KEYS_MAX: usize = 10;

/// 1 to 10 public keys with different `kid`s.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

/// Why a text is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not a JSON object, or names a member twice.
    #[error("must be a JSON Web Key Set: {0}")]
    NotAnObject(String),
    /// It has no list `keys`.
    #[error("must be a JSON Web Key Set: an object with the list `keys`")]
    NoList,
    /// It has no key, or too many.
    #[error("must have 1 to {KEYS_MAX} keys, and has {0}")]
    Count(usize),
    /// A key is not taken.
    #[error("keys[{index}] {rule}")]
    Key {
        /// Which key.
        index: usize,
        /// The rule that it breaks.
        rule: KeyError,
    },
    /// Two keys have the same `kid`.
    #[error("keys[{0}] must have another `kid` than the keys before it")]
    Repeated(usize),
}

impl KeySet {
    /// Reads a key set.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        let set = json::object(text.as_bytes()).map_err(KeySetError::NotAnObject)?;
        let list = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NoList)?;
        if list.is_empty() || list.len() > KEYS_MAX {
            return Err(KeySetError::Count(list.len()));
        }
        let mut keys: Vec<PublicKey> = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let key = PublicKey::parse(value).map_err(|rule| KeySetError::Key { index, rule })?;
            if keys.iter().any(|other| other.id() == key.id()) {
                return Err(KeySetError::Repeated(index));
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// The set as it is stored: nothing but what is needed, in its normal form.
    pub fn to_json(&self) -> String {
        let keys: Vec<Value> = self.keys.iter().map(PublicKey::to_json).collect();
        json!({ "keys": keys }).to_string()
    }

    /// The key with this `kid`.
    pub fn find(&self, id: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// The `kid`s, in the order of the set.
    pub fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.id().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{KeySet, KeySetError};
    use crate::domain::public_key::KeyError;

    /// RFC 7515, appendix A.3.
    fn elliptic() -> Value {
        json!({
            "kid": "ec", "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    /// RFC 8037, appendix A.2.
    fn edwards() -> Value {
        json!({
            "kid": "ed", "kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    fn modulus(bits: usize, odd: bool) -> String {
        let mut bytes = vec![0xaa; bits.div_ceil(8)];
        bytes[0] = 1 << ((bits - 1) % 8);
        *bytes.last_mut().unwrap() = u8::from(odd);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn rsa() -> Value {
        json!({"kid": "rsa", "kty": "RSA", "n": modulus(2048, true), "e": "AQAB"})
    }

    fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
        key[name] = value.into();
        key
    }

    fn without(mut key: Value, name: &str) -> Value {
        key.as_object_mut().unwrap().remove(name);
        key
    }

    fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
        KeySet::parse(&json!({ "keys": keys }).to_string())
    }

    #[test]
    fn each_family_is_taken_and_kept_without_what_is_not_needed() {
        let set = parse(&[
            with(with(elliptic(), "use", "sig"), "alg", "ES256"),
            with(with(edwards(), "key_ops", json!(["verify"])), "x5t", "ignored"),
            with(rsa(), "n", modulus(4096, true)),
        ])
        .unwrap();
        assert_eq!(set.ids(), ["ec", "ed", "rsa"]);
        let stored: Value = serde_json::from_str(&set.to_json()).unwrap();
        assert_eq!(stored["keys"][0], elliptic());
        assert_eq!(stored["keys"][1], edwards());
        assert_eq!(KeySet::parse(&set.to_json()).unwrap().to_json(), set.to_json());
    }

    #[test]
    fn a_sign_byte_before_an_rsa_number_is_dropped() {
        let signed = [vec![0], URL_SAFE_NO_PAD.decode(modulus(2048, true)).unwrap()].concat();
        let set = parse(&[with(rsa(), "n", URL_SAFE_NO_PAD.encode(signed))]).unwrap();
        assert_eq!(set.to_json(), parse(&[rsa()]).unwrap().to_json());
    }

    #[test]
    fn a_key_that_breaks_a_rule_is_refused_with_the_rule() {
        let small_order = URL_SAFE_NO_PAD.encode([&[1_u8][..], &[0; 31]].concat());
        let cases = [
            (json!(1), KeyError::NotAnObject),
            (with(elliptic(), "d", "AA"), KeyError::Private("d")),
            (with(rsa(), "p", "AA"), KeyError::Private("p")),
            (with(rsa(), "q", "AA"), KeyError::Private("q")),
            (with(rsa(), "k", "AA"), KeyError::Private("k")),
            (without(elliptic(), "kid"), KeyError::Missing("kid")),
            (with(elliptic(), "kid", 1), KeyError::Missing("kid")),
            (with(elliptic(), "kid", ""), KeyError::KeyId),
            (with(elliptic(), "kid", "k".repeat(129)), KeyError::KeyId),
            (with(elliptic(), "kid", "a\u{0}"), KeyError::KeyId),
            (without(elliptic(), "kty"), KeyError::Missing("kty")),
            (json!({"kid": "s", "kty": "oct"}), KeyError::Family),
            (with(elliptic(), "crv", "P-384"), KeyError::Family),
            (without(elliptic(), "crv"), KeyError::Family),
            (with(edwards(), "crv", "Ed448"), KeyError::Family),
            (with(edwards(), "crv", "X25519"), KeyError::Family),
            (with(elliptic(), "use", "enc"), KeyError::Use),
            (with(elliptic(), "key_ops", json!(["sign"])), KeyError::Operations),
            (with(rsa(), "key_ops", json!(["verify", "sign"])), KeyError::Operations),
            (
                with(rsa(), "alg", "PS256"),
                KeyError::WrongAlgorithm(crate::domain::public_key::Algorithm::Rs256),
            ),
            (without(elliptic(), "y"), KeyError::Missing("y")),
            (with(elliptic(), "x", "!"), KeyError::NotBase64("x")),
            (with(elliptic(), "x", "AA=="), KeyError::NotBase64("x")),
            (with(elliptic(), "x", "AA"), KeyError::CoordinateLength("x")),
            (
                with(edwards(), "x", URL_SAFE_NO_PAD.encode([9; 33])),
                KeyError::CoordinateLength("x"),
            ),
            (with(elliptic(), "y", URL_SAFE_NO_PAD.encode([1; 32])), KeyError::Point),
            (with(edwards(), "x", small_order), KeyError::Point),
            (with(edwards(), "x", URL_SAFE_NO_PAD.encode([2; 32])), KeyError::Point),
            (with(rsa(), "n", modulus(2047, true)), KeyError::Modulus),
            (with(rsa(), "n", modulus(4097, true)), KeyError::Modulus),
            (with(rsa(), "n", modulus(2048, false)), KeyError::Modulus),
            (with(rsa(), "n", ""), KeyError::Modulus),
            (with(rsa(), "e", "AQ"), KeyError::Exponent),
            (with(rsa(), "e", "Ag"), KeyError::Exponent),
            (with(rsa(), "e", ""), KeyError::Exponent),
            (with(rsa(), "e", "AQAAAAE"), KeyError::Exponent),
        ];
        for (key, rule) in cases {
            let error = parse(&[edwards_named("before"), key.clone()]).expect_err("must break");
            assert_eq!(error, KeySetError::Key { index: 1, rule }, "{key}");
        }
    }

    fn edwards_named(id: &str) -> Value {
        with(edwards(), "kid", id)
    }

    #[test]
    fn a_set_has_one_to_ten_keys_with_different_ids() {
        let named = |count: usize| -> Vec<Value> {
            (0..count).map(|index| edwards_named(&index.to_string())).collect()
        };
        assert!(parse(&named(10)).is_ok());
        assert_eq!(parse(&[]).unwrap_err(), KeySetError::Count(0));
        assert_eq!(parse(&named(11)).unwrap_err(), KeySetError::Count(11));
        assert_eq!(parse(&[edwards(), edwards()]).unwrap_err(), KeySetError::Repeated(1));
        assert_eq!(KeySet::parse("{}").unwrap_err(), KeySetError::NoList);
        assert_eq!(KeySet::parse(r#"{"keys":{}}"#).unwrap_err(), KeySetError::NoList);
        let twice = r#"{"keys":[],"keys":[]}"#;
        assert!(matches!(KeySet::parse(twice), Err(KeySetError::NotAnObject(_))));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let names = prop_oneof![
            Just("kty"),
            Just("crv"),
            Just("kid"),
            Just("x"),
            Just("y"),
            Just("n"),
            Just("e"),
            Just("alg"),
            Just("use"),
            Just("key_ops"),
        ];
        let texts = prop_oneof![
            Just("EC".to_owned()),
            Just("OKP".to_owned()),
            Just("RSA".to_owned()),
            Just("P-256".to_owned()),
            Just("Ed25519".to_owned()),
            "[A-Za-z0-9_-]{0,90}",
            ".{0,20}",
        ];
        let value = prop_oneof![
            8 => texts.prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => Just(Value::Null),
        ];
        proptest::collection::vec((names, value), 0..10).prop_map(|members| {
            Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            )
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = KeySet::parse(&text);
        }

        #[test]
        fn any_keys_are_read_or_refused(keys in proptest::collection::vec(any_json(), 0..4)) {
            if let Ok(set) = parse(&keys) {
                prop_assert!(KeySet::parse(&set.to_json()).is_ok());
            }
        }

        #[test]
        fn any_coordinates_are_read_or_refused(x in any::<[u8; 32]>(), y in any::<[u8; 32]>()) {
            let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
            let _ = parse(&[with(with(elliptic(), "x", x.clone()), "y", y)]);
            let _ = parse(&[with(edwards(), "x", x)]);
        }
    }
}
