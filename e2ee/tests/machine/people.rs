//! What persons do with their devices: link, revoke, renew, reinstall, recover.

use plasma_e2ee::{ApproveError, RootKey};
use plasma_identity::{Capabilities, CertificateRequest, DeviceCertificate, Manifest};

use crate::content::{DeviceNo, UserNo};
use crate::device::{Device, device_id, user_address};
use crate::world::World;

/// How often an approver follows a faster one and tries again.
const CONFLICTS_MAX: u32 = 5;

type Approved = Result<(Option<DeviceCertificate>, Manifest), ApproveError>;

impl World {
    /// A person begins with one device.
    pub fn found(&mut self, user: UserNo) {
        let root = RootKey::generate(&mut self.net.rng);
        let number = self.devices.len();
        let mut device = Device::new(user, number, &mut self.net);
        let (address, now) = (user_address(user), self.net.now);
        let request = device.keys.certificate_request(root.fingerprint(address), Capabilities::V1);
        let certificate = root.certify(&request, now).unwrap();
        let first = root.start_generation(address, &[certificate], None, now).unwrap();
        self.net.service.found(user, root.public(), first, &certificate, now);
        self.roots.push(root);
        self.welcome(&mut device);
        self.devices.push(device);
    }

    /// A certified device learns of its account and publishes its prekeys.
    fn welcome(&mut self, device: &mut Device) {
        device.refresh(&self.net, device.user);
        device.publish_prekeys(&mut self.net, true, true);
    }

    fn request(&self, device: &Device) -> CertificateRequest {
        let fingerprint = self.roots[device.user].fingerprint(user_address(device.user));
        device.keys.certificate_request(fingerprint, Capabilities::V1)
    }

    /// Lists the devices that may approve.
    pub fn approvers(&self, user: UserNo) -> Vec<DeviceNo> {
        let devices = self.net.service.devices(user);
        let approves = |number: &DeviceNo| {
            let certificates = &self.net.service.account(user).certificates;
            certificates
                .iter()
                .any(|it| it.address().device == device_id(*number) && it.may_approve())
        };
        devices.into_iter().filter(approves).collect()
    }

    /// An approver signs the next manifest, following faster ones. Answers whether it stands.
    fn approve(&mut self, approver: DeviceNo, sign: impl Fn(&Device, u64) -> Approved) -> bool {
        for _ in 0..CONFLICTS_MAX {
            let device = &self.devices[approver];
            if let Ok((certificate, manifest)) = sign(device, self.net.now) {
                let user = device.user;
                if self.publish(user, manifest, certificate.as_slice()) {
                    self.devices[approver].refresh(&self.net, user);
                    return true;
                }
            }
            let device = &mut self.devices[approver];
            device.refresh(&self.net, device.user);
        }
        false
    }

    fn publish(&mut self, user: UserNo, next: Manifest, offered: &[DeviceCertificate]) -> bool {
        let Ok(removed) = self.net.service.publish(user, next, offered, self.net.now) else {
            return false;
        };
        for (device, purged) in removed {
            self.net.oracle.revoked(device, &purged);
            self.snapshots.remove(&device);
            self.revoked.push(device);
        }
        true
    }

    pub fn link(&mut self, user: UserNo, approver: DeviceNo, may_approve: bool) {
        let number = self.devices.len();
        let mut device = Device::new(user, number, &mut self.net);
        let request = self.request(&device);
        let linked = self.approve(approver, |approver, now| {
            let (certificate, manifest) =
                approver.keys.approve(approver.own(), &request, may_approve, now)?;
            Ok((Some(certificate), manifest))
        });
        assert!(linked, "device {approver} cannot link another");
        self.welcome(&mut device);
        self.devices.push(device);
    }

    /// Answers whether the device is gone: the last approver stays.
    pub fn revoke(&mut self, approver: DeviceNo, device: DeviceNo) -> bool {
        self.approve(approver, |approver, now| {
            let manifest = approver.keys.revoke(approver.own(), device_id(device), now)?;
            Ok((None, manifest))
        })
    }

    pub fn renew(&mut self, approver: DeviceNo) {
        let renewed = self.approve(approver, |it, now| Ok((None, it.keys.renew(it.own(), now)?)));
        assert!(renewed, "device {approver} cannot renew");
    }

    /// An app is installed anew: a new device in the place of the old one.
    pub fn reinstall(&mut self, device: DeviceNo, may_approve: bool) {
        let user = self.devices[device].user;
        let approver = self.approvers(user).into_iter().find(|it| *it != device);
        if let Some(approver) = approver {
            assert!(self.revoke(approver, device), "a reinstalled device cannot be revoked");
            self.link(user, approver, may_approve);
        } else {
            let others = self.net.service.devices(user);
            let others: Vec<_> = others.into_iter().filter(|it| *it != device).collect();
            self.recover(user, &others);
        }
    }

    /// The root key comes out of the recovery kit and begins a generation.
    pub fn recover(&mut self, user: UserNo, keep: &[DeviceNo]) {
        let number = self.devices.len();
        let mut device = Device::new(user, number, &mut self.net);
        device.refresh(&self.net, user);
        let request = self.request(&device);
        let keep: Vec<_> = keep.iter().copied().map(device_id).collect();
        let (certificate, manifest) = self.roots[user]
            .recover(device.own(), &keep, Some(&request), self.net.now)
            .expect("the root key recovers its account");
        assert!(self.publish(user, manifest, certificate.as_slice()), "a recovery in conflict");
        self.welcome(&mut device);
        self.devices.push(device);
    }
}
