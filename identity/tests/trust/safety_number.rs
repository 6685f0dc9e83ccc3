//! Two people compare what they see.

use plasma_identity::{
    Fingerprint, SafetyComparison, SafetyMismatch, SafetyNumber, SafetyNumberError,
};

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint::from_bytes([byte; 32])
}

#[test]
fn both_people_see_the_same_sixty_digits() {
    let (alice, bob) = (fingerprint(1), fingerprint(2));
    let number = SafetyNumber::of(alice, bob);
    assert_eq!(number.to_string(), SafetyNumber::of(bob, alice).to_string());
    let digits = number.digits();
    assert!(digits.len() == 60 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let groups: Vec<_> = number.to_string().split(' ').map(str::to_owned).collect();
    assert!(groups.len() == 12 && groups.iter().all(|group| group.len() == 5));
    assert_eq!(groups.concat(), digits);
    assert_ne!(digits, SafetyNumber::of(alice, fingerprint(3)).digits());
    assert_ne!(digits, SafetyNumber::of(fingerprint(3), bob).digits());
}

#[test]
fn every_byte_of_either_account_changes_the_number() {
    let (alice, bob) = ([0x10; 32], [0x80; 32]);
    let of = |alice, bob| {
        SafetyNumber::of(Fingerprint::from_bytes(alice), Fingerprint::from_bytes(bob)).digits()
    };
    let number = of(alice, bob);
    for position in 0..32 {
        let (mut other_alice, mut other_bob) = (alice, bob);
        other_alice[position] ^= 1;
        other_bob[position] ^= 1;
        assert_ne!(of(other_alice, bob), number);
        assert_ne!(of(alice, other_bob), number);
    }
}

#[test]
fn scanning_tells_which_account_differs() {
    let (alice, bob, mallory) = (fingerprint(1), fingerprint(2), fingerprint(3));
    let scan = |own, peer, theirs: SafetyNumber| {
        SafetyNumber::of(own, peer).compare(&theirs.qr_text()).unwrap()
    };
    let mismatch = SafetyComparison::Mismatch;
    assert_eq!(scan(alice, bob, SafetyNumber::of(bob, alice)), SafetyComparison::Match);
    // Alice was shown Mallory for Bob.
    let result = scan(alice, mallory, SafetyNumber::of(bob, alice));
    assert_eq!(result, mismatch(SafetyMismatch::Peer));
    // Bob was shown Mallory for Alice.
    let result = scan(alice, bob, SafetyNumber::of(bob, mallory));
    assert_eq!(result, mismatch(SafetyMismatch::Own));
    // Both were, or it is the code of somebody else, or one's own.
    let result = scan(alice, mallory, SafetyNumber::of(bob, mallory));
    assert_eq!(result, mismatch(SafetyMismatch::Both));
    let result = scan(alice, bob, SafetyNumber::of(alice, bob));
    assert_eq!(result, mismatch(SafetyMismatch::Both));
}

#[test]
fn other_text_is_no_safety_number() {
    let number = SafetyNumber::of(fingerprint(1), fingerprint(2));
    let good = number.qr_text();
    assert_eq!(good.len(), 16 + 86);
    let later = good.replace(":1:", ":2:");
    for bad in
        ["", &good[1..], &good[..good.len() - 1], &format!("{good}A"), &format!("{good}="), &later]
    {
        assert_eq!(number.compare(bad), Err(SafetyNumberError), "{bad}");
    }
}
