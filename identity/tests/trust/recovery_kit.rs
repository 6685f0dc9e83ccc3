//! What the service checks of a recovery kit.

use plasma_identity::{
    DecodeError, RecoveryKit, RecoveryKitError, RecoveryKitHeader, RootPublicKey, UserAddress,
};
use uuid::Uuid;

use crate::chain::Key;

fn public(key: &Key) -> RootPublicKey {
    key.public().into()
}

fn user(number: u128) -> UserAddress {
    UserAddress { tenant: Uuid::from_u128(0xa), user: Uuid::from_u128(number) }
}

fn kit(signer: &Key) -> RecoveryKit {
    let account = public(&Key::new(1)).fingerprint(user(1));
    let header = RecoveryKitHeader { user: user(1), account, salt: [2; 16] };
    RecoveryKit::sign(header, [3; 48], signer)
}

#[test]
fn a_kit_is_taken_from_the_root_only() {
    let root = Key::new(1);
    let kit = kit(&root);
    assert_eq!(kit.verify(&public(&root), user(1)), Ok(()));
    assert_eq!((kit.user_address(), kit.account()), (user(1), kit.header().account));
    assert_eq!(kit.verify(&public(&root), user(2)), Err(RecoveryKitError::WrongUser));
    let other = public(&Key::new(4));
    assert_eq!(kit.verify(&other, user(1)), Err(RecoveryKitError::WrongRoot));
    // A stolen approver signs a kit of its own for the same account.
    let stolen = self::kit(&Key::new(4));
    assert_eq!(stolen.verify(&public(&root), user(1)), Err(RecoveryKitError::BadSignature));
}

#[test]
fn every_changed_byte_of_a_kit_is_refused() {
    let root = Key::new(1);
    let bytes = kit(&root).to_bytes();
    assert_eq!(bytes.len(), RecoveryKit::LENGTH);
    assert_eq!(RecoveryKit::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1 << (position % 8);
        if let Ok(kit) = RecoveryKit::from_bytes(&changed) {
            assert_eq!(kit.to_bytes(), changed);
            assert!(kit.verify(&public(&root), user(1)).is_err(), "byte {position}");
        }
        assert!(RecoveryKit::from_bytes(&bytes[..position]).is_err());
    }
    let longer = RecoveryKit::from_bytes(&[&bytes[..], &[0]].concat()).map(drop);
    assert_eq!(longer, Err(DecodeError::TrailingBytes));
}
