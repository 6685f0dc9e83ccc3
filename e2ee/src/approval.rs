//! What an approver does: certify, revoke and renew.

use plasma_identity::{
    CertificateRequest, CertificateTerms, DeviceCertificate, Issuer, MANIFEST_LIFETIME_SECONDS,
    MAX_DEVICES, Manifest, ManifestStatement, VerifiedAccount,
};
use uuid::Uuid;

use crate::device_keys::DeviceKeys;
use crate::error::ApproveError;

impl DeviceKeys {
    /// Certifies another device and signs the manifest that lists it.
    ///
    /// The caller has compared the request with what the new device shows.
    pub fn approve(
        &self,
        account: &VerifiedAccount,
        request: &CertificateRequest,
        may_approve: bool,
        now: u64,
    ) -> Result<(DeviceCertificate, Manifest), ApproveError> {
        let issuer = self.check_approver(account)?;
        request.verify().map_err(|_| ApproveError::BadRequest)?;
        let statement = request.statement();
        if statement.address.user_address() != account.user_address()
            || statement.account != account.fingerprint()
        {
            return Err(ApproveError::WrongAccount);
        }
        let terms = CertificateTerms { may_approve, not_before: now, issuer };
        let certificate = DeviceCertificate::sign(*request, terms, self);
        let device = certificate.address().device;
        let mut devices: Vec<_> =
            account.devices().iter().filter(|d| d.address().device != device).copied().collect();
        devices.push(certificate);
        let manifest = self.sign_successor(account, &devices, now)?;
        Ok((certificate, manifest))
    }

    /// Signs the manifest that no longer lists a device.
    pub fn revoke(
        &self,
        account: &VerifiedAccount,
        device: Uuid,
        now: u64,
    ) -> Result<Manifest, ApproveError> {
        let mut devices = account.devices().to_vec();
        devices.retain(|certificate| certificate.address().device != device);
        if devices.len() == account.devices().len() {
            return Err(ApproveError::UnknownDevice);
        }
        self.sign_successor(account, &devices, now)
    }

    /// Signs a fresh manifest of the same devices; due well before the current one expires.
    pub fn renew(&self, account: &VerifiedAccount, now: u64) -> Result<Manifest, ApproveError> {
        self.sign_successor(account, account.devices(), now)
    }

    fn check_approver(&self, account: &VerifiedAccount) -> Result<Issuer, ApproveError> {
        let device = self.address().device;
        match account.device(device) {
            Some(own) if own.may_approve() && self.match_certificate(own) => {
                Ok(Issuer::Device(device))
            }
            _ => Err(ApproveError::NotApprover),
        }
    }

    fn sign_successor(
        &self,
        account: &VerifiedAccount,
        devices: &[DeviceCertificate],
        now: u64,
    ) -> Result<Manifest, ApproveError> {
        let signer = self.check_approver(account)?;
        if !(1..=MAX_DEVICES).contains(&devices.len()) {
            return Err(ApproveError::DeviceCount);
        }
        let mut certificates: Vec<_> = devices.iter().map(DeviceCertificate::hash).collect();
        certificates.sort_unstable();
        let statement = ManifestStatement {
            user: account.user_address(),
            account: account.fingerprint(),
            generation: account.generation(),
            epoch: account.epoch().saturating_add(1),
            previous: account.manifest_hash(),
            issued: now,
            expires: now.saturating_add(MANIFEST_LIFETIME_SECONDS),
            signer,
            certificates,
        };
        let manifest = Manifest::sign(statement, self)?;
        account.clone().advance(core::slice::from_ref(&manifest), devices, now)?;
        Ok(manifest)
    }
}
