//! The prekeys of a device that the service has to hand out.

use plasma_e2ee::{PrekeyBundle, PrivatePrekey};
use plasma_identity::{DeviceCertificate, PrekeyRole, SignedPrekey};

use crate::device::Device;
use crate::store::prekeys;

/// What the service has to hand out of a device's prekeys, oldest last.
pub(super) struct Shelf {
    signed: SignedPrekey,
    last_resort: SignedPrekey,
    ec: Vec<SignedPrekey>,
    kem: Vec<SignedPrekey>,
}

impl Shelf {
    /// Makes a device's prekeys, and what the service has of them.
    pub(super) fn stock(device: &Device, one_time: u32) -> Self {
        let env = &device.inner.env;
        let now = env.now_seconds();
        let make = |role, count| -> Vec<SignedPrekey> {
            let made = device.inner.store.write(|tx| {
                let first = prekeys::reserve_ids(tx, role, count)?;
                let mut made = Vec::new();
                for id in first..first + count {
                    let rng = &mut env.rng();
                    let key = PrivatePrekey::generate(&device.inner.keys, role, id, now, rng);
                    prekeys::insert(tx, &key, now)?;
                    made.push(key.public().clone());
                }
                made.reverse();
                Ok::<_, crate::StoreError>(made)
            });
            made.unwrap()
        };
        Self {
            signed: make(PrekeyRole::SignedEc, 1).remove(0),
            last_resort: make(PrekeyRole::LastResortKem, 1).remove(0),
            ec: make(PrekeyRole::OneTimeEc, one_time),
            kem: make(PrekeyRole::OneTimeKem, one_time),
        }
    }

    /// Takes a bundle, as the service hands it out.
    pub(super) fn take(&mut self, certificate: &DeviceCertificate) -> PrekeyBundle {
        PrekeyBundle {
            certificate: *certificate,
            signed: self.signed.clone(),
            kem: self.kem.pop().unwrap_or_else(|| self.last_resort.clone()),
            one_time: self.ec.pop(),
        }
    }
}
