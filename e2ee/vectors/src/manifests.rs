//! A chain of manifests, and offers that are refused: sections 2 and 3.

use plasma_identity::{
    DeviceCertificate, Manifest, RootPublicKey, UserAddress, VerifiedAccount, verify_chain,
};
use serde_json::Value;

use crate::account::NOW;
use crate::bare::{hash, point, verify};
use crate::fields::{Fields, unhex};
use crate::json::Json;
use crate::refusals;

/// A certificate or a manifest with who signed it.
#[derive(Clone)]
pub struct Signed {
    /// What the file calls it.
    pub name: String,
    /// The signer's private scalar.
    pub signer_private: Vec<u8>,
    /// The structure; its signatures are only verified.
    pub bytes: Vec<u8>,
    /// When a viewer accepts it.
    pub now: u64,
}

/// An offer that a viewer refuses.
pub struct Refused {
    /// What the file calls it.
    pub name: String,
    /// How many manifests of the chain the viewer has accepted; 0 for a first-time viewer.
    pub known: u64,
    /// The manifests that are offered.
    pub manifests: Vec<Vec<u8>>,
    /// The certificates that are offered.
    pub certificates: Vec<Vec<u8>>,
    /// When.
    pub now: u64,
}

/// Everything in the file.
pub struct Chain {
    /// The user.
    pub user: UserAddress,
    /// The root's private scalar.
    pub root_private: Vec<u8>,
    /// Each device's certificate.
    pub certificates: Vec<Signed>,
    /// The manifests in order.
    pub manifests: Vec<Signed>,
    /// What is refused.
    pub refused: Vec<Refused>,
}

/// The chain of a user who starts, adds, revokes, renews, and starts a new generation.
pub fn make() -> Json {
    refusals::chain().trace()
}

/// Recomputes every hash, checks every signature, and lets the implementation follow and refuse.
pub fn replay(file: &Value) {
    Chain::read(file).trace().expect(file, "manifests");
}

impl Signed {
    fn read(file: &Value) -> Self {
        Self {
            name: file.text("name").to_owned(),
            signer_private: file.bytes("signer_private"),
            bytes: file.bytes("bytes"),
            now: file.number("now"),
        }
    }

    fn trace(&self, label: &str, hash_label: &str, fields: Vec<(&str, Json)>) -> Json {
        let signed = &self.bytes[..self.bytes.len() - 64];
        let signature = &self.bytes[signed.len()..];
        verify(&point(&self.signer_private), label, &[signed], signature);
        let mut out = vec![
            ("name", self.name.as_str().into()),
            ("now", self.now.into()),
            ("signer_private", (&self.signer_private).into()),
        ];
        out.extend(fields);
        out.extend([
            ("bytes", (&self.bytes).into()),
            ("hash", (&hash(hash_label, &[signed])).into()),
        ]);
        out.into()
    }

    /// Section 2's device certificate, field by field.
    fn trace_certificate(&self) -> Json {
        let bytes = &self.bytes;
        assert_eq!((bytes.len(), &bytes[..2]), (370, &[1, 1][..]));
        let possession = "Plasma/v1/device-possession";
        verify(&bytes[82..147], possession, &[&bytes[2..216]], &bytes[216..280]);
        let fields = vec![
            ("device", (&bytes[34..50]).into()),
            ("fingerprint", (&bytes[50..82]).into()),
            ("signing_public", (&bytes[82..147]).into()),
            ("agreement_public", (&bytes[147..212]).into()),
            ("capabilities", number(&bytes[212..216])),
            ("may_approve", (bytes[280] == 1).into()),
            ("not_before", number(&bytes[281..289])),
            ("issuer", issuer(bytes[289])),
            ("issuing_device", (&bytes[290..306]).into()),
        ];
        self.trace("Plasma/v1/device-certificate", "Plasma/v1/certificate-hash", fields)
    }

    /// Section 2's manifest, field by field.
    fn trace_manifest(&self) -> Json {
        let bytes = &self.bytes;
        let count = usize::from(bytes[143]);
        assert_eq!((bytes.len(), &bytes[..2]), (208 + 32 * count, &[3, 1][..]));
        let hashes = bytes[144..144 + 32 * count].as_chunks::<32>().0;
        let fields = vec![
            ("fingerprint", (&bytes[34..66]).into()),
            ("generation", number(&bytes[66..70])),
            ("epoch", number(&bytes[70..78])),
            ("previous", (&bytes[78..110]).into()),
            ("issued", number(&bytes[110..118])),
            ("expires", number(&bytes[118..126])),
            ("signer", issuer(bytes[126])),
            ("signing_device", (&bytes[127..143]).into()),
            ("certificates", Json::List(hashes.iter().map(Json::from).collect())),
        ];
        self.trace("Plasma/v1/manifest-signature", "Plasma/v1/manifest-hash", fields)
    }
}

fn number(bytes: &[u8]) -> Json {
    bytes.iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte)).into()
}

fn issuer(kind: u8) -> Json {
    if kind == 0 { "root".into() } else { "device".into() }
}

impl Chain {
    fn read(file: &Value) -> Self {
        let hex = |value: &Value| unhex(value.as_str().expect("bytes"));
        let refused = file.list("refused").iter().map(|refused| Refused {
            name: refused.text("name").to_owned(),
            known: refused.number("known"),
            manifests: refused.list("manifests").iter().map(hex).collect(),
            certificates: refused.list("certificates").iter().map(hex).collect(),
            now: refused.number("now"),
        });
        Self {
            user: UserAddress { tenant: file.uuid("tenant"), user: file.uuid("user") },
            root_private: file.bytes("root_private"),
            certificates: file.list("certificates").iter().map(Signed::read).collect(),
            manifests: file.list("manifests").iter().map(Signed::read).collect(),
            refused: refused.collect(),
        }
    }

    fn root(&self) -> RootPublicKey {
        RootPublicKey::from_bytes(&point(&self.root_private)).expect("a point")
    }

    /// Writes everything; the implementation follows the chain and names every refusal.
    fn trace(&self) -> Json {
        let root = point(&self.root_private);
        let UserAddress { tenant, user } = self.user;
        let fingerprint =
            hash("Plasma/v1/fingerprint", &[tenant.as_bytes(), user.as_bytes(), &root]);
        let certificates = self.certificates.iter().map(Signed::trace_certificate);
        let manifests = self.manifests.iter().map(Signed::trace_manifest);
        let refused = self.refused.iter().map(|refused| {
            let list = |all: &[Vec<u8>]| Json::List(all.iter().map(Json::from).collect());
            Json::from([
                ("name", refused.name.as_str().into()),
                ("known", refused.known.into()),
                ("now", refused.now.into()),
                ("manifests", list(&refused.manifests)),
                ("certificates", list(&refused.certificates)),
                ("error", self.refuse(refused).into()),
            ])
        });
        self.follow(self.manifests.len());
        Json::from([
            ("description", "Certificates and a chain of manifests, sections 2 and 3.".into()),
            ("tenant", tenant.as_bytes().into()),
            ("user", user.as_bytes().into()),
            ("root_private", (&self.root_private).into()),
            ("root_public", (&root).into()),
            ("fingerprint", (&fingerprint).into()),
            ("certificates", Json::List(certificates.collect())),
            ("manifests", Json::List(manifests.collect())),
            ("refused", Json::List(refused.collect())),
        ])
    }

    /// A viewer who has seen the chain's first manifests, one by one.
    fn follow(&self, count: usize) -> VerifiedAccount {
        let all: Vec<Vec<u8>> = self.certificates.iter().map(|it| it.bytes.clone()).collect();
        let certificates = certificates(&all);
        let manifest = |signed: &Signed| Manifest::from_bytes(&signed.bytes).expect("a manifest");
        let (first, later) = self.manifests[..count].split_first().expect("a first manifest");
        let chain = [manifest(first)];
        let mut account =
            verify_chain(self.user, None, self.root(), &chain, &certificates, first.now)
                .expect("a chain that starts");
        for next in later {
            account.advance(&[manifest(next)], &certificates, next.now).expect("a successor");
        }
        account
    }

    fn refuse(&self, refused: &Refused) -> String {
        let offered: Vec<Manifest> = refused
            .manifests
            .iter()
            .map(|bytes| Manifest::from_bytes(bytes).expect("a manifest"))
            .collect();
        let certificates = certificates(&refused.certificates);
        let known = usize::try_from(refused.known).expect("a small count");
        let error = if known == 0 {
            verify_chain(self.user, None, self.root(), &offered, &certificates, refused.now)
                .map(drop)
        } else {
            self.follow(known).advance(&offered, &certificates, refused.now)
        };
        let error = format!("{:?}", error.expect_err("an offer that is refused"));
        let end = error.find('(').unwrap_or(error.len());
        error[..end].to_owned()
    }
}

fn certificates(all: &[Vec<u8>]) -> Vec<DeviceCertificate> {
    all.iter().map(|it| DeviceCertificate::from_bytes(it).expect("a certificate")).collect()
}

/// When the chain's first manifest is made.
pub const START: u64 = NOW;
