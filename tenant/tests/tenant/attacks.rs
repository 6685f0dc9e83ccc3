use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use plasma_kit::ids::TenantId;
use plasma_kit::status::ErrorReason;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::support::platform::{Signer, claims, failed, signed_part, with, without};
use crate::support::{Node, on_each_database, refused, same_bytes};

/// A bad token, and the parts that an explanation must find wrong with it.
struct Attack {
    what: String,
    token: String,
    wrong: Vec<&'static str>,
}

fn attack(what: impl Into<String>, token: String, wrong: &[&'static str]) -> Attack {
    Attack { what: what.into(), token, wrong: wrong.to_vec() }
}

/// Signs under a header that names another algorithm than the key's, with a secret.
fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = signed_part(&header.to_string(), &claims.to_string());
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256);
    format!("{signed}.{}", signature.expect("a signature"))
}

fn header_attacks(signer: &Signer, claims: &Value) -> Vec<Attack> {
    let named = |name: &str, value: Value| with(signer.header(), name, value);
    let text = claims.to_string();
    let mut attacks = Vec::new();
    for none in ["none", "None", "NONE", ""] {
        let token = signed_part(&named("alg", none.into()).to_string(), &text) + ".";
        attacks.push(attack(format!("alg {none:?}"), token, &["alg", "signature"]));
        let token = signer.sign_text(&named("alg", none.into()).to_string(), &text);
        attacks.push(attack(format!("alg {none:?}, signed"), token, &["alg"]));
    }
    for alg in ["HS256", "HS384", "ES384", "ES512", "PS256", "RS512", "es256"] {
        let token = signer.sign_text(&named("alg", alg.into()).to_string(), &text);
        attacks.push(attack(format!("alg {alg}"), token, &["alg"]));
    }
    for other in Signer::each_family() {
        if other.algorithm != signer.algorithm {
            let header = named("alg", other.header()["alg"].clone());
            let token = other.sign_text(&header.to_string(), &text);
            attacks.push(attack(
                "another family's key under this kid",
                token,
                &["alg", "signature"],
            ));
        }
    }
    let secrets = [
        serde_json::to_vec(&signer.jwk()).expect("JSON"),
        [signer.jwk()["x"].as_str(), signer.jwk()["n"].as_str()]
            .into_iter()
            .flatten()
            .flat_map(|text| URL_SAFE_NO_PAD.decode(text).expect("base64"))
            .collect(),
    ];
    for secret in secrets {
        let token = hs256(&named("alg", "HS256".into()), claims, &secret);
        attacks.push(attack("HS256 with the public key", token, &["alg", "signature"]));
    }
    let stranger = Signer { kid: signer.kid.clone(), ..Signer::es256("x", 9) };
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/x5u")),
        ("x5c", json!(["AAAA"])),
    ] {
        let mut header = with(stranger.header(), name, value);
        let same_family = signer.algorithm == stranger.algorithm;
        let wrong: &[_] = if same_family { &["signature"] } else { &["alg", "signature"] };
        let token = stranger.sign_text(&header.to_string(), &text);
        attacks.push(attack(format!("a stranger's key in {name}"), token, wrong));
        header["kid"] = "stranger".into();
        let token = stranger.sign_text(&header.to_string(), &text);
        attacks.push(attack(format!("{name} with a foreign kid"), token, &["kid", "signature"]));
    }
    for (what, header) in [
        ("a foreign kid", named("kid", "other".into())),
        ("an empty kid", named("kid", "".into())),
        ("a kid that is no text", named("kid", json!(["ec-1"]))),
        ("no kid", without(signer.header(), "kid")),
    ] {
        let token = signer.sign_text(&header.to_string(), &text);
        attacks.push(attack(what, token, &["kid", "signature"]));
    }
    let token = signer.sign_text(&without(signer.header(), "alg").to_string(), &text);
    attacks.push(attack("no alg", token, &["alg"]));
    let token = signer.sign_text(&named("crit", json!(["b64"])).to_string(), &text);
    attacks.push(attack("crit", token, &["format"]));
    attacks
}

fn claim_attacks(signer: &Signer, now: i64, good: impl Fn() -> Value) -> Vec<Attack> {
    let one = |what: &str, claims: Value, wrong: &[&'static str]| {
        attack(what, signer.sign(&claims), wrong)
    };
    let mut attacks = Vec::new();
    for (name, wrong) in [
        ("iss", &["iss"][..]),
        ("aud", &["aud"]),
        ("sub", &["sub"]),
        ("jti", &["jti"]),
        ("iat", &["iat", "lifetime"]),
        ("exp", &["exp", "lifetime"]),
    ] {
        attacks.push(one(&format!("no {name}"), without(good(), name), wrong));
        attacks.push(one(&format!("{name} null"), with(good(), name, Value::Null), wrong));
        attacks.push(one(&format!("{name} an object"), with(good(), name, json!({})), wrong));
        let text = good().to_string();
        let twice = format!("{},{:?}:{}}}", &text[..text.len() - 1], name, good()[name]);
        let token = signer.sign_text(&signer.header().to_string(), &twice);
        attacks.push(attack(format!("{name} twice"), token, &["format"]));
    }
    attacks.extend([
        one("another issuer", with(good(), "iss", "https://evil.example"), &["iss"]),
        one("the issuer with a slash", with(good(), "iss", "https://id.clinic.example/"), &["iss"]),
        one("another audience", with(good(), "aud", "other"), &["aud"]),
        one("two audiences", with(good(), "aud", json!(["plasma", "other"])), &["aud"]),
        one("no audience in a list", with(good(), "aud", json!([])), &["aud"]),
        one("a list in a list", with(good(), "aud", json!([["plasma"]])), &["aud"]),
        one("an empty sub", with(good(), "sub", ""), &["sub"]),
        one("a long sub", with(good(), "sub", "s".repeat(256)), &["sub"]),
        one("a sub with a control character", with(good(), "sub", "a\u{0}"), &["sub"]),
        one("a sub that reorders text", with(good(), "sub", "a\u{202e}"), &["sub"]),
        one("an empty jti", with(good(), "jti", ""), &["jti"]),
        one("a long jti", with(good(), "jti", "j".repeat(129)), &["jti"]),
        one("expired", with(with(good(), "iat", now - 400), "exp", now - 70), &["exp"]),
        one(
            "issued in the future",
            with(with(good(), "iat", now + 900), "exp", now + 1_000),
            &["iat"],
        ),
        one("not valid yet", with(good(), "nbf", now + 900), &["iat"]),
        one("nbf no number", with(good(), "nbf", "soon"), &["iat"]),
        one("over ten minutes", with(with(good(), "iat", now), "exp", now + 601), &["lifetime"]),
        one("backwards", with(good(), "exp", now - 10), &["lifetime"]),
        one("exp for ever", with(good(), "exp", i64::MAX), &["exp", "lifetime"]),
        one("exp negative", with(good(), "exp", -1), &["exp", "lifetime"]),
        one("exp a text", with(good(), "exp", (now + 300).to_string()), &["exp", "lifetime"]),
        one("exp over 64 bits", with(good(), "exp", u64::MAX), &["exp", "lifetime"]),
        one("exp a fraction", with(good(), "exp", 1e10), &["exp", "lifetime"]),
        one("iat a text", with(good(), "iat", now.to_string()), &["iat", "lifetime"]),
    ]);
    attacks
}

fn format_attacks(signer: &Signer, claims: &Value) -> Vec<Attack> {
    let good = signer.sign(claims);
    let parts: Vec<&str> = good.split('.').collect();
    let header = signer.header().to_string();
    let mut forged = URL_SAFE_NO_PAD.decode(parts[2]).expect("base64");
    forged[10] ^= 1;
    let forged = URL_SAFE_NO_PAD.encode(forged);
    let other = with(claims.clone(), "sub", "victim").to_string();
    let formats = [
        ("one part", "token".to_owned()),
        ("two parts", parts[..2].join(".")),
        ("four parts", format!("{good}.{}", parts[2])),
        ("padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("a space", good.replacen('.', " .", 1)),
        ("claims that are a list", signer.sign_text(&header, "[]")),
        ("claims that are no JSON", signer.sign_text(&header, "{")),
        ("a header that is no JSON", signer.sign_text("x", &claims.to_string())),
        ("a member in depth twice", {
            let text = claims.to_string();
            let claims = format!("{},\"a\":{{\"b\":1,\"b\":2}}}}", &text[..text.len() - 1]);
            signer.sign_text(&header, &claims)
        }),
    ];
    let mut attacks: Vec<Attack> =
        formats.into_iter().map(|(what, token)| attack(what, token, &["format"])).collect();
    let swapped = signed_part(&header, &other);
    let wrong = &["signature"];
    attacks.extend([
        attack("one bit", format!("{}.{}.{forged}", parts[0], parts[1]), wrong),
        attack("no signature", format!("{}.{}.", parts[0], parts[1]), wrong),
        attack("half a signature", format!("{}.{}.AAAA", parts[0], parts[1]), wrong),
        attack("other claims under the signature", format!("{swapped}.{}", parts[2]), wrong),
    ]);
    attacks
}

async fn refused_token(node: &Node, tenant: TenantId, token: &str) -> Status {
    let answer = node.tenants.accept_platform_token(tenant, token).await;
    refused(answer, Code::Unauthenticated, ErrorReason::PlatformTokenInvalid)
}

#[tokio::test]
async fn every_attack_is_refused_in_the_same_words_and_explained() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signers = Signer::each_family();
        let tenant = node.platform(&signers).await;
        let (mut count, mut words) = (0, None);
        for signer in &signers {
            let good = || claims(&node.env, "ann");
            let accepted = signer.sign(&good());
            node.tenants.accept_platform_token(tenant, &accepted).await.unwrap();
            let mut attacks = header_attacks(signer, &good());
            attacks.extend(claim_attacks(signer, node.env.now().seconds(), good));
            attacks.extend(format_attacks(signer, &good()));
            attacks.push(attack("a replay", accepted, &["jti"]));
            let used = world.count("used_tokens").await;
            for Attack { what, token, wrong } in attacks {
                // Shown where the attack succeeds.
                eprintln!("attack: {what}");
                let status = refused_token(&node, tenant, &token).await;
                same_bytes(&status, words.get_or_insert_with(|| status.clone()));
                let explained = node.explain(tenant, &token).await;
                assert!(!explained.valid, "{what}");
                assert_eq!(failed(&explained), wrong, "{what}: {explained:?}");
                count += 1;
            }
            assert_eq!(world.count("used_tokens").await, used);
        }
        assert_eq!(world.count("users").await, 1);
        assert!(count > 200, "{count}");
    })
    .await;
}

#[tokio::test]
async fn a_token_longer_than_eight_kibibytes_is_refused() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let padded =
            |bytes: usize| signer.sign(&with(claims(&node.env, "ann"), "x", "x".repeat(bytes)));
        // Each claim byte is four thirds of a byte of token.
        let fits = (0..6_000).rev().map(padded).find(|token| token.len() <= 8_192).unwrap();
        assert!(fits.len() > 8_188);
        node.tenants.accept_platform_token(tenant, &fits).await.unwrap();
        let over = (5_000..6_200).map(padded).find(|token| token.len() > 8_192).unwrap();
        refused_token(&node, tenant, &over).await;
        refused_token(&node, tenant, &"a".repeat(1 << 20)).await;
        refused_token(&node, tenant, "").await;
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_another_tenant_and_of_another_issuer_open_nothing() {
    on_each_database(async |world| {
        let node = world.node().await;
        let (mine, theirs) = (Signer::es256("ec-1", 3), Signer::es256("ec-1", 5));
        let tenant = node.platform(std::slice::from_ref(&mine)).await;
        let other = node.platform(std::slice::from_ref(&theirs)).await;
        let token = |signer: &Signer| signer.sign(&claims(&node.env, "ann"));
        let ann = node.tenants.accept_platform_token(tenant, &token(&mine)).await.unwrap();
        let their_ann = node.tenants.accept_platform_token(other, &token(&theirs)).await.unwrap();
        assert_ne!(ann, their_ann);

        let words = refused_token(&node, tenant, &token(&theirs)).await;
        same_bytes(&refused_token(&node, other, &token(&mine)).await, &words);
        let absent = TenantId(node.env.uuid());
        same_bytes(&refused_token(&node, absent, &token(&mine)).await, &words);
        let empty = node.tenant().await;
        same_bytes(&refused_token(&node, empty, &token(&mine)).await, &words);

        // A second issuer of the same tenant vouches with its own keys and audience only.
        let mut request = node.new_provider(tenant, std::slice::from_ref(&theirs));
        request.issuer = "https://second.example".to_owned();
        request.audience = "second".to_owned();
        let mut admin = node.key_of(tenant).providers;
        admin.create_identity_provider(request).await.unwrap();
        let second = |audience: &str| {
            let claims = with(claims(&node.env, "bob"), "iss", "https://second.example");
            with(claims, "aud", audience)
        };
        let crossed = [
            (mine.sign(&second("second")), "signature"),
            (theirs.sign(&second("plasma")), "aud"),
            (token(&theirs), "signature"),
        ];
        for (token, part) in crossed {
            assert_eq!(failed(&node.explain(tenant, &token).await), [part]);
            same_bytes(&refused_token(&node, tenant, &token).await, &words);
        }
        let bob = theirs.sign(&second("second"));
        node.tenants.accept_platform_token(tenant, &bob).await.unwrap();
    })
    .await;
}
