//! Which types print themselves, read from the sources, so that none is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::specimens;

/// Types that print themselves and hold no secret, of this crate.
const WITHOUT_SECRETS: &[&str] = &[
    "ApproveError",
    "DecryptError",
    "EncryptError",
    "Envelope",
    "EnvelopeInfo",
    "Extension",
    "Header",
    "InitiateError",
    "Initiation",
    "InitiationInfo",
    "KemKey",
    "LinkingError",
    "LinkingRequest",
    "ManifestView",
    "Message",
    "Pace",
    "ParticipantError",
    "Party",
    "PrekeyBundle",
    "PrekeyIds",
    "RecoveryError",
    "RemoteDevice",
    "ReplayMarker",
    "RetryError",
    "RetryRequest",
    "Sealed",
    "SessionId",
    "StateError",
    "StateType",
    "Statement",
];

/// The same of `plasma-identity`, which holds no private key at all.
const IDENTITY: &[&str] = &[
    // The public keys, by their macro.
    "$name",
    "AccountBytesError",
    "Capabilities",
    "CertificateHash",
    "CertificateRequest",
    "CertificateTerms",
    "ChainError",
    "DecodeError",
    "DeviceAddress",
    "DeviceCertificate",
    "DeviceStatement",
    "Fingerprint",
    "FingerprintError",
    "InvalidSignature",
    "Issuer",
    "KnownManifest",
    "Manifest",
    "ManifestHash",
    "ManifestStatement",
    "PrekeyError",
    "PrekeyRole",
    "PrekeyStatement",
    "Reader",
    "RecoveryKit",
    "RecoveryKitError",
    "RecoveryKitHeader",
    "SafetyComparison",
    "SafetyMismatch",
    "SafetyNumber",
    "SafetyNumberError",
    "Signature",
    "SignedPrekey",
    "StructureType",
    "UserAddress",
    "VerifiedAccount",
];

/// Test code, which prints what it likes.
const TEST_MODULES: &[&str] = &["wycheproof", "secrecy", "specimens.rs", "tests.rs", "tests"];

fn sources(folder: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if TEST_MODULES.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            sources(&entry.path(), out);
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            out.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
        }
    }
}

fn identifier(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_' && it != '$');
    &text[..end.unwrap_or(text.len())]
}

/// Finds what derives or implements `Debug`.
fn printing(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (position, _) in source.match_indices("derive(") {
        let rest = &source[position..];
        let (list, rest) = rest.split_once(')').unwrap();
        if list.split(|it: char| !it.is_alphanumeric()).any(|name| name == "Debug") {
            let words = ["struct ", "enum ", "union "];
            let item = words.iter().filter_map(|word| Some((rest.find(word)?, word.len()))).min();
            let (start, length) = item.unwrap();
            names.insert(identifier(&rest[start + length..]).to_owned());
        }
    }
    for (_, rest) in
        source.match_indices("Debug for ").map(|(at, it)| (at, &source[at + it.len()..]))
    {
        names.insert(identifier(rest).to_owned());
    }
    names
}

fn printing_in(folder: &Path) -> BTreeSet<String> {
    let mut texts = Vec::new();
    sources(folder, &mut texts);
    texts.iter().flat_map(|text| printing(text)).collect()
}

#[test]
fn every_type_that_prints_itself_is_in_the_snapshot_or_holds_no_secret() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let specimens = specimens::all();
    let shown = specimens.iter().map(|specimen| identifier(specimen.name).to_owned());
    let known = WITHOUT_SECRETS.iter().map(|&name| name.to_owned());
    assert_eq!(printing_in(&here.join("src")), shown.chain(known).collect());

    let known = IDENTITY.iter().map(|&name| name.to_owned());
    assert_eq!(printing_in(&here.join("../identity/src")), known.collect());
}

#[test]
fn derived_and_written_forms_are_found() {
    let source = "#[derive(Clone, Debug)]\n/// A structure.\npub(crate) struct One<'a> {}\n\
                  #[derive(\n    Debug,\n)]\nenum Two {}\n#[derive(Clone)]\nstruct Three;\n\
                  impl<T> core::fmt::Debug for Four<T> {}";
    let names: Vec<String> = printing(source).into_iter().collect();
    assert_eq!(names, ["Four", "One", "Two"]);
}
